"""A recipe's settings of one layer, and the plan of connections for a list of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

from spikeport.common.errors import InputError
from spikeport.common.limits import LARGEST_LAYER, LARGEST_SIDE, LARGEST_WEIGHTS, MOST_LAYERS
from spikeport.trainer.neuron_step.quantise import ChipAware
from spikeport.trainer.neuron_step.weight_scale import FanIn
from spikeport.trainer.settings.checks import known, within
from spikeport.trainer.settings.options import RECIPE_RULES

from .blocks import JOINS, JoinKind
from .delays import KINDS as DELAYS
from .delays import LONGEST, DelayKind, Delays
from .fold_batch_norm import Synapse
from .geometry import Shape, pooled_shape, synapse_geometry
from .pooling import POOL_KINDS, PoolKind

BlockKind = Literal["dense", "conv", "sew", "spiking_resnet"]
KINDS: tuple[BlockKind, ...] = ("dense", "conv", "sew", "spiking_resnet")
RESIDUAL = ("sew", "spiking_resnet")


@dataclass(frozen=True)
class LayerConfig:
    """A hidden layer, or a stage of residual blocks; raises InputError.

    kind: "dense" (`size` features), "conv" (`size` channels, square kernel), or a residual block of convolutions with
    `size` channels: "sew" joins spike trains after the neurons by `join` ("add", "and", "iand"), "spiking_resnet" adds
    the shortcut to the current of its last neurons. repeat: number of such layers in a row; only the first has the
    stride and the pool. bottleneck: instead of two convolutions, 1x1, kernel and 1x1, the first two with a quarter of
    the channels. pool: average over pool x pool pixels before the layer, or with pool_kind
    "max" their maximum, which is neurons of its own on the chip; recurrent (dense): every neuron also reads the
    layer's spikes. weight_bits: of the layer's weights on the chip, 2 to 8, None: the network's chip_aware (in floating
    point it has no effect). delays (dense): learn delays of up to longest_delay steps to the layer: "axonal", one per
    input, or "synaptic", one per synapse (delays.py).
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    kind: BlockKind = "dense"
    size: int = 128
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1
    pool: int = 1
    pool_kind: PoolKind = "average"
    recurrent: bool = False
    repeat: int = 1
    bottleneck: bool = False
    join: JoinKind = "add"
    delays: DelayKind = "none"
    longest_delay: int = 16
    weight_bits: int | None = None

    def __post_init__(self) -> None:
        known("kind", self.kind, KINDS)
        known("join", self.join, JOINS)
        known("delays", self.delays, DELAYS)
        known("pool_kind", self.pool_kind, POOL_KINDS)
        for name in ("size", "groups"):
            within(name, getattr(self, name), 1, LARGEST_LAYER)
        for name in ("kernel", "stride", "dilation", "pool"):
            within(name, getattr(self, name), 1, LARGEST_SIDE)
        within("padding", self.padding, 0, LARGEST_SIDE)
        within("repeat", self.repeat, 1, MOST_LAYERS)
        if self.recurrent and self.kind != "dense":
            raise InputError(f"a layer of kind {self.kind!r} cannot be recurrent; only dense ones can")
        if self.delays != "none" and self.kind != "dense":
            raise InputError(f"a layer of kind {self.kind!r} cannot have delays; only dense ones can")
        if self.weight_bits is not None:
            ChipAware(self.weight_bits)
        if self.pool_kind == "max" and self.pool == 1:
            raise InputError('pool_kind = "max" says how pool x pool places become one, but pool is 1; give a pool')
        if not 1 <= self.longest_delay <= LONGEST:
            raise InputError(f"longest_delay is 1 to {LONGEST} steps, not {self.longest_delay}")
        if self.bottleneck and (self.kind not in RESIDUAL or self.size % 4):
            raise InputError("bottleneck is for residual blocks whose size is a multiple of 4")


def layers_in_words(layers: Sequence[LayerConfig]) -> str:
    """Layers in a line: conv 16 (5x5, stride 2), dense 128 x 2."""
    return ", ".join(_in_words(layer) + (f" x {layer.repeat}" if layer.repeat > 1 else "") for layer in layers)


def _in_words(layer: LayerConfig) -> str:
    notes = [f"{layer.kernel}x{layer.kernel}"] if layer.kind == "conv" and layer.kernel != 3 else []
    notes += [f"stride {layer.stride}"] if layer.stride > 1 else []
    notes += ["recurrent"] if layer.recurrent else []
    return f"{layer.kind} {layer.size}" + (f" ({', '.join(notes)})" if notes else "")


