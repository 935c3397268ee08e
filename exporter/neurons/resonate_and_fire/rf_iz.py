"""Resonate-and-fire after Izhikevich, with reset by a spike, lava.proc.rf_iz's RF_IZ.

real, imag as in exporter/neurons/resonate_and_fire/rf.py;   s <- imag >= vth;   real[s] <- 0;   imag[s] <- vth - 1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, States, Step, StockProcess

from .rf import Resonator, turn


@dataclass(frozen=True)
class RFIZ(Resonator):
    """Resonate-and-fire neurons with a reset.

    Source: lava-nc 0.10.0, lava/proc/rf_iz/models.py, PyRF_IZModelFixed.
    """

    KIND: ClassVar[str] = "rf_iz"

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = tuple(getattr(self, name) for name in self.constants())

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["real"], states["imag"], *arriving, *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.rf_iz's RF_IZ."""
        return self.process("lava.proc.rf_iz.process", "RF_IZ")

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        real, imag = self.plain_turn(states, arriving)
        spikes = imag >= self.vth
        states["real"] = np.where(spikes, 0, real).astype(np.int32)
        states["imag"] = np.where(spikes, self.vth - 1, imag).astype(np.int32)
        return spikes.astype(np.int32)


@njit(cache=True, nogil=True)
def _update(real, imag, a_real, a_imag, sin_decay, cos_decay, bits, exponent, vth, sent):
    for b in range(real.shape[0]):
        for t in range(len(a_real)):
            for i in range(real.shape[1]):
                x, y = turn(
                    real[b, i],
                    imag[b, i],
                    a_real[t, b, i],
                    a_imag[t, b, i],
                    sin_decay[i],
                    cos_decay[i],
                    bits[i],
                    exponent[i],
                )
                a_real[t, b, i], a_imag[t, b, i] = 0, 0
                spike = y >= vth[i]
                sent[t, b, i] = spike
                real[b, i] = 0 if spike else x
                imag[b, i] = vth[i] - 1 if spike else y
