"""What a comparison of float against fixed point found: per layer, and over a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.quantisation.dequantise import PARTS

Cause = Literal["weights", "decays", "thresholds", "biases", "delays", "dynamics"]
CAUSES: tuple[Cause, ...] = (*PARTS, "dynamics")


@dataclass(frozen=True)
class Answer:
    """What counts as the same answer: of two outputs (T, N, outputs), for each sample; words: its name.

    The outputs are those of the steps that answer the input.
    """

    same: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.bool_]]
    words: str


def _same_winner(chip: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = chip.sum(axis=0).argmax(axis=1) == wanted.sum(axis=0).argmax(axis=1)
    return equal


WINNER = Answer(_same_winner, "winner")
"""The neuron with most spikes, or the largest sum of voltages."""


@dataclass(frozen=True)
class Divergence:
    """The first spike that only one side has; neuron is an index into the population's shape.

    chip_spikes: True if the chip spikes (for voltages: if the chip's is larger).
    """

    step: int
    sample: int
    neuron: tuple[int, ...]
    chip_spikes: bool


@dataclass(frozen=True)
class LayerDifference:
    """One population: counts over all of (sample, neuron, step), and how full its registers were.

    differing: values where only one side spikes, or whose voltages are apart by more than 1 % of the layer's largest;
    float_spikes, chip_spikes: spikes, or sums of |voltage|; u_peak: largest |u| before wrapping, as a fraction of the
    register; u_beyond: values of u that left the register and wrapped; v_limited: values of v at the lower limit (at
    the upper one it spikes and is reset). has_registers: whether these three are known, for Loihi's integers only.
    """

    name: str
    neurons: int
    compared: int
    first: Divergence | None
    differing: int
    float_spikes: float
    chip_spikes: float
    u_peak: float
    u_beyond: int
    v_limited: int
    has_registers: bool = True

    @property
    def share(self) -> float:
        """Fraction of the compared values that differ."""
        return self.differing / self.compared

    @property
    def rate_error(self) -> float | None:
        """(chip - float) / float of the layer's spikes; None if only the chip spikes."""
        if self.chip_spikes == self.float_spikes:
            return 0.0
        return (self.chip_spikes - self.float_spikes) / self.float_spikes if self.float_spikes else None


@dataclass(frozen=True)
class DiffReport:
    """Float against fixed point on a batch.

    same_winners: samples with the same answer, which `answer` names. compared, differing: values of the outputs.
    causes: output values that differ from the float network's if one thing alone is the chip's, empty where that is not
    known (diff_spikes.py); dynamics: fixed point against real numbers with all the chip's constants, which leaves
    rounding toward zero, wrapping and saturation.
    """

    chip: str
    samples: int
    steps: int
    same_winners: int
    compared: int
    differing: int
    layers: tuple[LayerDifference, ...]
    causes: Mapping[Cause, int]
    answer: str = "winner"

    @property
    def equal(self) -> bool:
        """Whether every spike of every layer is the same."""
        return all(layer.differing == 0 for layer in self.layers)

    @property
    def same_winner(self) -> float:
        """Fraction of the samples with the same answer, by default the neuron of the first output with most spikes."""
        return self.same_winners / self.samples

    def share(self, cause: Cause) -> float:
        """A cause's fraction of the sum of all causes, 0 if nothing differs."""
        return self.causes[cause] / (sum(self.causes.values()) or 1)

    @property
    def first_layer(self) -> LayerDifference | None:
        """The layer that differs first: at the earliest step, the first of equals; None if nothing differs."""
        differing = [layer for layer in self.layers if layer.first is not None]
        return min(differing, key=lambda layer: layer.first.step if layer.first else 0, default=None)


def joined_reports(first: DiffReport, second: DiffReport) -> DiffReport:
    """Two reports on groups of samples as one."""
    return replace(
        first,
        samples=first.samples + second.samples,
        same_winners=first.same_winners + second.same_winners,
        compared=first.compared + second.compared,
        differing=first.differing + second.differing,
        layers=tuple(_joined_layer(a, b) for a, b in zip(first.layers, second.layers, strict=True)),
        causes={cause: first.causes[cause] + second.causes[cause] for cause in first.causes},
    )


def _joined_layer(a: LayerDifference, b: LayerDifference) -> LayerDifference:
    divergences = [first for first in (a.first, b.first) if first is not None]
    return LayerDifference(
        name=a.name,
        neurons=a.neurons,
        compared=a.compared + b.compared,
        first=min(divergences, key=lambda d: (d.step, d.sample), default=None),
        differing=a.differing + b.differing,
        float_spikes=a.float_spikes + b.float_spikes,
        chip_spikes=a.chip_spikes + b.chip_spikes,
        u_peak=max(a.u_peak, b.u_peak),
        u_beyond=a.u_beyond + b.u_beyond,
        v_limited=a.v_limited + b.v_limited,
    )
