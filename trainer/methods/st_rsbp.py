"""ST-RSBP: backpropagation at the level of whole spike trains, exact at that level through recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.initialisation.reservoir import reservoir_mask
from spikeport.trainer.methods.spike_trains.s_psp import LEAST_SLOPE, direct_counts, output_counts, synaptic_input
from spikeport.trainer.methods.spike_trains.spike_trains import Trains
from spikeport.trainer.network.blocks import Flatten, SpikingBlock
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.neuron_step.quantise import LayerTensors
from spikeport.trainer.settings.options import RECIPE_RULES

from .feed_forward import feed_forward_blocks, refuse_max_pooling
from .method import Method
from .regularise import exponential_penalty


@dataclass(frozen=True)
class StRsbpOptions:
    """Options of st_rsbp.

    desired, undesired: target counts of the label's output and of the others, as shares of the steps; margin: errors
    below this share of the steps are ignored; too large a margin for a short sample slows training (docs/methods.md);
    least_slope: see s_psp.output_counts.
    recurrent_scale: factor of the initial recurrent weights; at 1 they are as large as those of an input;
    train_recurrent: false keeps recurrent weights as drawn, a reservoir; reservoir: the neurons of recurrent layers
    form a grid of this size in x, y and z, with synapses only between near ones (see reservoir_mask); None: all to all.
    weight_gradient: of recurrent layers, "system": exact at the level of spike trains, through the linear system;
    "direct": the authors' code, in which a weight acts on its own neuron only (s_psp.direct_counts).
    weight_lambda, weight_beta, weight_limit: exponential penalty of large weights, see exponential_penalty.
    Raises InputError.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    desired: float = 0.5
    undesired: float = 0.05
    margin: float = 0.05
    least_slope: float = LEAST_SLOPE
    recurrent_scale: float = 0.1
    train_recurrent: bool = True
    reservoir: tuple[int, int, int] | None = None
    weight_gradient: Literal["system", "direct"] = "system"
    weight_lambda: float = 0.0
    weight_beta: float = 0.04
    weight_limit: float = 8.0

    def __post_init__(self) -> None:
        if not 0 <= self.undesired < self.desired <= 1:
            raise InputError(
                f"desired and undesired are shares, 0 <= undesired < desired <= 1, not {self.desired}, {self.undesired}"
            )
        for name in ("least_slope", "weight_beta", "weight_limit"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("margin", "recurrent_scale", "weight_lambda"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")


class StRsbp(Method):
    """Differentiates spike counts, not spikes, through the potential of whole trains at the firing times.

    Loss: 1/2 sum over outputs of (o - y)**2 (3), o the count, y its target, 0 within the margin (divided here by the
    steps and the batch); its errors are (4) to (6). s_psp.py defines how counts depend on weights and on the counts of
    the layer before, in feed-forward and recurrent layers, and the linear system that makes the gradient through a
    recurrent layer exact without unfolding in time.
    A silent output of the label is given evenly spaced spikes, as in the authors' code; otherwise no error reaches it.

    Differences from the paper: no refractory time (2 steps there); outputs do not inhibit each other; a bias is added
    to v; the derivative of the S-PSP by the neuron's own count has a closed form instead of a fit to simulated trains;
    least_slope is larger than the code's 1e-4, with which single samples dominate the batch; neurons of a recurrent
    layer whose linear system would diverge are damped (s_psp.recurrent_system): layers of 48 and 32 recurrent neurons
    with recurrent_scale 1 stay at 0.84 on digits without this and reach 0.96 with it. Batches may have any size (one
    sample there).
    Source: Zhang & Li, Spike-Train Level Backpropagation for Training Deep Recurrent Spiking Neural Networks, NeurIPS
    2019, equation numbers of arXiv:1908.06378. From the authors' code, stonezwr/ST-RSBP: the margin is
    g_getDelta_output in layers/Spiking.cu, the spikes of a silent label g_modifySpikes there; the linear system
    g_Reservoir_effect_ratio_LHS and _RHS in layers/Reservoir.cu.
    """

    name: ClassVar[str] = "st_rsbp"
    Options: ClassVar[type] = StRsbpOptions

    def build(self, input_shape: tuple[int, ...], classes: int) -> SpikingNetwork:
        """See Method.build; raises InputError for joins, batch norm, trained decays, or a wrong reservoir."""
        config = self.network_config
        if config.batch_norm or config.train_decays:
            raise InputError(
                "method 'st_rsbp' trains weights and biases only; set batch_norm and train_decays to false"
            )
        refuse_max_pooling(self.network_config, self.name)
        network = super().build(input_shape, classes)
        sides = self.options.reservoir
        for recurrent in self._recurrent(network):
            neurons = len(recurrent.weight)
            mask = torch.ones(neurons, neurons) if sides is None else reservoir_mask(sides, neurons)
            with torch.no_grad():
                recurrent.weight.mul_(self.options.recurrent_scale * mask)
        return network

    def prepare(self, network: SpikingNetwork, dataset: Dataset) -> None:  # noqa: ARG002
        """Keep recurrent weights of 0 (no synapse) at 0; a fixed reservoir is not trained at all."""
        for recurrent in self._recurrent(network):
            mask = (recurrent.weight != 0).to(recurrent.weight)
            recurrent.weight.register_hook(partial(torch.mul, mask))  # type: ignore[no-untyped-call]
            recurrent.weight.requires_grad_(self.options.train_recurrent)

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        """The rate-coded loss of the class docstring plus the penalty of the weights, a scalar."""
        options, blocks = self.options, feed_forward_blocks(network, self.name)
        spikes = network.scale_input(x)
        trains = Trains(spikes, spikes.sum(0))
        for block in blocks:
            if isinstance(block, Flatten):
                trains = trains.through(block)
            else:
                trains = self._layer(block, trains, y if block is blocks[-1] else None)
        steps = len(x)
        target = torch.full_like(trains.level, options.undesired * steps)
        target = target.scatter(1, y[:, None], options.desired * steps)
        error = trains.level - target
        error = torch.where(error.detach().abs() > options.margin * steps, error, 0.0)
        return 0.5 * error.square().sum(1).mean() / steps + self._penalty(network)

    def _layer(self, block: SpikingBlock, before: Trains, label: Tensor | None) -> Trains:
        options, layer, before = self.options, block.tensors(), before.through(block)
        summed = synaptic_input(block.synapse, layer.weight, before)
        with torch.no_grad():
            fired = _fired(block, layer, before, summed)
        forced = None if label is None else forced_spikes(fired, label, round(options.desired * len(fired)))
        if layer.recurrent is not None and options.weight_gradient == "direct":
            counts = direct_counts(block.synapse, layer, before, fired, forced, options.least_slope)
        else:
            counts = output_counts(block.synapse, layer, before, summed, fired, forced, options.least_slope)
        return Trains(fired, counts)

    def _penalty(self, network: SpikingNetwork) -> Tensor:
        options: StRsbpOptions = self.options
        total = torch.zeros(())
        for _, block in network.spiking_blocks() if options.weight_lambda else ():
            weights = [synapse.weight for synapse in (block.synapse, block.recurrent) if synapse is not None]
            weight = torch.cat([each.flatten(1) for each in weights], 1)
            share = weight / options.weight_limit / (weight.shape[1] + 1) ** 0.5
            total = total + options.weight_lambda * exponential_penalty(share, options.weight_beta)
        return total

    def _recurrent(self, network: SpikingNetwork) -> list[nn.Linear]:
        return [block.recurrent for _, block in network.spiking_blocks() if block.recurrent is not None]


def _fired(block: SpikingBlock, layer: LayerTensors, before: Trains, summed: Tensor) -> Tensor:
    if layer.chip is None:
        return block.fire(summed.clone(), layer)
    return block.neuron.run_chip(block.chip_input(before.spikes, layer, layer.chip), layer, layer.chip).spikes


def forced_spikes(fired: Tensor, label: Tensor, count: int) -> Tensor:
    """The output's spikes (T, B, classes), with `count` evenly spaced ones where the label's neuron was silent."""
    steps = len(fired)
    interval = max(steps // max(count, 1), 1)
    spaced = torch.zeros(steps, 1, 1, dtype=fired.dtype, device=fired.device)
    spaced[interval - 1 :: interval] = 1
    is_label = nn.functional.one_hot(label, fired.shape[2])
    return fired + spaced * is_label * (fired.sum(0) == 0)
