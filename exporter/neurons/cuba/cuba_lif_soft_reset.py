"""CUBA-LIF with reset by subtraction. lava.proc has no process for it; Loihi 2's programmable neurons can compute it.

u, v as in exporter/neurons/cuba/cuba.py;   s <- v > (vth << 6);   v[s] <- v - v_subtract
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.base import Integers, Limits, SpikeStep, States
from spikeport.hardware_profiles.fixed_point import WordWidths

from .cuba import plain_current, plain_voltage
from .cuba_lif import CubaLIF
from .cuba_vector import spike_and_subtract


@dataclass(frozen=True)
class CubaLIFSoftReset(CubaLIF):
    """Leaky integrate-and-fire compartments whose spikes subtract `v_subtract` from v, usually the threshold."""

    v_subtract: Integers

    KIND: ClassVar[str] = "cuba_lif_soft_reset"

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "v_subtract": (0, widths.state_max)}

    @property
    def subtracted(self) -> Integers | None:
        """What a spike subtracts from v."""
        return self.v_subtract

    def spike_stepper(self) -> SpikeStep | None:
        """The kernel that packs and counts spikes itself."""
        constants = *self.step_constants, self.v_subtract

        def step(
            _: int, states: States, arriving: tuple[Integers, ...], words: NDArray[np.uint64], total: Integers
        ) -> None:
            spike_and_subtract(states["u"], states["v"], arriving[0], *constants, words, total)

        return step

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        spikes = voltage > self.threshold
        states["v"] = np.where(spikes, voltage - self.v_subtract, voltage).astype(np.int32)
        return spikes.astype(np.int32)
