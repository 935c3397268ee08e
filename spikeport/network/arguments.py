"""What a caller of the Python interface gives as network, chip or path: taken, or refused in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import nir

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.loader import available, load_profile
from spikeport.hardware_profiles.schema import ChipProfile


def graph_or_file(graph: object) -> nir.NIRGraph | Path:
    """A NIR graph, or the path of a model file; raises InputError that names what was given."""
    if isinstance(graph, nir.NIRGraph):
        return graph
    if isinstance(graph, (str, os.PathLike)):
        return Path(graph)
    kind = type(graph).__name__
    if isinstance(graph, nir.NIRNode):
        remedy = "wrap the node in a nir.NIRGraph with an Input and an Output"
    elif hasattr(graph, "state_dict"):
        remedy = "export the module with its framework's NIR exporter (nirtorch, snntorch.export_nir, ...) first"
    elif hasattr(graph, "graph") and hasattr(graph, "opset_import"):
        remedy = "save it with onnx.save and give the .onnx file"
    elif hasattr(graph, "program"):
        remedy = "the network is compiled already; give the graph or file that it was compiled from"
    else:
        remedy = "give a nir.NIRGraph, or the path of a .nir, .net or .onnx file"
    raise InputError(f"graph is a value of type {kind}, which cannot be compiled: {remedy}")


def chip_name(chip: object) -> str:
    """The name or file of a chip's profile; a shipped profile counts as its name. Raises InputError."""
    if isinstance(chip, (str, os.PathLike)):
        return os.fspath(chip) if isinstance(chip, str) else str(Path(chip))
    if isinstance(chip, ChipProfile):
        if chip.name in available() and load_profile(chip.name) == chip:
            return chip.name
        raise InputError(
            f"chip is a changed profile of {chip.name}; write it to a .toml file (docs/profiles.md) and give its path"
        )
    raise InputError(f"chip is a value of type {type(chip).__name__}; give a chip by name, or a profile's .toml file")


def path_of(option: str, value: object) -> Path:
    """A path; raises InputError that names the argument if it is none."""
    if isinstance(value, (str, os.PathLike)):
        return Path(value)
    raise InputError(f"{option} is a value of type {type(value).__name__}; give a path")
