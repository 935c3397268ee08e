"""Shared by the CUBA neurons: a filtered current u, a leaky voltage v, a bias on v.

u <- toward_zero(u * (4096 - (du + 1)) / 4096) + (a << 6)        24 bit, wraps
v <- toward_zero(v * (4096 -  dv     ) / 4096) + u + bias        24 bit, saturates
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, signed, unsigned
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, WordWidths

LIMIT = 1 << 23


@dataclass(frozen=True)
class Cuba(Population):
    """Compartments with u and v.

    v_initial is the voltage at the start and after a reset between samples: with the bias, which acts from the first
    step on, v is 0 when the first input can arrive.
    """

    du: Integers
    dv: Integers
    bias_mant: Integers
    bias_exp: Integers
    v_initial: Integers

    STATES: ClassVar[tuple[str, ...]] = ("u", "v")
    DEFAULTS: ClassVar[Mapping[str, int]] = {"bias_mant": 0, "bias_exp": 0, "v_initial": 0}

    @property
    def bias(self) -> Integers:
        """bias_mant * 2**bias_exp, in units of v."""
        return (self.bias_mant << self.bias_exp).astype(np.int32)

    @property
    def threshold_word(self) -> Integers | None:
        """The threshold's register, in units of v / 64, (size,); None for neurons without one threshold."""
        return None

    @property
    def subtracted(self) -> Integers | None:
        """What a spike subtracts from v, (size,); None if v becomes 0."""
        return None

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {
            "du": unsigned(widths.du_bits),
            "dv": unsigned(widths.dv_bits),
            "bias_mant": signed(widths.bias_mant_bits),
            "bias_exp": unsigned(widths.bias_exp_bits),
            "v_initial": (-widths.state_max, widths.state_max),
        }

    def start(self) -> dict[str, Integers]:
        """v starts at v_initial."""
        return {"v": self.v_initial}

    def voltage_at(self, step: int) -> Integers:
        """v before the first input arrives, after `step` steps of only leak and bias, (size,)."""
        v = self.v_initial
        for _ in range(step):
            v = plain_voltage(v, self.dv, np.zeros_like(v), self.bias)
        return v


@njit(cache=True, inline="always")
def next_current(u, keep_u, a):
    """u of the next step: one wrap only, and exactly as lava.proc.lif does it (2**23 itself stays).

    keep = (4096 - decay) / 4096 is exact in float64, and so is its product with a 32-bit state (at most 45 bits);
    conversion to an integer rounds toward zero, as the chip does.
    """
    current = np.int32(np.int32(np.float64(u) * keep_u) + np.int32(a << 6))
    if current > 8388608:
        current = np.int32(current - 16777216)
    elif current <= -8388608:
        current = np.int32(current + 16777216)
    return current


@njit(cache=True, inline="always")
def next_voltage(v, keep_v, current, bias):
    """v of the next step before spikes, saturated."""
    voltage = np.int32(np.int32(np.float64(v) * keep_v) + current + bias)
    return min(max(voltage, np.int32(-8388607)), np.int32(8388607))


def keep_fraction(decay: Integers) -> NDArray[np.float32]:
    """The fraction that remains per step, (4096 - decay) / 4096, exact in float32, which is half as much to read."""
    return (DECAY_UNITY - decay.astype(np.float32)) / np.float32(DECAY_UNITY)


def plain_current(u: Integers, du: Integers, a: Integers) -> Integers:
    """u of the next step in NumPy."""
    total = toward_zero(u, DECAY_UNITY - 1 - du) + _int32(a.astype(np.int64) << ACTIVATION_SHIFT)
    total = _int32(total).astype(np.int64)
    total = np.where(total > LIMIT, total - 2 * LIMIT, np.where(total <= -LIMIT, total + 2 * LIMIT, total))
    return total.astype(np.int32)


def plain_voltage(v: Integers, dv: Integers, current: Integers, bias: Integers) -> Integers:
    """v of the next step in NumPy."""
    total = toward_zero(v, DECAY_UNITY - dv) + current.astype(np.int64) + bias
    return np.clip(_int32(total), 1 - LIMIT, LIMIT - 1).astype(np.int32)


def toward_zero(state: NDArray[np.signedinteger[Any]], keep: Integers) -> NDArray[np.int64]:
    """state * keep / 4096, rounded toward zero."""
    product = np.abs(state.astype(np.int64)) * keep // DECAY_UNITY
    result: NDArray[np.int64] = np.sign(state) * product
    return result


def _int32(values: NDArray[np.int64]) -> Integers:
    """The low 32 bits, as in the int32 arithmetic of the reference."""
    return values.astype(np.int32)
