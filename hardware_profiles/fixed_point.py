"""The chip's number formats as pure functions, shared by training (fake quantisation) and compiling.

One time step of a compartment, the order and rounding of lava-nc 0.10.0's PyLifModelBitAcc:

    u <- toward_zero(u * (4096 - (du + 1)) / 4096) + (a << 6)        24 bit, wraps
    v <- toward_zero(v * (4096 -  dv     ) / 4096) + u + bias        24 bit, saturates
    s <- v > (vth << 6);  v[s] <- 0

A *scale* is the number of integer units of u and v per unit of the float network:
u_chip = scale * u_float, vth * 64 = scale * vth_float, weight * 2**weight_exp * 64 = scale * weight_float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

SignMode = Literal["mixed", "excitatory", "inhibitory", "twos_complement"]
"""How a connection stores its signs: the first three as lava-nc, twos_complement as a plain signed integer."""
SIGN_MODES: tuple[SignMode, ...] = ("mixed", "excitatory", "inhibitory")

ACTIVATION_SHIFT = 6
DECAY_UNITY = 4096
STATE_UNIT = 1 << ACTIVATION_SHIFT


@dataclass(frozen=True)
class WordWidths:
    """Widths in bit of the chip's registers; the defaults are Loihi's (lava-nc 0.10.0, lif/models.py)."""

    weight_bits: int = 8
    du_bits: int = 12
    dv_bits: int = 12
    vth_bits: int = 17
    bias_mant_bits: int = 13
    bias_exp_bits: int = 3
    state_bits: int = 24
    weight_exp_min: int = -8
    weight_exp_max: int = 7
    message_bits: int = 0
    delay_max: int = 62

    @property
    def state_max(self) -> int:
        """Largest value of u and v."""
        return (1 << (self.state_bits - 1)) - 1

    @property
    def vth_max(self) -> int:
        """Largest threshold mantissa."""
        return (1 << self.vth_bits) - 1

    @property
    def bias_max(self) -> int:
        """Largest bias that mantissa and exponent can express, in units of v."""
        return ((1 << (self.bias_mant_bits - 1)) - 1) << ((1 << self.bias_exp_bits) - 1)


WIDEST = WordWidths(message_bits=32, delay_max=255)
"""The simulators compute in 32 bit for registers of these widths; wider ones would overflow silently."""


@dataclass(frozen=True)
class WeightGrid:
    """The integers a weight may take: low, low + step, ..., high."""

    low: int
    high: int
    step: int

    def round(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        """The nearest grid points (ties to even), clipped to the grid."""
        # in place: allocating a result for each of these costs more than the arithmetic
        points = values / self.step
        np.rint(points, out=points)
        points *= self.step
        integers: NDArray[np.int32] = np.clip(points, self.low, self.high, out=points).astype(np.int32)
        return integers


@dataclass(frozen=True)
class ConnectionRange:
    """One incoming connection's largest weight and its grid, which bound the scale."""

    max_weight: float
    grid: WeightGrid


@dataclass(frozen=True)
class PopulationScale:
    """Integer units of u and v per float unit, the reference threshold and one exponent per connection."""

    scale: float
    vth: int
    weight_exps: tuple[int, ...]


def sign_mode(weights: ArrayLike) -> SignMode:
    """Sign mode of a weight array as lava.utils.weightutils.determine_sign_mode computes it."""
    array = np.asarray(weights)
    if array.size == 0 or array.min() >= 0:
        return "excitatory"
    return "inhibitory" if array.max() <= 0 else "mixed"


def weight_grid(mode: SignMode, bits: int = 8) -> WeightGrid:
    """The weights a connection of `bits` bit can hold; mixed sign costs the lowest bit (lava.utils.weightutils)."""
    if mode == "twos_complement":
        return WeightGrid(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, 1)
    step = 1 << (8 - bits)
    if mode == "mixed":
        return WeightGrid(-256, 256 - 2 * step, 2 * step)
    high = 256 - step
    return WeightGrid(0, high, step) if mode == "excitatory" else WeightGrid(-high, 0, step)


def du_from_decay(decay: ArrayLike) -> NDArray[np.int32]:
    """du of a current decay (fraction lost per step, 0..1): u keeps (4096 - (du + 1)) / 4096."""
    fraction = np.asarray(decay, dtype=np.float64)
    du: NDArray[np.int32] = np.clip(np.rint(fraction * DECAY_UNITY) - 1, 0, DECAY_UNITY - 1).astype(np.int32)
    return du


def dv_from_decay(decay: ArrayLike) -> NDArray[np.int32]:
    """dv of a voltage decay (fraction lost per step, 0..1): v keeps (4096 - dv) / 4096."""
    fraction = np.asarray(decay, dtype=np.float64)
    dv: NDArray[np.int32] = np.clip(np.rint(fraction * DECAY_UNITY), 0, DECAY_UNITY - 1).astype(np.int32)
    return dv


def decay_from_du(du: ArrayLike) -> NDArray[np.float64]:
    """The fraction of u that is lost per step."""
    return (np.asarray(du, dtype=np.float64) + 1) / DECAY_UNITY


def decay_from_dv(dv: ArrayLike) -> NDArray[np.float64]:
    """The fraction of v that is lost per step."""
    return np.asarray(dv, dtype=np.float64) / DECAY_UNITY


