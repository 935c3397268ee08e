"""Sigma decoder: accumulates its input and sends the sum in every step, lava.proc.sdn's Sigma.

sigma <- sigma + a;   s <- sigma                                           32 bit, wraps
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons.base import Integers, Limits, Population, States, Step, StockProcess
from spikeport.hardware_profiles.fixed_point import WordWidths


@dataclass(frozen=True)
class Sigma(Population):
    """Accumulators.

    Source: lava-nc 0.10.0, lava/proc/sdn/models.py, PySigmaModelFixed.
    """

    KIND: ClassVar[str] = "sigma"
    STATES: ClassVar[tuple[str, ...]] = ("sigma",)
    GRADED: ClassVar[bool] = True

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:  # noqa: ARG003
        """No constants."""
        return {}

    def stepper(self) -> Step:
        """The kernel."""

        def step(_: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            _update(states["sigma"], arriving[0], sent)

        return step

    def stock(self) -> StockProcess | None:
        """lava.proc.sdn's Sigma."""
        return StockProcess("lava.proc.sdn.process", "Sigma", {}, {"sigma": "sigma"}, {"a_in": "a_in"})

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        states["sigma"] = states["sigma"] + arriving[0]
        return states["sigma"].copy()


@njit(cache=True, nogil=True)
def _update(sigma, a, sent):
    for b in range(sigma.shape[0]):
        for t in range(len(a)):
            for i in range(sigma.shape[1]):
                sigma[b, i] += a[t, b, i]
                a[t, b, i] = 0
                sent[t, b, i] = sigma[b, i]
