"""Passes its input on as a graded spike if it is large enough, lava.proc.graded's GradedVec.

s <- a where |a| > vth, else 0                                             no state
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, States, Step, StockProcess
from spikeport.hardware_profiles.fixed_point import WordWidths


@dataclass(frozen=True)
class GradedVec(Population):
    """Relays of payloads.

    Source: lava-nc 0.10.0, lava/proc/graded/models.py, PyGradedVecModelFixed; its v is 0 between steps.
    """

    vth: Integers

    KIND: ClassVar[str] = "graded_vec"
    GRADED: ClassVar[bool] = True

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {"vth": (0, widths.state_max)}

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""

        def step(_: int, __: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(arriving[0], self.vth, sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.graded's GradedVec."""
        variables = {"vth": self.vth}
        return StockProcess("lava.proc.graded.process", "GradedVec", {}, {}, {"a_in": "a_in"}, variables)

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        return np.where(np.abs(arriving[0]) > self.vth, arriving[0], 0).astype(np.int32)


@njit(cache=True, nogil=True)
def _update(a, vth, sent):
    for b in range(a.shape[1]):
        for t in range(len(a)):
            for i in range(a.shape[2]):
                value = a[t, b, i]
                # as in the reference, the lowest integer is its own absolute value
                size = value if value >= 0 else np.int32(-value)
                sent[t, b, i] = value if size > vth[i] else 0
                a[t, b, i] = 0
