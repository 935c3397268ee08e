"""What one inference of the ANN twin costs on a conventional device, by the same rules: estimates with ranges, batch 1.

    latency = overhead + max(macs / macs_per_second, bytes / bytes_per_second)
    energy  = macs * mac + bytes * memory_byte + latency * active      (dynamic)
            + latency * idle                                           (static)

bytes: every weight once and every activation written and read once, at the precision's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hardware_profiles.schema import DeviceProfile

from .costs import Range

Precision = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
_BYTES: dict[Precision, int] = {"float32": 4, "int8": 1}


@dataclass(frozen=True)
class TwinLayerSize:
    """What counts of one layer: multiply-accumulates, weights and biases, inputs and outputs."""

    macs: int
    parameters: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class DeviceCost:
    """Estimated cost of one inference on one device at one precision."""

    device: str
    title: str
    precision: Precision
    macs: int
    bytes: int
    latency: Range
    dynamic: Range
    static: Range

    @property
    def energy(self) -> Range:
        """Dynamic and static energy in joules."""
        return self.dynamic + self.static


def device_cost(layers: Sequence[TwinLayerSize], device: DeviceProfile, precision: Precision) -> DeviceCost:
    """Cost of one inference at batch 1."""
    macs = sum(layer.macs for layer in layers)
    moved = sum(layer.parameters + layer.inputs + layer.outputs for layer in layers) * _BYTES[precision]
    int8 = precision == "int8"
    rate = Range.of(device.time.macs_per_second_int8 if int8 else device.time.macs_per_second_float32)
    computing = Range(macs, macs, macs).over(rate)
    moving = Range(moved, moved, moved).over(Range.of(device.time.bytes_per_second))
    latency = Range.of(device.time.overhead) + computing.largest(moving)
    mac = Range.of(device.energy.mac_int8 if int8 else device.energy.mac_float32)
    dynamic = mac * macs + Range.of(device.energy.memory_byte) * moved + latency.times(Range.of(device.power.active))
    static = latency.times(Range.of(device.power.idle))
    return DeviceCost(device.name, device.title, precision, macs, moved, latency, dynamic, static)
