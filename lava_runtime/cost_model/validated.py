"""Whether an estimate lies within what the chip's measured networks span: cores, activity, length of a step."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles.quantity import Quantity
from spikeport.hardware_profiles.schema import ChipProfile


@dataclass(frozen=True)
class Run:
    """An estimated run: cores in use, spikes a neuron and step, seconds of a step."""

    cores: float
    activity: float
    step_time: float


def outside_validation(run: Run, chip: ChipProfile) -> list[str]:
    """One sentence per quantity that lies outside the measured networks; empty if the estimate is inside."""
    spans = chip.validated
    if spans is None:
        return [f"no measured network backs the estimates for {chip.name}"]
    checks = (
        (run.cores, spans.cores, "{0:,.0f} cores in use; the measured networks have {1:,.0f} to {2:,.0f}"),
        (
            run.activity,
            spans.activity,
            "{0:.3g} spikes a neuron and step; the measured networks have {1:.3g} to {2:.3g}",
        ),
        (run.step_time * 1e6, spans.step_time, "a step takes {0:.3g} µs; the measured ones take {1:.3g} to {2:.3g} µs"),
    )
    return [text.format(value, *_ends(span)) for value, span, text in checks if not _inside(value, _ends(span))]


def _ends(span: Quantity) -> tuple[float, float]:
    low, _, high = span.bounds
    return (low * 1e6, high * 1e6) if span.unit == "s" else (low, high)


def _inside(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]
