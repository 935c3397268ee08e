"""The spiking network on its chip compared with the ANN twin on every device, row by row, by energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spikeport.lava_runtime.cost_model.break_even import break_even_sparsity
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.tables import batched_entries
from spikeport.report.units import plural
from spikeport.report.verdict import SOONER, Outcome, outcome
from spikeport.summary import Summary

NEVER, ALWAYS = "never", "always"

_OUTCOME_STARTS = {
    Outcome.ANN_LESS: "The ANN needs less energy on",
    Outcome.APART: "The ranges overlap on",
    Outcome.CHIP_LESS: "The chip needs less energy than",
}
_LATENCY_STARTS = {
    Outcome.ANN_LESS: "The ANN answers sooner on",
    Outcome.CHIP_LESS: "The chip answers sooner than",
}


@dataclass(frozen=True)
class ComparisonRow:
    """One inference of the ANN on one device in a batch of `batch`; energy_delay: joule seconds, typical.

    outcome: by energy, latency_outcome: by latency; None if the chip was not profiled. break_even: the activation
    sparsity at which the spiking network needs as much energy as this row, by typical values; NEVER if it needs more
    even without a spike, ALWAYS if it needs less at any sparsity, None if unknown. accuracy: the value of the task's
    metric.
    """

    title: str
    precision: str
    batch: int
    accuracy: float | None
    macs: float
    energy: Estimate
    latency: Estimate
    energy_delay: float
    outcome: Outcome | None
    latency_outcome: Outcome | None
    break_even: float | str | None

    @property
    def name(self) -> str:
        """Device and precision, and the batch if it is not 1."""
        return f"{self.title}, {self.precision}" + ("" if self.batch == 1 else f" in batches of {self.batch}")

    def to_dict(self) -> dict[str, Any]:
        """The row in plain values."""
        return {
            "title": self.title,
            "precision": self.precision,
            "batch": self.batch,
            "accuracy": self.accuracy,
            "macs": self.macs,
            "energy_j": asdict(self.energy),
            "latency_s": asdict(self.latency),
            "energy_delay_js": self.energy_delay,
            "outcome": None if self.outcome is None else self.outcome.value,
            "latency_outcome": SOONER.get(self.latency_outcome),
            "break_even": self.break_even,
        }


def comparison_rows(summary: Summary) -> list[ComparisonRow]:
    """Every device in every precision, at batch 1 and at the cheapest batch."""
    chip = summary.per_inference
    return [
        ComparisonRow(
            device.title,
            cost.precision,
            cost.batch,
            summary.scores.ann_int8 if cost.precision == "int8" else summary.scores.ann,
            cost.macs,
            cost.energy,
            cost.latency,
            cost.energy.typical * cost.latency.typical,
            None if chip is None else outcome(chip.energy, cost.energy),
            None if chip is None else outcome(chip.latency, cost.latency),
            _break_even(summary, cost.energy.typical),
        )
        for device, cost in batched_entries(summary)
    ]


def outcome_sentences(rows: Sequence[ComparisonRow]) -> list[str]:
    """One sentence per outcome, of energy and then of latency; the ANN's advantages first."""
    by_energy = {result: [row.name for row in rows if row.outcome is result] for result in Outcome}
    by_latency = {result: [row.name for row in rows if row.latency_outcome is result] for result in Outcome}
    return [
        f"{start} {plural(len(names[result]), 'row')}: {'; '.join(names[result])}."
        for names, starts in ((by_energy, _OUTCOME_STARTS), (by_latency, _LATENCY_STARTS))
        for result, start in starts.items()
        if names[result]
    ]


def _break_even(summary: Summary, opponent: float) -> float | str | None:
    chip, workload = summary.per_inference, summary.workload
    if chip is None or chip.silent_j is None or workload is None:
        return None
    sparsity = break_even_sparsity(chip.silent_j.typical, chip.energy.typical, opponent, workload.activation_sparsity)
    if sparsity is None:
        return NEVER
    return ALWAYS if sparsity == 0 else sparsity
