"""What the measured networks of a chip span: cores in use, spikes a neuron and step, seconds of a step."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.cost_model.cases import Case

Span = tuple[float, float]


def spans(cases: Iterable[Case], chip: str) -> dict[str, Span]:
    """Least and greatest over the cases of a chip and its boards, by the names of `Validated`."""
    own = [case for case in cases if case.chip == chip or case.chip.startswith(f"{chip}_")]
    values = {
        "cores": [case.setting.cores.value for case in own],
        "activity": [activity for activity in map(_activity, own) if activity is not None],
        "step_time": [p.measured.value for case in own for p in case.points.values() if p.kind == "step time"],
    }
    return {name: (min(found), max(found)) for name, found in values.items()}


def _activity(case: Case) -> float | None:
    """Spikes a neuron and step, where the case counts them."""
    events = case.counts.events()
    return events.spikes.typical / events.updates.typical if events.spikes.typical else None
