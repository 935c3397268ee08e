"""A recipe's network settings, and building a network from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, get_args

from torch import nn

from spikeport.common.errors import InputError
from spikeport.common.limits import LARGEST_SIDE, MOST_LAYERS
from spikeport.trainer.neuron_step.neurons import LIF, CubaLIF
from spikeport.trainer.neuron_step.quantise import ChipAware, SignModes
from spikeport.trainer.neuron_step.surrogates import surrogate
from spikeport.trainer.settings.checks import above_zero, known, within
from spikeport.trainer.settings.options import RECIPE_RULES

from .fold_batch_norm import BatchNorm, Synapse
from .layer_specs import LayerConfig, Planned, PlannedLayer, plan
from .readout_block import ReadoutBlock
from .spiking_network import SpikingBlock, SpikingNetwork
from .topology import assemble

__all__ = ["NetworkConfig", "build_network", "make_norm", "plan_layers"]

# inputs are uint8
MOST_PAYLOAD = 255

# settings of earlier versions, which did not store them
EARLIER: Mapping[str, Any] = {"bounded_bias": True}

NeuronKind = Literal["lif", "cuba_lif"]
Readout = Literal["spikes", "membrane"]


@dataclass(frozen=True)
class NetworkConfig:
    """Hidden layers and their neurons; an output layer (dense, one neuron per class) is added after them.

    layers: see trainer/network/layer_specs.py; output_pool: side of the average pooling before the output layer;
    neuron: "lif" or "cuba_lif"; du (cuba_lif only), dv: fractions of u and v lost per step (the trainer's current_decay
    and voltage_decay); vth: threshold; surrogate, surrogate_width: see trainer/neuron_step/surrogates.py;
    train_decays: train du and dv, one of each per layer; chip_aware: bits of the chip's weights to train for, or None
    to train in floating point; sign_modes: "auto", "mixed" (one connection per synapse) or "split" (one per sign, twice
    as many levels; auto: up to 4 bits); payload: the largest input value, 1 for spikes; with the encoding "direct" a
    pixel x enters as rint(payload * x), 0 to 255. readout: what the output layer sends, "spikes", or the voltage of
    leaky integrators, "membrane"; a task (trainer/tasks) sets it. mean_bits: bits per weight on average, at most, each
    layer with 2 to chip_aware bits that are chosen when batch norm is folded (bit_allocation.py), None: chip_aware.
    bias: False: no neuron has one (without batch norm). bounded_bias: negative biases end where a start voltage can
    keep them from acting before the first input, which in deep layers is close to 0; without it, neurons that need more
    are reset once instead. reset_gradient: gradients flow through the reset of v as well.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    layers: tuple[LayerConfig, ...] = (LayerConfig(),)
    neuron: NeuronKind = "lif"
    du: float = 0.5
    dv: float = 0.1
    vth: float = 1.0
    batch_norm: bool = True
    bias: bool = True
    bounded_bias: bool = False
    reset_gradient: bool = False
    surrogate: str = "atan"
    surrogate_width: float = 0.5
    train_decays: bool = False
    chip_aware: int | None = 8
    sign_modes: SignModes = "auto"
    output_pool: int = 1
    payload: int = 1
    readout: Readout = "spikes"
    mean_bits: float | None = None

    def __post_init__(self) -> None:
        known("neuron", self.neuron, ("lif", "cuba_lif"))
        known("readout", self.readout, ("spikes", "membrane"))
        surrogate(self.surrogate)
        within("output_pool", self.output_pool, 1, LARGEST_SIDE)
        if sum(layer.repeat for layer in self.layers) > MOST_LAYERS:
            raise InputError(f"layers are at most {MOST_LAYERS:,}, repetitions counted; give fewer")
        if not 1 <= self.payload <= MOST_PAYLOAD:
            raise InputError(f"payload is the largest integer that enters, 1 to {MOST_PAYLOAD}, not {self.payload}")
        for name in ("du", "dv"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is the fraction lost per step, 0 to 1, not {getattr(self, name)}")
        for name in ("vth", "surrogate_width"):
            above_zero(name, getattr(self, name))
        if self.batch_norm and not self.bias:
            raise InputError("batch norm becomes a bias; for a network without biases set batch_norm = false as well")
        known("sign_modes", self.sign_modes, get_args(SignModes))
        if self.chip_aware is not None:
            ChipAware(self.chip_aware)
        if self.mean_bits is not None:
            self._check_mean_bits(self.mean_bits)

    def _check_mean_bits(self, mean: float) -> None:
        if self.chip_aware is None:
            raise InputError("mean_bits has no effect in floating point (chip_aware = 0); leave it out")
        if not 2 <= mean <= self.chip_aware:
            raise InputError(f"mean_bits is 2 to {self.chip_aware}, the bits of chip_aware, not {mean}")
        if any(layer.weight_bits is not None for layer in self.layers):
            raise InputError("mean_bits chooses the bits of all layers; leave out weight_bits of single layers")


def widest_bits(config: NetworkConfig) -> int | None:
    """The most bits of a layer's weights, None in floating point."""
    if config.chip_aware is None:
        return None
    return max(config.chip_aware, *(layer.weight_bits or 0 for layer in config.layers), 0)


def plan_layers(config: NetworkConfig, input_shape: tuple[int, ...], classes: int) -> list[Planned]:
    """The connections of a network, output layer included, as the spiking network and the ANN twin share them.

    Weights are drawn from torch's generator. Raises InputError if a layer does not fit the one before it.
    """
    layers = (*config.layers, LayerConfig("dense", classes, pool=config.output_pool))
    return plan(layers, input_shape, config.payload)


def make_norm(synapse: Synapse) -> BatchNorm:
    """Batch norm for the connection's output."""
    features = synapse.weight.shape[0]
    return nn.BatchNorm1d(features) if isinstance(synapse, nn.Linear) else nn.BatchNorm2d(features)


def build_network(
    config: NetworkConfig, input_shape: tuple[int, ...], classes: int, dt: float = 1e-3
) -> SpikingNetwork:
    """A spiking network with fresh weights from torch's generator; raises InputError for layers that do not fit."""
    planned = plan_layers(config, input_shape, classes)
    output = planned[-1] if config.readout == "membrane" else None
    blocks, reads = assemble(planned, lambda part: _readout(config, part) if part is output else _block(config, part))
    return SpikingNetwork(input_shape, blocks, dt, reads, config.payload)


def stored_network(config: NetworkConfig) -> dict[str, Any]:
    """The settings in plain values, as files of networks and checkpoints hold them: later ones only if they are set."""
    values = asdict(config)
    for layer in values["layers"]:
        if layer["weight_bits"] is None:
            del layer["weight_bits"]
        if layer["pool_kind"] == "average":
            del layer["pool_kind"]
    if config.readout == "spikes":
        del values["readout"]
    if config.bias:
        del values["bias"]
    if config.bounded_bias:
        del values["bounded_bias"]
    if not config.reset_gradient:
        del values["reset_gradient"]
    if config.mean_bits is None:
        del values["mean_bits"]
    if config.sign_modes == "auto" and not _splits_signs(config.chip_aware):
        del values["sign_modes"]
    return values


def read_network(values: Mapping[str, Any]) -> NetworkConfig:
    """The settings that a file holds; raises KeyError, TypeError or ValueError if they are wrong.

    Earlier versions trained few bits with one connection per synapse, and bounded biases, and did not store that.
    """
    network = {**EARLIER, **values}
    layers = tuple(LayerConfig(**layer) for layer in network.pop("layers"))
    if _splits_signs(network["chip_aware"]):
        network.setdefault("sign_modes", "mixed")
    return NetworkConfig(layers=layers, **network)


def _splits_signs(bits: int | None) -> bool:
    return bits is not None and ChipAware(bits).by_sign


def _readout(config: NetworkConfig, part: PlannedLayer) -> ReadoutBlock:
    bits, synapse = config.chip_aware, part.synapse
    assert isinstance(synapse, nn.Linear)  # the output layer is dense
    fixed = replace(config, train_decays=False)
    return ReadoutBlock(
        synapse,
        _neuron(fixed),
        None if bits is None else _rounding(config, part, bits),
        chooses_bits=config.mean_bits is not None,
        biased=config.bias,
    )


def _block(config: NetworkConfig, part: PlannedLayer) -> SpikingBlock:
    bits = None if config.chip_aware is None else part.weight_bits or config.chip_aware
    return SpikingBlock(
        part.synapse,
        _neuron(config),
        make_norm(part.synapse) if config.batch_norm else None,
        None if bits is None else _rounding(config, part, bits),
        pool=1 if part.flatten_before else part.pool,
        pool_kind=part.pool_kind,
        recurrent=part.recurrent,
        shortcut=part.shortcut,
        delays=part.delays,
        shortcut_norm=make_norm(part.shortcut) if part.shortcut and part.projects and config.batch_norm else None,
        chooses_bits=config.mean_bits is not None,
        biased=config.bias,
    )


def _rounding(config: NetworkConfig, part: PlannedLayer, bits: int) -> ChipAware:
    return ChipAware(
        bits, part.arrival, part.fan_in, part.shortcut_fan_in, config.sign_modes, bounded_bias=config.bounded_bias
    )


def _neuron(config: NetworkConfig) -> CubaLIF:
    spike = surrogate(config.surrogate)
    if config.neuron == "lif":
        return LIF(config.dv, config.vth, spike, config.surrogate_width, config.train_decays, config.reset_gradient)
    return CubaLIF(
        config.du, config.dv, config.vth, spike, config.surrogate_width, config.train_decays, config.reset_gradient
    )
