"""Multiplies the inputs of its two ports, lava.proc.prodneuron's ProdNeuron.

v = (a_in1 * a_in2) >> exp;   s <- v where |v| > vth, else 0               32 bit, wraps; no state
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, States, Step, StockProcess
from spikeport.hardware_profiles.fixed_point import WordWidths


@dataclass(frozen=True)
class ProdNeuron(Population):
    """Products of two graded inputs.

    Source: lava-nc 0.10.0, lava/proc/prodneuron/models.py, PyProdNeuronModelFixed.
    """

    vth: Integers
    exp: Integers

    KIND: ClassVar[str] = "prod_neuron"
    PORTS: ClassVar[tuple[str, ...]] = ("a_in1", "a_in2")
    GRADED: ClassVar[bool] = True
    DEFAULTS: ClassVar[Mapping[str, int]] = {"exp": 0}

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {"vth": (0, widths.state_max), "exp": (0, widths.state_bits - 1)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""

        def step(_: int, __: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(*arriving, self.vth, self.exp, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.prodneuron's ProdNeuron."""
        ports = {port: port for port in self.PORTS}
        variables = {"vth": self.vth, "exp": self.exp}
        return StockProcess("lava.proc.prodneuron.process", "ProdNeuron", {}, {}, ports, variables)

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        v = (arriving[0] * arriving[1]) >> self.exp
        return np.where(np.abs(v) > self.vth, v, 0).astype(np.int32)


@njit(cache=True, nogil=True)
def _update(a, other, vth, exp, sent):
    for b in range(a.shape[1]):
        for t in range(len(a)):
            for i in range(a.shape[2]):
                v = np.int32(np.int32(a[t, b, i] * other[t, b, i]) >> exp[i])
                # as in the reference, the lowest integer is its own absolute value
                size = v if v >= 0 else np.int32(-v)
                sent[t, b, i] = v if size > vth[i] else 0
                a[t, b, i], other[t, b, i] = 0, 0
