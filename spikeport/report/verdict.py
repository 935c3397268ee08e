"""The verdict: where the ANN is better, if anywhere; fit, agreement of the backends, energy and latency compared."""

from __future__ import annotations

import math
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.summary import Device, DeviceCost, Mapping, Summary

from .scores import score
from .units import TIMES, percent, plain, plural, short_title, significant


class Outcome(Enum):
    """Energy or latency of one inference, chip compared with ANN; ranges that touch or overlap decide nothing."""

    ANN_LESS = "the ANN needs less"
    APART = "cannot be told apart"
    CHIP_LESS = "the chip needs less"


Quantity = Literal["energy", "latency"]
SOONER: Dictionary[Outcome | None, str] = {
    Outcome.ANN_LESS: "the ANN answers sooner",
    Outcome.APART: Outcome.APART.value,
    Outcome.CHIP_LESS: "the chip answers sooner",
}
_WORST_FIRST = (Outcome.ANN_LESS, Outcome.APART, Outcome.CHIP_LESS)


@dataclass(frozen=True)
class DeviceComparison:
    """The chip compared with one device, at the precision least favourable to the chip."""

    device: str
    title: str
    precision: str
    outcome: Outcome
    factor: float | None


@dataclass(frozen=True)
class Verdict:
    """The results as clauses; ann_better: a sentence that comes first, empty where the ANN is better at nothing."""

    fits: str
    agrees: str
    pays: str
    answers_sooner: str = ""
    ann_better: str = ""

    @property
    def sentence(self) -> str:
        """One sentence, or two."""
        clauses = (self.fits, self.agrees, self.pays, self.answers_sooner)
        text = "; ".join(clause for clause in clauses if clause) + "."
        return f"{self.ann_better} {text[0].upper()}{text[1:]}".lstrip()


def outcome(chip: Estimate, ann: Estimate) -> Outcome:
    """Which of two ranges is entirely below the other."""
    if chip.high < ann.low:
        return Outcome.CHIP_LESS
    if ann.high < chip.low:
        return Outcome.ANN_LESS
    return Outcome.APART


def factor(chip: Estimate, ann: Estimate) -> float | None:
    """The least factor between the two; None if the ranges touch or the lower one is zero."""
    result = outcome(chip, ann)
    if result is Outcome.CHIP_LESS:
        return ann.low / chip.high if chip.high else None
    if result is Outcome.ANN_LESS:
        return chip.low / ann.high if ann.high else None
    return None


def device_comparisons(summary: Summary, quantity: Quantity = "energy") -> list[DeviceComparison]:
    """The chip compared with every device at batch 1; empty if the chip was not profiled."""
    if summary.per_inference is None:
        return []
    chip: Estimate = getattr(summary.per_inference, quantity)
    return [_hardest(chip, name, device, quantity) for name, device in summary.ann.items()]


def against(chip: Estimate, ann: Estimate, quantity: Quantity = "energy") -> str:
    """Outcome in words, with the least factor if there is one."""
    result, times = outcome(chip, ann), factor(chip, ann)
    words = result.value if quantity == "energy" else SOONER[result]
    return words if times is None else f"{words}, at least {_at_least(times)}{TIMES}"


def ann_better(summary: Summary) -> str:
    """A sentence with all that the ANN is better at: accuracy, latency and energy; empty if nothing.

    Energy and latency count only where the ranges are apart.
    """
    parts = []
    right, ours = _best_accuracy(summary), summary.accuracy.fixed
    if right is not None and ours is not None and right > ours:
        parts.append(f"more accurate ({percent(right)} against {percent(ours)})")
    words: tuple[tuple[Quantity, str], ...] = (("latency", "faster"), ("energy", "cheaper"))
    for quantity, word in words:
        titles = [c.title for c in device_comparisons(summary, quantity) if c.outcome is Outcome.ANN_LESS]
        if titles:
            parts.append(f"{word} on {_share(titles, len(summary.ann))}")
    return f"The ANN is {_and(parts, comma=len(parts) > 1)}." if parts else ""


def _best_accuracy(summary: Summary) -> float | None:
    known = [share for share in (summary.accuracy.ann, summary.accuracy.ann_int8) if share is not None]
    return max(known, default=None)


def _at_least(times: float) -> str:
    # two digits, rounded down: 7.96 is not at least 8.0
    size = 10.0 ** (math.floor(math.log10(times)) - 1)
    return significant(math.floor(times / size) * size, 2)


def verdict(summary: Summary) -> Verdict:
    """The verdict that follows from the summary's numbers."""
    return Verdict(
        _fits(summary.mapping, summary.chip_title),
        _agrees(summary),
        _pays(device_comparisons(summary), summary.per_inference is not None),
        _answers_sooner(device_comparisons(summary, "latency")),
        ann_better(summary),
    )


