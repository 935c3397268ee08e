"""Resonate-and-fire that sends its amplitude as it passes phase 0, lava.proc.resfire's RFZero.

    u' = floor(u * lct / 2**15) - floor(v * lst / 2**15) + u_in
    v' = floor(v * lct / 2**15) + floor(u * lst / 2**15) + v_in
    s <- u' where u' > uth and v' >= 0 and v < 0, else 0

Products have 32 bits and wrap, as in the reference: amplitudes stay below 2**16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, States, Step, StockProcess, signed
from spikeport.hardware_profiles.fixed_point import WordWidths

_BITS = 15


@dataclass(frozen=True)
class RFZero(Population):
    """Resonate-and-fire neurons with graded spikes; lct and lst: cosine and sine of the turn, times the decay, 2**15.

    Source: lava-nc 0.10.0, lava/proc/resfire/models.py, PyRFZeroModelFixed.
    """

    lct: Integers
    lst: Integers
    uth: Integers

    KIND: ClassVar[str] = "rf_zero"
    STATES: ClassVar[tuple[str, ...]] = ("u", "v")
    PORTS: ClassVar[tuple[str, ...]] = ("u_in", "v_in")
    GRADED: ClassVar[bool] = True

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        factor = (-(1 << _BITS), 1 << _BITS)
        return {"lct": factor, "lst": factor, "uth": signed(widths.state_bits)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = self.lct, self.lst, self.uth

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["u"], states["v"], *arriving, *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.resfire's RFZero."""
        variables = {name: getattr(self, name) for name in self.constants()}
        arguments = {"freqs": 1.0, "decay_tau": 1.0}
        ports = {port: port for port in self.PORTS}
        return StockProcess("lava.proc.resfire.process", "RFZero", arguments, {"u": "u", "v": "v"}, ports, variables)

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        u, v = states["u"], states["v"]
        new_u = np.right_shift(u * self.lct, _BITS) - np.right_shift(v * self.lst, _BITS) + arriving[0]
        new_v = np.right_shift(v * self.lct, _BITS) + np.right_shift(u * self.lst, _BITS) + arriving[1]
        states["u"], states["v"] = new_u, new_v
        return np.where((new_u > self.uth) & (new_v >= 0) & (v < 0), new_u, 0).astype(np.int32)


@njit(cache=True, nogil=True)
def _update(u, v, a_u, a_v, lct, lst, uth, sent):
    for b in range(u.shape[0]):
        for t in range(len(a_u)):
            for i in range(u.shape[1]):
                x, y = u[b, i], v[b, i]
                u[b, i] = (np.int32(x * lct[i]) >> 15) - (np.int32(y * lst[i]) >> 15) + a_u[t, b, i]
                v[b, i] = (np.int32(y * lct[i]) >> 15) + (np.int32(x * lst[i]) >> 15) + a_v[t, b, i]
                a_u[t, b, i], a_v[t, b, i] = 0, 0
                sent[t, b, i] = u[b, i] if u[b, i] > uth[i] and v[b, i] >= 0 and y < 0 else 0
