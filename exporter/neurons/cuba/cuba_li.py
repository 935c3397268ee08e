"""CUBA leaky integrator without a threshold: NIR's I, LI and CubaLI. It outputs its voltage.

    u, v as in exporter/neurons/cuba/cuba.py;   output: toward_zero(v / 2**shift), a graded spike in every step

lava.proc has no process for it; Loihi 2's graded spikes can carry v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, States, Step
from spikeport.hardware_profiles.fixed_point import WordWidths

from .cuba import Cuba, keep_fraction, next_current, next_voltage, plain_current, plain_voltage


@dataclass(frozen=True)
class CubaLI(Cuba):
    """Leaky integrators that send their voltage, shifted right by `shift` bits."""

    shift: Integers

    KIND: ClassVar[str] = "cuba_li"
    GRADED: ClassVar[bool] = True

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "shift": (0, widths.state_bits - 1)}

    @property
    def payload_shift(self) -> Integers | None:
        """Bits by which v is shifted right before it is sent."""
        return self.shift

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, self.shift

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["u"], states["v"], arriving[0], *constants, sent)

        return step

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        states["v"] = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        payload: Integers = (np.sign(states["v"]) * (np.abs(states["v"]) >> self.shift)).astype(np.int32)
        return payload


@njit(cache=True, nogil=True)
def _update(u, v, a, keep_u, keep_v, bias, shift, sent):
    for b in range(u.shape[0]):
        for t in range(len(a)):
            for i in range(u.shape[1]):
                u[b, i] = next_current(u[b, i], keep_u[i], a[t, b, i])
                a[t, b, i] = 0
                voltage = next_voltage(v[b, i], keep_v[i], u[b, i], bias[i])
                v[b, i] = voltage
                sent[t, b, i] = voltage >> shift[i] if voltage >= 0 else -(-voltage >> shift[i])
