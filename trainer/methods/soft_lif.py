"""Spiking networks trained as networks of softened LIF rates with noise, and run with spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from spikeport.common.errors import InputError
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.blocks import SpikingBlock, connect
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.pooling import pooled
from spikeport.trainer.network.readout_block import ReadoutBlock
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.network.topology import INPUT
from spikeport.trainer.neuron_step.fire_normalised import normalise
from spikeport.trainer.settings.checks import above_zero, at_least
from spikeport.trainer.settings.options import RECIPE_RULES
from spikeport.trainer.tasks.check import fitting_objective
from spikeport.trainer.tasks.registry import Objective

from .feed_forward import refuse_max_pooling
from .method import Method

LEAST_OVER = 1e-12
# how fast a waiting time shorter than a step approaches one step
_TO_LEAST = 3.0
# waiting time from which that is nothing
_LONG = 20.0
# softened input, in units of gamma, below which rates are 0: softplus(x) is far below LEAST_OVER
_LEAST_SOFT = -40.0


@dataclass(frozen=True)
class SoftLifOptions:
    """Options of soft_lif; raises InputError.

    gamma: softness of the rate curve in units of the threshold, 0 for the hard curve; noise: standard deviation of the
    noise on the rate of every hidden neuron whose current is above threshold, in spikes per step; refractory: steps
    between two spikes on top of the time to threshold. A neuron fires at the end of a step, half a step later than it
    must on average: 0.5 is the chip's neuron, within a few percent; the default of 1, a refractory step, is 5 to 45 %
    below it, and as accurate with spikes, or more so.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    gamma: float = 0.1
    noise: float = 0.05
    refractory: float = 1.0

    def __post_init__(self) -> None:
        at_least("gamma", self.gamma, 0)
        at_least("noise", self.noise, 0)
        above_zero("refractory", self.refractory)


def soft_lif_rate(current: Tensor, voltage_decay: Tensor, threshold: Tensor, gamma: float, refractory: float) -> Tensor:
    """Softened spike rate per step of LIF neurons under a constant current.

    r(j) = 1 / (t_ref + t)    (2)        t = t_rc log(1 + vth / rho(j - vth))
    rho(x) = gamma log(1 + exp(x / gamma))    (3)

    or rho(x) = max(x, 0) for gamma = 0, vth the threshold. In steps: t_rc = -1 / log(1 - voltage_decay), and
    j = i / voltage_decay is the steady-state voltage of the current i. Without softening, t is the exact time in which
    v[t] = v[t-1] (1 - voltage_decay) + i reaches the threshold. The chip's neuron takes that time rounded up to whole
    steps, t + 1/2 on average, but never less than one step: with t_ref < 1, t_ref + (1 - t_ref) exp(-3 t) is added
    instead of t_ref.

    current: i, (..., *neurons); voltage_decay, threshold: broadcast over *neurons; gamma: in units of the threshold.
    Source: Hunsberger & Eliasmith, Training Spiking Deep Networks for Neuromorphic Hardware, arXiv:1611.05141, 2016,
    section 2.2 (equation numbers).
    """
    over = current / (voltage_decay * threshold) - 1
    # bounded where the rate is 0 anyway: exponentials of less are subnormal numbers, which take ten times as long
    soft = softplus(over.clamp_min(gamma * _LEAST_SOFT), 1 / gamma) if gamma > 0 else over.clamp_min(0)
    # below this nothing fires within any run; the bound keeps the logarithm's slope finite
    waiting = torch.log1p(1 / soft.clamp_min(LEAST_OVER)) * (-1 / torch.log1p(-voltage_decay))
    least: float | Tensor = refractory
    if refractory < 1:
        least = refractory + (1 - refractory) * torch.exp(-_TO_LEAST * waiting.clamp_max(_LONG))
    return torch.where(soft > LEAST_OVER, 1 / (waiting + least), 0)


def above_threshold(current: Tensor, voltage_decay: Tensor, threshold: Tensor) -> Tensor:
    """True where a LIF neuron fires under this constant current, i / decay > threshold; bool (..., *neurons)."""
    return current > voltage_decay * threshold


def noisy_rate(rate: Tensor, fires: Tensor, noise: float) -> Tensor:
    """max(r + eta, 0) with eta ~ N(0, noise**2) where a neuron fires, r elsewhere; its gradient is that of r.

    fires: see `above_threshold`; eta is drawn from torch's generator. Returns (..., *neurons) as `rate`.
    Source: arXiv:1611.05141, section 2.3 (where j is 0 at threshold), and for the bound at 0 and the gradient
    SoftLifNeuron in the author's code, hunse/cuda-convnet2, cudaconvnet/include/neuron.cuh.
    """
    with torch.no_grad():
        # in the order of memory: in any other, torch draws one number at a time
        order = torch.empty_like(rate).stride()
        noisy = torch.randn(rate.numel(), dtype=rate.dtype, device=rate.device).as_strided(rate.shape, order)
        noise_added = noisy.mul_(noise).add_(rate).clamp_min_(0).sub_(rate).mul_(fires)
    return rate + noise_added


