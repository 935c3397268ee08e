"""Tables of figures that lose none of them where the terminal or a pipe is narrow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

# a cell's padding and border
_EDGE = 3


@dataclass(frozen=True)
class _Needs:
    """Characters that a column needs: at least, and without a line break."""

    least: int
    whole: int


def show_table(table: Table, console: Console, prose: Collection[int] = (0,)) -> None:
    """Print a table; where it does not fit, each row becomes a list of its figures, one per line.

    prose: indices of the columns whose cells may be broken between words; no other cell is broken or cut.
    """
    needs = [_needs(column, console, index in prose) for index, column in enumerate(table.columns)]
    free = console.width - 1 - _EDGE * len(needs) - sum(need.least for need in needs)
    if free < 0:
        _show_stacked(table, console)
        return
    for column, need in zip(table.columns, needs, strict=True):
        column.width = min(need.whole, need.least + free)
        free -= column.width - need.least
    console.print(table)


def _needs(column: Column, console: Console, prose: bool) -> _Needs:
    cells = [console.render_str(str(cell), highlight=False) for cell in column.cells]
    header = console.render_str(str(column.header))
    whole = max((line.cell_len for text in (header, *cells) for line in text.split("\n")), default=0)
    words = [word for text in ((header, *cells) if prose else (header,)) for word in text.plain.split()]
    lines = [] if prose else [line.cell_len for text in cells for line in text.split("\n")]
    return _Needs(max([1, *lines, *(console.render_str(escape(word)).cell_len for word in words)]), max(1, whole))


def _show_stacked(table: Table, console: Console) -> None:
    """The rows below each other: the first cell, then the header and the cell of every other column."""
    if table.title:
        console.print(table.title, highlight=False, soft_wrap=True)
    first, *others = table.columns
    headers = [" ".join(str(column.header).split()) for column in others]
    indent = max((console.render_str(header).cell_len for header in headers), default=0)
    for name, *cells in zip(first.cells, *(column.cells for column in others), strict=True):
        head = " ".join(part for part in (str(first.header).replace("\n", " "), str(name)) if part)
        console.print(f"[bold]{head}[/bold]", highlight=False, soft_wrap=True)
        for header, cell in zip(headers, cells, strict=True):
            if str(cell):
                space = " " * (indent - console.render_str(header).cell_len)
                console.print(f"  {header}{space}  {cell}", highlight=False, soft_wrap=True)
