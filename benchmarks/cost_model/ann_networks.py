"""Networks that devices were measured with, layer by layer: published ones, and those of `benchmarks/server_cpu.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from spikeport.lava_runtime.cost_model.ann_cost import LayerKind, TwinLayerSize

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer with weights; inputs, outputs: (features,) or (channels, height, width).

    kernel: (height, width), "same" padding; side: reads an earlier layer, so it is no part of the chain.
    """

    kind: LayerKind
    inputs: Shape
    outputs: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    side: bool = False

    @property
    def size(self) -> TwinLayerSize:
        """Multiply-accumulates, parameters with biases, activations."""
        inputs, outputs = math.prod(self.inputs), math.prod(self.outputs)
        taps = math.prod(self.kernel)
        fan_in = {"dense": inputs, "conv": self.inputs[0] * taps, "depthwise": taps}[self.kind]
        kind = "depthwise" if self.kind == "conv" and self.inputs[0] == 1 else self.kind
        return TwinLayerSize(outputs * fan_in, self.outputs[0] * (fan_in + 1), inputs, outputs, kind)


class Chain:
    """Builds a network layer by layer from the shape of its input."""

    def __init__(self, *shape: int) -> None:
        self.shape: Shape = shape
        self.layers: list[Layer] = []

    def conv(self, channels: int, kernel: int | tuple[int, int] = 3, stride: int = 1) -> Chain:
        """A convolution over all channels."""
        return self._image("conv", channels, kernel, stride)

    def depthwise(self, stride: int = 1, kernel: int = 3) -> Chain:
        """A convolution of each channel alone."""
        return self._image("depthwise", self.shape[0], kernel, stride)

    def side(self, channels: int, stride: int) -> Chain:
        """A 1 x 1 convolution of the present image, the shortcut of a residual block."""
        shape = self.shape
        self._image("conv", channels, 1, stride)
        self.layers[-1], self.shape = replace(self.layers[-1], side=True), shape
        return self

    def at(self, channels: int, side: int) -> Chain:
        """Continue from another image, such as several joined ones."""
        self.shape = (channels, side, side)
        return self

    def pool(self, factor: int = 0) -> Chain:
        """The mean or maximum over factor x factor; 0: over the whole image."""
        channels, *sides = self.shape
        self.shape = (channels, *(-(-side // factor) for side in sides)) if factor else (channels,)
        return self

    def dense(self, *sizes: int) -> Chain:
        """Matrices times vectors."""
        for inputs, outputs in pairwise((math.prod(self.shape), *sizes)):
            self.layers.append(Layer("dense", (inputs,), (outputs,)))
        self.shape = sizes[-1:]
        return self

    def _image(self, kind: LayerKind, channels: int, kernel: int | tuple[int, int], stride: int) -> Chain:
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        outputs = (channels, *(-(-side // stride) for side in self.shape[1:]))
        self.layers.append(Layer(kind, self.shape, outputs, sides, stride))
        self.shape = outputs
        return self


def auto_encoder() -> Chain:
    """MLPerf Tiny's anomaly detection."""
    return Chain(640).dense(128, 128, 128, 128, 8, 128, 128, 128, 128, 640)


def ds_cnn() -> Chain:
    """MLPerf Tiny's keyword spotting; Zhang et al. 2017, arXiv 1711.07128."""
    chain = Chain(1, 49, 10).conv(64, (10, 4), 2)
    for _ in range(4):
        chain.depthwise().conv(64, 1)
    return chain.pool().dense(12)


def resnet8() -> Chain:
    """MLPerf Tiny's image classification."""
    chain = Chain(3, 32, 32).conv(16).conv(16).conv(16)
    for channels in (32, 64):
        chain.side(channels, 2).conv(channels, 3, 2).conv(channels)
    return chain.pool().dense(10)


def mobilenet_v1(width: float = 1.0, side: int = 224, classes: int = 1000) -> Chain:
    """Howard et al. 2017, arXiv 1704.04861; MLPerf Tiny's visual wake words at width 0.25, 96 x 96, 2 classes."""
    chain = Chain(3, side, side).conv(int(32 * width), 3, 2)
    plan = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
    for channels, stride in plan:
        chain.depthwise(stride).conv(int(channels * width), 1)
    return chain.pool().dense(classes)


def mobilenet_v2(side: int = 224) -> Chain:
    """Sandler et al. 2018, arXiv 1801.04381, table 2."""
    chain = Chain(3, side, side).conv(32, 3, 2)
    plan = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for widening, channels, repeats, first in plan:
        for number in range(repeats):
            if widening > 1:
                chain.conv(chain.shape[0] * widening, 1)
            chain.depthwise(first if number == 0 else 1).conv(channels, 1)
    return chain.conv(1280, 1).pool().dense(1000)


def resnet50(side: int = 224) -> Chain:
    """He et al. 2016, arXiv 1512.03385, table 1."""
    chain = Chain(3, side, side).conv(64, 7, 2).pool(2)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        inner = 64 << stage
        for number in range(blocks):
            stride = 2 if stage and number == 0 else 1
            if number == 0:
                chain.side(4 * inner, stride)
            chain.conv(inner, 1, stride).conv(inner).conv(4 * inner, 1)
    return chain.pool().dense(1000)


def vgg16(side: int = 224) -> Chain:
    """Simonyan & Zisserman 2014, arXiv 1409.1556, table 1."""
    chain = Chain(3, side, side)
    for channels, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            chain.conv(channels)
        chain.pool(2)
    return chain.dense(4096, 4096, 1000)


def alexnet() -> Chain:
    """Krizhevsky et al. 2012, as in Caffe: two groups in the second, fourth and fifth convolution."""
    chain = Chain(3, 220, 220).conv(96, 11, 4).at(48, 27).conv(256, 5).at(256, 13).conv(384)
    return chain.at(192, 13).conv(384).at(192, 13).conv(256).at(256, 6).dense(4096, 4096, 1000)


def basic_resnet(blocks: Sequence[int], side: int = 224) -> Chain:
    """ResNet-18 with (2, 2, 2, 2) blocks, ResNet-34 with (3, 4, 6, 3); He et al. 2016, table 1."""
    chain = Chain(3, side, side).conv(64, 7, 2).pool(2)
    for stage, count in enumerate(blocks):
        for number in range(2 * count):
            first = stage > 0 and number == 0
            if first:
                chain.side(64 << stage, 2)
            chain.conv(64 << stage, 3, 2 if first else 1)
    return chain.pool().dense(1000)


def yolov8n() -> Chain:
    """Ultralytics' YOLOv8n at 640 x 640: repository ultralytics/ultralytics, cfg/models/v8/yolov8.yaml, scale n."""
    chain = Chain(3, 640, 640).conv(16, 3, 2).conv(32, 3, 2)
    _c2f(chain, 32, 1)
    _c2f(chain.conv(64, 3, 2), 64, 2)
    _c2f(chain.conv(128, 3, 2), 128, 2)
    _c2f(chain.conv(256, 3, 2), 256, 1)
    chain.conv(128, 1).at(512, 20).conv(256, 1)
    _c2f(chain.at(256 + 128, 40), 128, 1)
    _c2f(chain.at(128 + 64, 80), 64, 1)
    _c2f(chain.conv(64, 3, 2).at(64 + 128, 40), 128, 1)
    _c2f(chain.conv(128, 3, 2).at(128 + 256, 20), 256, 1)
    for channels, side in ((64, 80), (128, 40), (256, 20)):
        for inner in (64, 80):
            chain.at(channels, side).conv(inner).conv(inner).conv(inner, 1)
    return chain


def _c2f(chain: Chain, channels: int, repeats: int) -> None:
    """A 1 x 1 convolution, pairs of 3 x 3 ones on half of the channels, a 1 x 1 one of all that was made."""
    chain.conv(channels, 1)
    side, half = chain.shape[1], channels // 2
    chain.at(half, side)
    for _ in range(2 * repeats):
        chain.conv(half)
    chain.at((2 + repeats) * half, side).conv(channels, 1)


def lenet() -> Chain:
    """Two convolutions and two dense layers on 28 x 28, of the size that this project's recipes train."""
    return Chain(1, 28, 28).conv(16).pool(2).conv(32).pool(2).dense(128, 10)


def pilotnet() -> Chain:
    """Bojarski et al. 2016, arXiv 1604.07316, figure 4, with "same" padding."""
    chain = Chain(3, 66, 200).conv(24, 5, 2).conv(36, 5, 2).conv(48, 5, 2).conv(64).conv(64)
    return chain.dense(100, 50, 10, 1)


NETWORKS: dict[str, Callable[[], Chain]] = {
    "keywords_390": lambda: Chain(390).dense(256, 256, 29),
    "auto_encoder": auto_encoder,
    "ds_cnn": ds_cnn,
    "resnet8": resnet8,
    "mobilenet_v1_025_96": lambda: mobilenet_v1(0.25, 96, 2),
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v1_025_128": lambda: mobilenet_v1(0.25, 128),
    "alexnet": alexnet,
    "mobilenet_v2": mobilenet_v2,
    "resnet50": resnet50,
    "resnet50_299": lambda: resnet50(299),
    "vgg16": vgg16,
    "dense_100k": lambda: Chain(784).dense(128, 10),
    "dense_1m": lambda: Chain(784).dense(1024, 256, 10),
    "dense_8m": lambda: Chain(1024).dense(2048, 2048, 1024, 10),
    "dense_300": lambda: Chain(784).dense(300, 100, 10),
    "lenet": lenet,
    "pilotnet": pilotnet,
    "mobilenet_v1_05_128": lambda: mobilenet_v1(0.5, 128),
    "resnet18": lambda: basic_resnet((2, 2, 2, 2)),
    "resnet34": lambda: basic_resnet((3, 4, 6, 3)),
    "yolov8n": yolov8n,
}
"""By name: what a case's `network` refers to."""


def chain_of(network: str) -> list[Layer]:
    """The layers of a network that follow one another, without shortcuts."""
    return [layer for layer in NETWORKS[network]().layers if not layer.side]


def sizes_of(network: str, shortcuts: bool = True) -> list[TwinLayerSize]:
    """The layers of a network of `NETWORKS`."""
    return [layer.size for layer in (NETWORKS[network]().layers if shortcuts else chain_of(network))]
