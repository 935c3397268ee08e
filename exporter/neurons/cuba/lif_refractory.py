"""CUBA-LIF with a refractory period: v stays at 0 for a number of steps after a spike, lava.proc.lif's LIFRefractory.

    u as in exporter/neurons/cuba/cuba.py;   v also where refractory_period_end < t, else unchanged
    s <- v > (vth << 6);   v[s] <- 0;   refractory_period_end[s] <- t + refractory_period

t = 1 in a sample's first step. lava.proc has this process in floating point only: the rule is from that model, the
arithmetic from its fixed-point LIF.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, States, Step
from spikeport.hardware_profiles.fixed_point import WordWidths

from .cuba import keep_fraction, next_current, next_voltage, plain_current, plain_voltage
from .cuba_lif import CubaLIF


@dataclass(frozen=True)
class LIFRefractory(CubaLIF):
    """Leaky integrate-and-fire compartments that are silent for a while after a spike.

    Sources: lava-nc 0.10.0, lava/proc/lif/models.py, PyLifRefractoryModelFloat and AbstractPyLifModelFixed; the width
    of the period (6 bit) is that of Loihi 1's RefractDelay (NxSDK, CxProfileCfg).
    """

    refractory_period: Integers

    KIND: ClassVar[str] = "lif_refractory"
    STATES: ClassVar[tuple[str, ...]] = ("u", "v", "refractory_period_end")

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "refractory_period": (1, 63)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, self.threshold

        def step(number: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            end = states["refractory_period_end"]
            first = np.int32(number + 1)
            _update(states["u"], states["v"], end, arriving[0], *constants, self.refractory_period, first, sent)

        return step

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:
        """The step in NumPy."""
        now, end = step + 1, states["refractory_period_end"]
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        voltage = np.where(end < now, voltage, states["v"])
        spikes = voltage > self.threshold
        states["v"] = np.where(spikes, 0, voltage).astype(np.int32)
        states["refractory_period_end"] = np.where(spikes, now + self.refractory_period, end).astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(u, v, end, a, keep_u, keep_v, bias, threshold, period, first, sent):
    for b in range(u.shape[0]):
        for t in range(len(a)):
            now = np.int32(first + t)
            for i in range(u.shape[1]):
                u[b, i] = next_current(u[b, i], keep_u[i], a[t, b, i])
                a[t, b, i] = 0
                voltage = v[b, i]
                if end[b, i] < now:
                    voltage = next_voltage(voltage, keep_v[i], u[b, i], bias[i])
                spike = voltage > threshold[i]
                sent[t, b, i] = spike
                v[b, i] = np.int32(0) if spike else voltage
                if spike:
                    end[b, i] = now + period[i]
