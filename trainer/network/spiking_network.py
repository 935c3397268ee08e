"""Spiking networks: blocks that read the outputs of earlier ones, by default of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from spikeport.common.errors import InputError

from .blocks import Flatten, Join, SpikingBlock
from .inference_layers import Geometry, InferenceJoin, InferenceLayer, InferenceSynapse
from .readout_block import ReadoutBlock
from .topology import Wired

__all__ = ["Flatten", "Join", "SpikingBlock", "SpikingNetwork"]

KINDS: dict[type[nn.Module], str] = {SpikingBlock: "layer", Join: "join", Flatten: "flatten"}


class SpikingNetwork(Wired):
    """Blocks by name, ordered so that each reads only earlier ones.

    input_shape: of one sample in one step; dt: seconds per step; payload: the largest input value, by which the input
    is divided. registers: of layers that were trained in integers of another kind than Loihi's, by name, as that
    training chose them (exporter/trainable/own_integers.py). blocks: by name, or a sequence, whose SpikingBlocks are
    then called "layer1", "layer2", ...; reads: see Wired. Raises InputError if a block does not fit its input.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        blocks: Sequence[nn.Module] | Mapping[str, nn.Module],
        dt: float = 1e-3,
        reads: Mapping[str, Sequence[str]] | None = None,
        payload: int = 1,
    ) -> None:
        super().__init__(input_shape, blocks if isinstance(blocks, Mapping) else _named(blocks), reads)
        self.dt = float(dt)
        self.payload = payload
        self.registers: Mapping[str, Mapping[str, NDArray[Any]]] = {}

    def spiking_blocks(self) -> Iterator[tuple[str, SpikingBlock]]:
        """The layers of neurons by name."""
        return ((name, block) for name, block in self.layers.items() if isinstance(block, SpikingBlock))

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """Spikes of every layer by name, each (T, B, *output_shape), for input spikes x of (T, B, *input_shape).

        Of a readout, its voltages.
        """
        if x.dim() < 2 or tuple(x.shape[2:]) != self.input_shape:
            raise InputError(f"the network takes (T, batch, *{self.input_shape}), not an input of {tuple(x.shape)}")
        values = self.evaluate(self.scale_input(x))
        return {name: values[name] for name, _ in self.spiking_blocks()}

    def scale_input(self, x: Tensor) -> Tensor:
        """The network's input in floating point, divided by the largest payload."""
        values = x.to(next(self.parameters()).dtype)
        return values if self.payload == 1 else values / self.payload

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of the last layer, or its voltages, (T, B, classes)."""
        return list(self.run(x).values())[-1]

    @property
    def readout(self) -> ReadoutBlock | None:
        """The output layer if it sends voltages."""
        last = self.layers[self.geometry[-1].name]
        return last if isinstance(last, ReadoutBlock) else None

    @property
    def has_chosen_bits(self) -> bool:
        """Whether the bits of the layers' weights were chosen in training (bit_allocation.py)."""
        return any(block.has_chosen_bits for _, block in self.spiking_blocks())

    def freeze_norms(self) -> None:
        """Stop gathering batch statistics; from here on training also uses the folded (and rounded) weights."""
        for _, block in self.spiking_blocks():
            for norm in (block.norm, block.shortcut_norm):
                if norm is not None:
                    norm.eval()

    def inference_layers(self) -> list[InferenceLayer]:
        """The exact parameters of the eval-mode forward pass, as float64."""
        return [self._inference_layer(geometry) for geometry in self.geometry]

    def inference_joins(self) -> list[InferenceJoin]:
        """The joins that emit spikes (AND, IAND); sums (ADD) are in the `sources` of the layers that read them."""
        return [
            InferenceJoin(name, join.kind, *self.joined(name), self.shape_of(name))
            for name, join in self.layers.items()
            if isinstance(join, Join) and join.kind != "add"
        ]

    def _inference_layer(self, geometry: Geometry) -> InferenceLayer:
        block = cast(SpikingBlock, self.layers[geometry.name])
        layer, readout = block.tensors(), isinstance(block, ReadoutBlock)
        shape = geometry.output_shape
        read = self.shortcut_geometry(geometry.name)
        shortcut = None
        if read is not None and layer.shortcut is not None:
            shortcut = InferenceSynapse(**vars(read), weight=_array(layer.shortcut))
        return InferenceLayer(
            **vars(geometry),
            weight=_array(layer.weight),
            bias=_array(layer.bias),
            current_decay=_per_neuron(layer.current_decay, shape),
            voltage_decay=_per_neuron(layer.voltage_decay, shape),
            threshold=_per_neuron(layer.threshold, shape),
            weight_bits=None if block.chip is None else block.chip.weight_bits,
            recurrent=None if layer.recurrent is None else _array(layer.recurrent),
            shortcut=shortcut,
            delays=None if block.delays is None else block.delays.steps().cpu().numpy(),
            chip_vth=None if layer.chip is None or readout else layer.chip.vth,
            readout=readout,
            chip_scale=layer.chip.scale if readout and layer.chip is not None else None,
            registers=self.registers.get(geometry.name, {}),
        )


def sent_on_chip(network: SpikingNetwork, output: Tensor) -> tuple[NDArray[Any], float]:
    """The network's output as the chip sends it, and the value of 1 in the network's units.

    A readout that was trained in the chip's integers gives those, int32; any other output is sent as it is, float64.
    """
    values, readout = output.cpu().double().numpy(), network.readout
    scale = None if readout is None else readout.scale
    return (values, 1.0) if scale is None else (np.rint(values * scale).astype(np.int32), 1.0 / scale)


def _named(blocks: Sequence[nn.Module]) -> dict[str, nn.Module]:
    named: dict[str, nn.Module] = {}
    layers = 0
    for block in blocks:
        layers += isinstance(block, SpikingBlock)
        # a Flatten is named after the next layer
        named[f"{KINDS[type(block)]}{layers + isinstance(block, Flatten)}"] = block
    return named


def _per_neuron(value: Tensor, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = _array(value)
    return array if array.ndim == 0 else np.broadcast_to(array, shape).copy()


def _array(value: Tensor) -> NDArray[np.float64]:
    return np.asarray(value.detach().cpu().numpy(), dtype=np.float64)
