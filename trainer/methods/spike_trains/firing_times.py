"""The membrane of TSSL-BP: the chip's step forward, errors through firing times only backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikeport.trainer.neuron_step.chip_step import ChipRun

# of the authors' code, at a threshold of 1: limit of 1 / rise, width and cut of the slope for silent neurons, and the
# part of a spike's post-synaptic potential below which a neuron counts as silent
STEEPEST = 8.0
WARM_WIDTH = 0.2
WARM_CUT = 8.0
SILENT = 0.25


def fire(current: Tensor, du: Tensor, dv: Tensor, vth: Tensor, run: ChipRun | None = None) -> Tensor:
    """Spikes of neurons with the chip's membrane, whose errors go back through firing times.

    Forward: dynamics.integrate_and_fire. Backward, from the last step to the first, with g[t] the error that arrives at
    s[t] from the synapses behind (which is sum over k >= t of the error at their current of step k times what is left
    then of a spike of step t), and the spike's slope f[t] = s[t] / (v[t] - v[t-1]), for a rise above 1/8 vth, 8 / vth
    below it, 0 for none (dt/dv of a firing time is one over the speed at which v crosses the threshold):

        e[t] = f[t] g[t] + (dv v[t] f[t] + (1 - dv) (1 - s[t])) e[t+1]

    f g is the dependency between neurons; the rest is that within the neuron: a later firing leaves less of what the
    reset took away (dv v f), and what did not fire is still there a step later ((1 - dv) (1 - s)). Where a neuron is
    silent, its own post-synaptic potential p[t] = p[t-1] (1 - du) + s[t] being below a quarter of a spike's, a warm-up
    puts g[t] h'(v[t] - vth) in the place of e[t], h a sigmoid of width vth / 5; e[t] itself goes on in the recursion.
    current: (T, B, *neurons), bias included; du: of the synapses behind, dv, vth: broadcast over the neurons.
    run: what the neurons did in the chip's integers; `current` then is what gradients go back to, and no more.
    Source: stonezwr/TSSL-BP, functions/tsslbp.py.
    """
    spikes: Tensor = _Fire.apply(current, du, dv, vth, run)
    return spikes


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, current: Tensor, du: Tensor, dv: Tensor, vth: Tensor, run: ChipRun | None) -> Tensor:
        voltage, potential = torch.zeros_like(current[0]), torch.zeros_like(current[0])
        spikes, voltages, rises, silent = (torch.empty_like(current) for _ in range(4))
        for t, step in enumerate(current.unbind(0)):
            voltages[t] = voltage * (1 - dv) + step if run is None else run.over[t] + vth
            rises[t] = voltages[t] - voltage
            spikes[t] = voltages[t] - vth > 0 if run is None else run.spikes[t]
            potential = potential * (1 - du) + spikes[t]
            silent[t] = potential < SILENT
            voltage = voltages[t] * (1 - spikes[t])
        ctx.save_for_backward(spikes, voltages, rises, silent, dv, vth)
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        spikes, voltages, rises, silent, dv, vth = ctx.saved_tensors
        arrived = gradients[0]
        slope = spikes * torch.where(rises > 0, (1 / rises).minimum(STEEPEST / vth), 0.0)
        between = slope * arrived
        within = dv * voltages * slope + (1 - dv) * (1 - spikes)
        errors = torch.empty_like(arrived)
        error = torch.zeros_like(arrived[0])
        for t in reversed(range(len(arrived))):
            error = between[t] + within[t] * error
            errors[t] = error
        return (
            torch.where(silent > 0, arrived * _warm_slope(voltages - vth, WARM_WIDTH * vth), errors),
            None,
            None,
            None,
            None,
        )


def _warm_slope(distance: Tensor, width: Tensor) -> Tensor:
    power = (distance / width).clamp(-WARM_CUT, WARM_CUT)
    return torch.sigmoid(power) * torch.sigmoid(-power) / width
