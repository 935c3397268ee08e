"""Two runs on one page, and as a table in the terminal: differences first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.console import Console
from rich.table import Table

from spikeport.common.files import write_text
from spikeport.console.tables import show_table
from spikeport.report.pictures.network_picture import network_picture
from spikeport.report.pictures.run_comparison_picture import accuracy_pair, cost_pair, mark
from spikeport.summary import Summary, read_summary

from .outside import outside_sentences
from .page import page_from
from .run_comparison import Group, groups, recipe_of, sentence
from .terminal import escape_for_console
from .verdict import verdict


@dataclass(frozen=True)
class NamedRun:
    """A run with its letter and name on the page."""

    letter: str
    name: str
    mark: Markup
    verdict: str
    network: Markup | None


@dataclass(frozen=True)
class Pair:
    """Two runs, read and compared."""

    first: Summary
    second: Summary
    groups: tuple[Group, ...]

    @property
    def sentence(self) -> str:
        """The main differences in one sentence."""
        return sentence(self.first, self.second)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "sentence": self.sentence,
            "rows": [
                {"group": group.name, "name": row.name, "a": row.first, "b": row.second, "change": row.change,
                 "differs": row.differs}
                for group in self.groups for row in group.rows
            ],
        }  # fmt: skip


def read_pair(first: Path, second: Path) -> Pair:
    """Two run folders; raises InputError if one cannot be read."""
    a, b = read_summary(first / "summary.json"), read_summary(second / "summary.json")
    return Pair(a, b, tuple(groups(a, b, (recipe_of(first), recipe_of(second)))))


def write_pair(pair: Pair, target: Path) -> Path:
    """Write the page; the same runs give the same bytes."""
    write_text(target, render_pair(pair))
    return target


def render_pair(pair: Pair) -> str:
    """The page as text."""
    chip = pair.first.chip_title if pair.first.chip_title == pair.second.chip_title else ""
    return page_from(
        "pair.html.j2",
        chip=chip,
        runs=[_run("A", pair.first, chip), _run("B", pair.second, chip)],
        sentence=pair.sentence,
        outside=_outside(pair),
        differing=_with(pair.groups, differs=True),
        same=_with(pair.groups, differs=False),
        accuracy=accuracy_pair(pair.first, pair.second),
        metric=pair.first.scores.metric.title,
        costs=cost_pair(pair.first, pair.second),
    )


def print_pair(pair: Pair, console: Console) -> None:
    """Print what differs, and the sentence."""
    table = Table(
        "",
        f"A: {escape_for_console(pair.first.recipe, console)}",
        f"B: {escape_for_console(pair.second.recipe, console)}",
        "A to B",
    )
    for group in _with(pair.groups, differs=True):
        table.add_section()
        for row in group.rows:
            table.add_row(
                *(escape_for_console(cell, console) for cell in (row.name, row.first, row.second, row.change))
            )
    show_table(table, console)
    for line in (pair.sentence, *_outside(pair)):
        console.print(escape_for_console(line, console), highlight=False)


def _outside(pair: Pair) -> list[str]:
    runs = (("A", pair.first), ("B", pair.second))
    return [f"{letter}, {line}" for letter, summary in runs for line in outside_sentences(summary)]


def _run(letter: str, summary: Summary, chip: str) -> NamedRun:
    network = network_picture(summary.network) if summary.network.nodes else None
    # a common chip is named once, in the heading
    name = summary.recipe if chip else f"{summary.recipe} on {summary.chip_title}"
    return NamedRun(letter, name, mark(letter == "B"), verdict(summary).sentence, network)


def _with(groups: Sequence[Group], differs: bool) -> list[Group]:
    selected = [replace(group, rows=tuple(row for row in group.rows if row.differs == differs)) for group in groups]
    return [group for group in selected if group.rows]
