"""CUBA-LIF with reset by subtraction, which lava.proc has no process for; Loihi 2's programmable neurons can.

u, v as in exporter/neurons/cuba.py;   s <- v > (vth << 6);   v[s] <- v - v_subtract
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hardware_profiles.fixed_point import WordWidths

from .base import Integers, Limits, States, Step, StockProcess
from .cuba import keep_fraction, next_current, next_voltage, plain_current, plain_voltage
from .cuba_lif import CubaLIF


@dataclass(frozen=True)
class CubaLIFSoftReset(CubaLIF):
    """Leaky integrate-and-fire compartments from whose v a spike takes `v_subtract`, most often the threshold."""

    v_subtract: Integers

    KIND: ClassVar[str] = "cuba_lif_soft_reset"

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "v_subtract": (0, widths.state_max)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, self.threshold, self.v_subtract

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["u"], states["v"], arriving[0], *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """None: lava.proc's LIF processes reset to 0."""
        return None

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step once more in NumPy."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        spikes = voltage > self.threshold
        states["v"] = np.where(spikes, voltage - self.v_subtract, voltage).astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(u, v, a, keep_u, keep_v, bias, threshold, subtract, sent):
    for b in range(u.shape[0]):
        for t in range(len(a)):
            for i in range(u.shape[1]):
                current = next_current(u[b, i], keep_u[i], a[t, b, i])
                voltage = next_voltage(v[b, i], keep_v[i], current, bias[i])
                spike = voltage > threshold[i]
                u[b, i] = current
                a[t, b, i] = 0
                sent[t, b, i] = spike
                v[b, i] = voltage - subtract[i] if spike else voltage
