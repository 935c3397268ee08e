"""What CUBA neurons share whose u and v are set to 0 at regular steps.

    u, v <- 0   where (t - reset_offset) mod reset_interval = 0;   then the neuron's own step

t is 1 in a sample's first step. v starts at v_initial, but is 0 after a reset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.base import Integers, Limits, States
from spikeport.hardware_profiles.fixed_point import WordWidths

from .cuba import Cuba


@dataclass(frozen=True)
class RegularReset(Cuba):
    """Compartments with u, v and a reset of both in regular intervals."""

    reset_interval: Integers
    reset_offset: Integers

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant; intervals have the width of a state."""
        intervals = {"reset_interval": (1, widths.state_max), "reset_offset": (0, widths.state_max)}
        return {**super().registers(widths), **intervals}

    @staticmethod
    def once(size: int, step: int, widths: WordWidths) -> dict[str, Integers]:
        """The constants of a single reset, before step `step` (from 0), and no other within a run."""
        constants = {"reset_interval": widths.state_max, "reset_offset": step + 1}
        return {name: np.full(size, value, np.int32) for name, value in constants.items()}

    def due(self, step: int) -> NDArray[np.bool_]:
        """Which compartments are reset before this step, (size,)."""
        due: NDArray[np.bool_] = (step + 1 - self.reset_offset) % self.reset_interval == 0
        return due

    def voltage_at(self, step: int) -> Integers:  # noqa: ARG002
        """0: v is reset just before the first input arrives."""
        return np.zeros_like(self.v_initial)

    def blocks(self, number: int, steps: int) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
        """Blocks of these steps, `number` the first of them, that no reset interrupts.

        Yields (start, stop, due), counted from `number`, with the compartments that are reset before each.
        """
        dues = [self.due(number + t) for t in range(steps)]
        for start, stop in pairwise([0, *(t for t in range(1, steps) if dues[t].any()), steps]):
            yield start, stop, dues[start]

    def reset_blocks(self, number: int, steps: int, states: States) -> Iterator[tuple[int, int]]:
        """Yields (start, stop) of `blocks`, after resetting the compartments that are due before each."""
        for start, stop, due in self.blocks(number, steps):
            states["u"][:, due] = 0
            states["v"][:, due] = 0
            yield start, stop

    def reset_due(self, step: int, states: dict[str, Integers]) -> None:
        """Replace the states of one sample, (size,) each, by those that the step begins with."""
        keep = np.where(self.due(step), 0, 1).astype(np.int32)
        states["u"], states["v"] = states["u"] * keep, states["v"] * keep
