"""What a recipe may say about a network and its training, and building a network from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from torch import nn

from hardware_profiles.errors import InputError

from .effective import LayerKind
from .fold import BatchNorm, Synapse
from .lookup import lookup
from .network import Flatten, SpikingBlock, SpikingNetwork, synapse_geometry
from .neurons import LIF, CubaLIF
from .options import RECIPE_RULES
from .quantise import ChipAware
from .surrogates import surrogate
from .train_config import TrainConfig as TrainConfig

NeuronKind = Literal["lif", "cuba_lif"]


def _known(name: str, value: str, known: tuple[str, ...]) -> None:
    lookup(name, value, dict.fromkeys(known))


def _at_least(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise InputError(f"{name} must be at least {least}, not {value}")


def _above_zero(name: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{name} must be above 0, not {value}")


@dataclass(frozen=True)
class LayerConfig:
    """One hidden layer: `size` features (dense) or channels (conv, with a square kernel); raises InputError."""

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    kind: LayerKind = "dense"
    size: int = 128
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        _known("kind", self.kind, ("dense", "conv"))
        for name in ("size", "kernel", "stride", "dilation", "groups"):
            _at_least(name, getattr(self, name), 1)
        _at_least("padding", self.padding, 0)


@dataclass(frozen=True)
class NetworkConfig:
    """Hidden layers and their neurons; an output layer (dense, one neuron a class) is added after them.

    neuron: "lif" or "cuba_lif"; du (cuba_lif only), dv: fractions of u and v lost a step; vth: threshold;
    surrogate, surrogate_width: see trainer/surrogates.py; train_decays: train du and dv, one of each per layer;
    chip_aware: bits of the chip's weights to train for, or None to train in floating point.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    layers: tuple[LayerConfig, ...] = (LayerConfig(),)
    neuron: NeuronKind = "lif"
    du: float = 0.5
    dv: float = 0.1
    vth: float = 1.0
    batch_norm: bool = True
    surrogate: str = "atan"
    surrogate_width: float = 0.5
    train_decays: bool = False
    chip_aware: int | None = 8

    def __post_init__(self) -> None:
        _known("neuron", self.neuron, ("lif", "cuba_lif"))
        surrogate(self.surrogate)
        for name in ("du", "dv"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is the fraction lost a step, 0 to 1, not {getattr(self, name)}")
        for name in ("vth", "surrogate_width"):
            _above_zero(name, getattr(self, name))
        if self.chip_aware is not None:
            ChipAware(self.chip_aware)


@dataclass(frozen=True)
class PlannedLayer:
    """A layer of the plan: its connection with fresh weights, and whether its input is flattened first."""

    name: str
    synapse: Synapse
    flatten_before: bool


def plan_layers(config: NetworkConfig, input_shape: tuple[int, ...], classes: int) -> list[PlannedLayer]:
    """The connections of a network, output layer included; the spiking network and the ANN twin share them.

    Weights are drawn from torch's generator. Raises InputError if a layer does not fit the one before it.
    """
    planned: list[PlannedLayer] = []
    shape = input_shape
    for number, layer in enumerate((*config.layers, LayerConfig("dense", classes)), start=1):
        flatten = layer.kind == "dense" and len(shape) > 1
        shape = (int(np.prod(shape)),) if flatten else shape
        name = f"layer{number}"
        planned.append(PlannedLayer(name, _synapse(name, layer, shape), flatten))
        shape = synapse_geometry(name, planned[-1].synapse, shape, flatten).output_shape
    return planned


def make_norm(synapse: Synapse) -> BatchNorm:
    """Batch norm that fits the connection's output."""
    features = synapse.weight.shape[0]
    return nn.BatchNorm1d(features) if isinstance(synapse, nn.Linear) else nn.BatchNorm2d(features)


def build_network(
    config: NetworkConfig, input_shape: tuple[int, ...], classes: int, dt: float = 1e-3
) -> SpikingNetwork:
    """A spiking network with fresh weights from torch's generator; raises InputError for layers that do not fit."""
    blocks: list[SpikingBlock | Flatten] = []
    for arrival, layer in enumerate(plan_layers(config, input_shape, classes), start=1):
        chip = None if config.chip_aware is None else ChipAware(config.chip_aware, arrival)
        if layer.flatten_before:
            blocks.append(Flatten())
        norm = make_norm(layer.synapse) if config.batch_norm else None
        blocks.append(SpikingBlock(layer.synapse, _neuron(config), norm, chip))
    return SpikingNetwork(input_shape, blocks, dt)


def _synapse(name: str, layer: LayerConfig, shape: tuple[int, ...]) -> Synapse:
    if layer.kind == "dense":
        return nn.Linear(shape[0], layer.size, bias=False)
    if len(shape) != 3:
        raise InputError(f"{name} is a convolution and needs an input (C, H, W), not {shape}")
    if shape[0] % layer.groups or layer.size % layer.groups:
        raise InputError(f"{name} has {layer.groups} groups, which do not divide {shape[0]} and {layer.size} channels")
    return nn.Conv2d(
        shape[0], layer.size, layer.kernel, layer.stride, layer.padding, layer.dilation, layer.groups, bias=False
    )


def _neuron(config: NetworkConfig) -> CubaLIF:
    spike = surrogate(config.surrogate)
    if config.neuron == "lif":
        return LIF(config.dv, config.vth, spike, config.surrogate_width, config.train_decays)
    return CubaLIF(config.du, config.dv, config.vth, spike, config.surrogate_width, config.train_decays)
