"""lava-dl's .net files, made layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from places import SHARED

from spikeport.hardware_profiles import load_chip

LOIHI2 = load_chip("loihi2")


NETX = SHARED / "conformance" / "netx"


NEURON = {"type": b"CUBA", "iDecay": 1024, "vDecay": 128, "vThMant": 80, "refDelay": 1}


needs_networks = pytest.mark.skipif(not NETX.is_dir(), reason="the conformance networks are not beside this checkout")


def write_net(path: Path, layers: list[dict[str, Any]]) -> Path:
    """A .net file as slayer's export_hdf5 lays it out."""
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            group = file.create_group(f"layer/{number}")
            for name, value in layer.items():
                if name == "neuron":
                    for key, number_ in value.items():
                        group.create_dataset(f"neuron/{key}", data=number_)
                elif name == "type":
                    group.create_dataset("type", (1,), "S10", [value])
                else:
                    group.create_dataset(name, data=value)
    return path


def dense(weights: NDArray[Any], **others: Any) -> dict[str, Any]:
    return {"type": b"dense", "shape": np.array([len(weights)]), "weight": weights, "neuron": NEURON, **others}
