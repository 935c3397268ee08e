"""CUBA-LIF whose v never falls below 0.

u as in exporter/neurons/cuba/cuba.py;   v <- max(v, 0);   s <- v > (vth << 6);   v[s] <- 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikeport.exporter.neurons import CubaLIF, Integers
from spikeport.exporter.neurons.cuba.cuba import plain_current, plain_voltage


@dataclass(frozen=True)
class FloorLIF(CubaLIF):
    """Leaky integrate-and-fire compartments with a floor at 0."""

    KIND: ClassVar[str] = "example_floor_lif"

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:
        """The step in NumPy; without a kernel the emulator runs this one."""
        states["u"] = plain_current(states["u"], self.du, arriving[0])
        voltage = np.maximum(plain_voltage(states["v"], self.dv, states["u"], self.bias), 0)
        spikes = voltage > self.threshold
        states["v"] = np.where(spikes, 0, voltage).astype(np.int32)
        return spikes.astype(np.int32)
