"""What a user may say about compiling a network."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.discretize import Discretize
    from exporter.float_network import Reset
    from exporter.graded_sums import Sums
    from exporter.program import Given
    from exporter.quantise import Precision


@dataclass(frozen=True)
class Choices:
    """What the user may say about compiling a network; a compiled one has no choice left.

    dt in seconds; framework: the one that wrote the file, which decides what is left out of the next two
    (exporter/dialects.py); calibrate: sample input, or a file of it; the others as in exporter/compile.py.
    """

    dt: float | None = None
    weight_bits: int | None = None
    framework: str | None = None
    discretize: Discretize | None = None
    reset: Reset | None = None
    precision: Precision = "normal"
    calibrate: Path | Given | None = None
    sums: Sums = "synapses"

    def given(self) -> list[str]:
        """The options that differ from the defaults, as they are called on the command line."""
        called = {"framework": "from"}
        return [
            f"--{called.get(field.name, field.name).replace('_', '-')}"
            for field in fields(self)
            if _said(getattr(self, field.name), field.default)
        ]

    def late(self) -> list[str]:
        """The options that are of no use for a network in integers already."""
        return [name for name in self.given() if name != "--dt"]


NO_CHOICES = Choices()


def _said(value: Any, default: Any) -> bool:
    # an array has no single truth
    return value is not None and (default is None or value != default)
