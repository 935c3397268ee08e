"""Spike-train-level post-synaptic potentials (S-PSP): spike counts as differentiable functions of weights and counts.

e_ij = sum over the firings f of neuron i of the potential that the spikes of neuron j have put into v_i by then, since
the firing before;  a_i = sum over j of w_ij e_ij (T-PSP);  o_i = a_i / vth, because v stands at the threshold when the
neuron fires: (1), and (2) with the neurons of the layer itself among the j.  As e_ij depends on both counts (10),
firing counts change with weights and input counts as

    vth do_i = sum over j of (e_ij dw_ij + w_ij (de_ij/do_j) do_j) + (sum over j of w_ij de_ij/do_i) do_i

with de_ij/do_j = e_ij / o_j, and half the largest response to one spike where one of the two is silent (code: 0.5).
de_ij/do_i is that of the mean S-PSP of independent trains; the authors fit a polynomial to simulated ones, here it
has a closed form: for o_i firings at random among T steps, p = o_i / T,

    mean e_ij = o_j (p / du) / (p + dv - p dv),     its derivative by o_i = o_j / (T du) dv / (p + dv - p dv)**2

Source: Zhang & Li, Spike-Train Level Backpropagation for Training Deep Recurrent Spiking Neural Networks, NeurIPS
2019, in the numbers of arXiv:1908.06378, and its code, stonezwr/ST-RSBP: e_ij g_Spiking_synaptic_effect in
layers/Spiking.cu; de_ij/do_i eij_function.m and g_Spiking_effect_ratio; the half g_Reservoir_effect_ratio_LHS.
"""

from __future__ import annotations

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


def s_psp(before: Tensor, after: Tensor, du: Tensor, dv: Tensor) -> Tensor:
    """All e_ij of dense trains: (B, after, before) for spikes (T, B, before) into neurons that fire (T, B, after)."""
    return torch.einsum("tbi,tbj->bij", input_shares(firing_coefficients(after, dv), du, dv), before)


def mean_s_psp(before: Tensor, after: Tensor, du: Tensor, dv: Tensor, steps: int) -> Tensor:
    """The mean e_ij of independent trains, `before` spikes and `after` firings at random steps, in closed form."""
    rate = after / steps
    mean: Tensor = before * rate / (du * (rate + dv - rate * dv))
    return mean


def own_slope(drive: Tensor, counts: Tensor, dv: Tensor, vth: Tensor, steps: int) -> Tensor:
    """1 - (1 / vth) sum over j of w_ij de_ij/do_i: how much of the T-PSP a further firing takes away.

    drive: mean input a step, (sum over j of w_ij o_j / du) / T + bias; counts: o_i; both (B, *neurons).
    """
    rate = counts / steps
    slope: Tensor = 1 - drive * dv / (vth * (rate + dv - rate * dv).square())
    return slope


def synaptic_input(synapse: Synapse, weight: Tensor, before: Trains) -> Tensor:
    """W s, (T, B, *output), in which the spikes of a neuron that fired weigh as its count over its count now.

    So an S-PSP has the slope e_ij / o_j by the count before, while its value is that of the spikes.
    """
    if not before.level.requires_grad:
        return connect(synapse, weight, before.spikes)
    sent = before.level.detach()
    return connect(
        synapse, weight, before.spikes * torch.where(sent > 0, before.level / sent.clamp_min(NO_SPIKES), 1.0)
    )


def output_counts(
    synapse: Synapse,
    layer: LayerTensors,
    before: Trains,
    reached: Tensor,
    spikes: Tensor,
    forced: Tensor | None = None,
    least_slope: float = LEAST_SLOPE,
    largest_gain: float = LARGEST_GAIN,
) -> Tensor:
    """The counts of a layer that fired `spikes`, with the gradients above by weights, bias and the counts before.

    reached: its synaptic_input. With recurrent synapses, which hand the spikes of the step before, do stands on both
    sides; this linear system is solved for every sample, which is exact at this level and needs no unfolding in time.
    forced: firings to assume instead where the layer should have fired and did not; least_slope: `own_slope` is kept
    at least that large (1e-4 in the authors' code); largest_gain: see recurrent_system. du and dv must be scalars.
    Returns (B, *neurons).
    """
    fired = spikes if forced is None else forced
    counts, steps = fired.sum(0), len(spikes)
    coefficients = firing_coefficients(fired, layer.dv)
    shares = input_shares(coefficients, layer.du, layer.dv)
    of_bias = torch.tensordot(bias_response(steps, layer.dv), coefficients, 1)
    per_neuron = layer.bias.view(-1, *[1] * (spikes.dim() - 3))
    t_psp = (shares * reached).sum(0) + per_neuron * of_bias + _of_silent(synapse, layer, before, counts)
    drive = reached.detach().sum(0) / (layer.du * steps) + per_neuron.detach()
    recurrent = layer.recurrent
    if recurrent is None:
        slope = own_slope(drive, counts, layer.dv, layer.vth, steps).clamp_min(least_slope)
        return torch.add(spikes.sum(0), zero_with_gradient(t_psp) / (layer.vth * slope))
    late = delayed(spikes)
    t_psp = t_psp + (shares * (late @ recurrent.T)).sum(0)
    drive = drive + late.sum(0) @ recurrent.detach().T / (layer.du * steps)
    slope = own_slope(drive, counts, layer.dv, layer.vth, steps).clamp_min(least_slope)
    system = recurrent_system(slope, shares, late, counts, layer, largest_gain)
    change = zero_with_gradient(t_psp) / layer.vth
    return torch.add(spikes.sum(0), torch.linalg.solve(system, change.unsqueeze(-1)).squeeze(-1))


def recurrent_system(
    slope: Tensor, shares: Tensor, late: Tensor, counts: Tensor, layer: LayerTensors, largest_gain: float
) -> Tensor:
    """The matrix of the linear system of do: slope on the diagonal, minus w_ip (e_ip / o_p) / vth; (B, N, N).

    shares: input_shares of the layer; late: its spikes as its own synapses hand them over; counts: of its firings.
    A neuron whose recurrent gain, the sum of those terms over its slope, is above `largest_gain` has its slope raised
    to that: beyond 1 the linear system runs away where the reset would hold the counts, and its solution has no sense.
    """
    effect = torch.einsum("tbi,tbj->bij", shares, late)
    sent, half = late.sum(0), 0.5 * largest_response(layer.du, layer.dv, len(late))
    silent = (sent == 0).unsqueeze(1) | (counts == 0).unsqueeze(2)
    ratio = torch.where(silent, half, effect / sent.clamp_min(1).unsqueeze(1))
    vth = layer.vth if layer.vth.dim() == 0 else layer.vth.unsqueeze(-1)
    gains = cast(Tensor, layer.recurrent).detach() * ratio / vth
    return torch.diag_embed(slope.maximum(gains.abs().sum(-1) / largest_gain)) - gains


def _of_silent(synapse: Synapse, layer: LayerTensors, before: Trains, counts: Tensor) -> Tensor:
    """What a first spike would add: a silent neuron has no S-PSP whose share that could be. Zeros with gradients."""
    if not before.level.requires_grad:
        return torch.zeros_like(counts)
    weight, half = layer.weight.detach(), 0.5 * largest_response(layer.du, layer.dv, len(before.spikes))
    further = half * zero_with_gradient(before.level)
    from_silent = apply_synapse(synapse, weight, further * (before.level.detach() == 0))
    return torch.where(counts == 0, apply_synapse(synapse, weight, further), from_silent)
