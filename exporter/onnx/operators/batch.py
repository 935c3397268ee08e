"""The free batch size N in shapes that a graph computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batch:
    """`factor` times the free batch size N."""

    factor: int = 1

    def __mul__(self, other: object) -> Batch | int:
        return NotImplemented if not _whole(other) else (Batch(self.factor * int(other)) if other else 0)  # type: ignore[call-overload]

    __rmul__ = __mul__

    def __floordiv__(self, other: object) -> Batch | int:
        if isinstance(other, Batch) and self.factor % other.factor == 0:
            return self.factor // other.factor
        if _whole(other) and other and self.factor % int(other) == 0:  # type: ignore[call-overload]
            return Batch(self.factor // int(other))  # type: ignore[call-overload]
        return NotImplemented

    def __str__(self) -> str:
        return "N" if self.factor == 1 else f"{self.factor} N"

    __repr__ = __str__


def _whole(other: object) -> bool:
    return isinstance(other, (int, np.integer)) and not isinstance(other, bool)