@dataclass(frozen=True)
class PlannedLayer:
    """A layer of the plan: its connections with fresh weights, what it reads, and their fan-in on the chip.

    reads: its input, then the shortcut's; projects: the shortcut has trained weights (and batch norm), not ones;
    arrival: the chip's step at which its first input can arrive.
    """

    name: str
    synapse: Synapse
    flatten_before: bool
    reads: tuple[str, ...]
    pool: int
    pool_kind: PoolKind
    recurrent: nn.Linear | None
    shortcut: Synapse | None
    projects: bool
    arrival: int
    fan_in: FanIn
    shortcut_fan_in: FanIn
    delays: Delays | None
    weight_bits: int | None


@dataclass(frozen=True)
class PlannedJoin:
    """A join of the plan, of the branch's spikes and the shortcut's."""

    name: str
    kind: JoinKind
    reads: tuple[str, str]


Planned = PlannedLayer | PlannedJoin


def plan(layers: Sequence[LayerConfig], input_shape: Shape, payload: int = 1) -> list[Planned]:
    """The connections of these layers one after another; weights are drawn from torch's generator.

    payload: the largest input value, by which the network divides its input.

    Raises InputError if a layer does not fit the one before it.
    """
    planner = _Planner(input_shape, payload)
    for layer in layers:
        for number in range(layer.repeat):
            one = layer if number == 0 else replace(layer, stride=1, pool=1, pool_kind="average")
            if layer.kind in RESIDUAL:
                planner.residual(one)
            else:
                planner.last = planner.layer(one, planner.last)
    return planner.planned


@dataclass(frozen=True)
class _Signal:
    shape: Shape
    arrival: int
    sources: int
    payload: int = 1


class _Planner:
    """Adds layers one after another; `last` is the node that the next one reads."""

    def __init__(self, input_shape: Shape, payload: int) -> None:
        self.planned: list[Planned] = []
        self.last = "input"
        self._layers = 0
        self._weights = 0
        self._signals = {"input": _Signal(input_shape, 0, 1, payload)}

    def layer(self, layer: LayerConfig, read: str, shortcut: str | None = None, projection: int = 0) -> str:
        """Add one layer of neurons; a shortcut has unit weights, or a 1x1 convolution of stride `projection`."""
        self._layers += 1
        name = f"layer{self._layers}"
        source = self._signals[read]
        shape = pooled_shape(name, source.shape, layer.pool)
        flatten = layer.kind == "dense" and len(shape) > 1
        shape = (int(np.prod(shape)),) if flatten else shape
        self._count_weights(name, layer, shape)
        synapse = _synapse(name, layer, shape)
        output = synapse_geometry(name, synapse, shape, flatten).output_shape
        maximum = layer.pool_kind == "max"
        if maximum:
            _check_max_pool(name, source)
        # neurons of its own, which take a step
        arrival = source.arrival + maximum
        skip = None if shortcut is None else self._signals[shortcut]
        second = None
        if skip is not None:
            second = _unit(layer.size) if not projection else _pointwise(skip.shape[0], layer.size, projection)
            arrival = max(arrival, skip.arrival)
        self._signals[name] = _Signal(output, arrival + 1, 1)
        self.planned.append(
            PlannedLayer(
                name,
                synapse,
                flatten,
                (read,) if shortcut is None else (read, shortcut),
                layer.pool,
                layer.pool_kind,
                nn.Linear(layer.size, layer.size, bias=False) if layer.recurrent else None,
                second,
                bool(projection),
                arrival + 1,
                FanIn(source.payload if maximum else layer.pool**2 * source.payload, source.sources),
                FanIn() if skip is None else FanIn(skip.payload, skip.sources),
                _delays(layer, shape[0]),
                layer.weight_bits,
            )
        )
        return name

    def _count_weights(self, name: str, layer: LayerConfig, shape: Shape) -> None:
        """Raises InputError before weights are drawn that no file of a trained network could hold."""
        inputs = shape[0] if layer.kind == "dense" else layer.kernel**2 * shape[0] // layer.groups
        self._weights += layer.size * (inputs + (layer.size if layer.recurrent else 0))
        if self._weights > LARGEST_WEIGHTS:
            raise InputError(
                f"{name} would bring the network to {self._weights:,} weights; at most {LARGEST_WEIGHTS:,} are "
                "allowed: make layers smaller"
            )

    def residual(self, layer: LayerConfig) -> None:
        """Add a residual block: convolutions, and a shortcut past them that projects where the shape changes."""
        x = self.last
        shape = self._signals[x].shape
        if len(shape) != 3:
            raise InputError(f"layer{self._layers + 1} is a convolution and needs an input (C, H, W), not {shape}")
        changes = layer.stride > 1 or layer.pool > 1 or shape[0] != layer.size
        *first, last = _convolutions(layer)
        branch = x
        for convolution in first:
            branch = self.layer(convolution, branch)
        if layer.kind == "spiking_resnet":
            if layer.pool > 1:
                raise InputError("a spiking_resnet block cannot pool; give it a stride instead")
            self.last = self.layer(last, branch, x, layer.stride if changes else 0)
            return
        branch = self.layer(last, branch)
        if changes:
            one = LayerConfig(
                "conv", layer.size, 1, layer.stride, 0, pool=layer.pool, pool_kind=layer.pool_kind,
                weight_bits=layer.weight_bits,
            )  # fmt: skip
            x = self.layer(one, x)
        self._join(layer.join, branch, x)

    def _join(self, kind: JoinKind, a: str, x: str) -> None:
        joined = self._signals[a], self._signals[x]
        self.last = f"join{self._layers}"
        shape = joined[0].shape
        if shape != joined[1].shape:
            raise InputError(f"{self.last} joins shapes {shape} and {joined[1].shape}; mind kernel and padding")
        if max(signal.payload for signal in joined) > 1:
            raise InputError(f"{self.last} joins spikes with the input's payloads; put a layer before the block")
        arrival, sources = max(signal.arrival for signal in joined), sum(signal.sources for signal in joined)
        # on the chip AND and IAND are neurons of their own; ADD is done by the synapses that read it
        signal = _Signal(shape, arrival, sources) if kind == "add" else _Signal(shape, arrival + 1, 1)
        self._signals[self.last] = signal
        self.planned.append(PlannedJoin(self.last, kind, (a, x)))


