"""Passes its input on as a graded spike if it is above a threshold, lava.proc.graded's GradedReluVec.

s <- a where a > vth, else 0                                               no state
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, States, Step, StockProcess

from .graded_vec import GradedVec


@dataclass(frozen=True)
class GradedReluVec(GradedVec):
    """Relays of positive payloads.

    Source: lava-nc 0.10.0, lava/proc/graded/models.py, PyGradedReluVecModelFixed; its v is 0 between steps.
    """

    KIND: ClassVar[str] = "graded_relu_vec"

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""

        def step(_: int, __: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(arriving[0], self.vth, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.graded's GradedReluVec."""
        variables = {"vth": self.vth}
        return StockProcess("lava.proc.graded.process", "GradedReluVec", {}, {}, {"a_in": "a_in"}, variables)

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        return np.where(arriving[0] > self.vth, arriving[0], 0).astype(np.int32)


@njit(cache=True, nogil=True)
def _update(a, vth, sent):
    for b in range(a.shape[1]):
        for t in range(len(a)):
            for i in range(a.shape[2]):
                sent[t, b, i] = a[t, b, i] if a[t, b, i] > vth[i] else 0
                a[t, b, i] = 0
