"""Pages of docs/ that scripts bring up to date: tables in Markdown, and what stands between a page's marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, a line an element."""
    return ["| " + " | ".join(line) + " |" for line in (headings, ["---"] * len(headings), *lines)]


def written(text: str, parts: Mapping[str, Iterable[str]]) -> str:
    """The page with the lines between `<!-- NAME -->` and the next `<!-- end -->` replaced, for each name."""
    for name, lines in parts.items():
        mark = f"<!-- {name} -->\n"
        begin = text.index(mark) + len(mark)
        text = text[:begin] + "\n".join(lines) + "\n" + text[text.index("<!-- end -->", begin) :]
    return text
