"""Simulate a NIR graph in floating point, node by node, as NIR defines it: the reference for lowering.

All nodes advance together, and a node's output reaches the next one within the step. A neuron that reads itself,
directly or through other nodes, reads its output of the previous step. A Delay of n steps outputs its input of n steps
ago, zeros before. Joining edges are summed.

One step with decays d = min(dt/tau, 1) (forward Euler) or d = 1 - exp(-dt/tau) (exponential: exact for an input that is
constant over the step), from v = 0 and i = 0, or from metadata "v_initial" of the node:

    LI, LIF          v <- v (1 - d) + d (v_leak + r I)
    CubaLI, CubaLIF  i <- i (1 - d_syn) + d_syn w_in S;   v <- v (1 - d_mem) + d_mem (v_leak + r i)
    I, IF            v <- v + r I          (r a step, whatever dt: what the frameworks that export them mean)
    Threshold        v <- I, without memory
    IF, LIF, CubaLIF, Threshold send s = v > v_threshold, then v[s] <- v_reset, or v - (v_threshold - v_reset) where
    the reset is by subtraction; I, LI, CubaLI send v.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import Floats, Reset, subtracted
from spikeport.exporter.lowering.discretize import Discretize, decay, delay_steps
from spikeport.exporter.lowering.passes.inline_subgraphs import inline_subgraphs
from spikeport.exporter.nir_graph.graph_checks import NEURONS, POOLS, SPIKING, WIRES, predecessors
from spikeport.exporter.nir_graph.nir_file import check_graph, time_step
from spikeport.exporter.nir_graph.shapes import is_row, numbers, output_shapes, same_padding


@dataclass(frozen=True)
class NirResult:
    """One run: arrays (steps, batch, *shape) by node.

    sent: the neurons' output, 0/1 or v; outputs: the input of each Output node; v: voltages after the reset; nearest:
    the smallest |v - threshold| / |threshold| that occurred; if tiny, rounding may decide a spike.
    """

    sent: Mapping[str, Floats]
    outputs: Mapping[str, Floats]
    v: Mapping[str, Floats]
    nearest: float


def simulate_nir(
    graph: nir.NIRGraph,
    inputs: Mapping[str, NDArray[Any]],
    dt: float | None = None,
    *,
    discretize: Discretize = "euler",
    reset: Reset = "zero",
) -> NirResult:
    """Run a graph on inputs (steps, batch, *shape), by name of the Input node, for as many steps as they have.

    dt in seconds, default the graph's metadata. Raises InputError for a cycle in which no time passes.
    """
    step = time_step(graph, dt)
    run = _Run(inline_subgraphs(check_graph(graph)), step, discretize, reset, next(iter(inputs.values())).shape[1])
    steps = next(iter(inputs.values())).shape[0]
    for t in range(steps):
        run.advance({name: np.asarray(values[t], np.float64) for name, values in inputs.items()})
    return run.result()


@dataclass
class _Neuron:
    """A neuron node's state for all samples, (batch, *shape)."""

    node: nir.NIRNode
    v: Floats
    i: Floats
    sent: Floats
    previous: Floats


@dataclass
class _Recorded:
    sent: dict[str, list[Floats]] = field(default_factory=dict)
    v: dict[str, list[Floats]] = field(default_factory=dict)
    outputs: dict[str, list[Floats]] = field(default_factory=dict)
    nearest: float = np.inf


