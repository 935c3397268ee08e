"""The CUBA populations on torch's device: by Triton's kernels where there are some, else step by step in torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikeport.common.accelerator import has_triton, interpreted
from spikeport.exporter.neurons import (
    Cuba,
    CubaLI,
    CubaLIF,
    CubaLIFSoftReset,
    CubaLIReset,
    LIFReset,
    Population,
)
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY

SUPPORTED: tuple[type[Population], ...] = (CubaLIF, CubaLIFSoftReset, LIFReset, CubaLI, CubaLIReset)
BLOCK = 256
_RANGE = 1 << 23
# resets beyond any run
_NEVER = (1 << 31) - 1


@dataclass(frozen=True)
class Sent:
    """What a population sent in each step, and its u and v if they are recorded, (T, B, size) each."""

    sent: Tensor
    states: dict[str, Tensor]


class TorchPopulation:
    """A population's constants and state, for a batch of samples; raises KeyError for a neuron that is not SUPPORTED.

    rows: as the kernels of triton_neurons.py read them, (constants, size) int32.
    """

    def __init__(self, population: Population, batch: int, device: torch.device) -> None:
        if type(population) not in SUPPORTED:
            raise KeyError(population.KIND)
        assert isinstance(population, Cuba)
        self.graded = isinstance(population, CubaLI)
        self._population = population
        self._rows = torch.from_numpy(np.stack(_rows(population)).astype(np.int32)).to(device)
        self._u = torch.zeros((batch, population.size), dtype=torch.int32, device=device)
        self._v = torch.from_numpy(population.v_initial).to(device).repeat(batch, 1)

    def run(self, a: Tensor, first: int, record: bool) -> Sent:
        """Advance by the input a, (T, B, size) int32; first: the step of a[0]; record: u and v of every step."""
        if not isinstance(self._population, CubaLIReset):
            return self._run(a, first, record)
        runs = []
        for start, stop, due in self._population.blocks(first, len(a)):
            where = torch.from_numpy(due).to(a.device)
            self._u, self._v = self._u.masked_fill(where, 0), self._v.masked_fill(where, 0)
            runs.append(self._run(a[start:stop], first + start, record))
        states = {name: torch.cat([run.states[name] for run in runs]) for name in runs[0].states}
        return Sent(torch.cat([run.sent for run in runs]), states)

    def _run(self, a: Tensor, first: int, record: bool) -> Sent:
        a = a.contiguous()
        sent = torch.empty(a.shape, dtype=torch.int32 if self.graded else torch.uint8, device=a.device)
        states = [torch.empty_like(a) if record else a.new_empty(0) for _ in "uv"]
        if has_triton() and (a.device.type == "cuda" or interpreted()):
            self._launch(a, sent, states, first, record)
        else:
            self._stepwise(a, sent, states, first, record)
        return Sent(sent, dict(zip("uv", states, strict=True)) if record else {})

    def _launch(self, a: Tensor, sent: Tensor, states: list[Tensor], first: int, record: bool) -> None:
        from . import triton_neurons

        kernel: Any = triton_neurons.integrating if self.graded else triton_neurons.spiking
        times = (len(a),) if self.graded else (first, len(a))
        columns, size = self._u.numel(), self._u.shape[1]
        with torch.cuda.device_of(a):  # type: ignore[no-untyped-call]
            kernel[(-(-columns // BLOCK),)](
                a, self._rows, self._u, self._v, sent, *states, *times, columns, size, RECORD=record, BLOCK=BLOCK
            )

    def _stepwise(self, a: Tensor, sent: Tensor, states: list[Tensor], first: int, record: bool) -> None:
        keep_u, keep_v, bias, *others = self._rows
        u, v = self._u, self._v
        for t, arriving in enumerate(a):
            if not self.graded:
                due = _due(others, first + t)
                u, v = torch.where(due, 0, u), torch.where(due, 0, v)
            u = _decayed(u, keep_u) + (arriving << ACTIVATION_SHIFT)
            u = torch.where(u > _RANGE, u - 2 * _RANGE, torch.where(u <= -_RANGE, u + 2 * _RANGE, u))
            v = (_decayed(v, keep_v) + u + bias).clamp(1 - _RANGE, _RANGE - 1)
            if self.graded:
                sent[t] = torch.sign(v) * (v.abs() >> others[0])
            else:
                threshold, carried, subtracted = others[:3]
                fires = v > threshold
                sent[t] = fires
                v = torch.where(fires, v * carried - subtracted, v)
            if record:
                states[0][t], states[1][t] = u, v
        self._u, self._v = u, v


def _due(others: list[Tensor], step: int) -> Tensor:
    interval, offset = others[3:]
    return torch.remainder(step + 1 - offset, interval) == 0


def _decayed(state: Tensor, word: Tensor) -> Tensor:
    """toward_zero(state word / 4096)."""
    product = (state.abs().long() * word) >> 12
    return torch.where(state < 0, -product, product).to(torch.int32)


def _rows(p: Cuba) -> list[Any]:
    shared = [DECAY_UNITY - 1 - p.du, DECAY_UNITY - p.dv, p.bias]
    if isinstance(p, CubaLI):
        return [*shared, p.shift]
    assert isinstance(p, CubaLIF)
    subtracted = p.subtracted
    reset = [np.zeros(p.size), np.zeros(p.size)] if subtracted is None else [np.ones(p.size), subtracted]
    never = [np.full(p.size, _NEVER), np.zeros(p.size)]
    times = [p.reset_interval, p.reset_offset] if isinstance(p, LIFReset) else never
    return [*shared, p.threshold, *reset, *times]
