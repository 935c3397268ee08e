"""The three checks at the top of the page, each with its figures: fits, agrees, lower energy than the ANN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from spikeport.summary import Summary

from .scores import score
from .units import NOT_RUN, count, percent, plain, plural, si, si_range
from .verdict import DeviceComparison, Outcome, device_comparisons

# the demo must also reach this (.ci/demo_holds.py)
_MIN_AGREEMENT = 0.99
_LOWER_ENERGY = "Lower energy than the ANN"


class State(Enum):
    """The result of a check; each has a sign of its own shape, so that colour is not needed."""

    YES = "yes"
    PARTLY = "in part"
    NO = "no"
    OPEN = NOT_RUN


@dataclass(frozen=True)
class Check:
    """A check, its result, the deciding figure, and further figures; note: replaces the words of the state."""

    name: str
    state: State
    value: str
    detail: str
    facts: tuple[tuple[str, str], ...]
    note: str = ""

    @property
    def answer(self) -> str:
        """The result in words."""
        return self.note or self.state.value


def checks(summary: Summary) -> list[Check]:
    """Fits, agrees, lower energy."""
    return [_fits(summary), _agrees(summary), _lower_energy(summary)]


def yes_no(value: bool | None) -> str:
    """A result in words."""
    return NOT_RUN if value is None else "yes" if value else "no"


def _fits(summary: Summary) -> Check:
    mapping = summary.mapping
    populations = [layer for layer in summary.layers if layer.kind != "input"]
    size = (
        ("Layers", plain(len(populations))),
        ("Neurons", plain(sum(layer.neurons for layer in populations))),
        ("Synapses", plain(sum(layer.synapses for layer in populations))),
    )
    if mapping is None:
        return Check("Fits", State.OPEN, NOT_RUN, "", size)
    fullest = max(mapping.layers, key=lambda layer: layer.fill, default=None)
    nearest = () if fullest is None else ((f"Fullest core, {fullest.limit}", percent(fullest.fill, 0)),)
    return Check(
        "Fits", State.YES if mapping.fits else State.NO, plural(mapping.cores, "core"),
        f"of {plain(mapping.cores_per_chip)} on a chip" if mapping.chips < 2 else f"on {plural(mapping.chips, 'chip')}",
        (*size, *nearest),
    )  # fmt: skip


def _agrees(summary: Summary) -> Check:
    metric = summary.scores.metric
    backends = (summary.lava_equals_emulator, summary.stock_equals_emulator)
    if False in backends:
        state = State.NO
    elif summary.agreement is None:
        state = State.OPEN
    else:
        state = State.YES if summary.agreement >= _MIN_AGREEMENT else State.PARTLY
    facts = (
        (f"{metric.title} on chip", score(metric, summary.scores.fixed)),
        *([] if summary.equal_spikes is None else [("Spikes identical to training", percent(summary.equal_spikes))]),
        ("Matches Lava", yes_no(backends[0])),
        ("Matches stock Lava", yes_no(backends[1])),
    )
    scores = summary.scores
    if metric.unit == "targets" and scores.float and scores.fixed is not None and summary.agreement != 1:
        # rounded real numbers are rarely equal: what counts is the error
        worse = (scores.fixed - scores.float) / scores.float * (-1 if metric.more_is_better else 1)
        if state is not State.NO:
            state = State.YES if worse <= 1 - _MIN_AGREEMENT else State.PARTLY
        words = f"{percent(abs(worse), 2)} {'larger' if worse > 0 else 'smaller'}"
        return Check("Agrees", state, words, f"{metric.title} than in floating point", facts)
    samples = f"of {plural(summary.test_samples, 'test sample')} with the float answer"
    return Check("Agrees", state, percent(summary.agreement), samples, facts)


def _lower_energy(summary: Summary) -> Check:
    chip, comparisons = summary.per_inference, device_comparisons(summary)
    if chip is None:
        return Check(_LOWER_ENERGY, State.OPEN, NOT_RUN, "", (("Energy", NOT_RUN), ("Latency", NOT_RUN)))
    energy, latency = chip.energy, chip.latency
    facts = (
        ("Range", si_range(energy.low, energy.high, "J")),
        ("Latency", f"{si(latency.typical, 's')} ({si_range(latency.low, latency.high, 's')})"),
        ("Spikes", count(chip.spikes)),
        ("Synaptic operations", count(chip.synops)),
    )
    state = _energy_state(comparisons)
    wins = sum(comparison.outcome is Outcome.CHIP_LESS for comparison in comparisons)
    note = f"on {wins} of {plural(len(comparisons), 'device')}" if state is State.PARTLY else ""
    return Check(_LOWER_ENERGY, state, si(energy.typical, "J"), "per inference (estimate)", facts, note)


def _energy_state(comparisons: Sequence[DeviceComparison]) -> State:
    outcomes = {comparison.outcome for comparison in comparisons}
    if not outcomes:
        return State.OPEN
    if outcomes == {Outcome.CHIP_LESS}:
        return State.YES
    return State.NO if outcomes == {Outcome.ANN_LESS} else State.PARTLY
