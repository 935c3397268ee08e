"""TSSL-BP: temporal spike sequence learning, with errors at firing times only, for few steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.trainer.methods.spike_trains.firing_times import fire
from spikeport.trainer.network.blocks import Flatten, SpikingBlock, connect
from spikeport.trainer.network.pooling import pooled
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.neuron_step.dynamics import filter_current
from spikeport.trainer.neuron_step.fire_normalised import normalise
from spikeport.trainer.settings.options import RECIPE_RULES

from .feed_forward import feed_forward_blocks
from .method import Method

SHORT = 10


@dataclass(frozen=True)
class TsslBpOptions:
    """Options of tssl_bp.

    loss: "kernel" (post-synaptic potentials against those of the target spike train), "count" (rates against target
    rates, without an error beyond them) or "softmax" (cross entropy of the counts), as in the authors' code, but that
    "count" and "softmax" read the outputs' spikes, not their potentials a / tau_s: over time these sum to the counts
    less what is left after the last step.
    desired, undesired: target rates of the label's output and of the others, for "count". Raises InputError.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    loss: Literal["kernel", "count", "softmax"] = "kernel"
    desired: float = 0.8
    undesired: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.undesired < self.desired <= 1:
            raise InputError(
                f"desired and undesired are rates, 0 <= undesired < desired <= 1, not {self.desired}, {self.undesired}"
            )


class TsslBp(Method):
    """Propagates errors between neurons through the post-synaptic potential of each spike, by its firing time.

    The spike train s of neuron j acts on its targets as the post-synaptic potential a_j[t] = a_j[t-1] (1 - 1/tau_s) +
    s_j[t]; a neuron's potential is v_i[t] = v_i[t-1] (1 - 1/tau_m) + sum over j of w_ij a_j[t], reset to 0 by a spike:
    the chip's step with current_decay = 1/tau_s, voltage_decay = 1/tau_m (the authors divide a by tau_s, which the
    weights absorb here).
    The error of a spike is the effect of all its later potentials a[k], k >= t (inter-neuron), plus the effect of its
    reset on the neuron's own later firings (intra-neuron): see firing_times.fire for the rule and the warm-up.
    Loss "kernel": 1/2 sum over t, i of (a_i[t] - d_i[t])**2 / tau_s**2, d the potential of the target train: the
    label's output fires in four of five steps (below 10 steps) or every second one, the others are silent.

    Differences from the paper: batch norm and bias are allowed (the paper has neither); images enter as spikes of the
    recipe's encoding (the authors add the pixel's value to a at every step); pooling averages (theirs sums, times 1.1
    or trained weights). No recurrent layers, as in the paper.
    Source: Zhang & Li, Temporal Spike Sequence Learning via Backpropagation for Deep Spiking Neural Networks, NeurIPS
    2020 (arXiv:2002.10085). Only its first pages were available, so equations refer to the authors' code,
    stonezwr/TSSL-BP: potentials and both dependencies TSSLBP.forward and .backward in functions/tsslbp.py, losses
    functions/loss_f.py, target trains main.py.
    """

    name: ClassVar[str] = "tssl_bp"
    Options: ClassVar[type] = TsslBpOptions

    def build(self, input_shape: tuple[int, ...], classes: int) -> SpikingNetwork:
        """See Method.build; raises InputError for recurrent layers, joins and trained decays."""
        if self.network_config.train_decays:
            raise InputError("method 'tssl_bp' trains weights only; leave train_decays out")
        network = super().build(input_shape, classes)
        for block in feed_forward_blocks(network, self.name):
            if isinstance(block, SpikingBlock) and block.recurrent is not None:
                raise InputError(
                    "method 'tssl_bp' trains feed-forward layers only; use st_rsbp or bptt for recurrent ones"
                )
        return network

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        """See TsslBpOptions.loss; a scalar, the mean over the batch."""
        spikes = network.scale_input(x)
        blocks = feed_forward_blocks(network, self.name)
        decays = [block.neuron.current_decay() for block in blocks if isinstance(block, SpikingBlock)]
        # a spike's potential is that of the synapses that read it; the loss reads the output's
        next_decay = iter([*decays[1:], decays[-1]])
        for block in blocks:
            spikes = block(spikes) if isinstance(block, Flatten) else _layer(block, spikes, next(next_decay))
        return self._distance(spikes, y, decays[-1])

    def _distance(self, spikes: Tensor, y: Tensor, current_decay: Tensor) -> Tensor:
        options = self.options
        label = nn.functional.one_hot(y, spikes.shape[2])
        if options.loss == "softmax":
            smoothing = self.train_config.label_smoothing
            return nn.functional.cross_entropy(spikes.sum(0), y, label_smoothing=smoothing)
        if options.loss == "count":
            target = torch.where(label > 0, options.desired, options.undesired)
            error = spikes.mean(0) - target
            error = torch.where((label > 0) == (error > 0), 0.0, error)
            return 0.5 * len(spikes) * error.square().sum(1).mean()
        train = desired_spikes(len(spikes)).to(spikes).view(-1, 1, 1) * label
        return 0.5 * (current_decay * filter_current(spikes - train, current_decay)).square().sum((0, 2)).mean()


def desired_spikes(steps: int) -> Tensor:
    """The target train of the label's output, (T,): four of five steps below 10 steps, else every second step."""
    step = torch.arange(steps)
    return (step % 5 > 0).float() if steps < SHORT else (step % 2 > 0).float()


def _layer(block: SpikingBlock, spikes: Tensor, next_decay: Tensor) -> Tensor:
    spikes = pooled(spikes, block.pool, block.pool_kind)
    layer = block.tensors()
    if block.norm is not None and block.norm.training:
        current = block.neuron.current(connect(block.synapse, block.synapse.weight, spikes), layer.current_decay)
        current = normalise(current, block.norm)
        return fire(current, next_decay, layer.voltage_decay, layer.threshold)
    run = None
    if layer.chip is None:
        summed = connect(block.synapse, layer.weight, spikes)
    else:
        words = block.chip_input(spikes, layer, layer.chip)
        summed = words * (STATE_UNIT / layer.chip.scale)
        with torch.no_grad():
            run = block.neuron.run_chip(words, layer, layer.chip)
    current = block.neuron.current(summed, layer.current_decay)
    current = current + layer.bias.view(-1, *[1] * (current.dim() - 3))
    return fire(current, next_decay, layer.voltage_decay, layer.threshold, run)
