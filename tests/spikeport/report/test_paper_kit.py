"""A page's tables as CSV and LaTeX and its pictures as SVG: every figure of the page, in files that parse."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from io import StringIO
from pathlib import Path

import pytest

import spikeport as sp
from spikeport.report.paper_kit import (
    PageTable,
    as_csv,
    as_latex,
    escaped,
    file_name,
    pictures_of,
    tables_of,
    write_tables,
)

PAGE = """<!DOCTYPE html><style>.bar { fill: var(--x) }</style>
<table><caption>Energy by layer, means; all</caption>
<thead><tr><th>Layer</th><th>Energy</th></tr></thead>
<tbody>
<tr><th>fc_1 &amp; more</th><td>1.2\u202fµJ (0.4–3 µJ)</td></tr><tr><td>a, b</td><td> 50&nbsp;% </td></tr></tbody>
</table>
<svg width="100%" height="10" role="img" aria-label="Energy by layer: fc 1"><g class="bar"><svg><rect/></svg></g></svg>
<svg aria-hidden="true"></svg>
"""


def test_cells_are_read_as_text() -> None:
    (table,) = tables_of(PAGE)
    assert (table.caption, table.header) == ("Energy by layer, means; all", ["Layer", "Energy"])
    assert table.rows == [["fc_1 & more", "1.2\u202fµJ (0.4–3 µJ)"], ["a, b", "50\xa0%"]]
    assert list(csv.reader(StringIO(as_csv(table)))) == [table.header, *table.rows]
    assert table.name == "energy-by-layer"


def test_latex_has_no_special_character_left() -> None:
    text = as_latex(tables_of(PAGE)[0])
    assert r"fc\_1 \& more & 1.2\,$\mu$J (0.4--3 $\mu$J) \\" in text
    assert text.count(r"\\") == 3 and text.count("{") == text.count("}")
    assert escaped("100 % {x} ~^\\") == r"100 \% \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    uneven = as_latex(PageTable("x", ["a", "b"], [["1"]]))
    assert "1 &  \\\\" in uneven


def test_pictures_are_svg_files_with_the_pages_style() -> None:
    pictures = pictures_of(PAGE)
    assert list(pictures) == ["energy-by-layer"]
    root = ElementTree.fromstring(pictures["energy-by-layer"])
    assert root.get("width") == "900" and ".bar" in pictures["energy-by-layer"]


def test_names_are_safe() -> None:
    assert file_name("../Ä <x>: 1") == "x" and file_name("") == "table"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sp.InputError, match=r"t\.txt: tables are \.tex or \.csv files"):
        write_tables(PAGE, tmp_path / "t.txt")
