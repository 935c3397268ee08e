"""LIF that forgets: CUBA-LIF whose u and v are set to 0 at regular steps, lava.proc.lif's LIFReset.

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
        """The constants of one reset, before the step of that number from 0, and no other in a run's time."""
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
            for begin, end in self._stretches(number, len(words), states):
                update(number + begin, states, tuple(a[begin:end] for a in arriving), words[begin:end], total)

        return step

    def voltage_at(self, step: int) -> Integers:  # noqa: ARG002
        """0: v is reset just before the first input arrives."""
        return np.zeros_like(self.v_initial)

    def _stretches(self, number: int, steps: int, states: States) -> Iterator[tuple[int, int]]:
        """The steps up to the next reset are one block, before which what is due is reset."""
        dues = [self.due(number + t) for t in range(steps)]
        for begin, end in pairwise([0, *(t for t in range(1, steps) if dues[t].any()), steps]):
            states["u"][:, dues[begin]] = 0
            states["v"][:, dues[begin]] = 0
            yield begin, end

    def stock(self) -> StockProcess | None:
        """lava.proc.lif's LIFReset, which has one interval and offset a process."""
        interval, offset = one_value(self.reset_interval), one_value(self.reset_offset)
        lif = super().stock()
        if interval is None or offset is None or lif is None:
            return None
        arguments = {**lif.arguments, "reset_interval": interval, "reset_offset": offset}
        return StockProcess(
            lif.module, "LIFReset", arguments, lif.states, lif.ports, clocked_model="PyLifResetModelBitAcc"
        )

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:
        """The step once more in NumPy."""
        kept = np.where(self.due(step), 0, 1).astype(np.int32)
        states["u"], states["v"] = states["u"] * kept, states["v"] * kept
        return super().plain_step(step, states, arriving)
