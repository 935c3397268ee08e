"""CUBA-LIF with reset by subtraction, which lava.proc has no process for; Loihi 2's programmable neurons can.

u, v as in exporter/neurons/cuba.py;   s <- v > (vth << 6);   v[s] <- v - (vth << 6)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .base import Integers, States, Step, StockProcess
from .cuba import keep_fraction, next_current, next_voltage, plain_current, plain_voltage
from .cuba_lif import CubaLIF


@dataclass(frozen=True)
class CubaLIFSoftReset(CubaLIF):
    """Leaky integrate-and-fire compartments whose threshold is taken from v at a spike."""

    KIND: ClassVar[str] = "cuba_lif_soft_reset"

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, self.threshold

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
        states["v"] = np.where(spikes, voltage - self.threshold, voltage).astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(u, v, a, keep_u, keep_v, bias, threshold, sent):
    for b in range(u.shape[0]):
        for i in range(u.shape[1]):
            current = next_current(u[b, i], keep_u[i], a[b, i])
            voltage = next_voltage(v[b, i], keep_v[i], current, bias[i])
            spike = voltage > threshold[i]
            u[b, i] = current
            a[b, i] = 0
            sent[b, i] = spike
            v[b, i] = voltage - threshold[i] if spike else voltage
