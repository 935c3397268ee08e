"""Resonate-and-fire: a damped rotation that fires as it passes phase 0, lava.proc.rf's RF.

real' = scaled(cos_decay * real) - scaled(sin_decay * imag) + (a_real << state_exp)
    imag' = scaled(sin_decay * real) + scaled(cos_decay * imag) + (a_imag << state_exp)
    scaled(x) = toward_zero(x / 2**decay_bits);   both saturate at 24 bit
    s <- real' >= vth and imag' >= 0 and imag < 0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, States, Step, StockProcess
from spikeport.hardware_profiles.fixed_point import WordWidths

LIMIT = (1 << 23) - 1


@dataclass(frozen=True)
class Resonator(Population):
    """Shared by RF and RF_IZ: two states that rotate and decay. vth is in units of the states."""

    sin_decay: Integers
    cos_decay: Integers
    decay_bits: Integers
    state_exp: Integers
    vth: Integers

    STATES: ClassVar[tuple[str, ...]] = ("real", "imag")
    PORTS: ClassVar[tuple[str, ...]] = ("a_real_in", "a_imag_in")
    DEFAULTS: ClassVar[Mapping[str, int]] = {"decay_bits": 12, "state_exp": 0}

    @classmethod
    def of_period(
        cls, name: str, shape: tuple[int, ...], period: float, alpha: float, vth: float, *, state_exp: int = 0,
        decay_bits: int = 12,
    ) -> Self:  # fmt: skip
        """Build it like lava.proc.rf's RF: `period` in time steps, `alpha` lost per step, vth in units of the input."""
        turn, unit = 2 * math.pi / period, 1 << decay_bits
        decays = {
            "sin_decay": int((1 - alpha) * math.sin(turn) * unit),
            "cos_decay": int((1 - alpha) * math.cos(turn) * unit),
        }
        return cls.of(
            name, shape, **decays, decay_bits=decay_bits, state_exp=state_exp, vth=int(vth * (1 << state_exp))
        )

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant; a decay is 12 bit and a sign."""
        decay = (-4095, 4095)
        return {
            "sin_decay": decay,
            "cos_decay": decay,
            "decay_bits": (1, 12),
            "state_exp": (0, 7),
            "vth": (0, widths.state_max),
        }

    def process(self, module: str, name: str) -> StockProcess:
        """The process of that name, with this population's registers."""
        ports = {port: port for port in self.PORTS}
        variables = {constant: getattr(self, constant) for constant in self.constants()}
        states = {state: state for state in self.STATES}
        return StockProcess(module, name, {"period": 4, "alpha": 0}, states, ports, variables)

    def plain_turn(
        self, states: dict[str, Integers], arriving: tuple[Integers, ...]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Both states of the next step in NumPy, before spikes."""
        real, imag = states["real"].astype(np.int64), states["imag"].astype(np.int64)
        unit = np.int64(1) << self.decay_bits.astype(np.int64)

        def part(decay: Integers, state: NDArray[np.int64]) -> NDArray[np.int64]:
            product = decay * state
            scaled: NDArray[np.int64] = np.sign(product) * (np.abs(product) // unit)
            return scaled

        entering = tuple(np.left_shift(a, self.state_exp) for a in arriving)
        turned = (
            part(self.cos_decay, real) - part(self.sin_decay, imag) + entering[0],
            part(self.sin_decay, real) + part(self.cos_decay, imag) + entering[1],
        )
        return np.clip(turned[0], -LIMIT, LIMIT), np.clip(turned[1], -LIMIT, LIMIT)


@dataclass(frozen=True)
class RF(Resonator):
    """Resonate-and-fire neurons.

    Source: lava-nc 0.10.0, lava/proc/rf/models.py, PyRFModelFixed.
    """

    KIND: ClassVar[str] = "rf"

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = tuple(getattr(self, name) for name in self.constants())

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["real"], states["imag"], *arriving, *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.rf's RF."""
        return self.process("lava.proc.rf.process", "RF")

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        real, imag = self.plain_turn(states, arriving)
        spikes = (real >= self.vth) & (imag >= 0) & (states["imag"] < 0)
        states["real"], states["imag"] = real.astype(np.int32), imag.astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, inline="always")
def turn(real, imag, a_real, a_imag, sin_decay, cos_decay, bits, exponent):
    """Both states of the next step, saturated, before spikes."""
    next_real = _part(cos_decay, real, bits) - _part(sin_decay, imag, bits) + np.int32(a_real << exponent)
    next_imag = _part(sin_decay, real, bits) + _part(cos_decay, imag, bits) + np.int32(a_imag << exponent)
    return np.int32(min(max(next_real, -LIMIT), LIMIT)), np.int32(min(max(next_imag, -LIMIT), LIMIT))


@njit(cache=True, inline="always")
def _part(decay, state, bits):
    product = np.int64(decay) * np.int64(state)
    return product >> bits if product >= 0 else -(-product >> bits)


@njit(cache=True, nogil=True)
def _update(real, imag, a_real, a_imag, sin_decay, cos_decay, bits, exponent, vth, sent):
    for b in range(real.shape[0]):
        for t in range(len(a_real)):
            for i in range(real.shape[1]):
                before = imag[b, i]
                real[b, i], imag[b, i] = turn(
                    real[b, i],
                    before,
                    a_real[t, b, i],
                    a_imag[t, b, i],
                    sin_decay[i],
                    cos_decay[i],
                    bits[i],
                    exponent[i],
                )
                a_real[t, b, i], a_imag[t, b, i] = 0, 0
                sent[t, b, i] = real[b, i] >= vth[i] and imag[b, i] >= 0 and before < 0
