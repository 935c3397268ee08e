"""Where cores lie: chips filled one after the other, along a snake through each chip's mesh."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hardware_profiles.schema import Limits

from .model import Core, Slice


def placed(contents: Sequence[tuple[Slice, ...]], limits: Limits) -> tuple[Core, ...]:
    """Cores in the order given, each a neighbour of the one before."""
    capacity = int(limits.cores_per_chip)
    columns = math.ceil(math.sqrt(capacity))
    return tuple(Core(n // capacity, *_snake(n % capacity, columns), held) for n, held in enumerate(contents))


def _snake(place: int, columns: int) -> tuple[int, int]:
    y, x = divmod(place, columns)
    return (x if y % 2 == 0 else columns - 1 - x), y
