"""Adaptive threshold and refractoriness LIF, lava.proc.atrlif's ATRLIF.

    i <- toward_zero(i * (4096 - (delta_i + 1)) / 4096) + (a << 6)                        24 bit, wraps
    v <- toward_zero(v * (4096 - delta_v) / 4096) + i + bias                              24 bit, saturates
    theta <- toward_zero((theta - base) * (4096 - delta_theta) / 4096) + base,  base = theta_0 << 6
    r <- toward_zero(r * (4096 - delta_r) / 4096)
    s <- v - r >= theta;   r[s] <- r + 2 theta;   theta[s] <- theta + (theta_step << 6)   32 bit, wrap

v is not reset: the refractory state r is subtracted from it instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import (
    Integers,
    Limits,
    Population,
    States,
    Step,
    StockProcess,
    one_value,
    signed,
    unsigned,
)
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, WordWidths

from .cuba import keep_fraction, next_current, next_voltage, plain_current, plain_voltage, toward_zero

_DELTAS = ("delta_i", "delta_v", "delta_theta", "delta_r")


@dataclass(frozen=True)
class ATRLIF(Population):
    """Leaky integrate-and-fire compartments with adaptive threshold.

    Source: lava-nc 0.10.0, lava/proc/atrlif/models.py, PyATRLIFModelFixed. There a decay is a fraction that the model
    multiplies by 4096; delta_* here are the resulting 12-bit integers.
    """

    delta_i: Integers
    delta_v: Integers
    delta_theta: Integers
    delta_r: Integers
    theta_0: Integers
    theta_step: Integers
    bias_mant: Integers
    bias_exp: Integers

    KIND: ClassVar[str] = "atrlif"
    STATES: ClassVar[tuple[str, ...]] = ("i", "v", "theta", "r")
    DEFAULTS: ClassVar[Mapping[str, int]] = {"bias_mant": 0, "bias_exp": 0}

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        twelve = unsigned(12)
        return {
            **dict.fromkeys((*_DELTAS, "theta_0", "theta_step"), twelve),
            "bias_mant": signed(widths.bias_mant_bits),
            "bias_exp": unsigned(widths.bias_exp_bits),
        }

    @property
    def bias(self) -> Integers:
        """bias_mant * 2**bias_exp, in units of v."""
        return np.left_shift(self.bias_mant, self.bias_exp)

    @property
    def base(self) -> Integers:
        """theta_0 << 6, the threshold at rest in units of v."""
        return np.left_shift(self.theta_0, ACTIVATION_SHIFT)

    def start(self) -> dict[str, Integers]:
        """theta starts at rest."""
        return {"theta": self.base}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        keep = keep_fraction(self.delta_i + 1), *(keep_fraction(getattr(self, name)) for name in _DELTAS[1:])
        constants = *keep, self.base, np.left_shift(self.theta_step, ACTIVATION_SHIFT), self.bias

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(*(states[name] for name in self.STATES), arriving[0], *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.atrlif's ATRLIF, whose model adds one theta_step to whatever number of compartments spike."""
        if one_value(self.theta_step) is None:
            return None
        decays = {name: getattr(self, name) / DECAY_UNITY for name in _DELTAS}
        others = {name: getattr(self, name) for name in ("theta_0", "theta_step", "bias_mant", "bias_exp")}
        states = {name: name for name in self.STATES}
        return StockProcess("lava.proc.atrlif.process", "ATRLIF", {**decays, **others}, states, {"a_in": "a_in"})

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        i = plain_current(states["i"], self.delta_i, arriving[0])
        v = plain_voltage(states["v"], self.delta_v, i, self.bias)
        above = toward_zero(states["theta"] - self.base, DECAY_UNITY - self.delta_theta).astype(np.int32)
        theta = above + self.base
        r = toward_zero(states["r"], DECAY_UNITY - self.delta_r).astype(np.int32)
        spikes = v - r >= theta
        states["i"], states["v"] = i, v
        states["r"] = r + np.where(spikes, 2 * theta, 0).astype(np.int32)
        states["theta"] = theta + np.where(spikes, self.theta_step << ACTIVATION_SHIFT, 0).astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(i, v, theta, r, a, keep_i, keep_v, keep_theta, keep_r, base, theta_step, bias, sent):
    for b in range(i.shape[0]):
        for t in range(len(a)):
            for n in range(i.shape[1]):
                current = next_current(i[b, n], keep_i[n], a[t, b, n])
                a[t, b, n] = 0
                voltage = next_voltage(v[b, n], keep_v[n], current, bias[n])
                above = np.int32(theta[b, n] - base[n])
                threshold = np.int32(np.int32(np.float64(above) * keep_theta[n]) + base[n])
                refractory = np.int32(np.float64(r[b, n]) * keep_r[n])
                spike = np.int32(voltage - refractory) >= threshold
                i[b, n], v[b, n] = current, voltage
                sent[t, b, n] = spike
                r[b, n] = refractory + 2 * threshold if spike else refractory
                theta[b, n] = threshold + theta_step[n] if spike else threshold
