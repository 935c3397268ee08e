"""Delta encoder: sends the change of its input once it reaches a threshold, lava.proc.sdn's Delta.

act' = a << (spike_exp + state_exp)
delta = act' - act + residue;   error <- error + delta where cum_error
s = delta where |delta| >= vth (|error| >= vth where cum_error), else 0;   error[s != 0] <- 0
residue <- delta - s;   act <- act';   output: s >> state_exp                  32 bit, wraps
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, States, Step, StockProcess, one_value
from spikeport.hardware_profiles.fixed_point import WordWidths


@dataclass(frozen=True)
class DeltaEncoding(Population):
    """Shared by Delta and SigmaDelta. vth is in units of the states, act and residue."""

    vth: Integers
    spike_exp: Integers
    state_exp: Integers
    cum_error: Integers

    GRADED: ClassVar[bool] = True
    DEFAULTS: ClassVar[Mapping[str, int]] = {"spike_exp": 0, "state_exp": 0, "cum_error": 0}

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        exponent = (0, 7)
        return {"vth": (0, widths.state_max), "spike_exp": exponent, "state_exp": exponent, "cum_error": (0, 1)}

    def stock_variables(self) -> dict[str, Any] | None:
        """Vars of the processes of lava.proc.sdn, which have one cum_error each; None if compartments differ."""
        if one_value(self.cum_error) is None:
            return None
        return {name: getattr(self, name) for name in ("vth", "spike_exp", "state_exp", "cum_error")}

    def plain_encoding(self, states: dict[str, Integers], new: Integers) -> Integers:
        """The delta rule in NumPy, (size,)."""
        delta = new - states["act"] + states["residue"]
        error = states["error"] + delta * self.cum_error
        measured = np.where(self.cum_error == 1, error, delta)
        spike = np.where(np.abs(measured) >= self.vth, delta, 0).astype(np.int32)
        states["error"] = np.where((self.cum_error == 1) & (spike != 0), 0, error).astype(np.int32)
        states["residue"], states["act"] = delta - spike, new
        return spike >> self.state_exp


@dataclass(frozen=True)
class Delta(DeltaEncoding):
    """Delta encoders.

    Source: lava-nc 0.10.0, lava/proc/sdn/models.py, PyDeltaModelFixed and AbstractDeltaModel.
    """

    KIND: ClassVar[str] = "delta"
    STATES: ClassVar[tuple[str, ...]] = ("act", "residue", "error")

    @classmethod
    def scaled(
        cls, name: str, shape: tuple[int, ...], vth: float, *, cum_error: bool = False, spike_exp: int = 0,
        state_exp: int = 0,
    ) -> Self:  # fmt: skip
        """Build it like lava.proc.sdn's Delta: vth in units of the input, scaled to those of the states."""
        unit = 1 << (spike_exp + state_exp)
        return cls.of(name, shape, vth=round(vth * unit), cum_error=cum_error, spike_exp=spike_exp, state_exp=state_exp)

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = self.vth, self.spike_exp + self.state_exp, self.state_exp, self.cum_error

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["act"], states["residue"], states["error"], arriving[0], *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.sdn's Delta."""
        variables = self.stock_variables()
        if variables is None:
            return None
        states = {name: name for name in self.STATES}
        return StockProcess("lava.proc.sdn.process", "Delta", {"vth": 0}, states, {"a_in": "a_in"}, variables)

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        return self.plain_encoding(states, np.left_shift(arriving[0], self.spike_exp + self.state_exp))


@njit(cache=True, inline="always")
def encode(new, act, residue, error, vth, cumulative):
    """(spike, residue, error) of one compartment in 32 bit, before the spike is scaled down."""
    delta = np.int32(np.int32(new - act) + residue)
    measured = delta
    if cumulative:
        error = np.int32(error + delta)
        measured = error
    # as in the reference, the lowest integer is its own absolute value
    size = measured if measured >= 0 else np.int32(-measured)
    spike = delta if size >= vth else np.int32(0)
    if cumulative and spike != 0:
        error = np.int32(0)
    return spike, np.int32(delta - spike), error


@njit(cache=True, nogil=True)
def _update(act, residue, error, a, vth, shift, state_exp, cumulative, sent):
    for b in range(act.shape[0]):
        for t in range(len(a)):
            for i in range(act.shape[1]):
                new = np.int32(a[t, b, i] << shift[i])
                a[t, b, i] = 0
                spike, rest, wrong = encode(new, act[b, i], residue[b, i], error[b, i], vth[i], cumulative[i] != 0)
                act[b, i], residue[b, i], error[b, i] = new, rest, wrong
                sent[t, b, i] = spike >> state_exp[i]
