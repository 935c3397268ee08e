"""A .net file -> ChipProgram, identical in every integer to what lava-dl's netx would run in Lava.

A network whose first layer has neurons (a block `input`) takes real numbers: x enters as the payload rint(weight * x)
on one axon per neuron, which takes a step on the chip as every connection does.

A layer's bias waits for the layer's first input, as in training with slayer; in netx itself it acts from the first
step, unless its layers are reset one after the other.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np

from spikeport.common.errors import InputError, naming
from spikeport.exporter.program.chip_program import ChipProgram, Connection, InputPort, Integers, Population
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.hardware_profiles.schema import ChipProfile

from .net_file import NetLayer, NetWarning, read_layers
from .neurons import population
from .synapses import Image, convolution, dense, one_to_one

INPUT = "input"
# value of a spike of 1.0 in a block `input` without a weight
_UNIT = 64
# no synapse, no neuron: the readout, or a change of shape that keeps the order of elements
_STRUCTURE = ("flatten", "average")


def compile_net(path: str | Path, chip: ChipProfile, dt: float | None = None) -> ChipProgram:
    """Read and compile a .net file; dt in seconds, default 1e-3. Raises InputError for what the chip lacks."""
    layers = read_layers(path)
    builder = _Builder(chip.word_widths.fixed_point())
    for number, layer in enumerate(layers):
        with naming(layer.context, "export the network again"):
            builder.add(layer, f"layer{number}")
    if not builder.populations:
        raise InputError(f"{path}: holds no layer with neurons")
    outputs = (builder.populations[-1].name,)
    program = ChipProgram(
        chip.name, builder.widths, dt or 1e-3, tuple(builder.inputs), tuple(builder.populations),
        tuple(builder.connections), outputs,
    )  # fmt: skip
    return validate(program, str(path))


class _Builder:
    """Collect populations and connections layer by layer: the file is a chain."""

    def __init__(self, widths: WordWidths) -> None:
        self.widths = widths
        self.inputs: list[InputPort] = []
        self.populations: list[Population] = []
        self.connections: list[Connection] = []
        self._source, self._shape = INPUT, tuple[int, ...]()

    def add(self, layer: NetLayer, name: str) -> None:
        """Add one layer."""
        if layer.kind == "input":
            self._input(layer, name)
        elif layer.kind in ("dense", "dense_rec"):
            self._dense(layer, name)
        elif layer.kind in ("conv", "pool"):
            self._convolution(layer, name)
        elif layer.kind not in _STRUCTURE:
            known = ", ".join(("input", "dense", "dense_rec", "conv", "pool", *_STRUCTURE))
            raise InputError(f"{layer.context} is of a type that is not compiled; known are {known}")

    def _input(self, layer: NetLayer, name: str) -> None:
        self._shape = layer.shape
        if layer.neuron is None:
            return
        weight = int(layer.integers("weight").reshape(-1)[0]) if "weight" in layer.arrays else _UNIT
        self.inputs.append(InputPort(INPUT, layer.shape, scale=float(weight)))
        self.connections.append(one_to_one(INPUT, name, math.prod(layer.shape)))
        self._neurons(layer, name, layer.shape)

    def _dense(self, layer: NetLayer, name: str) -> None:
        shape = (math.prod(layer.shape),)
        complex_weights = "weight/real" in layer.arrays
        ports = {"weight/real": "a_real_in", "weight/imag": "a_imag_in"} if complex_weights else {"weight": "a_in"}
        for part, port in ports.items():
            weights = self._matrix(layer, part, shape[0])
            self._enter((weights.shape[1],))
            if weights.shape[1] != math.prod(self._shape):
                raise InputError(f"{layer.context} takes {weights.shape[1]} inputs, but {self._shape} leads to it")
            delays = self._delays(layer, weights.shape)
            self.connections += dense(layer, weights, self._source, name, delays, port)
        if layer.kind == "dense_rec":
            recurrent = self._matrix(layer, "weight_rec", shape[0])
            self.connections += dense(layer, recurrent, name, name, self._delays(layer, recurrent.shape))
        self._neurons(layer, name, shape)

    def _convolution(self, layer: NetLayer, name: str) -> None:
        if "delay" in layer.arrays:
            raise InputError(f"{layer.context} has delays, which netx ignores in convolutions; use dense layers there")
        kernel = layer.integers("weight")
        kernel = kernel.reshape(kernel.shape[:4])
        groups = int(layer.integers("groups").reshape(-1)[0]) if "groups" in layer.arrays else 1
        if layer.kind == "pool":
            # one kernel for every channel
            groups = layer.shape[0]
            kernel = np.ascontiguousarray(np.broadcast_to(kernel, (groups, 1, *kernel.shape[2:])))
        if not self._shape:
            raise InputError(f"{layer.context} comes first, but the file does not state the shape of its input")
        self._enter(self._shape)
        if len(self._shape) != 3 or len(layer.shape) != 3:
            raise InputError(f"{layer.context} joins shapes {self._shape} and {layer.shape}, but both must be images")
        shapes: tuple[Image, Image] = (self._shape[0], self._shape[1], self._shape[2]), (*layer.shape,)
        self.connections += convolution(layer, kernel, groups, self._source, name, shapes)
        self._neurons(layer, name, layer.shape)

    def _neurons(self, layer: NetLayer, name: str, shape: tuple[int, ...]) -> None:
        self.populations.append(population(layer, name, shape, len(self.populations) + 1, self.widths))
        self._source, self._shape = name, shape

    def _enter(self, shape: tuple[int, ...]) -> None:
        """Create the input port before the first synapse, if the file has no neurons before it."""
        if not self.inputs:
            self._shape = self._shape or shape
            self.inputs.append(InputPort(INPUT, self._shape))

    def _matrix(self, layer: NetLayer, name: str, size: int) -> Integers:
        weights = layer.integers(name)
        if weights.size % max(size, 1) or not size:
            raise InputError(f"{layer.context}, {name} has shape {weights.shape}, but {size} neurons follow")
        return weights.reshape(size, -1)

    def _delays(self, layer: NetLayer, shape: tuple[int, ...]) -> Integers | None:
        if "delay" not in layer.arrays:
            return None
        delays = layer.integers("delay")
        longest = self.widths.delay_max
        if delays.min(initial=0) < 0:
            raise InputError(f"{layer.context} has a delay of {delays.min()} steps; delays are 0 or more")
        if delays.max(initial=0) > longest:
            warnings.warn(
                f"{layer.context} has delays of up to {delays.max()} steps, cut to {longest} as in lava-dl's netx: "
                f"{np.count_nonzero(delays > longest)} of {delays.size} are shorter than in training",
                NetWarning, stacklevel=2,
            )  # fmt: skip
        if delays.shape != shape:
            delays = delays.reshape(-1)
            delays = np.repeat(delays, shape[0]) if len(delays) == 1 else delays
            if len(delays) not in shape:
                raise InputError(f"{layer.context} has {len(delays)} delays, which fit neither end of weights {shape}")
            # one per target neuron, or else one per source
            delays = delays[:, None] if len(delays) == shape[0] else delays[None, :]
            delays = np.broadcast_to(delays, shape)
        return np.minimum(delays, longest).astype(np.int32)