def _hardest(chip: Estimate, name: str, device: Device, quantity: Quantity) -> DeviceComparison:
    entries: list[DeviceCost] = [device] if device.int8 is None else [device, device.int8]
    costs: list[tuple[Estimate, str]] = [(getattr(entry, quantity), entry.precision) for entry in entries]
    worst, precision = min(costs, key=lambda c: (_WORST_FIRST.index(outcome(chip, c[0])), c[0].typical, c[0].low))
    return DeviceComparison(name, short_title(device.title), precision, outcome(chip, worst), factor(chip, worst))


def _fits(mapping: Mapping | None, chip: str) -> str:
    if mapping is None:
        return f"whether the network fits {chip} was not checked here"
    if mapping.fits and mapping.chips > 1:
        return f"the network fits {chip} on {plural(mapping.cores, 'core')} of {plural(mapping.chips, 'chip')}"
    if mapping.fits:
        return f"the network fits {chip} on {plain(mapping.cores)} of {plural(mapping.cores_per_chip, 'core')}"
    return f"the network does not fit {chip}: {_obstacle(mapping)}"


def _obstacle(mapping: Mapping) -> str:
    for layer in mapping.layers:
        if layer.fill > 1:
            return (
                f"layer {layer.name} exceeds the limit of {layer.limit} per core ({significant(layer.fill, 2)}{TIMES})"
            )
    return f"it needs {plural(mapping.cores, 'core')}, one chip has {plain(mapping.cores_per_chip)}"


def _agrees(summary: Summary) -> str:
    if summary.agreement is None:
        rounding = "float and chip integers were not compared here"
    elif summary.agreement < 1 and not summary.scores.metric.is_share:
        # real numbers that are rounded are rarely equal: their errors tell more
        scores = summary.scores
        rounding = (
            f"{scores.metric.name} is {score(scores.metric, scores.float)} in float and "
            f"{score(scores.metric, scores.fixed)} in chip integers on {plural(summary.test_samples, 'test sample')}"
        )
    else:
        rounding = (
            f"float and chip integers give the same answer on {percent(summary.agreement)} "
            f"of {plural(summary.test_samples, 'test sample')}"
        )
    return f"{rounding}, and {_backends(summary.lava_equals_emulator, summary.stock_equals_emulator)}"


def _backends(lava: bool | None, stock: bool | None) -> str:
    runs = (("the batched Lava processes", lava), ("stock Lava", stock))
    differ = [name for name, equal in runs if equal is False]
    same = [name for name, equal in runs if equal]
    missing = [name for name, equal in runs if equal is None]
    if len(missing) == 2:
        return "Lava was not run here"
    clauses = []
    if differ:
        clauses.append(f"{_and(differ)} {_verb(differ, 'differs', 'differ')} from the emulator")
    if same:
        clauses.append(f"{_and(same)} {_verb(same, 'equals', 'equal')} the emulator spike by spike")
    if missing:
        clauses.append(f"{_and(missing)} {_verb(missing, 'was', 'were')} not run here")
    return ", ".join(clauses)


def _pays(comparisons: Sequence[DeviceComparison], profiled: bool) -> str:
    if not profiled:
        return "its energy was not estimated here"
    if not comparisons:
        return "its estimated energy was not compared with an ANN here"
    words = ("the chip needs less than the ANN on", "the ranges of chip and ANN overlap on", "the ANN needs less on")
    return f"in estimated energy per inference, {_by_outcome(comparisons, words)}"


def _answers_sooner(comparisons: Sequence[DeviceComparison]) -> str:
    if not comparisons:
        return ""
    words = ("the chip answers sooner than the ANN on", "the ranges overlap on", "the ANN answers sooner on")
    return f"in estimated latency, {_by_outcome(comparisons, words)}"


def _by_outcome(comparisons: Sequence[DeviceComparison], words: Sequence[str]) -> str:
    """words: for devices where the chip is better, undecided ones, and those where the ANN is better."""
    clauses = []
    for result, word in zip((Outcome.CHIP_LESS, Outcome.APART, Outcome.ANN_LESS), words, strict=True):
        if titles := [c.title for c in comparisons if c.outcome is result]:
            clauses.append(f"{word} {_share(titles, len(comparisons))}")
    return _and(clauses, comma=True)


def _share(titles: Sequence[str], total: int) -> str:
    share = "every device" if len(titles) == total > 1 else f"{len(titles)} of {plural(total, 'device')}"
    return f"{share} ({_and(titles)})"


def _and(items: Sequence[str], comma: bool = False) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])}{', and' if comma else ' and'} {items[-1]}"


def _verb(subjects: Sequence[str], one: str, many: str) -> str:
    # every subject is plural except stock Lava alone
    return one if list(subjects) == ["stock Lava"] else many
