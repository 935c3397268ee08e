"""The three questions at the top of the page: does it fit, does it agree, does it pay; each with its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from spikeport.summary import Summary

from .units import NOT_RUN, count, percent, plain, plural, si, si_range
from .verdict import Duel, Outcome, duels

# what the demo has to reach, too (.ci/demo_holds.py)
_ALIKE = 0.99


class State(Enum):
    """An answer; the words stand beside a sign of their own shape, so that no colour is needed."""

    YES = "yes"
    PARTLY = "in part"
    NO = "no"
    OPEN = NOT_RUN


@dataclass(frozen=True)
class Check:
    """A question, its answer, the figure that decides it, and the figures around it."""

    name: str
    state: State
    value: str
    detail: str
    facts: tuple[tuple[str, str], ...]


def checks(summary: Summary) -> list[Check]:
    """Fits, agrees, pays."""
    return [_fits(summary), _agrees(summary), _pays(summary)]


def yes_no(value: bool | None) -> str:
    """A test's result in words."""
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
    backends = (summary.lava_equals_emulator, summary.stock_equals_emulator)
    if False in backends:
        state = State.NO
    elif summary.agreement is None:
        state = State.OPEN
    else:
        state = State.YES if summary.agreement >= _ALIKE else State.PARTLY
    facts = (
        ("Right on the chip", percent(summary.accuracy.fixed)),
        *([] if summary.equal_spikes is None else [("Every spike as trained", percent(summary.equal_spikes))]),
        ("Lava equals emulator", yes_no(backends[0])),
        ("Stock Lava equals it", yes_no(backends[1])),
    )
    samples = f"of {plural(summary.test_samples, 'test sample')} as in float"
    return Check("Agrees", state, percent(summary.agreement), samples, facts)


def _pays(summary: Summary) -> Check:
    chip, found = summary.per_inference, duels(summary)
    if chip is None:
        return Check("Pays", State.OPEN, NOT_RUN, "", (("Energy", NOT_RUN), ("Latency", NOT_RUN)))
    energy, latency = chip.energy, chip.latency
    facts = (
        ("Range", si_range(energy.low, energy.high, "J")),
        ("Latency", f"{si(latency.typical, 's')} ({si_range(latency.low, latency.high, 's')})"),
        ("Spikes", count(chip.spikes)),
        ("Synaptic operations", count(chip.synops)),
    )
    return Check("Pays", _paid(found), si(energy.typical, "J"), "an inference, by estimate", facts)


def _paid(found: Sequence[Duel]) -> State:
    outcomes = {duel.outcome for duel in found}
    if not outcomes:
        return State.OPEN
    if outcomes == {Outcome.CHIP_LESS}:
        return State.YES
    return State.NO if outcomes == {Outcome.ANN_LESS} else State.PARTLY
