"""CUBA-LIF whose u and v are set to 0 at regular steps, lava.proc.lif's LIFReset.

The resets are those of exporter/neurons/cuba/regular_reset.py, the step is exporter/neurons/cuba/cuba_lif.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.base import Integers, SpikeStep, States, StockProcess, one_value

from .cuba_lif import CubaLIF
from .regular_reset import RegularReset


@dataclass(frozen=True)
class LIFReset(RegularReset, CubaLIF):
    """Leaky integrate-and-fire compartments with a reset in regular intervals.

    Source: lava-nc 0.10.0, lava/proc/lif/models.py, PyLifResetModelBitAcc.
    """

    KIND: ClassVar[str] = "lif_reset"

    def spike_stepper(self) -> SpikeStep | None:
        """The kernel that packs and counts spikes itself."""
        update = super().spike_stepper()
        assert update is not None

        def step(
            number: int, states: States, arriving: tuple[Integers, ...], words: NDArray[np.uint64], total: Integers
        ) -> None:
            for start, stop in self.reset_blocks(number, len(words), states):
                update(number + start, states, tuple(a[start:stop] for a in arriving), words[start:stop], total)

        return step

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
        self.reset_due(step, states)
        return super().plain_step(step, states, arriving)