class SoftLif(Method):
    """The network is trained as a network of rates; replacing the activation makes it a spiking one.

    A layer's rates are r = f(BN(W r_in / c)) with f the softened rate curve (`soft_lif_rate`) and 1 / c the gain of the
    synaptic filter u[t] = u[t-1] (1 - c) + W s[t], c the current_decay (tau_s = -1 / log(1 - c) steps). Training adds
    noise where the current is above threshold (`noisy_rate`), which models the ripple of filtered spikes. Loss: cross
    entropy of rate times steps, the expected counts; or, for the task "membrane", of the voltage (W r / c + b) / d of
    an output layer without threshold, d its voltage_decay: the paper's readout, filtered spikes decoded by weights.
    At run time the same weights, filters and thresholds compute with spikes; rounding to the chip is trained as in
    every method. Rates and spikes differ only by the effects of discrete time and of the ripple.

    Differences from the paper, due to the chip: there is no refractory time but the step itself; outputs spike as well,
    unless the task is "membrane", and neurons reset to zero. A neuron waits whole steps, which the curve models only on
    average: keep rates low (vth well above the currents after batch norm, which are about 1), or spikes lose accuracy:
    on 10000 digits of MNIST, 7 points at vth = 1 and at most 1 at vth = 4. Recurrent layers have no such rate and are
    refused.
    Source: Hunsberger & Eliasmith, arXiv:1611.05141, 2016: rate curve equations 2 and 3, noise section 2.3, replacement
    section 2.4; the earlier Spiking Deep Networks with LIF Neurons is arXiv:1510.08829, 2015.
    """

    name: ClassVar[str] = "soft_lif"
    Options: ClassVar[type] = SoftLifOptions

    def build(self, input_shape: tuple[int, ...], classes: int) -> SpikingNetwork:
        """As Method.build; raises InputError for recurrent layers and for decays that have no rate curve."""
        config = self.network_config
        if any(layer.recurrent for layer in config.layers):
            raise InputError("method 'soft_lif' trains rates, and recurrent layers have none; leave recurrent out")
        if any(layer.delays != "none" for layer in config.layers):
            raise InputError("method 'soft_lif' trains rates, in which delays have no meaning; leave delays out")
        refuse_max_pooling(config, self.name)
        if not 0 < config.dv < 1 or not 0 < config.du <= 1:
            raise InputError(f"method 'soft_lif' needs 0 < dv < 1 and 0 < du, not {config.dv} and {config.du}")
        return super().build(input_shape, classes)

    @classmethod
    def check_task(cls, network: NetworkConfig, training: TrainConfig) -> Objective:
        """As Method.check_task; besides counts, the task "membrane" is trained, by voltages under constant rates."""
        return fitting_objective(cls.name, training.task != "membrane", network, training)

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        """Cross entropy of the expected output plus the spike penalty, for spikes (T, B, *input_shape)."""
        config = self.train_config
        rates = self.rates(network, network.scale_input(x).mean(0))
        counts = {name: rate * len(x) for name, rate in rates.items()}
        if network.readout is None:
            output = counts[network.geometry[-1].name]
            loss = nn.functional.cross_entropy(output, y, label_smoothing=config.label_smoothing)
        else:
            _, voltage = rates.popitem()
            counts.popitem()
            loss = self.objective.loss(voltage[None], y)
        return loss + config.sparsity.cost(counts, len(x))

    def rates(self, network: SpikingNetwork, x: Tensor) -> dict[str, Tensor]:
        """Rates of every layer by name, (B, *output_shape), for input rates x (B, *input_shape).

        Of a readout, the voltages that they lead to. In training mode with noise, from torch's generator.
        """
        # a rate is passed as a train of one step, so that joins, pooling and flattening work as for spikes
        values = {INPUT: x[None]}
        last = network.geometry[-1].name
        for name, module in network.layers.items():
            read = [values[source] for source in network.reads[name]]
            if not isinstance(module, SpikingBlock):
                values[name] = module(*read)
                continue
            noise = self.options.noise if network.training and name != last else 0.0
            values[name] = self._rate(module, noise, *read)
        return {name: values[name][0] for name, _ in network.spiking_blocks()}

    def _rate(self, block: SpikingBlock, noise: float, rates: Tensor, skip: Tensor | None = None) -> Tensor:
        options: SoftLifOptions = self.options
        current, voltage_decay, threshold = _current(block, pooled(rates, block.pool, block.pool_kind), skip)
        if isinstance(block, ReadoutBlock):
            return current / voltage_decay
        rate = soft_lif_rate(current, voltage_decay, threshold, options.gamma, options.refractory)
        return noisy_rate(rate, above_threshold(current, voltage_decay, threshold), noise) if noise > 0 else rate


def _current(block: SpikingBlock, rates: Tensor, skip: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The mean current of a block's neurons for its input rates, its voltage decay and its threshold."""
    neuron = block.neuron
    if block.norm is not None and block.norm.training:
        current_decay = neuron.current_decay()

        def normalised(synapse: nn.Linear | nn.Conv2d, norm: nn.Module | None, r: Tensor) -> Tensor:
            summed = connect(synapse, synapse.weight, r) / current_decay
            return normalise(summed, norm)

        current = normalised(block.synapse, block.norm, rates)
        if block.shortcut is not None:
            current = current + normalised(block.shortcut, block.shortcut_norm, cast(Tensor, skip))
        return current, neuron.voltage_decay(), neuron.threshold
    layer = block.tensors()
    summed = connect(block.synapse, layer.weight, rates)
    if block.shortcut is not None and layer.shortcut is not None:
        summed = summed + connect(block.shortcut, layer.shortcut, cast(Tensor, skip))
    bias = layer.bias.view(-1, *[1] * (summed.dim() - 3))
    return summed / layer.current_decay + bias, layer.voltage_decay, layer.threshold
