"""CUBA-LIF that fires -1, 0 or 1, lava.proc.lif's TernaryLIF.

u, v as in exporter/neurons/cuba/cuba.py;   s <- (v > (vth_hi << 6)) - (v < (vth_lo << 6));   v[s != 0] <- 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, States, Step, StockProcess, signed
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT, WordWidths

from .cuba import Cuba, keep_fraction, next_current, next_voltage, plain_current, plain_voltage


@dataclass(frozen=True)
class TernaryLIF(Cuba):
    """Leaky integrate-and-fire compartments with an upper and a lower threshold.

    Source: lava-nc 0.10.0, lava/proc/lif/models.py, PyTernLifModelFixed. Its thresholds have 24 bits, of which v can
    reach only those of LIF's vth and a sign.
    """

    vth_hi: Integers
    vth_lo: Integers

    KIND: ClassVar[str] = "ternary_lif"
    GRADED: ClassVar[bool] = True
    TERNARY: ClassVar[bool] = True

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        threshold = signed(widths.vth_bits + 1)
        return {**super().registers(widths), "vth_hi": threshold, "vth_lo": threshold}

    def contradiction(self) -> str | None:
        """A lower threshold above the upper one."""
        if np.any(self.vth_lo > self.vth_hi):
            return "has a vth_lo above its vth_hi; the lower threshold must be the smaller one"
        return None

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        high, low = (np.left_shift(vth, ACTIVATION_SHIFT) for vth in (self.vth_hi, self.vth_lo))
        constants = keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, high, low

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["u"], states["v"], arriving[0], *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.lif's TernaryLIF."""
        names = ("du", "dv", "bias_mant", "bias_exp")
        arguments = {"u": 0, "v": self.v_initial, **{name: getattr(self, name) for name in names}}
        return StockProcess(
            "lava.proc.lif.process", "TernaryLIF", arguments, {"u": "u", "v": "v"}, {"a_in": "a_in"},
            variables={"vth_hi": self.vth_hi, "vth_lo": self.vth_lo},
        )  # fmt: skip

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        above, below = voltage > self.vth_hi * 64, voltage < self.vth_lo * 64
        states["v"] = np.where(above | below, 0, voltage).astype(np.int32)
        return above.astype(np.int32) - below.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(u, v, a, keep_u, keep_v, bias, high, low, sent):
    for b in range(u.shape[0]):
        for t in range(len(a)):
            for i in range(u.shape[1]):
                u[b, i] = next_current(u[b, i], keep_u[i], a[t, b, i])
                a[t, b, i] = 0
                voltage = next_voltage(v[b, i], keep_v[i], u[b, i], bias[i])
                spike = np.int32(voltage > high[i]) - np.int32(voltage < low[i])
                sent[t, b, i] = spike
                v[b, i] = voltage if spike == 0 else np.int32(0)
