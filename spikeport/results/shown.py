"""Base class of results: shown the same way on the terminal, in a notebook and by `print`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import StringIO
from typing import Any

from rich.console import Console

from spikeport.console.visible import new_console

_WIDTH = 110
_PAGE = '<pre style="white-space:pre;line-height:1.2;overflow-x:auto;font-family:monospace">{code}</pre>'


class Shown(ABC):
    """A result that can be shown on a console and converted to plain values."""

    @abstractmethod
    def show(self, console: Console) -> None:
        """Print the result, as its command does."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The result in plain values, as its command's --json writes them."""

    def parts(self) -> dict[str, Any]:
        """Alias of `to_dict`."""
        return self.to_dict()

    def __repr__(self) -> str:
        console = new_console(file=StringIO(), width=_WIDTH, color_system=None, force_jupyter=False)
        self.show(console)
        file = console.file
        assert isinstance(file, StringIO)
        return file.getvalue().rstrip()

    def _repr_html_(self) -> str:
        console = new_console(file=StringIO(), width=_WIDTH, record=True, force_jupyter=False)
        self.show(console)
        return console.export_html(inline_styles=True, code_format=_PAGE)
