"""The parts of a spiking network: a layer of neurons with its synapses, a join of spike trains, flattening."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor, autocast, nn, zeros

from spikeport.common.errors import InputError
from spikeport.trainer.neuron_step.chip_step import chip_input
from spikeport.trainer.neuron_step.fire_normalised import normalise
from spikeport.trainer.neuron_step.neurons import CubaLIF
from spikeport.trainer.neuron_step.quantise import ChipAware, ChipScale, LayerTensors, RememberedRounding

from .delays import Delays
from .exact_convolution import Convolve, exact_convolution
from .fold_batch_norm import BatchNorm, Synapse, apply_synapse, fold_norm
from .pooling import PoolKind, pooled

JoinKind = Literal["add", "and", "iand"]
JOINS: tuple[JoinKind, ...] = ("add", "and", "iand")


class Flatten(nn.Module):
    """(T, B, C, H, W) to (T, B, C * H * W), after pooling of pool x pool."""

    def __init__(self, pool: int = 1, pool_kind: PoolKind = "average") -> None:
        super().__init__()
        self.pool = pool
        self.pool_kind = pool_kind

    def forward(self, spikes: Tensor) -> Tensor:
        """The same spikes, one dimension per sample."""
        return pooled(spikes, self.pool, self.pool_kind).flatten(2)


class Join(nn.Module):
    """Joins two spike trains a and x element by element: ADD a + x, AND a x, IAND (1 - a) x.

    AND and IAND of spikes (0 or 1) are spikes again; ADD returns 0 to 2, which only a synapse can read.
    Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021.
    """

    def __init__(self, kind: JoinKind) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, a: Tensor, x: Tensor) -> Tensor:
        """The joined train, of the shape of both."""
        if self.kind == "add":
            return a + x
        return a * x if self.kind == "and" else (1 - a) * x


class SpikingBlock(nn.Module):
    """One layer: synapses, batch norm on the filtered current (optional), neuron.

    u[t] = u[t-1] (1 - current_decay) + W s_in[t];  i[t] = BN(u[t]), or u[t] + bias without it;  then the membrane.

    synapse: nn.Linear or nn.Conv2d with bias=False (the bias belongs to v, not to the synapse); pool, pool_kind: s_in
    is pooled over pool x pool first (pooling.py). Two more synapses may add to u, each optional:
    recurrent: V s[t-1], the layer's own spikes one step earlier, not normalised (dense layers; nn.Linear without bias);
    shortcut: a second input of the block, BN'(R s_skip[t]) with a batch norm of its own, or without one.
    delays: of s_in, learned (dense layers; delays.py).
    Batch norm has statistics over time and batch, per feature or channel. While it gathers them (norm.training) the
    forward pass uses the batch's; otherwise it computes with `tensors()`, where batch norm is folded into W and bias.
    chip: if given, compute with the chip's integers (chip_step.py), so that the chip produces the same spikes; with
    `chooses_bits` its bits are those that `choose_bits` sets, once it has.
    biased: whether the bias is trained; else it is 0.
    Raises InputError for a synapse with its own bias or an impossible combination.
    """

    bias: nn.Parameter | None
    _chosen_bits: Tensor | None

    def __init__(
        self,
        synapse: Synapse,
        neuron: CubaLIF,
        norm: BatchNorm | None = None,
        chip: ChipAware | None = None,
        *,
        pool: int = 1,
        pool_kind: PoolKind = "average",
        recurrent: nn.Linear | None = None,
        shortcut: Synapse | None = None,
        shortcut_norm: BatchNorm | None = None,
        delays: Delays | None = None,
        chooses_bits: bool = False,
        biased: bool = True,
    ) -> None:
        super().__init__()
        if any(s is not None and s.bias is not None for s in (synapse, recurrent, shortcut)):
            raise InputError("a synapse of a spiking block must have bias=False; the block adds the bias to v")
        if recurrent is not None and (isinstance(synapse, nn.Conv2d) or not _joins(recurrent, synapse)):
            raise InputError(
                "recurrent synapses join the neurons of a dense layer; their inputs and outputs must equal its size"
            )
        if delays is not None and isinstance(synapse, nn.Conv2d):
            raise InputError("delays are learned for dense layers only")
        self.synapse = synapse
        self.recurrent = recurrent
        self.shortcut = shortcut
        self.norm = norm
        self.shortcut_norm = shortcut_norm
        self.neuron = neuron
        self._planned_chip = chip
        self.register_buffer("_chosen_bits", torch.zeros((), dtype=torch.int64) if chooses_bits else None)
        self._rounding = RememberedRounding()
        self.pool = pool
        self.pool_kind = pool_kind
        self.delays = delays
        self.bias = None if norm is not None else nn.Parameter(zeros(synapse.weight.shape[0]), biased)

    @property
    def chip(self) -> ChipAware | None:
        """The rounding target, None in floating point."""
        if self._planned_chip is None or not self.has_chosen_bits:
            return self._planned_chip
        return replace(self._planned_chip, weight_bits=int(cast(Tensor, self._chosen_bits)))

    @chip.setter
    def chip(self, target: ChipAware | None) -> None:
        self._planned_chip = target

    @property
    def has_chosen_bits(self) -> bool:
        """Whether `choose_bits` has been called, now or before the parameters were stored."""
        return self._chosen_bits is not None and bool(self._chosen_bits)

    def choose_bits(self, bits: int) -> None:
        """Set the bits of the weights, which are stored with the parameters."""
        if self._chosen_bits is not None:
            self._chosen_bits.fill_(bits)

    def tensors(self) -> LayerTensors:
        """The block's parameters outside batch-norm training: folded and, if chip-aware, rounded."""
        layer, chip = self.folded(), self.chip
        return layer if chip is None else self.rounded(layer, chip)

    def rounded(self, layer: LayerTensors, chip: ChipAware) -> LayerTensors:
        """The parameters on the chip's grid."""
        return self._rounding(layer, chip)

    def folded(self) -> LayerTensors:
        """The block's parameters with batch norm folded, not rounded."""
        weight, bias = fold_norm(self.synapse.weight, self.norm) if self.norm else (self.synapse.weight, self._bias())
        shortcut = None if self.shortcut is None else self.shortcut.weight
        if shortcut is not None and self.shortcut_norm is not None:
            shortcut, more = fold_norm(shortcut, self.shortcut_norm)
            bias = bias + more
        recurrent = None if self.recurrent is None else self.recurrent.weight
        current_decay, voltage_decay = self.neuron.current_decay(), self.neuron.voltage_decay()
        return LayerTensors(weight, bias, current_decay, voltage_decay, self.neuron.threshold, recurrent, shortcut)

    def forward(self, spikes: Tensor, skip: Tensor | None = None) -> Tensor:
        """Spikes (T, B, *output) for spikes (T, B, *input), and those of the shortcut if there is one."""
        spikes = pooled(spikes, self.pool, self.pool_kind)
        if self.norm is not None and self.norm.training:
            return self._normalised(spikes, skip)
        return self._folded_pass(spikes, skip)

    def _bias(self) -> Tensor:
        return cast(Tensor, self.bias)

    def _normalised(self, spikes: Tensor, skip: Tensor | None) -> Tensor:
        current_decay, voltage_decay = self.neuron.current_decay(), self.neuron.voltage_decay()
        summed = self._connected(self.synapse.weight, spikes)
        if self.shortcut is None and self.recurrent is None:
            return self.neuron.fire_normalised(
                self.neuron.current(summed, current_decay), cast(BatchNorm, self.norm), voltage_decay
            )
        current = normalise(self.neuron.current(summed, current_decay), self.norm)
        if self.shortcut is not None:
            past = connect(self.shortcut, self.shortcut.weight, cast(Tensor, skip))
            current = current + normalise(self.neuron.current(past, current_decay), self.shortcut_norm)
        weights = None if self.recurrent is None else self.recurrent.weight
        if weights is None:
            return self.neuron.fire(current, voltage_decay, self.neuron.threshold)
        return self.neuron.fire_recurrent(current, weights, current_decay, voltage_decay, self.neuron.threshold)

    def _connected(self, weight: Tensor, spikes: Tensor, convolve: Convolve = nn.functional.conv2d) -> Tensor:
        if self.delays is not None:
            return self.delays.connect(weight, spikes)
        return connect(self.synapse, weight, spikes, convolve)

    def _folded_pass(self, spikes: Tensor, skip: Tensor | None) -> Tensor:
        layer = self.tensors()
        # while delays are learned, fractions of spikes arrive, which the chip's integers cannot represent
        if layer.chip is not None and (self.delays is None or self.delays.whole):
            summed = self.chip_input(spikes, layer, layer.chip, skip)
            return self.neuron.run_chip(summed, layer, layer.chip).spikes
        summed = self._connected(layer.weight, spikes)
        if self.shortcut is not None and layer.shortcut is not None:
            summed = summed + connect(self.shortcut, layer.shortcut, cast(Tensor, skip))
        return self.fire(summed, layer)

    def chip_input(self, spikes: Tensor, layer: LayerTensors, chip: ChipScale, skip: Tensor | None = None) -> Tensor:
        """Sum over the chip's synapses from other layers, whole numbers (T, B, *output), for pooled spikes."""
        aware = cast(ChipAware, self.chip)
        convolve = exact_convolution(spikes.device.type)
        # 16 bit would round the sums
        with autocast(spikes.device.type, enabled=False):
            connected = partial(self._connected, convolve=convolve)
            summed = chip_input(connected, layer.weight, chip, "weight", aware.fan_in.copies, spikes)
            if self.shortcut is not None and layer.shortcut is not None:
                connected = partial(connect, self.shortcut, convolve=convolve)
                past = cast(Tensor, skip)
                summed = summed + chip_input(connected, layer.shortcut, chip, "shortcut", aware.shortcut.copies, past)
        return summed

    def fire(self, summed: Tensor, layer: LayerTensors) -> Tensor:
        """Spikes for the summed input from other layers, (T, B, *output); layer: as `tensors()` returns it.

        summed: is overwritten, see dynamics.integrate_and_fire_over.
        """
        current = self.neuron.current(summed, layer.current_decay)
        bias = layer.bias.view(-1, *[1] * (current.dim() - 3))
        if layer.recurrent is None:
            return self.neuron.fire(current, layer.voltage_decay, layer.threshold, bias)
        return self.neuron.fire_recurrent(
            current + bias, layer.recurrent, layer.current_decay, layer.voltage_decay, layer.threshold
        )


def connect(synapse: Synapse, weight: Tensor, spikes: Tensor, convolve: Convolve = nn.functional.conv2d) -> Tensor:
    """Apply a synapse with these weights to spikes (T, B, *input): (T, B, *output)."""
    summed = apply_synapse(synapse, weight, spikes.flatten(0, 1), convolve)
    # not a view: a convolution's result may have another memory order; a product in 16 bit is summed over time in 32
    return summed.reshape(*spikes.shape[:2], *summed.shape[1:]).to(weight.dtype)


def _joins(recurrent: nn.Linear, synapse: Synapse) -> bool:
    outputs = synapse.weight.shape[0]
    return recurrent.weight.shape == (outputs, outputs)
