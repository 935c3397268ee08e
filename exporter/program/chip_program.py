"""ChipProgram: a network in the chip's integers. The interface between compiling and running.

Every connection takes at least one time step, as on the chip: a spike at step t reaches its targets' `a` at step
t + delay. The words are those of lava-nc 0.10.0 (lava.proc.lif, lava.proc.dense, lava.proc.conv, lava.proc.sparse).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons import Cuba, CubaLI, CubaLIF, CubaLIFSoftReset, Integers, Population
from spikeport.hardware_profiles.fixed_point import SignMode, WordWidths

__all__ = [
    "ChipProgram",
    "Connection",
    "ConvConnection",
    "Cuba",
    "CubaLI",
    "CubaLIF",
    "CubaLIFSoftReset",
    "DenseConnection",
    "Edge",
    "InputArrays",
    "InputPort",
    "Integers",
    "Population",
    "Quantisation",
    "SparseConnection",
    "arrival_steps",
    "delays_per_weight",
]

InputArrays = NDArray[Any] | Mapping[str, NDArray[Any]]
"""Input of a network: one array (time, batch, *shape), or one for each input, by name."""


@dataclass(frozen=True)
class InputPort:
    """Where spikes (or integer payloads) enter: one axon per element of `shape`.

    scale: real numbers may also enter, as the payload rint(scale * x); None: integers only. payload: the largest
    integer that the network was made for; 1: spikes.
    """

    name: str
    shape: tuple[int, ...]
    scale: float | None = None
    payload: int = 1

    @property
    def size(self) -> int:
        """Number of axons."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Connection:
    """Synapses from one input or population to one population.

    weights: integers after truncation by sign mode and weight_bits; their sum * 2**weight_exp arrives. delay: time
    steps from spike to arrival, at least 1; axonal_delays: steps beyond it, one per source element (source size,);
    synaptic_delays: steps beyond both, one per weight (shape of weights). port: where it arrives, one of the target's
    PORTS. synapse: name of the network's synapse of which it is the whole or a part: parts (by sign, by digit) share
    the name and add up.
    """

    source: str
    target: str
    weights: Integers
    weight_exp: int
    sign_mode: SignMode
    weight_bits: int
    delay: int
    axonal_delays: Integers | None = field(default=None, kw_only=True)
    synaptic_delays: Integers | None = field(default=None, kw_only=True)
    port: str = field(default="a_in", kw_only=True)
    synapse: str = field(default="", kw_only=True)

    @property
    def label(self) -> str:
        """The connection's name in messages."""
        return f"{self.source} -> {self.target}"

    @property
    def longest_delay(self) -> int:
        """The most steps from a spike to its arrival."""
        beyond = (d for d in (self.axonal_delays, self.synaptic_delays) if d is not None)
        return self.delay + sum(int(delays.max(initial=0)) for delays in beyond)


@dataclass(frozen=True)
class DenseConnection(Connection):
    """All to all: weights (target size, source size), both in C order."""


@dataclass(frozen=True)
class SparseConnection(Connection):
    """A matrix (target size, source size) in compressed rows: weights (stored,), as scipy.sparse.csr_array.

    indices: source element of every weight, (stored,); indptr: where each target's weights start, (target size + 1,).
    Indices are ascending and unique within a row.
    """

    indices: Integers
    indptr: NDArray[np.int64]


def delays_per_weight(connection: DenseConnection | SparseConnection) -> Integers:
    """Axonal plus synaptic steps beyond `delay`, one per weight (shape of weights)."""
    delays = np.zeros(connection.weights.shape, np.int32)
    if connection.synaptic_delays is not None:
        delays += connection.synaptic_delays
    if connection.axonal_delays is not None:
        axonal = connection.axonal_delays
        delays += axonal[connection.indices] if isinstance(connection, SparseConnection) else axonal
    return delays