def _convolutions(layer: LayerConfig) -> list[LayerConfig]:
    plain = replace(layer, kind="conv", repeat=1, bottleneck=False)
    if not layer.bottleneck:
        return [plain, replace(plain, stride=1, pool=1, pool_kind="average")]
    inner = layer.size // 4
    return [
        LayerConfig(
            "conv", inner, 1, padding=0, pool=layer.pool, pool_kind=layer.pool_kind, weight_bits=layer.weight_bits
        ),
        replace(plain, size=inner, pool=1, pool_kind="average"),
        LayerConfig("conv", layer.size, 1, padding=0, weight_bits=layer.weight_bits),
    ]


def _check_max_pool(name: str, source: _Signal) -> None:
    if source.sources > 1 or source.payload > 1:
        read = "the sum of several spike trains" if source.sources > 1 else "the input's payloads"
        raise InputError(
            f"{name} takes the maximum of {read}, but only that of spikes is neurons on the chip; put a layer of "
            "neurons before it, or leave pool_kind out"
        )


def _synapse(name: str, layer: LayerConfig, shape: Shape) -> Synapse:
    if layer.kind == "dense":
        return nn.Linear(shape[0], layer.size, bias=False)
    if len(shape) != 3:
        raise InputError(f"{name} is a convolution and needs an input (C, H, W), not {shape}")
    if shape[0] % layer.groups or layer.size % layer.groups:
        raise InputError(f"{name} has {layer.groups} groups, which do not divide {shape[0]} and {layer.size} channels")
    return nn.Conv2d(
        shape[0], layer.size, layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups, bias=False
    )


def _delays(layer: LayerConfig, inputs: int) -> Delays | None:
    if layer.delays == "none":
        return None
    return Delays((inputs,) if layer.delays == "axonal" else (layer.size, inputs), layer.longest_delay)


def _pointwise(channels: int, size: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, size, 1, stride, bias=False)


def _unit(channels: int) -> nn.Conv2d:
    """The identity as a convolution, not trained."""
    unit = _pointwise(channels, channels, 1)
    with torch.no_grad():
        unit.weight.copy_(torch.eye(channels).view(channels, channels, 1, 1))
    unit.weight.requires_grad_(False)
    return unit
