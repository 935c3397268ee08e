"""Layers that read each other, over a whole sequence as one operation of autograd.

A graph of torch operations for every step costs more than the arithmetic of layers of usual size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.trainer.neuron_step.chip_populations import ChipNeurons
from spikeport.trainer.neuron_step.cpu_arrays import as_numpy, run_in_threads

from .loop_kernels import loop_backward, loop_forward

# neurons of a loop from which matrix products of whole batches are faster
LARGEST = 512


@dataclass(frozen=True)
class LoopSynapse:
    """A synapse from one layer of the loop to another; matrix: (targets, sources), whole numbers."""

    source: int
    matrix: Tensor
    lag: int


@dataclass(frozen=True)
class LoopLayer:
    """One layer of a loop. outside: input from outside the loop, (T, B, size); u, v: before the first step, (B, size).

    synapses: from layers of the loop, by their place in it.
    """

    neurons: ChipNeurons
    bias: Tensor
    outside: Tensor
    u: Tensor
    v: Tensor
    synapses: tuple[LoopSynapse, ...]


@dataclass(frozen=True)
class _Tables:
    """The structure of a loop as the kernels read it, and constants of its neurons, (7, N) float64."""

    layers: NDArray[np.int64]
    synapses: NDArray[np.int64]
    constants: NDArray[np.float64]
    neurons: tuple[ChipNeurons, ...]


def run_loop(layers: Sequence[LoopLayer]) -> list[Tensor]:
    """What each layer sends, (T, B, size); a layer stands after those whose spikes reach it in the same step."""
    matrices = [synapse.matrix for layer in layers for synapse in layer.synapses]
    a = torch.cat([layer.outside for layer in layers], dim=2)
    bias = torch.cat([layer.bias for layer in layers])
    states = tuple(torch.cat(parts, dim=1) for parts in ([x.u for x in layers], [x.v for x in layers]))
    sent: Tensor = _Loop.apply(a, bias, *states, _tables(layers), *matrices)
    return list(torch.split(sent, [len(layer.bias) for layer in layers], dim=2))


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, bias: Tensor, u: Tensor, v: Tensor, tables: _Tables, *matrices: Tensor) -> Tensor:
        a = a.contiguous()
        weights = torch.cat([matrix.detach().T.reshape(-1) for matrix in matrices]).to(a.dtype)
        constants = np.concatenate([bias.detach().double().round().numpy()[None], tables.constants])
        over, sent = torch.empty_like(a), torch.empty_like(a)
        states = as_numpy(u.double().clone(), v.double().clone())
        arrays = (*as_numpy(a, weights), tables.layers, tables.synapses, constants, *states, *as_numpy(over, sent))
        run_in_threads(loop_forward, a, arrays)
        ctx.save_for_backward(over, sent, *(matrix.detach() for matrix in matrices))
        ctx.tables = tables
        return sent

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (over, sent, *matrices), tables = ctx.saved_tensors, ctx.tables
        weights = torch.cat([matrix.reshape(-1) for matrix in matrices]).to(over.dtype)
        to_sent = gradients[0].clone(memory_format=torch.contiguous_format)
        slopes = _slopes(over, tables)
        to_current, to_voltage = torch.empty_like(over), torch.empty_like(over)
        keep_u, keep_v = (tables.constants[row].astype(as_numpy(over)[0].dtype) for row in (0, 1))
        kept = _kept(over, slopes, tables)
        run_in_threads(
            loop_backward, over,
            (*as_numpy(to_sent, weights), tables.layers, tables.synapses, *as_numpy(slopes, kept),
             keep_u, keep_v, *as_numpy(to_current, to_voltage)),
        )  # fmt: skip
        to_a = to_current * STATE_UNIT
        needed, steps = ctx.needs_input_grad, len(over)
        to_matrices: list[Tensor | None] = []
        for number, (first, end, target, until, lag, _) in enumerate(tables.synapses.tolist()):
            if not needed[5 + number]:
                to_matrices.append(None)
                continue
            arriving = sent[: max(steps - lag, 0), :, first:end].flatten(0, 1)
            to_matrices.append(to_a[lag:, :, target:until].flatten(0, 1).T @ arriving)
        keep_u, keep_v = (torch.from_numpy(keep) for keep in (keep_u, keep_v))
        to_bias = to_voltage.sum((0, 1)) if needed[1] else None
        to_u, to_v = keep_u * to_current[0], keep_v * to_voltage[0]
        return (to_a, to_bias, to_u, to_v, None, *to_matrices)


def _slopes(over: Tensor, tables: _Tables) -> Tensor:
    """The slope of what is sent for v, (T, B, N)."""
    parts = []
    for (first, end, *_), neurons in zip(tables.layers.tolist(), tables.neurons, strict=True):
        part = over[:, :, first:end]
        if neurons.threshold is None:
            parts.append(torch.full_like(part, 2.0**-neurons.shift))
        else:
            parts.append(neurons.spike.slope(part, neurons.width) * (neurons.spike.height / neurons.unit))
    return torch.cat(parts, dim=2).contiguous()


def _kept(over: Tensor, slopes: Tensor, tables: _Tables) -> Tensor:
    """The slope of v after its reset for v before it, (T, B, N)."""
    parts = []
    for (first, end, *_), neurons in zip(tables.layers.tolist(), tables.neurons, strict=True):
        part = over[:, :, first:end]
        zeroed = neurons.threshold is not None and neurons.subtracted is None
        kept = (part <= 0).to(part.dtype) if zeroed else torch.ones_like(part)
        if neurons.reset_gradient and neurons.threshold is not None:
            lost = neurons.subtracted if neurons.subtracted is not None else part * neurons.unit + neurons.threshold
            kept = kept - lost.to(part.dtype) * slopes[:, :, first:end]
        parts.append(kept)
    return torch.cat(parts, dim=2).contiguous()


def _tables(layers: Sequence[LoopLayer]) -> _Tables:
    edges = np.cumsum([0, *(len(layer.bias) for layer in layers)])
    rows: list[tuple[int, ...]] = []
    synapses: list[tuple[int, ...]] = []
    place = 0
    for number, layer in enumerate(layers):
        before = len(synapses)
        for synapse in layer.synapses:
            source, target = synapse.source, number
            synapses.append((*edges[source : source + 2], *edges[target : target + 2], synapse.lag, place))
            place += synapse.matrix.numel()
        rows.append((*edges[number : number + 2], _kind(layer.neurons), before, len(synapses)))
    constants = np.concatenate([_constants(layer.neurons, len(layer.bias)) for layer in layers], axis=1)
    neurons = tuple(layer.neurons for layer in layers)
    return _Tables(np.array(rows, np.int64), np.array(synapses, np.int64).reshape(-1, 6), constants, neurons)


def _kind(neurons: ChipNeurons) -> int:
    if neurons.threshold is None:
        return 2
    return 0 if neurons.subtracted is None else 1


def _constants(neurons: ChipNeurons, size: int) -> NDArray[np.float64]:
    """keep_u, keep_v, threshold, subtracted, 1 / unit and the factor of sent voltages, (6, size)."""
    values: Mapping[int, Any] = {
        0: neurons.keep_u, 1: neurons.keep_v, 2: neurons.threshold, 3: neurons.subtracted,
        4: 1 / neurons.unit, 5: 2.0**-neurons.shift,
    }  # fmt: skip
    out = np.zeros((6, size))
    for row, value in values.items():
        if value is not None:
            out[row] = value.cpu().numpy() if isinstance(value, Tensor) else value
    return out
