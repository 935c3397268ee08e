"""Consoles that show control characters of names and files as escapes, so that no terminal executes them."""

from __future__ import annotations

from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

from spikeport.common.errors import visible


def new_console(**options: Any) -> Console:
    """A `rich.console.Console` for text that holds other people's names."""
    console = Console(**options)
    console.push_render_hook(_Visibly())
    return console


class _Visibly(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap everything that is printed."""
        return [_Visible(renderable) for renderable in renderables]


class _Visible:
    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            # rich's own sequences are control segments, or are added later from the style
            yield segment if segment.control else Segment(visible(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._inner)
