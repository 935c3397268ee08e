"""Spiking networks: synapse, batch norm and neuron in blocks, one block after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn, zeros

from hardware_profiles.errors import InputError

from .effective import EffectiveLayer, Geometry, LayerKind
from .fold import BatchNorm, Synapse, apply_synapse, fold_norm
from .neurons import CubaLIF
from .quantise import ChipAware, LayerTensors, fake_quantise


class Flatten(nn.Module):
    """(T, B, C, H, W) to (T, B, C * H * W)."""

    def forward(self, spikes: Tensor) -> Tensor:
        """The same spikes, one dimension per sample."""
        return spikes.flatten(2)


class SpikingBlock(nn.Module):
    """One layer: synapse, batch norm on the filtered current (optional), neuron.

    u[t] = u[t-1] (1 - du) + W s_in[t];  i[t] = BN(u[t]), or u[t] + bias without it;  then the neuron's membrane.

    synapse: nn.Linear or nn.Conv2d made with bias=False (the bias belongs to v, not to the synapse).
    Batch norm has statistics over time and batch, per feature or channel. While it gathers them (norm.training) the
    forward pass uses the batch's; otherwise it computes with `tensors()`, where batch norm is folded into W and bias.
    chip: round those to the chip's integers. Raises InputError for a synapse with its own bias.
    """

    bias: nn.Parameter | None

    def __init__(
        self, synapse: Synapse, neuron: CubaLIF, norm: BatchNorm | None = None, chip: ChipAware | None = None
    ) -> None:
        super().__init__()
        if synapse.bias is not None:
            raise InputError("a synapse of a spiking block must be made with bias=False; the block adds the bias to v")
        self.synapse = synapse
        self.norm = norm
        self.neuron = neuron
        self.chip = chip
        self.bias = None if norm is not None else nn.Parameter(zeros(synapse.weight.shape[0]))

    def tensors(self) -> LayerTensors:
        """What the block computes with outside batch-norm training: folded and, if chip-aware, rounded."""
        weight, bias = self._folded()
        neuron = self.neuron
        layer = LayerTensors(weight, bias, neuron.current_decay(), neuron.voltage_decay(), neuron.vth)
        return layer if self.chip is None else fake_quantise(layer, self.chip)

    def forward(self, spikes: Tensor) -> Tensor:
        """Spikes (T, B, *output) for spikes (T, B, *input)."""
        return self._normalised(spikes) if self.norm is not None and self.norm.training else self._folded_pass(spikes)

    def _folded(self) -> tuple[Tensor, Tensor]:
        if self.norm is not None:
            return fold_norm(self.synapse.weight, self.norm)
        return self.synapse.weight, cast(Tensor, self.bias)

    def _normalised(self, spikes: Tensor) -> Tensor:
        du, dv = self.neuron.current_decay(), self.neuron.voltage_decay()
        current = self.neuron.current(self._connect(spikes, self.synapse.weight), du)
        normalised = cast(nn.Module, self.norm)(current.flatten(0, 1))
        return self.neuron.fire(normalised.view_as(current), dv, self.neuron.vth)

    def _folded_pass(self, spikes: Tensor) -> Tensor:
        layer = self.tensors()
        current = self.neuron.current(self._connect(spikes, layer.weight), layer.du)
        per_neuron = layer.bias.view(-1, *[1] * (current.dim() - 3))
        return self.neuron.fire(current + per_neuron, layer.dv, layer.vth)

    def _connect(self, spikes: Tensor, weight: Tensor) -> Tensor:
        summed = apply_synapse(self.synapse, weight, spikes.flatten(0, 1))
        # not a view: a convolution may give its result in another memory order
        return summed.reshape(*spikes.shape[:2], *summed.shape[1:])


class SpikingNetwork(nn.Module):
    """A chain of blocks, named "layer1", "layer2", ... in the order of its SpikingBlocks.

    input_shape: of one sample in one step; dt: seconds per step. Raises InputError if a block does not fit the one
    before it.
    """

    def __init__(self, input_shape: Sequence[int], blocks: Sequence[SpikingBlock | Flatten], dt: float = 1e-3) -> None:
        super().__init__()
        self.input_shape = tuple(int(size) for size in input_shape)
        self.dt = float(dt)
        self.layers = nn.ModuleDict(_named(blocks))
        self.geometry = _geometry(self.input_shape, self.layers)

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """Spikes of every layer by name, each (T, B, *output_shape), for input spikes x of (T, B, *input_shape)."""
        if x.dim() < 2 or tuple(x.shape[2:]) != self.input_shape:
            raise InputError(f"the network takes (T, batch, *{self.input_shape}), not an input of {tuple(x.shape)}")
        spikes = x.to(next(self.parameters()).dtype)
        record: dict[str, Tensor] = {}
        for name, block in self.layers.items():
            spikes = block(spikes)
            if isinstance(block, SpikingBlock):
                record[name] = spikes
        return record

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of the last layer, (T, B, classes)."""
        return list(self.run(x).values())[-1]

    def freeze_norms(self) -> None:
        """Stop gathering batch statistics; from here on training, too, computes with folded (and rounded) weights."""
        for block in self.layers.values():
            if isinstance(block, SpikingBlock) and block.norm is not None:
                block.norm.eval()

    def effective_layers(self) -> list[EffectiveLayer]:
        """The very numbers that the eval-mode forward pass computes with, as float64."""
        return [_effective(geometry, cast(SpikingBlock, self.layers[geometry.name])) for geometry in self.geometry]


