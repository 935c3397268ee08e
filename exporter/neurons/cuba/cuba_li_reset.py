"""CUBA leaky integrator without a threshold whose u and v are set to 0 at regular steps.

The resets are those of exporter/neurons/cuba/regular_reset.py, the step is exporter/neurons/cuba/cuba_li.py's. A
readout whose bias no start voltage absorbs, or that receives something too early, is reset once. lava.proc has no
process for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from spikeport.exporter.neurons.base import Integers, States, Step

from .cuba_li import CubaLI
from .regular_reset import RegularReset


@dataclass(frozen=True)
class CubaLIReset(RegularReset, CubaLI):
    """Leaky integrators that send their voltage, with a reset in regular intervals."""

    KIND: ClassVar[str] = "cuba_li_reset"

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants."""
        update = super().stepper()

        def step(number: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            for start, stop in self.reset_blocks(number, len(sent), states):
                update(number + start, states, tuple(a[start:stop] for a in arriving), sent[start:stop])

        return step

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:
        """The step in NumPy."""
        self.reset_due(step, states)
        return super().plain_step(step, states, arriving)