def split_bias(bias: NDArray[np.float64], widths: WordWidths) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Mantissa and exponent, bias ~ mantissa * 2**exponent, the smallest exponent that holds each value."""
    limit = (1 << (widths.bias_mant_bits - 1)) - 1
    magnitude = np.abs(np.rint(bias))
    exponent = np.ceil(np.log2(np.maximum(magnitude, 1) / limit))
    exponent = np.clip(exponent, 0, (1 << widths.bias_exp_bits) - 1).astype(np.int32)
    mantissa = np.clip(np.rint(bias / np.exp2(exponent)), -limit, limit).astype(np.int32)
    return mantissa, exponent


def largest_input(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest |sum of weights| each output can receive in one step, shape (outputs,), from weights (outputs, ...).

    All positive inputs, or all negative ones, fire at once; a convolution's outputs are its channels.
    """
    rows = weights.reshape(len(weights), -1)
    positive, negative = np.maximum(rows, 0).sum(axis=1), -np.minimum(rows, 0).sum(axis=1)
    largest: NDArray[np.float64] = np.maximum(positive, negative)
    return largest


def lowest_voltage(
    current: NDArray[np.float64], bias: NDArray[np.float64], voltage_decay: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far below 0 the largest current and a negative bias can move v against the leak, per neuron.

    Without a leak there is no bound; a leak of one register unit per step is assumed then.
    """
    bound: NDArray[np.float64] = (current + np.maximum(-bias, 0)) / np.maximum(voltage_decay, 1 / DECAY_UNITY)
    return bound


def lowest_bias(vth: NDArray[np.float64], voltage_decay: NDArray[np.float64], arrival: int) -> float:
    """The most negative bias that a start voltage can cancel until a layer's first input, after `arrival` steps.

    The chip adds the bias from its first step on. The start voltage cancels the sum of |bias| / keep**i for i = 1 to
    arrival - 1 after the first update, and must not spike there: the bound is -vth over that sum of 1 / keep**i, with a
    margin for rounding.
    """
    return -float(np.min(0.995 * vth / start_per_bias(voltage_decay, arrival - 1))) if arrival > 1 else -math.inf


def start_per_bias(voltage_decay: NDArray[np.float64], updates: int) -> NDArray[np.float64]:
    """The start voltage, in biases, that so many updates by decay and bias bring to 0: the sum of 1 / keep**i."""
    keep = np.maximum(1 - voltage_decay, 1 / DECAY_UNITY)
    return np.asarray(sum(keep**-i for i in range(1, updates + 1)))


def choose_scale(
    connections: Sequence[ConnectionRange],
    vth: float,
    max_current: float,
    max_bias: float,
    widths: WordWidths,
    max_voltage: float = 0.0,
) -> PopulationScale:
    """The largest scale at which nothing can leave its register.

    vth: the largest threshold (float units); max_current: the largest |u| that any input can cause;
    max_bias: the largest |bias|; max_voltage: how far below 0 any input can bring v. At this scale the largest
    weight fills its grid, the threshold is an exact integer, u cannot wrap and the bias fits its registers; if even
    exponent 0 is too much, the grid is not filled. Exponents above 0, which only refine v, also leave room for v; at
    exponent 0 v may saturate (far below the threshold), so that the weights keep their bits.
    """
    limit = STATE_UNIT * widths.vth_max / vth
    if max_current > 0:
        limit = min(limit, (widths.state_max - STATE_UNIT) / max_current)
    if max_bias > 0:
        limit = min(limit, widths.bias_max / max_bias)
    full = [STATE_UNIT * (c.grid.high or -c.grid.low) / c.max_weight for c in connections if c.max_weight > 0]
    scale = limit
    if full:
        room = min(limit, widths.state_max / max_voltage) if max_voltage > 0 else limit
        exponent = min(math.floor(math.log2(room / min(full))), widths.weight_exp_max)
        scale = min(limit, min(full) * 2.0 ** max(exponent, 0))
    return at_threshold(max(1, math.floor(scale * vth / STATE_UNIT + 1e-9)), connections, vth, widths)


def at_threshold(
    threshold: int, connections: Sequence[ConnectionRange], vth: float, widths: WordWidths
) -> PopulationScale:
    """The scale at which `vth` is exactly the integer `threshold`, and the exponents that go with it."""
    scale = STATE_UNIT * threshold / vth
    return PopulationScale(scale, threshold, tuple(_exponent(c, scale, widths) for c in connections))


def quantise_weights(
    weights: NDArray[np.float64], grid: WeightGrid, scale: float, weight_exp: int
) -> NDArray[np.int32]:
    """The integers nearest to scale * weight / (64 * 2**weight_exp) on the grid."""
    return grid.round(weights * (scale / (STATE_UNIT * 2.0**weight_exp)))


def _exponent(connection: ConnectionRange, scale: float, widths: WordWidths) -> int:
    """The smallest exponent (not negative: a right shift would floor the sum) at which the largest weight fits."""
    if connection.max_weight == 0:
        return 0
    largest = connection.grid.high or -connection.grid.low
    ratio = scale * connection.max_weight / (STATE_UNIT * (largest + connection.grid.step / 2))
    return int(np.clip(math.ceil(math.log2(ratio) - 1e-9), 0, widths.weight_exp_max))
