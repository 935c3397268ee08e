"""Sigma-delta neuron: decodes changes, applies its activation, encodes changes, lava.proc.sdn's SigmaDelta.

sigma <- sigma + a;   act' = sigma + bias (act_mode 0, UNIT) or max(sigma + bias, 0) (act_mode 1, RELU)
then as exporter/neurons/graded/delta.py from act' on                                        32 bit, wraps
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Self

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, States, Step, StockProcess, one_value, signed
from spikeport.hardware_profiles.fixed_point import WordWidths

from .delta import DeltaEncoding, encode

UNIT, RELU = 0, 1


@dataclass(frozen=True)
class SigmaDelta(DeltaEncoding):
    """Sigma-delta neurons; bias is in units of the states, like vth.

    Source: lava-nc 0.10.0, lava/proc/sdn/models.py, PySigmaDeltaModelFixed and AbstractSigmaDeltaModel.
    """

    bias: Integers
    act_mode: Integers

    KIND: ClassVar[str] = "sigma_delta"
    STATES: ClassVar[tuple[str, ...]] = ("sigma", "act", "residue", "error")
    DEFAULTS: ClassVar[Mapping[str, int]] = {**DeltaEncoding.DEFAULTS, "bias": 0, "act_mode": RELU}

    @classmethod
    def scaled(
        cls, name: str, shape: tuple[int, ...], vth: float, *, bias: ArrayLike = 0,
        activation: Literal["unit", "relu"] = "relu", cum_error: bool = False, spike_exp: int = 0, state_exp: int = 0,
    ) -> Self:  # fmt: skip
        """Build it like lava.proc.sdn's SigmaDelta: vth and bias in units of spikes, scaled to those of the states."""
        unit = 1 << (spike_exp + state_exp)
        return cls.of(
            name, shape, vth=round(vth * unit), bias=np.rint(np.asarray(bias) * unit).astype(np.int64),
            act_mode=RELU if activation == "relu" else UNIT, cum_error=cum_error, spike_exp=spike_exp,
            state_exp=state_exp,
        )  # fmt: skip

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "bias": signed(widths.state_bits), "act_mode": (UNIT, RELU)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        constants = self.vth, self.state_exp, self.cum_error, self.bias, self.act_mode

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(*(states[name] for name in self.STATES), arriving[0], *constants, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.sdn's SigmaDelta."""
        variables, mode = self.stock_variables(), one_value(self.act_mode)
        if variables is None or mode is None:
            return None
        states = {name: name for name in self.STATES}
        return StockProcess(
            "lava.proc.sdn.process", "SigmaDelta", {"vth": 0, "act_mode": mode}, states, {"a_in": "a_in"},
            {**variables, "bias": self.bias},
        )  # fmt: skip

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        states["sigma"] = states["sigma"] + arriving[0]
        active = states["sigma"] + self.bias
        return self.plain_encoding(states, np.where(self.act_mode == RELU, np.maximum(active, 0), active))


@njit(cache=True, nogil=True)
def _update(sigma, act, residue, error, a, vth, state_exp, cumulative, bias, mode, sent):
    for b in range(act.shape[0]):
        for t in range(len(a)):
            for i in range(act.shape[1]):
                sigma[b, i] += a[t, b, i]
                a[t, b, i] = 0
                new = np.int32(sigma[b, i] + bias[i])
                if mode[i] == 1:
                    new = max(new, np.int32(0))
                spike, rest, wrong = encode(new, act[b, i], residue[b, i], error[b, i], vth[i], cumulative[i] != 0)
                act[b, i], residue[b, i], error[b, i] = new, rest, wrong
                sent[t, b, i] = spike >> state_exp[i]
