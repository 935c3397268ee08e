"""Rounding for few bits: an excitatory and an inhibitory connection per synapse, and a searched clipping threshold.

A connection of one sign keeps the lowest bit that mixed weights lose, and has an exponent of its own: 7, 15, 31 levels
at 2, 3, 4 bits where one connection has 3, 7, 15. With few levels the largest weights should not set their distance:
scale and exponents are those of the smallest squared error of all weights, and weights beyond a grid take its end
(Choi et al., PACT, arXiv:1805.06085, 2018, learns that end; Shin, Hwang & Sung, arXiv:1505.04283, search it).
The compiler finds the same integers: exporter/quantisation/layer.py, _as_trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spikeport.hardware_profiles.fixed_point import (
    STATE_UNIT,
    ConnectionRange,
    PopulationScale,
    WeightGrid,
    WordWidths,
    quantise_weights,
    weight_grid,
)

from .weight_scale import Array, Constants, Rounded, Stored, largest_scale, lowered_until_u_fits, on_grid

# scales that are tried per octave, and exponents below the one that holds the largest weight
_PER_OCTAVE = 8
_LOWER = 2
# a synapse's two exponents differ by at most this much: the sum of its integers then has at most 11 bits
_APART = 3
# weights per synapse that the search looks at
_SAMPLE = 1 << 13


@dataclass(frozen=True)
class _Part:
    """The weights of one sign of a synapse: a sample of them, and how many weights each stands for."""

    synapse: int
    grid: WeightGrid
    sample: Array
    largest: float
    share: float

    def error(self, scale: float, exponent: int) -> float:
        """The squared error of all its weights."""
        rounded = quantise_weights(self.sample, self.grid, scale, exponent)
        rounded_weights = rounded * (STATE_UNIT * 2.0**exponent / scale)
        return self.share * float(np.square(rounded_weights - self.sample).sum())

    def fitting(self, scale: float) -> int:
        """The smallest exponent at which the largest weight fits."""
        end = max(self.grid.high, -self.grid.low) + self.grid.step / 2
        needed = math.log2(scale * self.largest / (STATE_UNIT * end))
        return int(np.clip(math.ceil(needed - 1e-9), 0, WordWidths().weight_exp_max))


def scale_by_sign(synapses: Sequence[Stored], constants: Constants, bits: int) -> Rounded:
    """The scale and the exponents of the smallest error, and the weights rounded at them; u cannot wrap.

    Never raises for finite values.
    """
    parts = [part for number, synapse in enumerate(synapses) for part in _parts(number, synapse, bits)]
    ranges = [ConnectionRange(part.largest, part.grid) for part in parts]
    fitting = largest_scale(ranges, synapses, constants)
    widths, threshold = WordWidths(), float(constants.threshold.max())
    room = (widths.state_max - STATE_UNIT) / (constants.largest_current(synapses) or 1.0)
    limit = min(room, STATE_UNIT * widths.vth_max / threshold)
    largest_bias = float(np.abs(constants.bias).max())
    if largest_bias > 0:
        limit = min(limit, widths.bias_max / largest_bias)
    # above the fitting scale, weights of exponent 0 are clipped; below it, those of a lower exponent
    tried = {fitting.vth * 2.0 ** (k / _PER_OCTAVE) for k in range(1 - _PER_OCTAVE, _PER_OCTAVE + 1)}
    words = sorted({max(1, math.floor(word + 1e-9)) for word in tried}, reverse=True)
    allowed = [w for w in words if STATE_UNIT * w / threshold <= limit] or [fitting.vth]
    candidates = [_best_exponents(parts, STATE_UNIT * word / threshold, word) for word in allowed]
    scale = min(candidates, key=lambda candidate: candidate[0])[1]
    scale, rounded = lowered_until_u_fits(
        scale,
        constants,
        lambda tried: _rounded(synapses, parts, tried),
        lambda word: _best_exponents(parts, STATE_UNIT * word / threshold, word)[1],
    )
    exponents = [
        min((e for part, e in zip(parts, scale.weight_exps, strict=True) if part.synapse == number), default=0)
        for number in range(len(synapses))
    ]
    return Rounded(scale, tuple(exponents), rounded)


def _parts(number: int, synapse: Stored, bits: int) -> list[_Part]:
    """The signs that a synapse has."""
    flat = synapse.weight.reshape(-1)
    sample = flat[:: max(1, flat.numel() // _SAMPLE)].double().cpu().numpy()
    share = flat.numel() / sample.size
    low, high = synapse.ends
    parts = []
    if high > 0:
        # the largest one counts even where the sample has left it out
        positive = np.append(sample[sample > 0], high)
        parts.append(_Part(number, weight_grid("excitatory", bits), positive, high, share))
    if low < 0:
        parts.append(_Part(number, weight_grid("inhibitory", bits), np.append(sample[sample < 0], low), -low, share))
    return parts


def _best_exponents(parts: Sequence[_Part], scale: float, word: int) -> tuple[float, PopulationScale]:
    """The error at a scale, and the scale with the best exponent of every part."""
    total, chosen = 0.0, []
    for part in parts:
        fitting = part.fitting(scale)
        errors = {e: part.error(scale, e) for e in range(max(0, fitting - _LOWER), fitting + 1)}
        exponent = min(errors, key=lambda e: (errors[e], e))
        total += errors[exponent]
        chosen.append(exponent)
    highest = {part.synapse: 0 for part in parts}
    for part, exponent in zip(parts, chosen, strict=True):
        highest[part.synapse] = max(highest[part.synapse], exponent)
    near = tuple(max(e, highest[p.synapse] - _APART) for p, e in zip(parts, chosen, strict=True))
    return total, PopulationScale(scale, word, near)


def _rounded(synapses: Sequence[Stored], parts: Sequence[_Part], scale: PopulationScale) -> tuple[Stored, ...]:
    sums = [torch.zeros_like(synapse.weight) for synapse in synapses]
    for part, exponent in zip(parts, scale.weight_exps, strict=True):
        # a grid of one sign takes the others to 0
        sums[part.synapse] += on_grid(synapses[part.synapse].weight, part.grid, scale.scale, exponent)
    return tuple(Stored(total, synapse.fan) for total, synapse in zip(sums, synapses, strict=True))
