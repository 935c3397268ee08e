"""Runs a finished run's model.nir in Norse and snnTorch, if installed, and compares their answers with the chip's.

    python benchmarks/frameworks.py runs/digits

Both need an environment of their own (pip install norse snntorch nirtorch). snnTorch assumes a time step of 1e-4 s and
does not support v_leak, so it runs networks of LIF neurons at that step.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch


def norse_module(graph: nir.NIRGraph, dt: float) -> Any:
    """The graph as a Norse module."""
    import norse.torch

    return norse.torch.from_nir(graph, dt=dt)


def snntorch_module(graph: nir.NIRGraph, dt: float) -> Any:
    """The graph as a snnTorch module."""
    from snntorch.import_nir import import_from_nir

    if dt != 1e-4:
        raise ValueError(f"snnTorch assumes dt = 1e-4 s, the graph has {dt}")
    with contextlib.redirect_stdout(io.StringIO()):
        return import_from_nir(graph)


MODULES: dict[str, Callable[[nir.NIRGraph, float], Any]] = {"norse": norse_module, "snntorch": snntorch_module}


def main(folder: Path) -> int:
    """Print the share of test samples on which each framework gives the same answer as the chip's integers."""
    graph = nir.read(folder / "model.nir")
    dt = float(np.asarray(graph.metadata["dt"]))
    x = torch.tensor(np.load(folder / "test_input.npy"), dtype=torch.float32)
    with np.load(folder / "result.npz") as result:
        wanted = result["spikes"].sum(axis=0).argmax(axis=1)
    for name, build in MODULES.items():
        try:
            module = build(graph, dt)
        except (ImportError, AssertionError, ValueError) as error:
            print(f"{name}: left out ({type(error).__name__}: {error})")
            continue
        state, counts = None, torch.zeros(1)
        with torch.no_grad():
            for step in x:
                spikes, state = module(step, state)
                counts = counts + (spikes[0] if isinstance(spikes, tuple) else spikes)
        agreement = float(np.mean(counts.argmax(dim=1).numpy() == wanted))
        print(f"{name}: same winner on {agreement:.4f} of {len(wanted)} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
