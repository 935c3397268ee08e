"""Run rounded layers over a sequence, each as soon as what it reads is known.

A layer that nothing reaches before its first step is run from that step on, so that all layers have as many steps as
the input. Where a layer may send something earlier (a large bias deep in the network), all run in the chip's own steps
instead, from its first one on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
import torch
from torch import Tensor

from spikeport.exporter.neurons import RegularReset
from spikeport.trainer.neuron_step.chip_populations import run_neurons

from .layer import ChipLayer, RoundedLayer
from .loop import LARGEST, LoopLayer, LoopSynapse, run_loop
from .synapse import ChipSynapse


@dataclass(frozen=True)
class Clock:
    """Which of the chip's steps are run: `steps` from each layer's first one on, or all from 0 (`whole`)."""

    steps: int
    whole: bool

    def lag(self, synapse: ChipSynapse) -> int:
        """Steps from sending to arrival."""
        return synapse.delay if self.whole else synapse.lag


@dataclass(frozen=True)
class _Part:
    """A layer while it runs: its matrices, and its state (u, v), (B, size) each."""

    layer: ChipLayer
    rounded: RoundedLayer
    matrices: tuple[Tensor, ...]

    def start(self, clock: Clock, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        first = (
            self.rounded.population.v_initial if clock.whole else self.rounded.population.voltage_at(self.layer.start)
        )
        v = torch.from_numpy(np.asarray(first, np.float32)).to(like).expand(batch, -1)
        return torch.zeros_like(v), v

    def external(self, sent: Mapping[str, Tensor], clock: Clock) -> Tensor | None:
        """Input from outside its group over the whole sequence."""
        total: Tensor | None = None
        for synapse, matrix in zip(self.layer.sources(), self.matrices, strict=True):
            if synapse.source in sent:
                arriving = synapse.arriving(sent[synapse.source], clock.lag(synapse))
                current = synapse.connect(matrix, arriving)
                total = current if total is None else total + current
        return total


def run_layers(
    groups: Sequence[Sequence[str]],
    layers: Mapping[str, ChipLayer],
    rounded: Mapping[str, RoundedLayer],
    inputs: Mapping[str, Tensor],
    clock: Clock,
) -> dict[str, Tensor]:
    """What every input and layer sends, (steps, B, size).

    groups: names of layers, each group after those it reads; several, or one that reads itself, run step by step.
    """
    sent = dict(inputs)
    like = next(iter(inputs.values()))
    for names in groups:
        parts = [_part(layers[name], rounded[name]) for name in names]
        loops = {name for name in names if any(s.source in names for s in layers[name].sources())}
        if not loops:
            sent[names[0]] = _whole_sequence(parts[0], sent, clock, like)
        else:
            loop = _senders_first(dict(zip(names, parts, strict=True)), clock)
            run = _fused if _can_be_fused(loop, clock, like) else _step_by_step
            sent |= run(loop, sent, clock, like)
    return sent


def _part(layer: ChipLayer, rounded: RoundedLayer) -> _Part:
    matrices = tuple(s.matrix(words) for s, words in zip(layer.sources(), rounded.words, strict=True))
    return _Part(layer, rounded, matrices)


def _whole_sequence(part: _Part, sent: Mapping[str, Tensor], clock: Clock, like: Tensor) -> Tensor:
    batch, size = like.shape[1], part.layer.population.size
    a = part.external(sent, clock)
    if a is None:
        a = like.new_zeros((clock.steps, batch, size))
    u, v = part.start(clock, batch, like)
    out = []
    for first, last in _segments(part, clock):
        if first:
            u, v = torch.zeros_like(u), torch.zeros_like(v)
        answer, u, v = run_neurons(a[first:last], part.rounded.bias, part.rounded.neurons, u, v)
        out.append(answer)
    return out[0] if len(out) == 1 else torch.cat(out)


def _segments(part: _Part, clock: Clock) -> list[tuple[int, int]]:
    """The sequence, cut where u and v are set to 0."""
    reset = part.layer.start
    if clock.whole and isinstance(part.rounded.population, RegularReset) and 0 < reset < clock.steps:
        return [(0, reset), (reset, clock.steps)]
    return [(0, clock.steps)]


def _can_be_fused(parts: Mapping[str, _Part], clock: Clock, like: Tensor) -> bool:
    """Whether loop.py runs these layers of a loop, and faster than step by step."""
    inside = [s for part in parts.values() for s in part.layer.sources() if s.source in parts]
    return (
        like.device.type == "cpu"
        and sum(part.layer.population.size for part in parts.values()) <= LARGEST
        and all(s.geometry is None and s.delays is None for s in inside)
        and not any(len(_segments(part, clock)) > 1 for part in parts.values())
    )


def _fused(parts: Mapping[str, _Part], sent: Mapping[str, Tensor], clock: Clock, like: Tensor) -> dict[str, Tensor]:
    """As _step_by_step, by compiled kernels."""
    batch, place = like.shape[1], {name: number for number, name in enumerate(parts)}
    layers = []
    for part in parts.values():
        outside = part.external({n: s for n, s in sent.items() if n not in parts}, clock)
        if outside is None:
            outside = like.new_zeros((clock.steps, batch, part.layer.population.size))
        synapses = tuple(
            LoopSynapse(place[s.source], matrix, clock.lag(s))
            for s, matrix in zip(part.layer.sources(), part.matrices, strict=True)
            if s.source in parts
        )
        u, v = part.start(clock, batch, like)
        layers.append(LoopLayer(part.rounded.neurons, part.rounded.bias, outside, u, v, synapses))
    return dict(zip(parts, run_loop(layers), strict=True))


def _step_by_step(
    parts: Mapping[str, _Part], sent: Mapping[str, Tensor], clock: Clock, like: Tensor
) -> dict[str, Tensor]:
    """Layers of a loop, all of them in each step."""
    batch = like.shape[1]
    outside = {
        name: part.external({n: s for n, s in sent.items() if n not in parts}, clock) for name, part in parts.items()
    }
    states = {name: part.start(clock, batch, like) for name, part in parts.items()}
    sizes = {name: part.layer.population.size for name, part in parts.items()}
    past: dict[str, list[Tensor]] = {name: [] for name in parts}
    for step in range(clock.steps):
        for name, part in parts.items():
            if clock.whole and isinstance(part.rounded.population, RegularReset) and step == part.layer.start > 0:
                states[name] = (torch.zeros_like(states[name][0]), torch.zeros_like(states[name][1]))
            a = like.new_zeros((1, batch, sizes[name]))
            from_outside = outside[name]
            if from_outside is not None:
                a = a + from_outside[step]
            for synapse, matrix in zip(part.layer.sources(), part.matrices, strict=True):
                if synapse.source in parts:
                    arriving = _at(past[synapse.source], synapse, step, clock)
                    if arriving is not None:
                        a = a + synapse.connect(matrix, arriving[None])
            answer, u, v = run_neurons(a, part.rounded.bias, part.rounded.neurons, *states[name])
            states[name] = u, v
            past[name].append(answer[0])
    return {name: torch.stack(steps) for name, steps in past.items()}


def _senders_first(parts: Mapping[str, _Part], clock: Clock) -> dict[str, _Part]:
    """The layers of a loop, each after those whose spikes of a step reach it in that step; no loop is without lag."""
    same_step = {
        name: {s.source for s in part.layer.sources() if s.source in parts and clock.lag(s) == 0}
        for name, part in parts.items()
    }
    return {name: parts[name] for name in TopologicalSorter(same_step).static_order()}


def _at(past: Sequence[Tensor], synapse: ChipSynapse, step: int, clock: Clock) -> Tensor | None:
    """What arrives in a step, (B, sources); None before anything can."""
    lag = clock.lag(synapse)
    if synapse.delays is None:
        return past[step - lag] if step >= lag else None
    total: Tensor | None = None
    for beyond in torch.unique(synapse.delays).tolist():
        if step >= lag + beyond:
            part = past[step - lag - beyond] * (synapse.delays == beyond)
            total = part if total is None else total + part
    return total
