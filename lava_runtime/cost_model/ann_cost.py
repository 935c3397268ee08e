"""Cost of one inference of the ANN twin on a conventional device, by the same rules: estimates with ranges.

    call    = overhead + max(batch * macs / macs_per_second, moved / bytes_per_second)
    moved   = bytes of weights once + batch * bytes of activations
    dynamic = macs * mac + moved / batch * memory_byte + call / batch * active      of one inference
    static  = call / batch * idle

bytes: every weight once per call and every activation written and read once, at the precision's width. At batch 1 a
call is one inference; in a batch an answer waits for the whole call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spikeport.hardware_profiles.schema import DeviceProfile

from .estimate import Estimate

Precision = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
_BYTES: dict[Precision, int] = {"float32": 4, "int8": 1}


@dataclass(frozen=True)
class TwinLayerSize:
    """Size of one layer: multiply-accumulates, weights and biases, inputs and outputs."""

    macs: int
    parameters: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class DeviceCost:
    """Estimated cost of one inference on one device at one precision, in a call of `batch` inferences.

    latency: seconds until a call's answers; bytes: moved for one inference; both energies: of one inference.
    """

    device: str
    title: str
    precision: Precision
    macs: int
    bytes: float
    latency: Estimate
    dynamic: Estimate
    static: Estimate
    batch: int = 1

    @property
    def energy(self) -> Estimate:
        """Dynamic and static energy in joules."""
        return self.dynamic + self.static

    @property
    def seconds(self) -> Estimate:
        """Seconds per inference: the inverse of the throughput."""
        return self.latency * (1 / self.batch)


def device_cost(
    layers: Sequence[TwinLayerSize], device: DeviceProfile, precision: Precision, batch: int = 1
) -> DeviceCost:
    """Cost of one inference in a call of `batch` inferences."""
    width, int8 = _BYTES[precision], precision == "int8"
    macs = sum(layer.macs for layer in layers)
    weights = sum(layer.parameters for layer in layers) * width
    moved = weights + batch * sum(layer.inputs + layer.outputs for layer in layers) * width
    rate = Estimate.of(device.time.macs_per_second_int8 if int8 else device.time.macs_per_second_float32)
    computing = Estimate.exact(batch * macs).over(rate)
    moving = Estimate.exact(moved).over(Estimate.of(device.time.bytes_per_second))
    call = Estimate.of(device.time.overhead) + computing.largest(moving)
    share = call * (1 / batch)
    mac = Estimate.of(device.energy.mac_int8 if int8 else device.energy.mac_float32)
    memory = Estimate.of(device.energy.memory_byte) * (moved / batch)
    dynamic = mac * macs + memory + share.times(Estimate.of(device.power.active))
    static = share.times(Estimate.of(device.power.idle))
    return DeviceCost(device.name, device.title, precision, macs, moved / batch, call, dynamic, static, batch)


def best_batch(
    layers: Sequence[TwinLayerSize], device: DeviceProfile, precision: Precision, largest: int = 1024
) -> DeviceCost:
    """The smallest power of two up to `largest` at which an inference costs within 2 % of the least energy."""
    costs = [device_cost(layers, device, precision, 1 << n) for n in range(largest.bit_length())]
    least = min(cost.energy.typical for cost in costs)
    return next(cost for cost in costs if cost.energy.typical <= 1.02 * least)
