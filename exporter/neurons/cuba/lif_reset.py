"""CUBA-LIF whose u and v are set to 0 at regular steps, lava.proc.lif's LIFReset.

    u, v <- 0   where (t - reset_offset) mod reset_interval = 0;   then as exporter/neurons/cuba/cuba_lif.py

t is 1 in a sample's first step. v starts at v_initial, but is 0 after a reset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.base import Integers, Limits, SpikeStep, States, StockProcess, one_value
from spikeport.hardware_profiles.fixed_point import WordWidths

from .cuba_lif import CubaLIF


@dataclass(frozen=True)
class LIFReset(CubaLIF):
    """Leaky integrate-and-fire compartments with a reset in regular intervals.

    Source: lava-nc 0.10.0, lava/proc/lif/models.py, PyLifResetModelBitAcc.
    """

    reset_interval: Integers
    reset_offset: Integers

    KIND: ClassVar[str] = "lif_reset"

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

    def spike_stepper(self) -> SpikeStep | None:
        """The kernel that packs and counts spikes itself."""
        update = super().spike_stepper()
        assert update is not None

        def step(
            number: int, states: States, arriving: tuple[Integers, ...], words: NDArray[np.uint64], total: Integers
        ) -> None:
            for start, stop in self._blocks(number, len(words), states):
                update(number + start, states, tuple(a[start:stop] for a in arriving), words[start:stop], total)

        return step

    def voltage_at(self, step: int) -> Integers:  # noqa: ARG002
        """0: v is reset just before the first input arrives."""
        return np.zeros_like(self.v_initial)

    def _blocks(self, number: int, steps: int, states: States) -> Iterator[tuple[int, int]]:
        """Yields (start, stop) of blocks between resets, after resetting the compartments due before each."""
        dues = [self.due(number + t) for t in range(steps)]
        for start, stop in pairwise([0, *(t for t in range(1, steps) if dues[t].any()), steps]):
            states["u"][:, dues[start]] = 0
            states["v"][:, dues[start]] = 0
            yield start, stop

    def stock(self) -> StockProcess | None:
        """lava.proc.lif's LIFReset, which has one interval and offset per process."""
        interval, offset = one_value(self.reset_interval), one_value(self.reset_offset)
        lif = super().stock()
        if interval is None or offset is None or lif is None:
            return None
        arguments = {**lif.arguments, "reset_interval": interval, "reset_offset": offset}
        return StockProcess(
            lif.module, "LIFReset", arguments, lif.states, lif.ports, clocked_model="PyLifResetModelBitAcc"
        )

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:
        """The step in NumPy."""
        keep = np.where(self.due(step), 0, 1).astype(np.int32)
        states["u"], states["v"] = states["u"] * keep, states["v"] * keep
        return super().plain_step(step, states, arriving)
