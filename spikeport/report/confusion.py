"""The confusion matrix as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.summary import Confusion

from .units import percent

# most classes that fit a page
_MOST = 30


@dataclass(frozen=True)
class Cell:
    """Samples of one class with one answer; share: of the class, 0 to 100, for the shade."""

    count: int
    share: int
    right: bool


@dataclass(frozen=True)
class ConfusionRow:
    """The samples of one class by answer; recall: the share with the right answer."""

    name: str
    cells: tuple[Cell, ...]
    recall: str


def confusion_rows(confusion: Confusion | None) -> list[ConfusionRow]:
    """One row per class; none if the matrix is missing or too large for a page."""
    if confusion is None or not confusion.counts or len(confusion.classes) > _MOST:
        return []
    rows = []
    for index, (name, counts) in enumerate(zip(confusion.classes, confusion.counts, strict=True)):
        total = sum(counts)
        cells = tuple(Cell(n, round(100 * n / total) if total else 0, n_ == index) for n_, n in enumerate(counts))
        rows.append(ConfusionRow(name, cells, percent(counts[index] / total) if total else ""))
    return rows
