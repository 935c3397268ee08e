"""Tries rounded neurons on what the float network's nodes send: their spikes against the float network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation
from spikeport.exporter.float_network.simulator import FloatResult, simulate_float
from spikeport.exporter.neurons.xylo.neurons import MOST_INPUT_EVENTS, NO_ALIAS
from spikeport.exporter.program.chip_program import Integers
from spikeport.exporter.quantisation.calibrate import enter_sample

from .decays import Decays
from .kernel_constants import Block, Kernel, Matrices, constant_rows
from .rounding import RoundedBlock

_RATES = (0.02, 0.05, 0.1, 0.1, 0.2, 0.3)
_LEAST_STEPS, _MOST_STEPS, _MOST_SAMPLES = 100, 400, 16


@dataclass(frozen=True)
class Trial:
    """What inputs and populations of the float network sent on a sample, (steps, samples, size), with Loihi's timing.

    basis: the sample, in words.
    """

    network: FloatNetwork
    entered: Mapping[str, NDArray[np.int32]]
    wanted: FloatResult
    basis: str

    def arriving(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """Events that arrive in every step of the chip, (steps, samples, neurons of all names).

        A population of Loihi starts a step after what it reads. A Xylo chip is a step ahead in all layers, as input
        acts in the step in which it enters, and its events arrive a step later: both at Loihi's step of sending.
        Names that the float network does not have are neurons that fire in every step.
        """
        return np.concatenate([self._events(name) for name in names], axis=2)

    def _events(self, name: str) -> NDArray[np.uint8]:
        sent = self.entered.get(name, self.wanted.spikes.get(name))
        if sent is None:
            # the chip's own (bias_neurons.py)
            steps, samples, _ = next(iter(self.entered.values())).shape
            return np.ones((steps, samples, 1), np.uint8)
        return np.clip(sent, 0, MOST_INPUT_EVENTS).astype(np.uint8)

    def error(self, populations: Sequence[FloatPopulation], sent: NDArray[np.uint8]) -> float:
        """How far the numbers of spikes so far are apart in the mean step, as a share of the network's at the end."""
        apart, spikes, start = 0.0, 0.0, 0
        for population in populations:
            own = sent[..., start : start + population.size]
            start += population.size
            if population.name not in self.wanted.spikes:
                continue
            late = self.network.starts[population.name]
            wanted = self.wanted.spikes[population.name][late:].astype(np.int32)
            got = own[max(late - 1, 0) :][: len(wanted)]
            difference = np.cumsum(got - wanted[: len(got)], axis=0)
            apart += float(np.abs(difference).mean(axis=0).sum())
            spikes += float(wanted.sum())
        return apart / max(spikes, 1.0)


def make_trial(network: FloatNetwork, options: CompileOptions) -> Trial:
    """Run the float network on the calibration sample, else on random spikes at several rates (made up, fixed)."""
    sample, basis = options.sample, "sample input"
    if sample is None:
        sample, basis = _random_events(network), "random input of 0.02 to 0.3 spikes per channel and step"
    entered, steps, _ = enter_sample(network, sample)
    steps = min(steps, _MOST_STEPS)
    kept = {name: values[:steps, :_MOST_SAMPLES] for name, values in entered.items()}
    return Trial(network, kept, simulate_float(network, kept, steps), basis)


def _random_events(network: FloatNetwork) -> Mapping[str, NDArray[Any]]:
    decays = [d for p in network.populations for d in (p.current_decay, p.voltage_decay)]
    slowest = min(float(d[d > 0].min(initial=1)) for d in decays)
    steps = int(np.clip(4 / slowest, _LEAST_STEPS, _MOST_STEPS))
    random, rates = np.random.default_rng(0), np.array(_RATES)
    return {
        port.name: random.binomial(1, rates.reshape(-1, *[1] * len(port.shape)), (steps, len(rates), *port.shape))
        for port in network.inputs
    }


def try_block(
    block: RoundedBlock, own_reset: Integers, decays: Decays, events: NDArray[np.uint8], most: int
) -> NDArray[np.uint8]:
    """What the neurons of a block send, (steps, samples, neurons), for arriving events (steps, samples, sources).

    own_reset: the weight from a direct neuron to itself, as the block's matrix "rec" holds it, 0 for others; all other
    events are those given. most: events of a neuron in a step.
    """
    matrices = {name: weights.copy() for name, weights in block.weights.items()}
    size = len(block.threshold)
    if "rec" in matrices:
        matrices["rec"][np.arange(size), np.arange(size)] -= own_reset
    shifted = [weights.T << block.shifts[name] for name, weights in matrices.items()]
    w_in = np.concatenate(shifted)
    own = np.diag(own_reset << block.shifts.get("rec", 0))
    nobody, alone = np.zeros((size, 0), np.int32), np.full(size, NO_ALIAS, np.int32)
    dashes = decays.dash_syn, decays.dash_syn, decays.dash_mem
    none = constant_rows((alone[:0], alone[:0]), alone[:0], alone[:0], 1)
    given = Matrices(w_in[..., None], own[..., None])
    kernel = Kernel.made(given, nobody, dashes, (block.threshold, block.bias), none, alone, (most, 1))
    steps, samples, _ = events.shape
    kept = Block.empty(kernel, steps, samples, hidden=True, states=False)
    kernel.advance(events, kernel.start(samples), steps, kept)
    return kept.sent
