"""Weights, thresholds and biases of a block of neurons in integers, every neuron at a scale of its own.

A neuron's scale is the number of its integers per unit of the network: threshold, bias and all its incoming weights
are multiplied by it, so each neuron may have another one. A matrix has one shift for all its weights. The scale of a
neuron is at most what its largest weight, its bias and the wanted threshold allow; of some scales down to 0.7 of that,
the one whose weights lose least is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import Floats
from spikeport.exporter.program.chip_program import Integers

from .decays import Decays

_CANDIDATES = tuple(2.0 ** (-n / 16) for n in range(9))


@dataclass(frozen=True)
class FloatBlock:
    """The hidden or the output neurons before rounding: weights (targets, sources) by matrix, gains included.

    direct: neurons whose spikes subtract from their synaptic current, by `subtracted` weights from themselves.
    """

    weights: Mapping[str, Floats]
    threshold: Floats
    bias: Floats
    subtracted: Floats
    direct: NDArray[np.bool_]
    decays: Decays


@dataclass(frozen=True)
class RoundedBlock:
    """The block in integers, and the scale of every neuron."""

    weights: Mapping[str, Integers]
    shifts: Mapping[str, int]
    threshold: Integers
    bias: Integers
    scale: Floats


@dataclass(frozen=True)
class Words:
    """The largest integer of each register."""

    weight: int
    threshold: int
    bias: int


def round_block(block: FloatBlock, shifts: Mapping[str, int], largest_threshold: float, words: Words) -> RoundedBlock:
    """Round a block whose matrices have these shifts, and whose thresholds end at largest_threshold."""
    highest = np.minimum(largest_threshold / block.threshold, _limit(words.bias, np.abs(block.bias)))
    for name, weights in block.weights.items():
        largest = np.abs(weights).max(axis=1, initial=0)
        highest = np.minimum(highest, _limit(words.weight * 2.0 ** shifts[name], largest))
    scale = _best_scale(block, shifts, highest, words)
    # the chip spikes at the threshold, the network above it
    threshold = np.clip(np.floor(block.threshold * scale) + 1, 1, words.threshold)
    return round_at(block, shifts, scale, threshold, words)


def round_at(
    block: FloatBlock, shifts: Mapping[str, int], scale: Floats, threshold: NDArray[Any], words: Words
) -> RoundedBlock:
    """Round a block at these shifts, scales and thresholds."""
    integers = {name: _rounded(weights, scale, shifts[name], words) for name, weights in block.weights.items()}
    bias = np.clip(np.rint(block.bias * scale), -words.bias, words.bias)
    return RoundedBlock(integers, dict(shifts), _whole(threshold), _whole(bias), scale)


def with_threshold(block: FloatBlock, part: slice, factor: float) -> FloatBlock:
    """The block with the thresholds of some neurons, and what their spikes subtract, times a factor."""
    factors = np.ones(len(block.threshold))
    factors[part] = factor
    subtracted = block.subtracted * factors
    weights = dict(block.weights)
    if block.direct.any():
        weights["rec"] = weights["rec"] - np.diag((subtracted - block.subtracted) * block.direct)
    return replace(block, weights=weights, threshold=block.threshold * factors, subtracted=subtracted)


def own_reset(block: FloatBlock, rounded: RoundedBlock) -> Integers:
    """What a spike of each direct neuron subtracts from its current, as a weight from itself; 0 for others."""
    if not block.direct.any():
        return np.zeros(len(block.threshold), np.int32)
    unit = 2.0 ** rounded.shifts["rec"]
    return _whole(-np.rint(block.subtracted * rounded.scale / unit) * block.direct)


def _best_scale(block: FloatBlock, shifts: Mapping[str, int], highest: Floats, words: Words) -> Floats:
    """For every neuron the scale at which its weights lose least."""
    # a threshold that fills its register stays: v ends there, so that a spike leaves nothing (quantise.py)
    full = block.threshold * highest >= words.threshold - 1
    scales = [_with_whole_reset(block, shifts, np.where(full, highest, highest * factor)) for factor in _CANDIDATES]
    losses = np.array([weight_loss(block, shifts, scale) for scale in scales])
    best: Floats = np.choose(losses.argmin(axis=0), scales)
    return best


def _with_whole_reset(block: FloatBlock, shifts: Mapping[str, int], scale: Floats) -> Floats:
    """The next lower scale at which what a direct neuron subtracts is one of the chip's weights."""
    if not block.direct.any():
        return scale
    unit = 2.0 ** shifts["rec"]
    steps = np.maximum(np.floor(scale * block.subtracted / unit + 1e-9), 1)
    return np.where(block.direct, steps * unit / block.subtracted, scale)


def weight_loss(block: FloatBlock, shifts: Mapping[str, int], scale: Floats) -> Floats:
    """The sum of every neuron's squared errors of weights, in the network's units."""
    total = np.zeros(len(scale))
    for name, weights in block.weights.items():
        unit = (2.0 ** shifts[name] / scale)[:, None]
        total += np.sum((np.rint(weights / unit) * unit - weights) ** 2, axis=1)
    return total


def _rounded(weights: Floats, scale: Floats, shift: int, words: Words) -> Integers:
    # beyond the words only where a whole reset took a higher scale
    return _whole(np.clip(np.rint(weights * scale[:, None] / 2.0**shift), -words.weight, words.weight))


def _limit(most: float, largest: Floats) -> Floats:
    """The scale at which the largest comes to the most; no limit where it is 0."""
    return np.divide(most, largest, out=np.full(len(largest), np.inf), where=largest > 0)


def _whole(values: Floats) -> Integers:
    return np.asarray(values).astype(np.int32)
