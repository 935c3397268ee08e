"""Networks that are no NIR graphs as graphs to train: lava-dl's .net files, and ReLU networks in ONNX, rate-coded."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.program.chip_program import Cuba
from spikeport.exporter.quantisation.dequantise import dequantised_network
from spikeport.hardware_profiles.schema import ChipProfile

from .write_graph import write_graph

# steps for which the thresholds of a ReLU network are balanced, as in `spikeport import`
_STEPS = 32


@dataclass(frozen=True)
class ReadNetwork:
    """A graph, the options that it compiles with, and the number that represents 1 at its input."""

    graph: nir.NIRGraph
    options: CompileOptions
    input_scale: float = 1.0


def read_net(path: Path, chip: ChipProfile, options: CompileOptions) -> ReadNetwork:
    """A .net file; compiled again, the graph has the file's integers. Raises InputError for what cannot be trained.

    Where the file has 8 bit weights and options fewer, they are rounded again.
    """
    program = compile_net(path, chip, options.dt)
    network = dequantised_network(program)
    resets = {population.reset for population in network.populations}
    if len(resets) > 1:
        raise InputError(f"{path}: its neurons reset in {len(resets)} ways, which one graph cannot hold")
    hints = {p.name: {"vth": int(p.threshold_word.max())} for p in _spiking(program.populations)}
    scale = max((port.scale or 1.0 for port in program.inputs), default=1.0)
    payloads = {port.name: math.ceil(port.scale) for port in program.inputs if port.scale}
    names = tuple(f"output_{n}" for n in range(len(network.outputs))) if len(network.outputs) > 1 else ("output",)
    graph = write_graph(replace(network, payloads=payloads), "euler", resets.pop(), names, hints)
    return ReadNetwork(graph, replace(options, dt=None), scale)


def read_onnx(path: Path, chip: ChipProfile, options: CompileOptions, samples: NDArray[Any] | None) -> ReadNetwork:
    """A ReLU network as a rate-coded one; samples: typical input (N, *input shape). Raises InputError."""
    given = [name for name in ("dt", "framework", "discretize", "reset") if getattr(options, name) is not None]
    if given:
        raise InputError(f"{path}: an ANN has no {', '.join(given)}; leave them out")
    if samples is None:
        raise InputError(f"{path}: thresholds are balanced on sample input; give it with calibrate=x, (N, *shape)")
    from spikeport.exporter.onnx.convert import convert_onnx
    from spikeport.exporter.onnx.rate import input_scale, rate_graph

    converted = convert_onnx(path, chip, samples, "rate", _STEPS)
    network, scale = converted.network, input_scale(converted.statistics)
    arranged = network.entry.arranged(np.asarray(samples, np.float32))
    shown = np.broadcast_to(np.rint(scale * arranged), (_STEPS, *arranged.shape)).astype(np.int32)
    graph = rate_graph(network, converted.statistics)
    return ReadNetwork(graph, replace(options, reset="subtract", calibration=shown), scale)


def _spiking(populations: tuple[Any, ...]) -> list[Any]:
    return [p for p in populations if isinstance(p, Cuba) and p.threshold_word is not None]
