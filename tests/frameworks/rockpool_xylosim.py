"""Rockpool's own Xylo simulator on a specification that spikeport exported.

    python tests/frameworks/rockpool_xylosim.py FOLDER

reads FOLDER/model.json and FOLDER/x.npy (time, batch, inputs), and writes FOLDER/rockpool.npz: `hidden` and `out`,
events (time, batch, neurons). samna, which drives boards, is not on PyPI as a whole; Rockpool's package for Xylo
imports it although its simulator does not use it. Where it is missing, empty modules take its place.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np


class Empty(types.ModuleType):
    """A module whose every name is there and does nothing."""

    __path__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds samna and its submodules, empty."""

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        """A specification for samna's modules only."""
        own = name.split(".")[0] == "samna"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if own else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """An empty module."""
        return Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing."""


if importlib.util.find_spec("samna") is None:
    sys.meta_path.insert(0, Finder())

from rockpool.devices.xylo.syns61201 import XyloSim  # noqa: E402 - after the modules that it imports

folder = Path(sys.argv[1])
given = json.loads((folder / "model.json").read_text())
x = np.load(folder / "x.npy")
arguments = {name: value if isinstance(value, int) else np.array(value) for name, value in given.items()}
# an argument's name in config_from_specification, and in the simulator
if "bias_hidden" in arguments:
    arguments["bias"] = arguments.pop("bias_hidden")
if "aliases" in given:
    arguments["aliases"] = given["aliases"]
hidden, out = [], []
for sample in range(x.shape[1]):
    simulator = XyloSim.from_specification(**arguments)
    sent, _, recorded = simulator.evolve(x[:, sample].reshape(len(x), -1), record=True)
    out.append(sent)
    hidden.append(recorded["Spikes"])
np.savez(folder / "rockpool.npz", hidden=np.stack(hidden, 1), out=np.stack(out, 1))
