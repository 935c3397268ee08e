"""NIR graph -> the chip's normal form (FloatNetwork).

Forward Euler with the graph's time step dt, as NIR's equations read (nir, ir/neuron.py); "exponential" puts
1 - exp(-dt/tau) in the place of dt/tau, which is exact for an input held over the step:

    LIF      v <- v (1 - dt/tau) + dt/tau (v_leak + r I)
    CubaLIF  i <- i (1 - dt/tau_syn) + dt/tau_syn w_in S;   v <- v (1 - dt/tau_mem) + dt/tau_mem (v_leak + r i)
    IF       v <- v + r I

IF's equation is dv/dt = r I, but the frameworks that export it (Sinabs, for one) mean one step of v += r I and
know no seconds: its gain is r, not r dt, whatever the time step. v does not leak and there is no filter.

The factor before I (or S) is folded into threshold and bias, which the chip holds a neuron: dividing u and v by it
leaves every spike as it was and lets convolutions keep their shared kernel. An Affine's bias is added to v where there
is no filter before it, and comes from a bias axon where there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import nir
import numpy as np

from hardware_profiles.errors import InputError

from .bias_axons import bias_axon
from .delays import balance
from .float_network import ConvGeometry, FloatConnection, FloatNetwork, FloatPopulation, Floats, Reset
from .nir_graph import NEURONS, SYNAPSES, pair, predecessors, shape_of
from .program import InputPort

Discretize = Literal["euler", "exponential"]


@dataclass(frozen=True)
class _Step:
    """The time step in seconds, and how a time constant becomes the share that decays in one."""

    dt: float
    discretize: Discretize

    def decay(self, tau: Floats, what: str) -> Floats:
        """The share lost in a step; raises InputError for a time constant that is not positive."""
        if np.any(tau <= 0):
            raise InputError(f"{what} is {tau.min()} s, but a time constant is positive")
        if self.discretize == "exponential":
            decayed: Floats = -np.expm1(-self.dt / tau)
            return decayed
        # a filter shorter than a step has died away by the next one
        decay: Floats = np.minimum(self.dt / tau, 1.0)
        return decay


@dataclass(frozen=True)
class _Constants:
    """A neuron node's constants before folding, each broadcast to (size,)."""

    current_decay: Floats
    voltage_decay: Floats
    gain: Floats
    leak: Floats
    threshold: Floats


def lower(
    graph: nir.NIRGraph,
    dt: float,
    where: str = "graph",
    *,
    discretize: Discretize = "euler",
    reset: Reset = "zero",
) -> FloatNetwork:
    """Lower a graph of inputs, synapses, neurons and outputs; raises InputError for what the chip cannot hold."""
    inputs = tuple(InputPort(name, shape_of(node)) for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    connections: list[FloatConnection] = []
    populations: list[FloatPopulation] = []
    for name, node in graph.nodes.items():
        if isinstance(node, NEURONS):
            incoming = [s for s in predecessors(graph, name) if _is_synapse(graph, s, name, where)]
            connections += [
                _connection(synapse, source, name, graph, where)
                for synapse in incoming
                for source in _sources(graph, synapse, where)
            ]
            synapses = [graph.nodes[s] for s in incoming]
            population, filtered = _population(name, node, synapses, _Step(dt, discretize), where)
            if np.any(filtered):
                axon, connection = bias_axon(name, filtered, graph.nodes)
                populations.append(axon)
                connections.append(connection)
            populations.append(replace(population, reset=reset))
    outputs = _outputs(graph, where)
    balanced = balance([port.name for port in inputs], tuple(connections))
    return FloatNetwork(dt, inputs, tuple(populations), balanced, outputs)


def _outputs(graph: nir.NIRGraph, where: str) -> tuple[str, ...]:
    names: list[str] = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Output):
            for source in predecessors(graph, name):
                if not isinstance(graph.nodes[source], NEURONS):
                    kind = type(graph.nodes[source]).__name__
                    raise InputError(
                        f"{where}: output {name!r} reads node {source!r} ({kind}), which does not spike; "
                        "end the network in an IF, LIF or CubaLIF node"
                    )
                names.append(source)
    if not names:
        raise InputError(f"{where}: no neuron leads to an Output node; add an edge from the last layer to an Output")
    return tuple(names)


def _is_synapse(graph: nir.NIRGraph, name: str, neuron: str, where: str) -> bool:
    node = graph.nodes[name]
    if isinstance(node, SYNAPSES):
        return True
    raise InputError(
        f"{where}: neuron {neuron!r} is fed by {name!r} ({type(node).__name__}) without a synapse between; "
        "put a Linear, Affine or Conv2d node there"
    )


def _sources(graph: nir.NIRGraph, synapse: str, where: str) -> list[str]:
    sources = predecessors(graph, synapse)
    if not sources:
        raise InputError(f"{where}: nothing leads to node {synapse!r}; add an edge from an input or a neuron")
    for source in sources:
        node = graph.nodes[source]
        if not isinstance(node, (nir.Input, *NEURONS)):
            raise InputError(
                f"{where}: synapse {synapse!r} is fed by {source!r} ({type(node).__name__}), which does not spike; "
                "merge the two or put an IF, LIF or CubaLIF node between"
            )
    return sources


