"""Spike-train-level post-synaptic potentials (S-PSP): spike counts as differentiable functions of weights and counts.

e_ij = sum over the firings f of neuron i of the potential in v_i that the spikes of neuron j contributed since the
previous firing;  a_i = sum over j of w_ij e_ij (T-PSP);  o_i = a_i / V, V the threshold, because v is at the threshold
when the neuron fires: (1), and (2) with the neurons of the layer itself among the j.  As e_ij depends on both counts
(10), firing counts change with weights and input counts as

    V do_i = sum over j of (e_ij dw_ij + w_ij (de_ij/do_j) do_j) + (sum over j of w_ij de_ij/do_i) do_i

with de_ij/do_j = e_ij / o_j, and half the largest response to one spike where one of the two is silent (code: 0.5).
de_ij/do_i is that of the mean S-PSP of independent trains; the authors fit a polynomial to simulated ones, here it
has a closed form: for o_i firings at random among T steps, p = o_i / T, c the current_decay, d the voltage_decay,

    mean e_ij = o_j (p / c) / (p + d - p d),     its derivative by o_i = o_j / (T c) d / (p + d - p d)**2

Source: Zhang & Li, Spike-Train Level Backpropagation for Training Deep Recurrent Spiking Neural Networks, NeurIPS
2019, equation numbers of arXiv:1908.06378, and its code, stonezwr/ST-RSBP: e_ij g_Spiking_synaptic_effect in
layers/Spiking.cu; de_ij/do_i eij_function.m and g_Spiking_effect_ratio; the half g_Reservoir_effect_ratio_LHS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from spikeport.trainer.network.blocks import connect
from spikeport.trainer.network.fold_batch_norm import Synapse, apply_synapse
from spikeport.trainer.neuron_step.quantise import LayerTensors

from .spike_trains import (
    Trains,
    bias_response,
    delayed,
    firing_coefficients,
    input_shares,
    largest_response,
    zero_with_gradient,
)

NO_SPIKES = 1e-9
LEAST_SLOPE = 0.1
LARGEST_GAIN = 0.5

# of a layer with recurrent synapses: see recurrent_system
System = Callable[[Tensor, Tensor, Tensor, Tensor, LayerTensors, float], Tensor]


def s_psp(before: Tensor, after: Tensor, current_decay: Tensor, voltage_decay: Tensor) -> Tensor:
    """All e_ij of dense trains: (B, after, before) for spikes (T, B, before) into neurons that fire (T, B, after)."""
    return torch.einsum(
        "tbi,tbj->bij", input_shares(firing_coefficients(after, voltage_decay), current_decay, voltage_decay), before
    )


def mean_s_psp(before: Tensor, after: Tensor, current_decay: Tensor, voltage_decay: Tensor, steps: int) -> Tensor:
    """The mean e_ij of independent trains, `before` spikes and `after` firings at random steps, in closed form."""
    rate = after / steps
    mean: Tensor = before * rate / (current_decay * (rate + voltage_decay - rate * voltage_decay))
    return mean


def own_slope(drive: Tensor, counts: Tensor, voltage_decay: Tensor, threshold: Tensor, steps: int) -> Tensor:
    """1 - (1 / V) sum over j of w_ij de_ij/do_i: the share of the T-PSP that a further firing removes.

    drive: mean input per step, (sum over j of w_ij o_j / c) / T + bias; counts: o_i; both (B, *neurons).
    """
    rate = counts / steps
    slope: Tensor = 1 - drive * voltage_decay / (threshold * (rate + voltage_decay - rate * voltage_decay).square())
    return slope


def synaptic_input(synapse: Synapse, weight: Tensor, before: Trains) -> Tensor:
    """W s, (T, B, *output), with the spikes of each firing neuron scaled by count / detached count (value 1).

    So the S-PSP has the value of the spikes, and the slope e_ij / o_j by the count of the input.
    """
    if not before.level.requires_grad:
        return connect(synapse, weight, before.spikes)
    counts = before.level.detach()
    return connect(
        synapse, weight, before.spikes * torch.where(counts > 0, before.level / counts.clamp_min(NO_SPIKES), 1.0)
    )


def output_counts(
    synapse: Synapse,
    layer: LayerTensors,
    before: Trains,
    summed: Tensor,
    spikes: Tensor,
    forced: Tensor | None = None,
    least_slope: float = LEAST_SLOPE,
    largest_gain: float = LARGEST_GAIN,
    system_of: System | None = None,
) -> Tensor:
    """The counts of a layer that fired `spikes`, with the gradients above by weights, bias and input counts.

    summed: its synaptic_input. With recurrent synapses, which deliver spikes one step later, do is on both sides of the
    equation; this linear system is solved per sample, which is exact at this level, without unfolding in time.
    forced: spikes to assume instead, where the layer should have fired and did not; least_slope: lower bound of
    `own_slope` (1e-4 in the authors' code); largest_gain: see recurrent_system; system_of: the linear system, by
    default recurrent_system. The decays must be scalars.
    Returns (B, *neurons).
    """
    fired = spikes if forced is None else forced
    counts, steps = fired.sum(0), len(spikes)
    coefficients = firing_coefficients(fired, layer.voltage_decay)
    shares = input_shares(coefficients, layer.current_decay, layer.voltage_decay)
    of_bias = torch.tensordot(bias_response(steps, layer.voltage_decay), coefficients, 1)
    per_neuron = layer.bias.view(-1, *[1] * (spikes.dim() - 3))
    t_psp = (shares * summed).sum(0) + per_neuron * of_bias + _of_silent(synapse, layer, before, counts)
    drive = summed.detach().sum(0) / (layer.current_decay * steps) + per_neuron.detach()
    recurrent = layer.recurrent
    if recurrent is None:
        slope = own_slope(drive, counts, layer.voltage_decay, layer.threshold, steps).clamp_min(least_slope)
        return torch.add(spikes.sum(0), zero_with_gradient(t_psp) / (layer.threshold * slope))
    late = delayed(spikes)
    t_psp = t_psp + (shares * (late @ recurrent.T)).sum(0)
    drive = drive + late.sum(0) @ recurrent.detach().T / (layer.current_decay * steps)
    slope = own_slope(drive, counts, layer.voltage_decay, layer.threshold, steps).clamp_min(least_slope)
    system = (system_of or recurrent_system)(slope, shares, late, counts, layer, largest_gain)
    change = zero_with_gradient(t_psp) / layer.threshold
    return torch.add(spikes.sum(0), torch.linalg.solve(system, change.unsqueeze(-1)).squeeze(-1))


def recurrent_system(
    slope: Tensor, shares: Tensor, late: Tensor, counts: Tensor, layer: LayerTensors, largest_gain: float
) -> Tensor:
    """The matrix of the linear system of do: slope on the diagonal, minus w_ip (e_ip / o_p) / V; (B, N, N).

    shares: input_shares of the layer; late: its spikes as its own synapses deliver them; counts: of its firings.
    If a neuron's recurrent gain, the sum of those terms over its slope, exceeds `largest_gain`, its slope is raised so
    that it does not: beyond 1 the linear system diverges where the reset would limit the counts, and its solution is
    meaningless.
    """
    effect = torch.einsum("tbi,tbj->bij", shares, late)
    late_counts, half = late.sum(0), 0.5 * largest_response(layer.current_decay, layer.voltage_decay, len(late))
    silent = (late_counts == 0).unsqueeze(1) | (counts == 0).unsqueeze(2)
    ratio = torch.where(silent, half, effect / late_counts.clamp_min(1).unsqueeze(1))
    threshold = layer.threshold if layer.threshold.dim() == 0 else layer.threshold.unsqueeze(-1)
    gains = cast(Tensor, layer.recurrent).detach() * ratio / threshold
    return torch.diag_embed(slope.maximum(gains.abs().sum(-1) / largest_gain)) - gains


def direct_counts(
    synapse: Synapse,
    layer: LayerTensors,
    before: Trains,
    spikes: Tensor,
    forced: Tensor | None = None,
    least_slope: float = LEAST_SLOPE,
) -> Tensor:
    """As output_counts, with the gradient by weights and bias that the authors' code has in recurrent layers.

    do_i / dw_ij = e_ij / (V own_slope_i): a weight acts on the counts of its own neuron only, and what these change in
    the other neurons of the layer, and back, is left out; the gradient by the input counts is the linear system's.
    Source: g_Reservoir_wgrad_spiketime and g_Reservoir_wgrad_spiketime_reservoir in layers/Reservoir.cu.
    """
    fixed = replace(layer, weight=layer.weight.detach(), bias=layer.bias.detach(), recurrent=_detached(layer.recurrent))
    given = Trains(before.spikes.detach(), before.level.detach())
    limits = (forced, least_slope)
    by_input = output_counts(synapse, fixed, before, synaptic_input(synapse, fixed.weight, before), spikes, *limits)
    reached = synaptic_input(synapse, layer.weight, given)
    by_weight = output_counts(synapse, layer, given, reached, spikes, *limits, system_of=_alone)
    return by_input + zero_with_gradient(by_weight)


def _alone(slope: Tensor, *_: object) -> Tensor:
    """The linear system of neurons that do not act on each other."""
    return torch.diag_embed(slope)


def _detached(weight: Tensor | None) -> Tensor | None:
    return None if weight is None else weight.detach()


def _of_silent(synapse: Synapse, layer: LayerTensors, before: Trains, counts: Tensor) -> Tensor:
    """Zeros with the gradient of a first spike, for silent neurons, which have no S-PSP to take a share of."""
    if not before.level.requires_grad:
        return torch.zeros_like(counts)
    weight, half = (
        layer.weight.detach(),
        0.5 * largest_response(layer.current_decay, layer.voltage_decay, len(before.spikes)),
    )
    further = half * zero_with_gradient(before.level)
    from_silent = apply_synapse(synapse, weight, further * (before.level.detach() == 0))
    return torch.where(counts == 0, apply_synapse(synapse, weight, further), from_silent)
