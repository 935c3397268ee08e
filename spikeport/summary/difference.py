"""Differences between float and fixed point by layer, as in summary.json and `diff --json`."""

from __future__ import annotations

from pydantic import Field

from .base import Amount, Count, Model, Number, Share


class First(Model):
    """The first spike that only one side has; chip_spikes: whether it is the chip's."""

    step: Count
    sample: Count
    neuron: list[Count]
    chip_spikes: bool


class LayerFidelity(Model):
    """One population; spikes per sample; rate_error (chip - float) / float, None if only the chip spikes."""

    name: str
    neurons: Count
    first: First | None = None
    differing: Count
    differing_share: Share
    float_spikes: Amount
    chip_spikes: Amount
    rate_error: Number | None = None
    u_peak: Amount = 0.0
    u_beyond_share: Share = 0.0
    v_limited_share: Share = 0.0


class Blame(Model):
    """Output positions that differ if only this parameter is the chip's."""

    differing: Count
    share: Share


class OutputPlaces(Model):
    """Number of output positions (sample, neuron, step) that were compared, and that differ."""

    differing: Count
    compared: Count


class Difference(Model):
    """Float compared with fixed point on `samples` samples over `steps` steps of the chip.

    same_winner: share of samples with the same answer, which `answer` names.
    """

    chip: str = ""
    samples: Count
    steps: Count
    equal: bool
    same_winner: Share
    answer: str = "winner"
    output: OutputPlaces | None = None
    layers: tuple[LayerFidelity, ...] = ()
    causes: dict[str, Blame] = Field(default_factory=dict)
