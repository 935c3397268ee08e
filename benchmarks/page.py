"""Pages of docs/ that scripts update: tables in Markdown, and the text between a page's marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, one line per element."""
    return ["| " + " | ".join(line) + " |" for line in (headings, ["---"] * len(headings), *lines)]


def standing(text: str, name: str) -> list[str]:
    """The lines that a page has between `<!-- NAME -->` and the next `<!-- end -->`; none without such a mark."""
    _, mark, after = text.partition(f"<!-- {name} -->\n")
    return after[: after.index("<!-- end -->")].splitlines() if mark else []


def standing_table(text: str, name: str) -> list[tuple[str, ...]]:
    """The cells of the table that a page has there, one row per element, without its headings."""
    return [tuple(line.removeprefix("| ").removesuffix(" |").split(" | ")) for line in standing(text, name)[2:]]


def written(text: str, parts: Mapping[str, Iterable[str]]) -> str:
    """The page with the lines between `<!-- NAME -->` and the next `<!-- end -->` replaced, for each name."""
    for name, lines in parts.items():
        mark = f"<!-- {name} -->\n"
        begin = text.index(mark) + len(mark)
        text = text[:begin] + "\n".join(lines) + "\n" + text[text.index("<!-- end -->", begin) :]
    return text


def update(path: Path, parts: Mapping[str, Iterable[str]]) -> None:
    """Update a page, as `written`."""
    # scripts add their tree to the path only after importing this
    from spikeport.common.files import write_text

    write_text(path, written(path.read_text(encoding="utf-8"), parts))
