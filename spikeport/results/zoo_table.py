"""The collection of trained networks on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from spikeport.console.output import say
from spikeport.console.tables import show_table
from spikeport.report.units import counted, estimate, percent, si, significant
from spikeport.zoo.card import Card

__all__ = ["show_card", "show_cards"]


def show_cards(cards: Sequence[Card], console: Console) -> None:
    """A table of all networks."""
    table = Table(title="Trained networks")
    for heading in ("name", "data", "method", "layers", "steps", "on the chip", "cores", "energy (estimate)", "size"):
        table.add_column(heading)
    for card in cards:
        table.add_row(
            card.name, card.dataset, card.method, card.layers, str(card.steps), _score(card, card.chip),
            str(card.cores), si(card.energy_j.typical, "J"), f"{card.bytes / 1000:.0f} kB",
        )  # fmt: skip
    show_table(table, console, prose=(0, 3))
    say(console, "`spikeport models get NAME` copies one, with test samples and its card")


def show_card(card: Card, console: Console) -> None:
    """The card, one figure per line."""
    error = "" if card.error is None else f", standard error {100 * card.error:.1f} points"
    ann = "" if card.ann is None else _score(card, card.ann)
    if card.ann_energy_j is not None:
        ann += f", {estimate(card.ann_energy_j.range, 'J')} on {card.ann_device}"
    lines = {
        "data": card.data_source,
        "licence": card.licence,
        "method": f"{card.method}, seed {card.seed}: {card.layers}",
        card.metric.name: f"{_score(card, card.chip)} on {card.test_samples:,} test samples{error}",
        "as trained": _score(card, card.trained),
        "chip": f"{card.chip_name}, {counted(card.cores, 'core')}, {counted(card.steps, 'step')}, "
        f"{card.spikes:,.0f} spikes per inference",
        "energy": f"{estimate(card.energy_j.range, 'J')} per inference, an estimate",
        "ANN": ann,
        "made by": card.command,
    }
    width = max(len(title) for title in lines)
    say(console, card.name + "\n" + "\n".join(f"  {title:{width}}  {text}" for title, text in lines.items() if text))


def _score(card: Card, value: float) -> str:
    return percent(value, 2) if card.metric.is_share else f"{significant(value, 4)} {card.metric.name}"
