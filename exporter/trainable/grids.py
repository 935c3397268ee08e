"""Where a synapse's integers lie while it is trained: the grids of the connections that compiling stores it in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spikeport.exporter.program.chip_program import Connection
from spikeport.hardware_profiles.fixed_point import WeightGrid, weight_grid

Level = tuple[float, float]
"""Step and end of a grid, in units of a, the synaptic input of one spike."""


@dataclass(frozen=True)
class Grid:
    """Where a synapse's integers lie: 0 to an end in steps, for each sign its own.

    positive, negative: one level, or several where small weights have connections of their own, from small to large.
    alone: the negative end where no weight is positive, if it is another one: a connection of one sign has a mantissa
    of at least -255, one of both signs of -256.
    """

    positive: tuple[Level, ...]
    negative: tuple[Level, ...]
    alone: float | None = None

    @property
    def step(self) -> float | None:
        """The step, if there is but one."""
        steps = {step for step, _ in (*self.positive, *self.negative)}
        return steps.pop() if len(steps) == 1 else None


def finer_grid(positive: float, negative: float, exponents: int, bits: int, highest: int) -> Grid:
    """The grid that reaches the largest weights, in units of a; exponents: of each sign, up to the highest."""
    grid = weight_grid("excitatory", bits)
    signs = []
    for largest in (positive, negative):
        top = _exponent_of(largest, grid, highest)
        signs.append(
            tuple((grid.step * 2.0**e, grid.high * 2.0**e) for e in range(max(0, top - exponents + 1), top + 1))
        )
    return Grid(signs[0], signs[1])


def doubled_finer_grid(positive: float, negative: float, bits: int, highest: int) -> Grid:
    """The grid of doubled synapses that reaches the largest weights, in units of a."""
    grid = weight_grid("excitatory", bits)
    above, below = (_doubled_level(_exponent_of(largest, grid, highest), bits) for largest in (positive, negative))
    return Grid((above,), (below,))


def doubled_grid(parts: Sequence[Connection], bits: int) -> Grid:
    """The grid of a synapse whose weights have a high and a low half, from the connections that hold them."""
    tops = {
        mode: max((c.weight_exp for c in parts if c.sign_mode == mode), default=None)
        for mode in ("excitatory", "inhibitory")
    }
    either = max(c.weight_exp for c in parts)
    above, below = (_doubled_level(either if top is None else top, bits) for top in tops.values())
    return Grid((above,), (below,))


def _exponent_of(largest: float, grid: WeightGrid, highest: int) -> int:
    """The smallest exponent at which the largest weight fits."""
    needed = math.ceil(math.log2(max(largest, 1.0) / (grid.high + grid.step / 2)) - 1e-9)
    return min(max(0, needed), highest)


def _doubled_level(exponent: int, bits: int) -> Level:
    """Step of the low half, and the largest weight that compiling gives that exponent: below half a step over the end.

    All low digits there are would reach further, but with the next exponent the low half's step doubles.
    """
    grid = weight_grid("excitatory", bits)
    step = grid.step * 2.0 ** (exponent - min(bits, exponent))
    return step, (math.ceil((grid.high + grid.step / 2) * 2.0**exponent / step) - 1) * step


def grid_of(parts: Sequence[Connection], bits: int) -> Grid:
    """The grid of a synapse that compiling stored in these connections."""
    if any(c.sign_mode == "mixed" for c in parts):
        grid, unit = weight_grid("mixed", bits), 2.0 ** max(c.weight_exp for c in parts)
        alone = -weight_grid("inhibitory", bits).low // grid.step * grid.step
        ends = grid.high * unit, -grid.low * unit
        return Grid(((grid.step * unit, ends[0]),), ((grid.step * unit, ends[1]),), alone * unit)
    grid = weight_grid("excitatory", bits)
    signs = [{c.weight_exp for c in parts if c.sign_mode == mode} for mode in ("excitatory", "inhibitory")]
    levels = [
        tuple((grid.step * 2.0**e, grid.high * 2.0**e) for e in sorted(own or other))
        for own, other in (signs, signs[::-1])
    ]
    return Grid(levels[0], levels[1])
