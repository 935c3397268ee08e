"""Low-passed spike trains as differentiable signals of weights, thresholds and each other.

With x_k the low-passed train of input k and a_i that of neuron i, both with the membrane's decay, the potential is

    v_i = sum over k of w_ik x_k - V_i a_i - sum over j /= i of h a_j    (4)

(each spike subtracts V_i, and a spike of a neighbour in a winner-take-all circuit subtracts h). The jumps of v at
spikes are noise around 0; without them a_i = (sum over k of w_ik x_k) / V_i - c_i sum over j /= i of a_j,
c_i = h / V_i (5), so

    da_i + c_i sum over j /= i of da_j = (sum over k of (w_ik dx_k + x_k dw_ik) - a_i dV_i) / V_i    (6), (7)

among the neurons that fired; the others stay silent. Here x and a are means over the presentation times voltage_decay:
rates.
Source: Lee, Delbruck & Pfeiffer, Training Deep Spiking Neural Networks Using Backpropagation, Frontiers in Neuroscience
10:508, 2016, equation numbers of arXiv:1608.08782v1; x and a are (3) (their gamma and sigma are 1 here, kappa is -c;
their inhibition grows with V, here it is a weight).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikeport.trainer.network.fold_batch_norm import Synapse, apply_synapse
from spikeport.trainer.neuron_step.quantise import LayerTensors

from .spike_trains import Trains, bias_response, mean_response, zero_with_gradient


@dataclass(frozen=True)
class Factors:
    """Factors of errors, each (B, 1, ...): for weights, for thresholds, and on to the previous layer.

    Error normalisation of the paper: with N neurons, M synapses per neuron and m of them active, sqrt(N / m) and
    sqrt(N / (m M)) (12) and sqrt(M / m) (11), so that errors neither shrink nor grow from layer to layer.
    """

    weights: Tensor
    thresholds: Tensor
    passed_on: Tensor


def factors(before: Tensor, fan_in: int, neurons: int) -> Factors:
    """The error normalisation for input spikes (T, B, *input); m counts at least one synapse as active."""
    share = (before.sum(0) > 0).flatten(1).to(before).mean(1)
    shape = (-1, *[1] * (before.dim() - 2))
    active = (share * fan_in).clamp_min(1.0).view(shape)
    return Factors((neurons / active).sqrt(), (neurons / (active * fan_in)).sqrt(), (fan_in / active).sqrt())


def low_passed(spikes: Tensor, voltage_decay: Tensor) -> Tensor:
    """Mean over time of the train low-passed with the membrane's decay, times it: (B, *neurons), near the rate."""
    return voltage_decay * mean_response(spikes, torch.ones_like(voltage_decay), voltage_decay)


def with_inhibition(change: Tensor, strength: Tensor, active: Tensor) -> Tensor:
    """da of a winner-take-all circuit: solves da_i + c_i sum over j /= i of da_j = d_i among the active neurons.

    In closed form: S = (sum of d / (1 - c)) / (1 + sum of c / (1 - c)), da_i = (d_i - c_i S) / (1 - c_i); where all c
    are the same, (8) with c for mu sigma.
    change: d, (B, neurons); strength: c, below 1, broadcast over the neurons; active: bool (B, neurons), others get 0.
    """
    alone = torch.where(active, change / (1 - strength), 0.0)
    weight = torch.where(active, strength / (1 - strength), 0.0)
    total = alone.sum(1, keepdim=True) / (1 + weight.sum(1, keepdim=True))
    return alone - weight * total


def output_rates(
    synapse: Synapse,
    layer: LayerTensors,
    before: Trains,
    fired: Tensor,
    active: Tensor,
    gain: Tensor,
    scale: Factors | None,
) -> Tensor:
    """The rates of a layer that fired `fired`, with the gradients above by weights, bias, threshold and input rates.

    layer.recurrent: inhibition, -h off the diagonal; active: which neurons take part, (B, *neurons); gain: 1 / V_i (or
    that over its root mean square over the layer, the first factor of (11)); scale: the other factors of the
    normalisation, or None. Returns (B, *neurons).
    """
    steps, one = len(fired), torch.ones((), dtype=fired.dtype, device=fired.device)
    scale = scale or Factors(one, one, one)
    per_neuron = layer.bias.view(-1, *[1] * (fired.dim() - 3))
    drive = apply_synapse(
        synapse,
        layer.weight,
        layer.voltage_decay * mean_response(before.spikes, layer.current_decay, layer.voltage_decay),
    )
    drive = drive + per_neuron * (layer.voltage_decay * bias_response(steps, layer.voltage_decay).mean())
    drive = scale_error(zero_with_gradient(drive), scale.weights)
    if before.level.requires_grad:
        passed = apply_synapse(synapse, layer.weight.detach(), zero_with_gradient(before.level) / layer.current_decay)
        drive = drive + scale_error(passed, scale.passed_on)
    rates, strength = low_passed(fired, layer.voltage_decay), _strength(layer)
    lost = scale_error(rates * zero_with_gradient(layer.threshold), scale.thresholds)
    change = (drive - lost) * gain
    if strength is not None:
        return rates + with_inhibition(change, strength, active)
    return rates + torch.where(active, change, 0.0)


def scale_error(value: Tensor, factor: Tensor) -> Tensor:
    """The value itself; its gradient is multiplied by the factor."""
    scaled: Tensor = _ScaleError.apply(value, factor)
    return scaled


class _ScaleError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return gradients[0] * factor, None


def _strength(layer: LayerTensors) -> Tensor | None:
    if layer.recurrent is None:
        return None
    others = max(len(layer.recurrent) - 1, 1)
    return -(layer.recurrent.detach().sum(1) - layer.recurrent.detach().diagonal()) / others / layer.threshold.detach()