@dataclass(frozen=True)
class ConvConnection(Connection):
    """Cross-correlation as torch and NIR define it: weights (out channels, in channels / groups, height, width).

    Synaptic delays of a convolution are shared like its kernel: one per kernel element.
    """

    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class Quantisation:
    """What quantisation did to one population and its incoming weights (errors relative to the float values).

    current_bound, voltage_bound: the largest |u| and |v| as a fraction of the register, derived from `bound_basis`; v
    beyond 1 saturates. interval: steps between two spikes for which the rounding of the leak was compensated
    (exporter/quantisation/compensation/leak.py), 0 without a sample.
    """

    scale: float
    weight_error_rms: float
    weight_error_max: float
    du_error: float
    dv_error: float
    vth_error: float
    bias_error: float
    current_bound: float
    notes: tuple[str, ...] = ()
    voltage_bound: float = 0.0
    bound_basis: str = ""
    interval: float = 0.0


@dataclass(frozen=True)
class ChipProgram:
    """A compiled network: ports, compartments, synapses, and what compiling did to each population."""

    chip: str
    widths: WordWidths
    dt: float
    inputs: tuple[InputPort, ...]
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    outputs: tuple[str, ...]
    quantisation: dict[str, Quantisation] = field(default_factory=dict)

    @property
    def integers(self) -> str:
        """The integers that its populations compute with (ChipProfile.integers)."""
        return self.populations[0].INTEGERS if self.populations else "loihi"

    @property
    def nodes(self) -> tuple[InputPort | Population, ...]:
        """Inputs and populations."""
        return (*self.inputs, *self.populations)

    def population(self, name: str) -> Population:
        """The population of that name; raises KeyError."""
        return next(p for p in self.populations if p.name == name)

    def into(self, name: str) -> tuple[Connection, ...]:
        """The connections that end in a population."""
        return tuple(c for c in self.connections if c.target == name)

    def out_of(self, name: str) -> tuple[Connection, ...]:
        """The connections that start at an input or population."""
        return tuple(c for c in self.connections if c.source == name)

    def source_size(self, name: str) -> int:
        """Number of axons or compartments of an input or population."""
        return math.prod(self.source_shape(name))

    def source_shape(self, name: str) -> tuple[int, ...]:
        """Shape of an input or population; raises KeyError."""
        shapes = {node.name: node.shape for node in self.nodes}
        return shapes[name]

    @cached_property
    def latency(self) -> dict[str, int]:
        """Steps by which each population lags behind the input: the step at which its first input can arrive."""
        return arrival_steps(self.inputs, self.connections)

    @property
    def output_units(self) -> dict[str, NDArray[np.float64]]:
        """Output -> value of one unit of what it sends, in the network's units, where it sends its voltage."""
        return {
            p.name: np.asarray(2.0 ** np.asarray(p.payload_shift, np.float64) / self.quantisation[p.name].scale)
            for p in self.populations
            if p.name in self.outputs and p.payload_shift is not None and p.name in self.quantisation
        }

    @property
    def pipeline_steps(self) -> int:
        """Steps that a run must add to the input's length to get all of its output."""
        return max((self.latency.get(name, 0) for name in self.outputs), default=0)


class Edge(Protocol):
    """The fields of a connection that matter for timing, integer or float."""

    @property
    def source(self) -> str:
        """Name of the input or population it leaves."""

    @property
    def target(self) -> str:
        """Name of the population it enters."""

    @property
    def delay(self) -> int:
        """Time steps from spike to arrival."""


def arrival_steps(inputs: Iterable[InputPort], connections: Iterable[Edge]) -> dict[str, int]:
    """The earliest step at which a spike of step 0 can reach each node, following every connection's delay."""
    steps = {port.name: 0 for port in inputs}
    connections = list(connections)
    changed = True
    while changed:
        changed = False
        for connection in connections:
            if connection.source in steps:
                arrival = steps[connection.source] + connection.delay
                if arrival < steps.get(connection.target, math.inf):
                    steps[connection.target] = arrival
                    changed = True
    return steps