def _population(
    name: str, node: nir.NIRNode, synapses: list[nir.NIRNode], step: _Step, where: str
) -> tuple[FloatPopulation, Floats]:
    """The neurons, and the bias (one value a neuron) that must reach them through their synaptic filter."""
    shape = shape_of(node)
    if not np.prod(shape):
        raise InputError(f"{where}: {name!r} has shape {shape}, which holds no neuron")
    constants = _constants(name, node, int(np.prod(shape)), step, where)
    biases = [_bias(s, shape, f"{where}: a synapse of {name!r}") for s in synapses]
    direct = filtered = np.zeros(int(np.prod(shape)))
    if isinstance(node, nir.CubaLIF):
        filtered = sum(biases, filtered)
    else:
        direct = sum(biases, direct)
    population = FloatPopulation(
        name,
        shape,
        constants.current_decay,
        constants.voltage_decay,
        constants.threshold / constants.gain,
        constants.leak / constants.gain + direct,
    )
    return population, filtered


def _constants(name: str, node: nir.NIRNode, size: int, step: _Step, where: str) -> _Constants:
    def field(key: str) -> Floats:
        return np.broadcast_to(np.asarray(getattr(node, key), np.float64).reshape(-1), (size,)).copy()

    if np.any(field("v_reset")):
        raise InputError(
            f"{where}: {name!r} has a v_reset other than 0; the chip resets to 0, shift v by v_reset first"
        )
    voltage_decay, current_decay = np.zeros(size), np.ones(size)
    gain, leak = field("r"), np.zeros(size)
    if not isinstance(node, nir.IF):
        tau = "tau_mem" if isinstance(node, nir.CubaLIF) else "tau"
        voltage_decay = step.decay(field(tau), f"{where}: {name!r}, {tau}")
        gain, leak = voltage_decay * gain, voltage_decay * field("v_leak")
    if isinstance(node, nir.CubaLIF):
        current_decay = step.decay(field("tau_syn"), f"{where}: {name!r}, tau_syn")
        gain = gain * current_decay * field("w_in")
    if np.any(gain <= 0):
        raise InputError(f"{where}: {name!r} has r or w_in of 0 or less; scale the weights before it instead")
    threshold = field("v_threshold")
    if np.any(threshold <= 0):
        raise InputError(f"{where}: {name!r} has a v_threshold of 0 or less; the chip's thresholds are positive")
    return _Constants(current_decay, voltage_decay, gain, leak, threshold)


def _bias(synapse: nir.NIRNode, shape: tuple[int, ...], what: str) -> Floats:
    """A synapse node's bias, one value a neuron; a convolution's is one a channel."""
    size = int(np.prod(shape))
    if isinstance(synapse, nir.Linear):
        return np.zeros(size)
    bias = np.asarray(synapse.bias, np.float64)
    wanted = shape[0] if isinstance(synapse, nir.Conv2d) else size
    if bias.size != wanted:
        raise InputError(f"{what} has a bias of shape {bias.shape}, but {wanted} values are needed")
    return np.repeat(bias.reshape(-1), size // wanted)


def _connection(name: str, source: str, target: str, graph: nir.NIRGraph, where: str) -> FloatConnection:
    synapse = graph.nodes[name]
    weights = np.asarray(synapse.weight, np.float64)
    shape, target_shape = shape_of(graph.nodes[source]), shape_of(graph.nodes[target])
    if isinstance(synapse, nir.Conv2d):
        geometry = _geometry(synapse, weights, shape, target_shape, f"{where}: convolution {source} -> {target}")
        return FloatConnection(source, target, weights, geometry, 1, synapse=name)
    expected = (int(np.prod(target_shape)), int(np.prod(shape)))
    if weights.shape != expected:
        raise InputError(
            f"{where}: weights {source} -> {target} have shape {weights.shape}, but {expected} fits the ends"
        )
    return FloatConnection(source, target, weights, None, 1, synapse=name)


def _geometry(
    node: nir.Conv2d, weights: Floats, shape: tuple[int, ...], target_shape: tuple[int, ...], what: str
) -> ConvGeometry:
    if len(shape) != 3 or len(target_shape) != 3:
        raise InputError(f"{what} joins shapes {shape} and {target_shape}, but both must be (channels, height, width)")
    if isinstance(node.padding, str):
        raise InputError(f"{what} has padding {node.padding!r}; give it as two numbers")
    stride, padding, dilation = (pair(getattr(node, key)) for key in ("stride", "padding", "dilation"))
    if weights.ndim != 4 or min(*stride, *dilation, int(node.groups)) < 1:
        raise InputError(
            f"{what} has weights {weights.shape}, stride {stride}, dilation {dilation} and {node.groups} groups; "
            "weights have four dimensions, the others are 1 or more"
        )
    height, width = (
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, p, d in zip(shape[1:], weights.shape[2:], stride, padding, dilation, strict=True)
    )
    computed = (weights.shape[0], height, width)
    if computed != target_shape or weights.shape[1] * node.groups != shape[0]:
        raise InputError(
            f"{what}: kernel {weights.shape} on input {shape} gives {computed}, but {target_shape} follows"
        )
    input_shape = (shape[0], shape[1], shape[2])
    return ConvGeometry(input_shape, computed, stride, padding, dilation, int(node.groups))
