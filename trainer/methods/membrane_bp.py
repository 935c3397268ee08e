"""Backpropagation on low-passed spike trains and membrane potentials; jumps at spikes are treated as noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.spike_trains.low_passed import factors, output_rates
from spikeport.trainer.methods.spike_trains.spike_trains import Trains, zero_with_gradient
from spikeport.trainer.network.blocks import Flatten, SpikingBlock
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.settings.options import RECIPE_RULES

from .feed_forward import feed_forward_blocks, refuse_max_pooling
from .method import Method
from .regularise import exponential_penalty

# thresholds stay above this share of their initial value
LEAST_THRESHOLD = 0.1


@dataclass(frozen=True)
class MembraneBpOptions:
    """Options of membrane_bp.

    alpha: initial threshold over the bound of the initial weights; inhibition, output_inhibition: what a spike takes
    from the other neurons of its hidden or output layer, as a share of the threshold, 0 for none (dense layers only);
    weight_lambda, weight_beta: penalty of weights; threshold_rho: balance of thresholds; normalise_errors: the paper's
    error normalisation; desired: target rate of the label's output. Raises InputError.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    alpha: float = 4.0
    inhibition: float = 0.0
    output_inhibition: float = 0.0
    weight_lambda: float = 1e-4
    weight_beta: float = 1.0
    threshold_rho: float = 1e-5
    normalise_errors: bool = True
    desired: float = 0.5

    def __post_init__(self) -> None:
        if not self.alpha > 1:
            raise InputError(f"alpha must be above 1, or a single input spike fires every neuron, not {self.alpha}")
        for name in ("inhibition", "output_inhibition"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is a share of the threshold from 0 to below 1, not {getattr(self, name)}")
        for name in ("weight_lambda", "weight_beta", "threshold_rho"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if not 0 < self.desired <= 1:
            raise InputError(f"desired is a rate above 0 up to 1, not {self.desired}")


class MembraneBp(Method):
    """Rates and potentials are differentiated as if v did not jump at spikes: low_passed.py, equations (3) to (8).

    Start: weights of M inputs uniform in +- sqrt(3 / M), thresholds alpha sqrt(3 / M) (9), trained with the weights
    (one per neuron; one for a whole convolution, whose kernel is shared). Errors are normalised by (11) and (12).
    Winner-take-all circuits inside a layer: negative recurrent synapses, -inhibition times the initial threshold, not
    trained. Loss (section 6): 1/2 sum over outputs of (rate - target)**2 plus weight_lambda exponential_penalty(w,
    weight_beta) (13) plus the balance of thresholds (section 5.2): where W of N neurons fired, their thresholds rise in
    proportion to N and all fall in proportion to W, so that the mean stays and silent neurons become active.

    Differences from the paper, due to the chip: reset to zero, where the paper subtracts the threshold (2); v has no
    lower bound (the paper: minus the threshold); no refractory time (1); inhibition acts one step later; a bias is
    added to v. Further differences: trains are low-passed and averaged over the presentation; the output's weights are
    also penalised. Errors compare rates with target rates; the paper compares counts divided by the largest count with
    one-hot labels, so that only the winner may spike, which overfitted in a test on 3000 images of MNIST. Training uses
    AdamW, the paper plain gradient descent or Adam, so error normalisation weights samples, not layers.
    Source: Lee, Delbruck & Pfeiffer, Training Deep Spiking Neural Networks Using Backpropagation, Frontiers in
    Neuroscience 10:508, 2016; equation and section numbers as in arXiv:1608.08782v1.
    """

    name: ClassVar[str] = "membrane_bp"
    Options: ClassVar[type] = MembraneBpOptions

    def build(self, input_shape: tuple[int, ...], classes: int) -> SpikingNetwork:
        """See Method.build; raises InputError for joins, recurrent layers, batch norm and trained decays."""
        config = self.network_config
        if config.batch_norm or config.train_decays:
            raise InputError(
                "method 'membrane_bp' trains weights, biases and thresholds; set batch_norm and train_decays to false"
            )
        refuse_max_pooling(self.network_config, self.name)
        network = super().build(input_shape, classes)
        blocks = [block for block in feed_forward_blocks(network, self.name) if isinstance(block, SpikingBlock)]
        if self.options.inhibition and not any(isinstance(block.synapse, nn.Linear) for block in blocks[:-1]):
            raise InputError(
                "inhibition is between the neurons of dense hidden layers, and there are none; leave it out"
            )
        for block in blocks:
            last = block is blocks[-1]
            self._start(block, self.options.output_inhibition if last else self.options.inhibition)
        return network

    def prepare(self, network: SpikingNetwork, dataset: Dataset) -> None:  # noqa: ARG002
        """Exclude lateral inhibition from training."""
        for _, block in network.spiking_blocks():
            if block.recurrent is not None:
                block.recurrent.weight.requires_grad_(False)

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        """The loss of the class docstring, a scalar."""
        blocks = feed_forward_blocks(network, self.name)
        spikes = network.scale_input(x)
        trains = Trains(spikes, spikes.mean(0))
        penalty = torch.zeros((), dtype=spikes.dtype, device=spikes.device)
        for block in blocks:
            if isinstance(block, Flatten):
                trains = trains.through(block)
            else:
                trains = self._layer(block, trains, y if block is blocks[-1] else None)
                penalty = penalty + self._penalty(block, trains.spikes)
        target = self.options.desired * nn.functional.one_hot(y, trains.level.shape[1])
        rates = trains.spikes.mean(0) + zero_with_gradient(trains.level)
        distance: Tensor = 0.5 * (rates - target).square().sum(1).mean()
        return distance + penalty

    def _start(self, block: SpikingBlock, inhibition: float) -> None:
        if block.recurrent is not None:
            raise InputError("method 'membrane_bp' trains no recurrent layers; use st_rsbp or bptt for them")
        weight = block.synapse.weight
        limit = math.sqrt(3 / weight[0].numel())
        nn.init.uniform_(weight, -limit, limit)
        dense = isinstance(block.synapse, nn.Linear)
        threshold = self.options.alpha * limit
        del block.neuron.vth
        block.neuron.vth = nn.Parameter(torch.full((len(weight),) if dense else (), threshold))
        if inhibition and dense:
            block.recurrent = nn.Linear(len(weight), len(weight), bias=False)
            with torch.no_grad():
                block.recurrent.weight.copy_(-inhibition * threshold * (1 - torch.eye(len(weight))))

    def _layer(self, block: SpikingBlock, before: Trains, label: Tensor | None) -> Trains:
        fan_in, neurons = block.synapse.weight[0].numel(), len(block.synapse.weight)
        with torch.no_grad():
            block.neuron.threshold.clamp_(min=LEAST_THRESHOLD * self.options.alpha * math.sqrt(3 / fan_in))
            fired = block(before.spikes)
        layer, before = block.tensors(), before.through(block)
        active = fired.sum(0) > 0
        if label is not None:
            # errors must reach the label's output even if it is silent
            active = active | nn.functional.one_hot(label, active.shape[1]).bool()
        gain, scale = layer.threshold.detach().reciprocal(), None
        if self.options.normalise_errors:
            gain = gain / gain.square().mean().sqrt()
            scale = factors(before.spikes, fan_in, neurons)
        return Trains(fired, output_rates(block.synapse, layer, before, fired, active, gain, scale))

    def _penalty(self, block: SpikingBlock, fired: Tensor) -> Tensor:
        options = self.options
        active = (fired.sum(0) > 0).to(fired).flatten(1)
        neurons = active.shape[1]
        pushed = (neurons * active - active.sum(1, keepdim=True)).mean(0)
        thresholds = cast(nn.Parameter, block.neuron.threshold).expand(neurons)
        weights = exponential_penalty(block.synapse.weight, options.weight_beta)
        # only the slope matters: the value itself would fall without bound
        balance = options.threshold_rho * (zero_with_gradient(thresholds) * pushed).sum()
        penalty: Tensor = options.weight_lambda * weights - balance
        return penalty
