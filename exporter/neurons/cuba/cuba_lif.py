"""CUBA-LIF: the chip's standard neuron, lava.proc.lif's LIF.

u, v as in exporter/neurons/cuba/cuba.py;   s <- v > (vth << 6);   v[s] <- 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.base import Integers, Limits, SpikeStep, States, StockProcess, unsigned
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT, WordWidths

from .cuba import Cuba, keep_fraction, plain_current, plain_voltage
from .cuba_vector import spike


@dataclass(frozen=True)
class CubaLIF(Cuba):
    """Leaky integrate-and-fire compartments that reset to 0.

    Source: lava-nc 0.10.0, lava/proc/lif/models.py, PyLifModelBitAcc.
    """

    vth: Integers

    KIND: ClassVar[str] = "cuba_lif"

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {**super().registers(widths), "vth": unsigned(widths.vth_bits)}

    def spike_stepper(self) -> SpikeStep | None:
        """The kernel that packs and counts spikes itself."""
        constants = self.step_constants

        def step(
            _: int, states: States, arriving: tuple[Integers, ...], words: NDArray[np.uint64], total: Integers
        ) -> None:
            spike(states["u"], states["v"], arriving[0], *constants, words, total)

        return step

    @property
    def step_constants(self) -> tuple[NDArray[np.float32], NDArray[np.float32], Integers, Integers]:
        """The fractions of u and v that remain per step, the bias and the threshold in units of v, (size,) each."""
        return keep_fraction(self.du + 1), keep_fraction(self.dv), self.bias, self.threshold

    @property
    def threshold_word(self) -> Integers | None:
        """The threshold's register."""
        return self.vth

    @property
    def threshold(self) -> Integers:
        """vth << 6, in units of v."""
        return (self.vth << ACTIVATION_SHIFT).astype(np.int32)

    def stock(self) -> StockProcess | None:
        """lava.proc.lif's LIF."""
        names = ("du", "dv", "vth", "bias_mant", "bias_exp")
        arguments = {"u": 0, "v": self.v_initial, **{name: getattr(self, name) for name in names}}
        return StockProcess("lava.proc.lif.process", "LIF", arguments, {"u": "u", "v": "v"}, {"a_in": "a_in"})

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:  # noqa: ARG002
        """The step in NumPy."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = plain_voltage(states["v"], self.dv, states["u"], self.bias)
        spikes = voltage > self.threshold
        states["v"] = np.where(spikes, 0, voltage).astype(np.int32)
        return spikes.astype(np.int32)
