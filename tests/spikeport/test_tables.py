"""Tables keep every figure at every width: in columns where they fit, else one figure per line."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.console.tables import show_table

FIGURES = ("layer [1]", "57.5 nJ (29–64 nJ)", "1,234,567.0", "never", "42 981 synops")


def table() -> Table:
    made = Table("layer", "dynamic energy (estimate)", "synops", "break-even", "operations", title="estimates")
    made.add_row(*map(escape, FIGURES))
    made.add_row("a device with a long name of many words, float32", "0.64 µJ (0.23–3.8 µJ)", "0.0", "", "9 472 MACs")
    return made


def shown(width: int) -> str:
    file = StringIO()
    show_table(table(), Console(file=file, width=width, color_system=None))
    return file.getvalue()


@pytest.mark.parametrize("width", [1, 20, 40, 60, 79, 80, 90, 110, 200])
def test_no_figure_is_cut_or_broken(width: int) -> None:
    text = shown(width)
    assert "…" not in text
    for figure in (*FIGURES[1:], "0.64 µJ (0.23–3.8 µJ)", "9 472 MACs"):
        assert figure in text
    assert all(word in text for word in ["a", "device", "with", "long", "name", "of", "many", "words,", "float32"])


def test_a_wide_console_has_columns_and_a_narrow_one_a_list() -> None:
    assert "┃" in shown(200) and "┃" in shown(110)
    assert shown(60).splitlines()[:3] == [
        "estimates", "layer layer [1]", "  dynamic energy (estimate)  57.5 nJ (29–64 nJ)"
    ]  # fmt: skip
    assert max(map(len, shown(110).splitlines())) <= 110
    assert "break-even" not in shown(60).split("a device")[1], "an empty cell has no line"
