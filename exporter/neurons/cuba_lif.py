"""CUBA-LIF: the chip's standard neuron, lava.proc.lif's LIF.

u, v as in exporter/neurons/cuba.py;   s <- v > (vth << 6);   v[s] <- 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hardware_profiles.fixed_point import ACTIVATION_SHIFT, WordWidths

from .base import Integers, Limits, States, Step, StockProcess, unsigned
from .cuba import Cuba, keep_fraction, next_current, next_voltage, plain_current, plain_voltage


@dataclass(frozen=True)
class CubaLIF(Cuba):
    """Leaky integrate-and-fire compartments that reset to 0.

    Source: lava-nc 0.10.0, lava/proc/lif/models.py, PyLifModelBitAcc.
    """

    vth: Integers

    KIND: ClassVar[str] = "cuba_lif"

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "vth": unsigned(widths.vth_bits)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, self.threshold

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["u"], states["v"], arriving[0], *constants, sent)

        return step

    @property
    def threshold(self) -> Integers:
        """vth << 6, in units of v."""
        return (self.vth << ACTIVATION_SHIFT).astype(np.int32)

    def stock(self) -> StockProcess | None:
        """lava.proc.lif's LIF."""
        names = ("du", "dv", "vth", "bias_mant", "bias_exp")
        arguments = {"u": 0, "v": self.v_initial, **{name: getattr(self, name) for name in names}}
        return StockProcess("lava.proc.lif.process", "LIF", arguments, {"u": "u", "v": "v"}, {"a_in": "a_in"})

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step once more in NumPy."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        spikes = voltage > self.threshold
        states["v"] = np.where(spikes, 0, voltage).astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(u, v, a, keep_u, keep_v, bias, threshold, sent):
    for b in range(u.shape[0]):
        for t in range(len(a)):
            for i in range(u.shape[1]):
                current = next_current(u[b, i], keep_u[i], a[t, b, i])
                voltage = next_voltage(v[b, i], keep_v[i], current, bias[i])
                spike = voltage > threshold[i]
                u[b, i] = current
                a[t, b, i] = 0
                sent[t, b, i] = spike
                v[b, i] = np.int32(0) if spike else voltage
