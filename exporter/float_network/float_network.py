"""The chip's normal form of a network, still in floating point: only rounding is left.

One time step of population p, with decays as fractions lost per step:

    u <- u * (1 - current_decay) + synaptic input
    v <- v * (1 - voltage_decay) + u + bias
    s <- v > threshold;   v[s] <- 0, or v[s] - subtracted with reset by subtraction

A population that sends its voltage has no threshold: it sends v in every step.

Delays have these names, all in steps of the chip unless stated otherwise:

    delay              from sending to arrival
    axonal_delays      beyond `delay`, one per source element
    steps              of the float network, those that a Delay adds
    hops               the least that `delay` may be
    start              first step of a population
    latency            first step at which an input can arrive (ChipProgram)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.compile_options import Reset as Reset
from spikeport.exporter.program.chip_program import InputPort, Integers, arrival_steps

Floats = NDArray[np.float64]
Sends = Literal["spikes", "voltage"]


@dataclass(frozen=True)
class ConvGeometry:
    """Shapes and strides of a convolution, (channels, height, width) and (height, width)."""

    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class FloatPopulation:
    """Neurons with one constant per element, each array of shape (size,).

    reset: v after a spike. sends: spikes, or v in every step (then threshold is infinite). start: the population's
    first step on the chip, None for the earliest at which an input can arrive; before it nothing acts and nothing is
    sent. v_initial: v before that step, in the network's units; default 0. vth: the chip's word for the largest
    threshold, where training computed with it; trained_scale, trained_shift: of populations without threshold, the
    chip's units of v for one of the network's and the bits by which v is shifted before it is sent, where training
    computed so. registers: what training in integers of another kind (chip_integers.py) chose, by FAMILY_NAME.
    weight_bits: of the weights that it reads, if the layers' differ. v_leak: what v leaks to, default 0;
    exporter/lowering/fold_leak.py makes it part of the bias, as the chip's v leaks to 0:

        v <- v + (v_leak - v) * voltage_decay + u + bias
    """

    name: str
    shape: tuple[int, ...]
    current_decay: Floats
    voltage_decay: Floats
    threshold: Floats
    bias: Floats
    reset: Reset = field(default="zero", kw_only=True)
    sends: Sends = field(default="spikes", kw_only=True)
    start: int | None = field(default=None, kw_only=True)
    v_initial: Floats = field(default_factory=lambda: np.zeros(0), kw_only=True)
    vth: int | None = field(default=None, kw_only=True)
    trained_scale: float | None = field(default=None, kw_only=True)
    trained_shift: int | None = field(default=None, kw_only=True)
    weight_bits: int | None = field(default=None, kw_only=True)
    v_leak: Floats = field(default_factory=lambda: np.zeros(0), kw_only=True)
    registers: Mapping[str, NDArray[Any]] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("v_initial", "v_leak"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.zeros(self.size))

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def subtracted(self) -> Floats:
        """What a spike subtracts from v with reset by subtraction; more than the threshold if that decays first."""
        return subtracted(self.threshold, self.voltage_decay, self.reset)


def subtracted(threshold: Floats, voltage_decay: Floats, reset: Reset) -> Floats:
    """What a spike subtracts from v: v (1 - d) - threshold is (v - threshold / (1 - d)) (1 - d)."""
    if reset != "subtract_after_decay":
        return threshold
    remaining = 1 - voltage_decay
    return np.where(remaining > 0, threshold / np.where(remaining > 0, remaining, 1), threshold)


@dataclass(frozen=True)
class FloatConnection:
    """Weights (target size, source size), dense or a csr_array, or a kernel (out, in / groups, height, width).

    delay: the chip's steps from sending to arrival, at least 1. axonal_delays: steps beyond it, one per source element,
    shape (source size,). steps: those that also pass in the float network, by a Delay that all axons share. hops: the
    fewest steps on the chip, 2 where a relay will be inserted (exporter/lowering/graded_sums.py). synapse: name of the
    network's node that the weights came from.
    """

    source: str
    target: str
    weights: Floats | csr_array
    geometry: ConvGeometry | None
    delay: int
    axonal_delays: Integers | None = field(default=None, kw_only=True)
    steps: int = field(default=0, kw_only=True)
    hops: int = field(default=1, kw_only=True)
    synapse: str = field(default="", kw_only=True)

    @property
    def dense(self) -> Floats:
        """The weights as an array, whichever way they are stored."""
        dense: Floats = self.weights.toarray() if isinstance(self.weights, csr_array) else self.weights
        return dense

    @property
    def longest_delay(self) -> int:
        """The most steps from sending to arrival."""
        return self.delay + (0 if self.axonal_delays is None else int(self.axonal_delays.max(initial=0)))


@dataclass(frozen=True)
class FloatNetwork:
    """Inputs, populations and connections with their delays; outputs name populations.

    notes: sentences on what lowering could not keep exactly; payloads: the largest integer at an input, if more than a
    spike's 1.
    """

    dt: float
    inputs: tuple[InputPort, ...]
    populations: tuple[FloatPopulation, ...]
    connections: tuple[FloatConnection, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    payloads: Mapping[str, int] = field(default_factory=dict, kw_only=True)

    @property
    def starts(self) -> dict[str, int]:
        """The chip's step at which each population takes its first step of the float network."""
        arrival = arrival_steps(self.inputs, self.connections)
        return {p.name: arrival.get(p.name, 0) if p.start is None else p.start for p in self.populations}
