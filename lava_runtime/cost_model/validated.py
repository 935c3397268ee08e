"""Whether an estimate lies within what the chip's measured networks span: cores, activity, length of a step."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles.schema import ChipProfile

MEASURED_ERROR = (
    "Held against measurements of publications that no constant of the estimate came from, such estimates miss by a "
    "factor of 1.38 in the median; 40 of 46 (87%) are within a factor of 2, and 41 of 46 measurements (89%) lie inside "
    "ranges that are 3.7 times wide in the median."
)
"""How wrong estimates of chips were: the left-out figures of benchmarks/energy.py."""


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
        ("cores in use", run.cores, spans.cores, 1.0),
        ("spikes a neuron and step", run.activity, spans.activity, 1.0),
        ("microseconds a step", run.step_time, spans.step_time, 1e6),
    )
    return [
        f"{what}: {value * scale:,.4g}; the measured networks: {low * scale:,.4g} to {high * scale:,.4g}"
        for what, value, (low, _, high), scale in ((w, v, span.bounds, s) for w, v, span, s in checks)
        if not low <= value <= high
    ]
