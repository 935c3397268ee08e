"""The membrane of TSSL-BP: the chip's step in the forward pass, errors only through firing times in the backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikeport.trainer.neuron_step.chip_step import ChipRun
from spikeport.trainer.neuron_step.cpu_arrays import as_3d, as_numpy, broadcast_constants, run_in_threads
from spikeport.trainer.neuron_step.fused import supports_shape
from spikeport.trainer.neuron_step.memory_order import channels_last, channels_to_end

from . import firing_kernels
from .firing_rule import SILENT, STEEPEST, WARM_CUT, WARM_WIDTH

Given = tuple[Tensor, Tensor] | None
"""v before the reset and spikes, (T, B, *neurons), where they are computed already."""


def fire(
    current: Tensor, current_decay: Tensor, voltage_decay: Tensor, threshold: Tensor, run: ChipRun | None = None
) -> Tensor:
    """Spikes of neurons with the chip's membrane, with errors propagated through firing times.

    Forward: dynamics.integrate_and_fire. Backward, from the last step to the first, with V the threshold, d the
    voltage_decay, g[t] the error at s[t] from the synapses that read it (the sum over k >= t of the error at their
    current of step k times the remainder of a spike of step t), and f[t] the spike's slope: s[t] / (v[t] - v[t-1]) for
    a rise above V / 8, 8 / V below, 0 without a rise (a firing time's dt/dv is one over the speed of v at the
    threshold):

        e[t] = f[t] g[t] + (d v[t] f[t] + (1 - d) (1 - s[t])) e[t+1]

    f g is the dependency between neurons; the rest is the one within the neuron: a later firing resets less (d v f),
    and v without a firing persists to the next step ((1 - d) (1 - s)). Where a neuron is silent, i.e. its own
    post-synaptic potential p[t] = p[t-1] (1 - current_decay) + s[t] is below a quarter of a spike's, a warm-up replaces
    e[t] by g[t] h'(v[t] - V), h a sigmoid of width V / 5; the recursion still uses e[t] itself.
    current: (T, B, *neurons), bias included; current_decay: of the synapses that read the spikes; all constants
    broadcast over the neurons. run: the neurons' result in the chip's integers, if computed already; `current` then
    only receives gradients.
    Source: stonezwr/TSSL-BP, functions/tsslbp.py.
    """
    constants = current_decay, voltage_decay, threshold
    given = None if run is None else (run.over + threshold, run.spikes)
    spikes: Tensor
    if not _compiled(current, *constants):
        spikes = _Fire.apply(current, *constants, given)
        return spikes
    if not channels_last(current):
        spikes = _FireCompiled.apply(current, *constants, given)
        return spikes
    moved = None if given is None else tuple(each.movedim(2, -1) for each in given)
    spikes = _FireCompiled.apply(current.movedim(2, -1), *map(channels_to_end, constants), moved)
    return spikes.movedim(-1, 2)


def _compiled(current: Tensor, *constants: Tensor) -> bool:
    """True if the kernels can run these."""
    return current.device.type == "cpu" and supports_shape(current, *constants)


class _FireCompiled(torch.autograd.Function):
    """_Fire by firing_kernels."""

    @staticmethod
    def forward(
        ctx: Any, current: Tensor, current_decay: Tensor, voltage_decay: Tensor, threshold: Tensor, given: Given
    ) -> Tensor:
        if given is None:
            rows = as_3d(current)
            voltages, spikes = torch.empty_like(rows), torch.empty_like(rows)
            numbers = broadcast_constants(current, 1 - voltage_decay, threshold)
            run_in_threads(firing_kernels.forward, rows, (*as_numpy(rows), numbers, *as_numpy(voltages, spikes)))
            voltages, spikes = voltages.view(current.shape), spikes.view(current.shape)
        else:
            voltages, spikes = given
        ctx.save_for_backward(voltages, spikes, current_decay, voltage_decay, threshold)
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        voltages, spikes, *constants = ctx.saved_tensors
        rows = tuple(map(as_3d, (gradients[0], voltages, spikes)))
        out = torch.empty_like(rows[0])
        arguments = (*as_numpy(*rows), broadcast_constants(voltages, *constants), *as_numpy(out))
        run_in_threads(firing_kernels.backward, out, arguments)
        return out.view(voltages.shape), None, None, None, None


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, current: Tensor, current_decay: Tensor, voltage_decay: Tensor, threshold: Tensor, given: Given
    ) -> Tensor:
        voltage, potential = torch.zeros_like(current[0]), torch.zeros_like(current[0])
        spikes, voltages, rises, silent = (torch.empty_like(current) for _ in range(4))
        for t, step in enumerate(current.unbind(0)):
            voltages[t] = voltage * (1 - voltage_decay) + step if given is None else given[0][t]
            rises[t] = voltages[t] - voltage
            spikes[t] = voltages[t] - threshold > 0 if given is None else given[1][t]
            potential = potential * (1 - current_decay) + spikes[t]
            silent[t] = potential < SILENT
            voltage = voltages[t] * (1 - spikes[t])
        ctx.save_for_backward(spikes, voltages, rises, silent, voltage_decay, threshold)
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        spikes, voltages, rises, silent, voltage_decay, threshold = ctx.saved_tensors
        to_spikes = gradients[0]
        slope = spikes * torch.where(rises > 0, (1 / rises).minimum(STEEPEST / threshold), 0.0)
        between = slope * to_spikes
        within = voltage_decay * voltages * slope + (1 - voltage_decay) * (1 - spikes)
        errors = torch.empty_like(to_spikes)
        error = torch.zeros_like(to_spikes[0])
        for t in reversed(range(len(to_spikes))):
            error = between[t] + within[t] * error
            errors[t] = error
        return (
            torch.where(silent > 0, to_spikes * _warm_slope(voltages - threshold, WARM_WIDTH * threshold), errors),
            None,
            None,
            None,
            None,
        )


def _warm_slope(distance: Tensor, width: Tensor) -> Tensor:
    power = (distance / width).clamp(-WARM_CUT, WARM_CUT)
    return torch.sigmoid(power) * torch.sigmoid(-power) / width