class _Run:
    """A graph, its neurons' states, and what is recorded of them."""

    def __init__(self, graph: nir.NIRGraph, dt: float, discretize: Discretize, reset: Reset, batch: int) -> None:
        self._graph, self._dt, self._discretize, self._reset, self._batch = graph, dt, discretize, reset, batch
        self._shapes = output_shapes(graph)
        self._sources = {name: predecessors(graph, name) for name in graph.nodes}
        self._steps = {n: delay_steps(x.delay, dt)[0] for n, x in graph.nodes.items() if isinstance(x, nir.Delay)}
        self._readers = {name: self._neurons_before(name) for name in graph.nodes}
        self._neurons = {name: self._fresh(name) for name in self._order()}
        self._pasts: dict[tuple[str, str | None], deque[Floats]] = {}
        self._recorded = _Recorded()
        self._now: dict[tuple[str, str | None], Floats] = {}
        self._entered: Mapping[str, Floats] = {}

    def advance(self, entered: Mapping[str, Floats]) -> None:
        """One step."""
        self._now, self._entered = {}, entered
        for name, neuron in self._neurons.items():
            neuron.previous = neuron.sent
            self._update(neuron, self._input_of(name, name))
            self._recorded.sent.setdefault(name, []).append(neuron.sent)
            self._recorded.v.setdefault(name, []).append(neuron.v)
        for name, node in self._graph.nodes.items():
            if isinstance(node, nir.Output):
                self._recorded.outputs.setdefault(name, []).append(self._input_of(name, None))
        # each Delay's input, as each reader sees it, once everything is known; computing it may reach further Delays
        late: dict[tuple[str, str | None], Floats] = {}
        while len(late) < len(self._pasts):
            late |= {key: self._input_of(*key) for key in list(self._pasts) if key not in late}
        for key, values in late.items():
            self._pasts[key].appendleft(values)

    def result(self) -> NirResult:
        """What was recorded."""
        recorded = self._recorded
        sent, outputs, v = (
            {n: np.array(x) for n, x in d.items()} for d in (recorded.sent, recorded.outputs, recorded.v)
        )
        return NirResult(sent, outputs, v, recorded.nearest)

    def _fresh(self, name: str) -> _Neuron:
        node, shape = self._graph.nodes[name], (self._batch, *self._shapes[name])
        start = np.broadcast_to(np.asarray(node.metadata.get("v_initial", 0.0), np.float64), shape).copy()
        return _Neuron(node, start, np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def _neurons_before(self, name: str, through_delays: bool = True) -> set[str]:
        """Neurons whose output reaches a node without passing another one."""
        neurons, waiting, seen = set(), list(self._sources[name]), set()
        while waiting:
            source = waiting.pop()
            if source in seen:
                continue
            seen.add(source)
            if isinstance(self._graph.nodes[source], NEURONS):
                neurons.add(source)
            elif through_delays or source not in self._steps or not self._steps[source].min(initial=1):
                waiting += self._sources[source]
        return neurons

    def _order(self) -> list[str]:
        """Neurons, each after those from which it receives input within the step."""
        names = [name for name, node in self._graph.nodes.items() if isinstance(node, NEURONS)]
        needs = {name: self._neurons_before(name, through_delays=False) - {name} for name in names}
        done: list[str] = []
        while len(done) < len(names):
            ready = [name for name in names if name not in done and needs[name] <= set(done)]
            if not ready:
                left = " -> ".join(sorted(set(names) - set(done)))
                raise InputError(f"neurons {left} form a cycle in which no time passes; put a Delay of a step into it")
            done += ready
        return done

    def _input_of(self, name: str, reader: str | None) -> Any:
        values = [self._value(source, reader) for source in self._sources[name]]
        if not values:
            return np.zeros((self._batch, *self._shapes.get(name, ())))
        # an image and its flattened form may join
        largest = max(values, key=lambda v: v.ndim)
        return sum(v.reshape(largest.shape) if v.size == largest.size else v for v in values)

    def _value(self, name: str, reader: str | None) -> Floats:
        """A node's output in this step, as `reader` sees it."""
        node = self._graph.nodes[name]
        if name in self._neurons:
            neuron = self._neurons[name]
            return neuron.previous if name == reader else neuron.sent
        if isinstance(node, nir.Input):
            return self._entered[name]
        key = (name, reader if reader in self._readers[name] else None)
        if key not in self._now:
            self._now[key] = self._delayed(*key) if name in self._steps else self._stateless_output(node, *key)
        return self._now[key]

    def _stateless_output(self, node: nir.NIRNode, name: str, reader: str | None) -> Floats:
        """The output of a stateless node, given its input."""
        shape = (self._batch, *self._shapes[name])
        if not self._sources[name]:
            bias = np.asarray(getattr(node, "bias", 0.0), np.float64)
            return np.broadcast_to(bias.reshape(-1, *[1] * (len(shape) - 2)), shape)
        x = np.asarray(self._input_of(name, reader), np.float64)
        if isinstance(node, WIRES):
            return x.reshape(shape)
        if isinstance(node, nir.Conv2d) and is_row(node.weight.shape, x.shape[1:]):
            return _convolution(node, x[:, :, None]).reshape(shape)
        if isinstance(node, (nir.Conv1d, nir.Conv2d, *POOLS)) and x.ndim != len(shape):
            raise InputError(f"node {name!r} ({type(node).__name__}) reads shape {x.shape[1:]}, which is not an image")
        return next(function for kinds, function in _STATELESS if isinstance(node, kinds))(node, x)

    def _delayed(self, name: str, reader: str | None) -> Floats:
        shape = self._shapes[name]
        steps = np.broadcast_to(self._steps[name], shape)
        past = self._pasts.setdefault((name, reader), deque(maxlen=max(1, int(steps.max(initial=0)))))
        out = np.zeros((self._batch, *shape))
        for n in np.unique(steps):
            if n == 0:
                out[:, steps == 0] = self._input_of(name, reader).reshape(out.shape)[:, steps == 0]
            elif len(past) >= n:
                out[:, steps == n] = past[n - 1].reshape(out.shape)[:, steps == n]
        return out

    def _update(self, neuron: _Neuron, arriving: Any) -> None:
        node, into = neuron.node, np.asarray(arriving).reshape(neuron.v.shape)
        if isinstance(node, nir.Threshold):
            voltage, threshold = into, node.threshold
        else:
            voltage, threshold = self._voltage(neuron, into), getattr(node, "v_threshold", np.inf)
        if not isinstance(node, SPIKING):
            neuron.v = neuron.sent = voltage
            return
        scale = np.where(threshold == 0, 1, np.abs(threshold))
        self._recorded.nearest = min(
            self._recorded.nearest, float(np.min(np.abs(voltage - threshold) / scale, initial=np.inf))
        )
        spikes = voltage > threshold
        v_reset = getattr(node, "v_reset", 0.0)
        lower = v_reset
        if self._reset != "zero":
            lower = voltage - subtracted(threshold - v_reset, self._leak(node, voltage), self._reset)
        neuron.v, neuron.sent = np.where(spikes, lower, voltage), spikes.astype(np.float64)

    def _leak(self, node: nir.NIRNode, voltage: Floats) -> Floats:
        """The fraction of v lost in a step: none without a time constant, all without memory."""
        tau = getattr(node, "tau_mem", getattr(node, "tau", None))
        if tau is None:
            return np.full_like(voltage, isinstance(node, nir.Threshold))
        return np.broadcast_to(decay(tau, self._dt, self._discretize), voltage.shape)

    def _voltage(self, neuron: _Neuron, into: Floats) -> Floats:
        """v of the next step, before any spike."""
        node = neuron.node
        if isinstance(node, (nir.I, nir.IF)):
            result: Floats = neuron.v + node.r * into
            return result
        if isinstance(node, (nir.CubaLI, nir.CubaLIF)):
            syn = decay(node.tau_syn, self._dt, self._discretize)
            neuron.i = neuron.i * (1 - syn) + np.where(syn == 0, 1, syn) * (node.w_in * into)
            into, tau = neuron.i, node.tau_mem
        else:
            tau = node.tau
        d = decay(tau, self._dt, self._discretize)
        # without leak an integrator, r its gain per step, as IF's
        leaked: Floats = neuron.v * (1 - d) + d * node.v_leak + np.where(d == 0, 1, d) * node.r * into
        return leaked


def _affine(node: nir.NIRNode, x: Floats) -> Floats:
    result: Floats = x.reshape(len(x), -1) @ np.asarray(node.weight, np.float64).T + getattr(node, "bias", 0.0)
    return result


def _scale(node: nir.Scale, x: Floats) -> Floats:
    scale = np.asarray(node.scale, np.float64)
    result: Floats = (x.reshape(len(x), *scale.shape) if scale.size * len(x) == x.size else x) * scale
    return result


def _convolution(node: nir.NIRNode, x: Floats) -> Floats:
    axes = node.weight.ndim - 2
    stride, dilation = numbers(node.stride, axes), numbers(node.dilation, axes)
    if isinstance(node.padding, str):
        around = [(0, 0)] * axes if node.padding == "valid" else same_padding(node.weight.shape[2:], dilation)
    else:
        around = [(p, p) for p in numbers(node.padding, axes)]
    padded = torch.from_numpy(np.pad(x, [(0, 0), (0, 0), *around]))
    weight, bias = (torch.from_numpy(np.array(values, np.float64)) for values in (node.weight, node.bias))
    function: Callable[..., torch.Tensor] = functional.conv1d if axes == 1 else functional.conv2d
    result: Floats = function(padded, weight, bias, stride, 0, dilation, int(node.groups)).numpy()
    return result


def _pool(node: nir.NIRNode, x: Floats) -> Floats:
    kernel, stride, padding = (numbers(getattr(node, key), 2) for key in ("kernel_size", "stride", "padding"))
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    mean: Floats = functional.avg_pool2d(torch.from_numpy(padded), kernel, stride).numpy()
    return mean if isinstance(node, nir.AvgPool2d) else mean * (kernel[0] * kernel[1])


_STATELESS: tuple[tuple[Any, Callable[[Any, Floats], Floats]], ...] = (
    ((nir.Affine, nir.Linear), _affine),
    (nir.Scale, _scale),
    ((nir.Conv1d, nir.Conv2d), _convolution),
    ((nir.SumPool2d, nir.AvgPool2d), _pool),
)
