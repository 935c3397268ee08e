"""Networks whose number of cores on Loihi is published, rebuilt by shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    CubaLIF,
    CubaLIFSoftReset,
    DenseConnection,
    InputPort,
    SparseConnection,
)
from spikeport.hardware_profiles.fixed_point import WordWidths

DL = "lava-nc/lava-dl, tutorials/lava/lib/dl/netx/"
S2L = "intel-nrc-ecosystem/models, nxsdk_modules_contrib/spytorch2loihi/slayer_rec/tutorials/"
Shape = tuple[int, int, int]


@dataclass
class Chain:
    """A network layer by layer; images are (channels, height, width); soft: neurons are reset by subtraction.

    Delays are those of the synapses, 0 for none.
    """

    shape: tuple[int, ...]
    soft: bool = False
    port: InputPort = field(init=False)
    populations: list[CubaLIF] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = InputPort("input", self.shape)

    def relay(self) -> Chain:
        """Neurons that relay the input one to one, where the vendor's network begins with such a layer."""
        size = math.prod(self.shape)
        ones, index = np.ones(size, np.int32), np.arange(size, dtype=np.int32)
        return self._add(
            self.shape,
            lambda source, name: SparseConnection(
                source, name, ones, 0, "excitatory", 8, 1, indices=index, indptr=np.arange(size + 1)
            ),
        )

    def dense(self, size: int, delay: int = 0) -> Chain:
        """All to all."""
        weights = np.full((size, math.prod(self.shape)), 2, np.int32)
        delays = np.full(weights.shape, delay, np.int32) if delay else None
        return self._add(
            (size,),
            lambda source, name: DenseConnection(source, name, weights, 0, "mixed", 8, 1, synaptic_delays=delays),
        )

    def conv(
        self,
        channels: int,
        kernel: int,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        groups: int = 1,
        delay: int = 0,
    ) -> Chain:
        """A convolution with a square kernel; stride and padding (rows, columns)."""
        inside: Shape = self.shape  # type: ignore[assignment]
        height, width = ((n + 2 * p - kernel) // s + 1 for n, p, s in zip(inside[1:], padding, stride, strict=True))
        shape = channels, height, width
        weights = np.full((channels, inside[0] // groups, kernel, kernel), 2, np.int32)
        delays = np.full(weights.shape, delay, np.int32) if delay else None
        return self._add(
            shape,
            lambda source, name: ConvConnection(
                source, name, weights, 0, "mixed", 8, 1, inside, shape, stride, padding, (1, 1), groups,
                synaptic_delays=delays,
            ),
        )  # fmt: skip

    def pool(self, size: int) -> Chain:
        """Sums of squares, channel by channel."""
        return self.conv(self.shape[0], size, (size, size), groups=self.shape[0])

    def program(self, chip: str) -> ChipProgram:
        """The network as a program."""
        output = (self.populations[-1].name,)
        return ChipProgram(
            chip, WordWidths(), 1e-3, (self.port,), tuple(self.populations), tuple(self.connections), output
        )

    def _add(self, shape: tuple[int, ...], connect: Callable[[str, str], Connection]) -> Chain:
        source = self.populations[-1].name if self.populations else "input"
        name = f"layer{len(self.populations)}"
        none: NDArray[np.int32] = np.zeros(math.prod(shape), np.int32)
        constants = {"du": none, "dv": none, "vth": none + 100, "bias_mant": none, "bias_exp": none, "v_initial": none}
        neurons = CubaLIFSoftReset(name, shape, **constants, v_subtract=none + 100)
        self.populations.append(neurons if self.soft else CubaLIF(name, shape, **constants))
        self.connections.append(connect(source, name))
        self.shape = shape
        return self


@dataclass(frozen=True)
class Case:
    """A published number of cores; layers: per layer, from the input on, where that is published."""

    title: str
    chip: str
    published: int
    layers: tuple[int, ...]
    source: str
    reason: str
    build: Callable[[], Chain]

    def program(self) -> ChipProgram:
        """The network."""
        return self.build().program(self.chip)


def _pilotnet(chain: Chain) -> Chain:
    for channels in (24, 36, 48):
        chain.conv(channels, 3, (2, 2))
    chain.conv(64, 3, (2, 1), (1, 0)).conv(64, 3)
    return chain.dense(100).dense(50).dense(10).dense(1)


def _yolo() -> Chain:
    chain = Chain((3, 448, 448))
    for channels in (16, 32, 64, 128):
        chain.conv(channels, 3, (2, 2), (1, 1))
    chain.conv(256, 3, (1, 1), (1, 1)).conv(256, 3, (2, 2), (1, 1)).conv(512, 3, (1, 1), (1, 1))
    return chain.conv(256, 1).conv(512, 3, (1, 1), (1, 1)).conv(48, 1)


def _gesture() -> Chain:
    chain = Chain((2, 128, 128)).relay().pool(4).conv(16, 5, padding=(2, 2), delay=31)
    return chain.pool(2).conv(32, 3, padding=(1, 1), delay=31).pool(2).dense(512, delay=31).dense(11)


def _cifar() -> Chain:
    chain = Chain((3, 32, 32), soft=True).relay().conv(32, 3, (2, 2), (1, 1))
    inside = 32
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        chain.conv(inside, 3, (stride, stride), (1, 1), groups=inside).conv(channels, 1)
        inside = channels
    return chain.pool(2).dense(10)


CASES: tuple[Case, ...] = (
    Case(
        "MNIST 784-128-64-10", "loihi2", 5, (3, 1, 1), DL + "mnist/run.ipynb",
        "the same; its compiler prints 78.40 % of the synaptic memory for the first layer, as here",
        lambda: Chain((784,)).dense(128).dense(64).dense(10),
    ),
    Case(
        "Oxford 200-256-200", "loihi2", 5, (3, 2), DL + "oxford/run.ipynb",
        "its lists for 200 and 256 weights take 63 and 81 words of memory, ours 51 and 65: 10 bit per weight instead "
        "of 8; even so the first layer would fit two cores by every limit that it prints (8,100 of 12,000 words), but "
        "it prints max_ratio=2 and takes three",
        lambda: Chain((200,)).dense(256).dense(200),
    ),
    Case(
        "PilotNet, LIF", "loihi2", 74, (13, 25, 13, 3, 3, 2, 12, 1, 1, 1), DL + "pilotnet_snn/benchmark.ipynb",
        "there images are cut by columns only, here also by rows and channels where that takes fewer cores (third "
        "layer: 13 there, 8 here); a tile of 4096 neurons, which fills a core, is not used there; the first dense "
        "layer was split into 6, exceeded a limit by a fifteenth and was split into 12",
        lambda: _pilotnet(Chain((3, 66, 200)).relay()),
    ),
    Case(
        "PilotNet, sigma-delta", "loihi2", 61, (25, 13, 3, 3, 2, 12, 1, 1, 1), DL + "pilotnet_sdnn/benchmark.ipynb",
        "as above, without the input layer",
        lambda: _pilotnet(Chain((3, 66, 200))),
    ),
    Case(
        "YOLO-KP", "loihi2_kapoho_point", 574, (224, 112, 56, 28, 56, 16, 32, 14, 32, 4), DL + "yolo_kp/run_eth.ipynb",
        "its trained weights pack into 2 bit, ours are counted at 8; cut by halves in every direction",
        _yolo,
    ),
    Case(
        "CIFAR-10, small MobileNet, reset by subtraction", "loihi1", 157, (),
        "intel-nrc-ecosystem/models, nxsdk_modules_ncl/dnn/tutorials/b_image_classification_cifar.ipynb",
        "the same: two compartments per neuron fill the cores, no other limit matters; only its total is published",
        _cifar,
    ),
    Case(
        "DVS gesture, delays", "loihi1", 169, (32, 8, 64, 13, 32, 7, 12, 1), S2L + "gesture/gestureAuto.ipynb",
        "there convolutions are unrolled neuron by neuron: pooling needs one axon per element instead of one per "
        "position, and sends one axon per neuron",
        _gesture,
    ),
    Case(
        "N-MNIST 2312-512-10", "loihi1", 17, (7, 9, 1), S2L + "nmnist/NMNISTAuto.ipynb",
        "its estimate omits the rounding of every list to 64-bit words; its input layer keeps a reserve",
        lambda: Chain((2312,)).relay().dense(512).dense(10),
    ),
    Case(
        "NTIDIGITS 64-256-256-242, delays", "loihi1", 6, (1, 2, 2, 1), S2L + "ntidigits/ntidigitsAuto.ipynb",
        "the same: delays up to 62 leave room for 128 neurons per core",
        lambda: Chain((64,)).relay().dense(256, delay=62).dense(256, delay=62).dense(242),
    ),
    Case(
        "Keyword spotter 390-256-256-29", "loihi1", 4, (2, 1, 1),
        "Blouw et al. 2019, arXiv 1812.01739; abr/power_benchmarks",
        "the first layer was put on two cores by hand; no limit requires it",
        lambda: Chain((390,)).dense(256).dense(256).dense(29),
    ),
)  # fmt: skip
