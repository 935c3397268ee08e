"""The networks of the speed benchmark: random 8-bit weights, thresholds by which every layer fires at one density."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    CubaLIF,
    DenseConnection,
    InputPort,
)
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.simulate import simulate


@dataclass(frozen=True)
class Dense:
    """A layer that every neuron before it leads to; recurrent: and every one of its own."""

    size: int
    recurrent: bool = False


@dataclass(frozen=True)
class Conv:
    """A convolution."""

    channels: int
    kernel: int
    stride: tuple[int, int] = (1, 1)
    padding: int = 0


@dataclass(frozen=True)
class Network:
    """input: its shape; layers from there on; density: the default fraction of neurons that spike per step.

    batch, steps: of the emulator and the lava backend. stock: samples and steps of stock Lava, which runs one sample
    after the other.
    """

    input: tuple[int, ...]
    layers: tuple[Dense | Conv, ...]
    density: float
    batch: int
    steps: int
    stock: tuple[int, int]


NETWORKS: Mapping[str, Network] = {
    "dense": Network((784,), (Dense(512), Dense(512), Dense(10)), 0.1, 128, 25, (32, 25)),
    "sparse": Network((784,), (Dense(512), Dense(512), Dense(10)), 0.02, 128, 25, (32, 25)),
    # cnn_sinabs.nir of the NIR paper (N-MNIST), its pooling folded into the synapses behind it as compiling does
    "nmnist": Network(
        (2, 34, 34),
        (Conv(16, 5, (2, 2), 1), Conv(16, 3, (1, 1), 1), Conv(8, 6, (2, 2), 2), Dense(256), Dense(10)),
        0.05, 64, 25, (2, 25),
    ),
    "pilot": Network(
        (3, 66, 200),
        (
            Conv(24, 3, (2, 2)), Conv(36, 3, (2, 2)), Conv(48, 3, (2, 2)), Conv(64, 3, (2, 1)), Conv(64, 3),
            Dense(100), Dense(50), Dense(10), Dense(1),
        ),
        0.05, 16, 20, (1, 3),
    ),
    "recurrent": Network((700,), (Dense(512, recurrent=True), Dense(20)), 0.1, 128, 25, (32, 25)),
}  # fmt: skip


def build(network: Network, thresholds: list[int]) -> ChipProgram:
    """The first layers, as many as there are thresholds; du 0.5, dv 0.1."""
    rng = np.random.default_rng(0)
    populations: list[CubaLIF] = []
    connections: list[Connection] = []
    source, shape = "input", network.input
    for number, (layer, threshold) in enumerate(zip(network.layers, thresholds, strict=False), start=1):
        name = f"layer{number}"
        before, shape = shape, _shape(layer, shape)
        populations.append(
            CubaLIF.of(name, shape, du=2047, dv=410, vth=threshold, bias_mant=0, bias_exp=0, v_initial=0)
        )
        if isinstance(layer, Conv):
            weights = _weights((layer.channels, before[0], layer.kernel, layer.kernel), rng)
            padding = layer.padding, layer.padding
            connections.append(ConvConnection(source, name, weights, 0, "mixed", 8, 1, before, shape, layer.stride,
                                              padding, (1, 1), 1))  # type: ignore[arg-type]  # fmt: skip
        else:
            weights = _weights((layer.size, math.prod(before)), rng)
            connections.append(DenseConnection(source, name, weights, 0, "mixed", 8, 1))
            if layer.recurrent:
                own = _weights((layer.size, layer.size), rng)
                connections.append(DenseConnection(name, name, own, 0, "mixed", 8, 1))
        source = name
    inputs = (InputPort("input", network.input),)
    return validate(
        ChipProgram("loihi2", WordWidths(), 1e-3, inputs, tuple(populations), tuple(connections), (source,))
    )


def tuned(network: Network, x: NDArray[np.uint8], density: float) -> ChipProgram:
    """The network with each layer's threshold set, one after the other, so that it fires at about that density."""
    thresholds: list[int] = []
    for _ in network.layers:
        low, high = 1, 131071
        while low < high:
            tried = (low + high) // 2
            result = simulate(build(network, [*thresholds, tried]), x)
            # the first steps are silent: a layer's input comes as many steps late as there are layers before it
            counts = result.neuron_counts[f"layer{len(thresholds) + 1}"]
            if counts.mean() / (len(x) - len(thresholds) - 1) > density:
                low = tried + 1
            else:
                high = tried
        thresholds.append(low)
    return build(network, thresholds)


def _shape(layer: Dense | Conv, before: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, Dense):
        return (layer.size,)
    height, width = (
        (n + 2 * layer.padding - layer.kernel) // s + 1 for n, s in zip(before[1:], layer.stride, strict=True)
    )
    return layer.channels, height, width


def _weights(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int32]:
    return (np.clip(np.rint(rng.normal(0, 40, shape)), -128, 127) * 2).astype(np.int32)
