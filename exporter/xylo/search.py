"""The shifts and the height of the thresholds at which rounded neurons spike most like the float network's.

A high threshold leaves little room above it, and that is of use: v ends at 32767, so a neuron with a threshold above
half of that sends one event a step as the network's do, and one with a threshold of 32767 is at 0 after its spike, as
with a reset to 0. A low one has room for large weights, many events a step and strong inhibition. So both are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from .rounding import FloatBlock, RoundedBlock, Words, round_block, weight_loss, with_threshold

# the register's range in thresholds: 1, just below 2, and more
_HEADROOM = (1.0, 1.995, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0)
# of a population's thresholds
_FACTORS = (0.75, 0.85, 0.92, 0.96, 1.04, 1.08, 1.15, 1.25, 1.4)
# weight of a network's rounding errors where spikes do not tell
_ROUNDING = 0.05


Error = Callable[[FloatBlock, RoundedBlock], float]


def best_rounding(
    block: FloatBlock, parts: Sequence[slice], shifts: range, words: Words, error: Error
) -> tuple[FloatBlock, RoundedBlock]:
    """The block with corrected thresholds, and its rounding of least error(block, rounded) and rounding errors.

    parts: the neurons of each population; shifts: those that a matrix may have.
    """
    candidates = [
        _Candidate.of(block, pair, words.threshold / headroom, words, error)
        for headroom in _HEADROOM
        for pair in _shifts_for(block, words.threshold / headroom, shifts, words)
    ]
    best = min(candidates, key=_error)
    for part in parts:
        # a response that is off, or another reset, makes all neurons of a population spike too often or too rarely
        corrected = [
            _Candidate.of(with_threshold(best.block, part, factor), best.rounded.shifts, best.threshold, words, error)
            for factor in _FACTORS
        ]
        best = min([best, *corrected], key=_error)
    return best.block, best.rounded


@dataclass(frozen=True)
class _Candidate:
    block: FloatBlock
    rounded: RoundedBlock
    threshold: float
    error: float

    @classmethod
    def of(
        cls, block: FloatBlock, shifts: Mapping[str, int], threshold: float, words: Words, error: Error
    ) -> _Candidate:
        """A block rounded with these shifts and largest threshold."""
        rounded = round_block(block, shifts, threshold, words)
        return cls(block, rounded, threshold, error(block, rounded) + _ROUNDING * _coarseness(block, rounded))


def _error(candidate: _Candidate) -> float:
    return candidate.error


def _shifts_for(block: FloatBlock, threshold: float, shifts: range, words: Words) -> Iterator[dict[str, int]]:
    """The smallest shift of each matrix with which all its weights fit at the scale of this threshold, and less."""
    choices = {}
    for name, weights in block.weights.items():
        rows = np.abs(weights).max(axis=1, initial=0) * threshold / block.threshold
        largest = float(rows.max(initial=0))
        top = max(shifts[0], int(np.ceil(np.log2(largest / words.weight)))) if largest > 0 else shifts[0]
        top = min(top, shifts[-1])
        choices[name] = sorted({max(shifts[0], top - less) for less in range(3)}) if largest > 0 else [shifts[0]]
    for pair in product(*choices.values()):
        yield dict(zip(choices, pair, strict=True))


def _coarseness(block: FloatBlock, rounded: RoundedBlock) -> float:
    """Rounding errors of weights, and where a decay is less than one unit, both as a share of the threshold."""
    if not len(rounded.scale):
        return 0.0
    loss = np.sqrt(weight_loss(block, rounded.shifts, rounded.scale)) / block.threshold
    slowest = np.where(block.direct, block.decays.dash_syn, block.decays.dash_mem)
    return float(np.mean(np.minimum(loss, 1) + np.minimum(2.0**slowest / rounded.threshold, 1)))