def synapse_geometry(name: str, synapse: Synapse, input_shape: tuple[int, ...], flatten_before: bool) -> Geometry:
    """The connection's geometry on an input of that shape; raises InputError if the two do not fit."""
    if isinstance(synapse, nn.Linear):
        if input_shape != (synapse.in_features,):
            raise InputError(f"{name} takes {synapse.in_features} features, but its input has shape {input_shape}")
        return Geometry(name, "dense", (1, 1), (0, 0), (1, 1), 1, flatten_before, (synapse.out_features,))
    if len(input_shape) != 3 or input_shape[0] != synapse.in_channels:
        raise InputError(f"{name} takes {synapse.in_channels} channels, but its input has shape {input_shape}")
    stride, padding, dilation, kernel = (
        _pair(pair) for pair in (synapse.stride, synapse.padding, synapse.dilation, synapse.kernel_size)
    )
    size = tuple(
        (n + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d, n in enumerate(input_shape[1:])
    )
    if min(size) < 1:
        raise InputError(f"{name} has a kernel larger than its input of shape {input_shape}")
    kind: LayerKind = "conv"
    shape = (synapse.out_channels, *size)
    return Geometry(name, kind, stride, padding, dilation, synapse.groups, flatten_before, shape)


def _named(blocks: Sequence[SpikingBlock | Flatten]) -> dict[str, nn.Module]:
    named: dict[str, nn.Module] = {}
    layers = 0
    for block in blocks:
        layers += isinstance(block, SpikingBlock)
        named[f"layer{layers}" if isinstance(block, SpikingBlock) else f"flatten{layers + 1}"] = block
    if not layers:
        raise InputError("a network needs at least one spiking layer")
    return named


def _geometry(input_shape: tuple[int, ...], layers: nn.ModuleDict) -> list[Geometry]:
    shape, flattened, found = input_shape, False, []
    for name, block in layers.items():
        if isinstance(block, SpikingBlock):
            found.append(synapse_geometry(name, block.synapse, shape, flattened))
            shape, flattened = found[-1].output_shape, False
        else:
            shape, flattened = (int(np.prod(shape)),), True
    return found


def _effective(geometry: Geometry, block: SpikingBlock) -> EffectiveLayer:
    layer = block.tensors()
    shape = geometry.output_shape
    return EffectiveLayer(
        **vars(geometry),
        weight=_array(layer.weight),
        bias=_array(layer.bias),
        du=_per_neuron(layer.du, shape),
        dv=_per_neuron(layer.dv, shape),
        vth=_per_neuron(layer.vth, shape),
        weight_bits=None if block.chip is None else block.chip.weight_bits,
    )


def _per_neuron(value: Tensor, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = _array(value)
    return array if array.ndim == 0 else np.broadcast_to(array, shape).copy()


def _array(value: Tensor) -> NDArray[np.float64]:
    return np.asarray(value.detach().cpu().numpy(), dtype=np.float64)


def _pair(value: object) -> tuple[int, int]:
    height, width = cast("tuple[int, int]", value)
    return int(height), int(width)
