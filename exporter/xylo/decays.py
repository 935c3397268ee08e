"""Decays as a Xylo chip has them, 2**-dash lost per step, and the weights that make up for what they differ.

A spike of weight 1 at step 0 moves v of the network and of the chip by

    network   v[n] = sum over m <= n of (1 - voltage_decay)**(n - m) * (1 - current_decay)**m
    chip      v[n] = sum over m <= n of (1 - 2**-dash_mem)**(n - m) * (1 - 2**-dash_syn)**(m + 1)
    direct    v[n] = (1 - 2**-dash_syn)**(n + 1)

Of the shifts on both sides of a decay those are taken at which gain * chip is nearest to the network's response (least
squares). In a direct neuron dash_mem is 0, so that v is the synaptic current itself, which takes the membrane's place;
its spikes subtract from the current through a synapse of the neuron with itself (layout.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.float_network.float_network import FloatPopulation, Floats
from spikeport.exporter.program.chip_program import Integers

# steps over which responses are compared
_LEAST, _MOST = 16, 4096
# what an 'integrator' loses: the chip's slowest decay
_NOTHING = 1e-12


@dataclass(frozen=True)
class Decays:
    """Shifts of every neuron, the factors of its weights and bias, and what its response is off (rms, a fraction)."""

    dash_syn: Integers
    dash_mem: Integers
    weight_gain: Floats
    bias_gain: Floats
    error: Floats


def fit_decays(population: FloatPopulation, direct: NDArray[np.bool_], longest: int) -> Decays:
    """The chip's decays of a population, none of which is too slow; longest: the largest dash."""
    rows = [
        _fit(float(current), float(voltage), bool(own), longest)
        for current, voltage, own in zip(population.current_decay, population.voltage_decay, direct, strict=True)
    ]
    syn, mem, weight, bias, error = (np.array(column) for column in zip(*rows, strict=True))
    return Decays(syn.astype(np.int32), mem.astype(np.int32), weight, bias, error)


def too_slow(population: FloatPopulation, longest: int) -> Iterator[str]:
    """A sentence for each kind of decay that is slower than the chip's; longest: the largest dash."""
    for name, decays in (("synaptic", population.current_decay), ("membrane", population.voltage_decay)):
        slow = (decays < 2.0 ** -(longest + 0.5)) & (decays > _NOTHING)
        if name == "synaptic":
            slow |= decays <= _NOTHING
        if slow.any():
            steps = 1 / max(float(decays[slow].min()), _NOTHING)
            yield (
                f"{population.name!r} has a {name} time constant of {steps:.3g} steps, but a Xylo chip's decays end at "
                f"a shift of {longest}, {2**longest:,} steps; compile with a larger --dt or shorten it"
            )


@lru_cache(maxsize=4096)
def _fit(current: float, voltage: float, direct: bool, longest: int) -> tuple[int, int, float, float, float]:
    """dash_syn, dash_mem, gains of weights and bias, error."""
    slowest = min(current, voltage if voltage > _NOTHING else current)
    steps = min(_MOST, max(_LEAST, math.ceil(6 / slowest)))
    wanted = _response(current, voltage, steps)
    if direct:
        pairs = [(syn, 0) for syn in _shifts(voltage, 1, longest)]
    else:
        pairs = list(product(_shifts(current, 1, longest), _shifts(voltage, 0, longest)))
    tried = []
    for syn, mem in pairs:
        reached = _response(2.0**-syn, 2.0**-mem, steps) * (1 - 2.0**-syn)
        gain = float(wanted @ reached / (reached @ reached))
        tried.append((float(np.sum((wanted - gain * reached) ** 2)), syn, mem, gain))
    off, syn, mem, gain = min(tried)
    # a constant bias must come to the same voltage
    bias = 2.0**-mem / voltage if voltage > _NOTHING else 1.0
    return syn, mem, gain, bias, math.sqrt(off / float(wanted @ wanted))


@njit(cache=True, nogil=True)
def _response(current: float, voltage: float, steps: int) -> Floats:
    """The network's v of steps after one spike."""
    response = np.empty(steps)
    u, v = 1.0, 0.0
    for step in range(steps):
        v = (1.0 - voltage) * v + u
        response[step] = v
        u *= 1.0 - current
    return response


def _shifts(decay: float, least: int, longest: int) -> list[int]:
    """The shifts on both sides of a decay, within the chip's."""
    exact = -math.log2(decay) if decay > _NOTHING else math.inf
    both = (longest, longest) if math.isinf(exact) else (math.floor(exact), math.ceil(exact))
    return sorted({min(max(shift, least), longest) for shift in both})
