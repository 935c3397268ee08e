"""A report's tables as CSV and LaTeX, and its pictures as SVG files, taken from the page itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.files import write_text

_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "µ": r"$\mu$",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "Ω": r"$\Omega$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "\u202f": r"\,",
    "\u00a0": "~",
    "\u2009": r"\,",
}
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_PICTURE = re.compile(r'<svg[^>]*role="img"[^>]*aria-label="([^"]*)"[^>]*>')
# a chart fills the page's width; alone it gets this one
_WIDTH = 900


@dataclass
class PageTable:
    """A table of the page: its caption, its header and its rows, as text."""

    caption: str = ""
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The caption as the name of a file."""
        return file_name(self.caption)


def file_name(text: str) -> str:
    """The first words of a text, as a name that every file system takes."""
    words = re.findall(r"[a-z0-9]+", text.lower().split(":")[0].split(";")[0].split(",")[0])
    return "-".join(words[:8]) or "table"


def tables_of(page: str) -> list[PageTable]:
    """The tables of a page, in its order."""
    reader = _Reader()
    reader.feed(page)
    return [table for table in reader.tables if table.rows]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[PageTable] = []
        self._text: list[str] | None = None
        self._cells: list[str] = []
        self._in_head = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag == "table":
            self.tables.append(PageTable())
        elif tag == "thead":
            self._in_head = True
        elif tag == "tr":
            self._cells = []
        elif tag in ("th", "td", "caption"):
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if not self.tables:
            return
        text = " ".join("".join(self._text or []).split(" ")).strip()
        text = re.sub(r"[ \t\r\n]+", " ", text)
        if tag == "caption":
            self.tables[-1].caption, self._text = text, None
        elif tag in ("th", "td"):
            self._cells.append(text)
            self._text = None
        elif tag == "thead":
            self._in_head = False
        elif tag == "tr" and self._cells:
            if self._in_head:
                self.tables[-1].header = self._cells
            else:
                self.tables[-1].rows.append(self._cells)
            self._cells = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)


def as_csv(table: PageTable) -> str:
    """Header and rows, separated by commas."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([*([table.header] if table.header else []), *table.rows])
    return text.getvalue()


def as_latex(table: PageTable) -> str:
    """A table environment with the rules of the package booktabs."""
    columns = max(len(row) for row in (table.header, *table.rows))
    begin = [r"\begin{table}", r"\centering", f"\\caption{{{escaped(table.caption)}}}"]
    lines = [*begin, f"\\begin{{tabular}}{{{'l' * columns}}}", r"\toprule"]
    if table.header:
        lines += [_latex_row(table.header, columns), r"\midrule"]
    lines += [_latex_row(row, columns) for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _latex_row(cells: Sequence[str], columns: int) -> str:
    return " & ".join([*map(escaped, cells), *[""] * (columns - len(cells))]) + r" \\"


def escaped(text: str) -> str:
    """Text for LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def pictures_of(page: str) -> dict[str, str]:
    """Name -> an SVG file with the page's style, for each picture of the page."""
    style = "".join(_STYLE.findall(page))
    pictures: dict[str, str] = {}
    for match in _PICTURE.finditer(page):
        end = _end_of_svg(page, match.start())
        opening = match[0].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
        opening = opening.replace('width="100%"', f'width="{_WIDTH}"', 1)
        name = file_name(match[1])
        number = sum(known.rstrip("0123456789-") == name or known == name for known in pictures)
        content = f"{opening}{style}{page[match.end() : end]}\n"
        pictures[f"{name}-{number + 1}" if number else name] = content
    return pictures


def _end_of_svg(page: str, start: int) -> int:
    depth = 0
    for tag in re.compile(r"<svg\b|</svg>").finditer(page, start):
        depth += 1 if tag[0] == "<svg" else -1
        if depth == 0:
            return tag.end()
    return len(page)


def write_tables(page: str, path: Path) -> None:
    """All tables of a page in one .tex file, or in one .csv file, each below its caption; raises InputError."""
    check_table_file(path)
    tables = tables_of(page)
    if path.suffix == ".tex":
        write_text(path, "% needs \\usepackage{booktabs}\n\n" + "\n".join(map(as_latex, tables)))
    else:
        write_text(path, "\n".join(f"{as_csv(PageTable(rows=[[t.caption]]))}{as_csv(t)}" for t in tables))


def check_table_file(path: Path) -> None:
    """Raises InputError for a file that is neither LaTeX nor CSV."""
    if path.suffix not in (".tex", ".csv"):
        raise InputError(f"{path}: tables are .tex or .csv files; give --table a name with one of these endings")


def write_kit(page: str, folder: Path) -> list[Path]:
    """Each table as .csv and .tex, each picture as .svg, in a folder; returns the files."""
    written: dict[Path, str] = {}
    for table in tables_of(page):
        name = table.name
        number = sum(path.suffix == ".csv" and path.stem.startswith(name) for path in written)
        stem = f"{name}-{number + 1}" if number else name
        written[folder / f"{stem}.csv"] = as_csv(table)
        written[folder / f"{stem}.tex"] = as_latex(table)
    for name, content in pictures_of(page).items():
        written[folder / f"{name}.svg"] = content
    for path, content in written.items():
        write_text(path, content)
    return list(written)
