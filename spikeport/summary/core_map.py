"""Cores in use, as in summary.json: position, neurons by layer, shares of the limits, busy time by step."""

from __future__ import annotations

from pydantic import Field

from .base import Amount, Count, Model


class PlacedCore(Model):
    """One core; x, y: its router on its chip's mesh; layers: neurons by population; fill: shares of its limits."""

    chip: Count
    x: Count
    y: Count
    layers: dict[str, Count]
    fill: dict[str, Amount]

    @property
    def fullest(self) -> float:
        """The share of the nearest (or exceeded) limit."""
        return max(self.fill.values(), default=0.0)


class StepSeconds(Model):
    """Seconds of every step: low, typical, high."""

    low: tuple[Amount, ...] = ()
    typical: tuple[Amount, ...] = ()
    high: tuple[Amount, ...] = ()


class CoreMap(Model):
    """The mesh of routers of a chip, the cores in use, and their time.

    recorded: whether steps are resolved; bound: what limits the time of a step, a sentence.
    """

    columns: int = Field(gt=0, le=1000)
    rows: int = Field(gt=0, le=1000)
    cores_per_router: int = Field(gt=0, le=64)
    chips_per_board: int = Field(default=1, gt=0)
    recorded: bool = False
    cores: tuple[PlacedCore, ...] = ()
    step_s: StepSeconds = StepSeconds()
    busy_s: tuple[tuple[Amount, ...] | None, ...] = ()
    bound: str = ""

    def shares(self, limit: str) -> list[float]:
        """The share of a limit that each core uses."""
        return [core.fill.get(limit, 0.0) for core in self.cores]

    @property
    def limits(self) -> list[str]:
        """Limits that any core uses, the fullest first."""
        names = dict.fromkeys(name for core in self.cores for name in core.fill)
        largest = {name: max(self.shares(name)) for name in names}
        return [name for name in sorted(largest, key=lambda n: -largest[n]) if largest[name] > 0]

    @property
    def busy(self) -> list[float]:
        """Each core's busy time as a share of the busiest one's; 0 for cores whose time was not recorded."""
        sums = [0.0 if row is None else sum(row) for row in self.busy_s]
        most = max(sums, default=0.0)
        return [value / most if most else 0.0 for value in sums]
