"""Cost of one inference of the ANN twin on a conventional device, by the same rules: estimates with ranges.

    layer   = max(batch * macs / rate of its kind, bytes of its weights / speed of weights + activations / bandwidth)
    call    = overhead + layers * layer_overhead + sum of the layers
    moved   = bytes of weights once + batch * bytes of activations
    dynamic = macs * mac + moved / batch * memory_byte + call / batch * active      of one inference
    static  = call / batch * idle

A roofline per layer: bound by arithmetic or by memory. Kinds: dense, convolution, and depthwise: a convolution that
sums over no channels. bytes: every weight once per call and every activation written and read once, at the precision's
width; activations go through the cache where the device has one. Weights that all fit into the cache come from there;
of larger ones the cache holds its share. At batch 1 a call is one inference; in a batch an answer waits for the whole
call.
Source: Williams, Waterman, Patterson 2009, Roofline, Communications of the ACM 52(4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spikeport.hardware_profiles.schema import DeviceProfile, DeviceTime

from .estimate import Estimate

LayerKind = Literal["dense", "conv", "depthwise"]
Precision = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
_BYTES: dict[Precision, int] = {"float32": 4, "int8": 1}


@dataclass(frozen=True)
class TwinLayerSize:
    """Size of one layer: multiply-accumulates, weights and biases, inputs and outputs; kind: which rate it runs at."""

    macs: int
    parameters: int
    inputs: int
    outputs: int
    kind: LayerKind = "dense"


def conv_kind(weights: Sequence[int]) -> LayerKind:
    """The kind of a convolution with weights (outputs, inputs / groups, *kernel)."""
    return "depthwise" if weights[1] == 1 else "conv"


@dataclass(frozen=True)
class DeviceCost:
    """Estimated cost of one inference on one device at one precision, in a call of `batch` inferences.

    latency: seconds until a call's answers; bytes: moved for one inference; both energies: of one inference; sleep:
    watts between two inferences, None if the device only idles.
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
    sleep: Estimate | None = None

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
    call = Estimate.of(device.time.overhead)
    if device.time.layer_overhead is not None:
        call += Estimate.of(device.time.layer_overhead) * len(layers)
    streaming, buffering = _seconds_per_byte(device.time, weights)
    for layer in layers:
        computing = Estimate.exact(batch * layer.macs).over(Estimate.of(device.time.rate(layer.kind, precision)))
        activations = batch * (layer.inputs + layer.outputs) * width
        call += computing.largest(streaming * (layer.parameters * width) + buffering * activations)
    share = call * (1 / batch)
    mac = Estimate.of(device.energy.mac_int8 if int8 else device.energy.mac_float32)
    memory = Estimate.of(device.energy.memory_byte) * (moved / batch)
    dynamic = mac * macs + memory + share.times(Estimate.of(device.power.active))
    static = share.times(Estimate.of(device.power.idle))
    sleep = None if device.power.sleep is None else Estimate.of(device.power.sleep)
    return DeviceCost(device.name, device.title, precision, macs, moved / batch, call, dynamic, static, batch, sleep)


def best_batch(
    layers: Sequence[TwinLayerSize], device: DeviceProfile, precision: Precision, largest: int = 1024
) -> DeviceCost:
    """The smallest power of two up to `largest` at which an inference costs within 2 % of the least energy."""
    costs = [device_cost(layers, device, precision, 1 << n) for n in range(largest.bit_length())]
    least = min(cost.energy.typical for cost in costs)
    return next(cost for cost in costs if cost.energy.typical <= 1.02 * least)


def _seconds_per_byte(time: DeviceTime, weights: int) -> tuple[Estimate, Estimate]:
    """Of weights and of activations; weights: bytes of all weights."""
    memory = Estimate.exact(1).over(Estimate.of(time.bytes_per_second))
    if time.cache_bytes is None or time.cache_bytes_per_second is None:
        return memory, memory
    cache = Estimate.exact(1).over(Estimate.of(time.cache_bytes_per_second))
    small, typical, large = (min(1.0, size / weights) if weights else 1.0 for size in time.cache_bytes.bounds)
    # seconds are fewest where the cache is largest
    low, middle, high = (
        cached * share + uncached * (1 - share)
        for cached, uncached, share in (
            (cache.low, memory.low, large), (cache.typical, memory.typical, typical), (cache.high, memory.high, small),
        )
    )  # fmt: skip
    return Estimate(low, middle, high), cache
