"""NIR graph -> the chip's normal form (FloatNetwork), once the passes have folded gains and resets.

With decays d per step (exporter/lowering/discretize.py), forward Euler or exponential, r = w_in = 1 and v_reset = 0:

    LI, LIF          v <- v (1 - d) + d (v_leak + I)
    CubaLI, CubaLIF  i <- i (1 - d_syn) + d_syn S;   v <- v (1 - d_mem) + d_mem (v_leak + i)
    I, IF            v <- v + I
    Threshold        v <- I

IF's equation is dv/dt = r I, but the frameworks that export it (Sinabs, for one) mean v += r I per step, without
seconds: its gain is r, not r dt, whatever the time step. v does not leak and there is no filter.

The factor of I (or S) is folded into threshold and bias, which the chip stores per neuron: dividing u and v by it
changes no spike and lets convolutions keep their shared kernel. Neurons that send their voltage must keep its unit, so
their factor goes into the weights. An Affine's bias is added to v if no filter precedes it; after a filter or a Delay
it comes from a bias axon.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import nir
import numpy as np

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import LoweringOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.nir_graph.graph_checks import (
    FILTERED,
    NEURONS,
    SPIKING,
    initial_voltage,
    largest_payload,
    predecessors,
    trained_bits,
    trained_registers,
    trained_scale,
    trained_shift,
    trained_threshold,
)
from spikeport.exporter.nir_graph.shapes import Shape, output_shapes
from spikeport.exporter.program.chip_program import InputPort

from .bias_axons import bias_axon
from .discretize import decay
from .incoming import Incoming, delay_notes, incoming_of


@dataclass(frozen=True)
class _Dynamics:
    """A neuron's decays per step and its input's factor, each (size,); filtered: whether its input is."""

    current_decay: Floats
    voltage_decay: Floats
    gain: Floats
    filtered: bool


def lower(graph: nir.NIRGraph, options: LoweringOptions, context: str = "graph") -> FloatNetwork:
    """Lower a graph after the passes; raises InputError for what the chip cannot represent.

    v_leak is not part of the bias yet (fold_leak.py), and the connections' delays are not balanced (balance_delays.py).
    """
    shapes = output_shapes(graph)
    inputs = tuple(
        InputPort(name, shapes[name], payload=largest_payload(node))
        for name, node in graph.nodes.items()
        if isinstance(node, nir.Input)
    )
    connections: list[FloatConnection] = []
    populations: list[FloatPopulation] = []
    for name, node in graph.nodes.items():
        if isinstance(node, NEURONS):
            shape = shapes[name]
            if not math.prod(shape):
                raise InputError(f"{context}: {name!r} has shape {shape}, which holds no neuron")
            dynamics = _dynamics(name, node, math.prod(shape), options, context)
            population = _population(name, node, shape, dynamics, context)
            population = replace(population, reset=options.reset, weight_bits=trained_bits(node))
        elif isinstance(node, nir.Output) and _needs_readout(graph, name, context):
            shape = shapes.get(name, ())
            dynamics = _memoryless(math.prod(shape))
            population = replace(
                _readout(name, shape), trained_scale=trained_scale(node), trained_shift=trained_shift(node)
            )
        else:
            continue
        incoming = incoming_of(graph, name, shapes, options.dt, context)
        if population.sends == "voltage":
            incoming = incoming.scaled(dynamics.gain)
        added, links = _with_bias(population, incoming, dynamics, graph.nodes)
        populations += added
        connections += links
    outputs = _outputs(graph, context)
    notes = delay_notes(graph, options.dt)
    return FloatNetwork(
        options.dt, inputs, tuple(populations), tuple(connections), outputs, notes=notes,
        payloads={port.name: port.payload for port in inputs if port.payload > 1},
    )  # fmt: skip


def _with_bias(
    population: FloatPopulation, incoming: Incoming, dynamics: _Dynamics, used: Mapping[str, nir.NIRNode]
) -> tuple[list[FloatPopulation], list[FloatConnection]]:
    """The population with the bias that acts on v from the start; other biases come from bias axons."""
    axons: list[FloatPopulation] = []
    links = list(incoming.connections)
    names = set(used)
    for steps, bias in sorted(incoming.biases.items()):
        if steps == 0 and not dynamics.filtered:
            population = replace(population, bias=population.bias + bias)
        elif np.any(bias):
            axon, link = bias_axon(population.name, bias, names)
            names.add(axon.name)
            axons.append(axon)
            links.append(replace(link, steps=steps))
    return [*axons, population], links


def _needs_readout(graph: nir.NIRGraph, name: str, context: str) -> bool:
    """Whether an Output reads anything but one neuron, so that a memoryless population must output the sum."""
    sources = predecessors(graph, name)
    for source in sources:
        if isinstance(graph.nodes[source], nir.Input):
            raise InputError(
                f"{context}: output {name!r} reads input {source!r} directly; put a synapse and a neuron between"
            )
    return bool(sources) and not (len(sources) == 1 and isinstance(graph.nodes[sources[0]], NEURONS))


def _outputs(graph: nir.NIRGraph, context: str) -> tuple[str, ...]:
    names: list[str] = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Output):
            sources = predecessors(graph, name)
            if sources:
                names.append(name if _needs_readout(graph, name, context) else sources[0])
    if not names:
        raise InputError(f"{context}: no neuron leads to an Output node; add an edge from the last layer to an Output")
    return tuple(dict.fromkeys(names))


def _population(name: str, node: nir.NIRNode, shape: Shape, dynamics: _Dynamics, context: str) -> FloatPopulation:
    size = math.prod(shape)
    leak, bias = _field(node, "v_leak", size), np.zeros(size)
    start = np.broadcast_to(initial_voltage(node).reshape(-1), (size,)).copy()
    if not isinstance(node, SPIKING):
        return FloatPopulation(
            name, shape, dynamics.current_decay, dynamics.voltage_decay, np.full(size, np.inf), bias,
            sends="voltage", v_initial=start, v_leak=leak, trained_scale=trained_scale(node),
            trained_shift=trained_shift(node),
        )  # fmt: skip
    threshold = _field(node, "threshold" if isinstance(node, nir.Threshold) else "v_threshold", size)
    if isinstance(node, nir.Threshold):
        # without memory, a bias shifts input and threshold equally
        lift = np.where(threshold > 0, 0.0, 1 - threshold)
        threshold, bias = threshold + lift, bias + lift
    elif np.any(threshold <= 0):
        raise InputError(
            f"{context}: {name!r} has a v_threshold of {threshold.min():g} above its v_reset; "
            "it must be positive, as the chip's thresholds are: raise v_threshold or lower v_reset"
        )
    gain = dynamics.gain
    return FloatPopulation(
        name, shape, dynamics.current_decay, dynamics.voltage_decay, threshold / gain, bias / gain,
        v_initial=start / gain, vth=trained_threshold(node), v_leak=leak / gain,
        registers=trained_registers(node),
    )  # fmt: skip


def _dynamics(name: str, node: nir.NIRNode, size: int, options: LoweringOptions, context: str) -> _Dynamics:
    def decay_of(field: str) -> Floats:
        return decay(_field(node, field, size), options.dt, options.discretize, f"{context}: {name!r}, {field}")

    one = np.ones(size)
    if isinstance(node, (nir.I, nir.IF)):
        return _Dynamics(one, np.zeros(size), one, False)
    if isinstance(node, nir.Threshold):
        return _memoryless(size)
    if isinstance(node, FILTERED):
        current, voltage = decay_of("tau_syn"), decay_of("tau_mem")
        if np.any(current == 0):
            raise InputError(
                f"{context}: {name!r} has an infinite tau_syn, but the chip's current loses at least 1/4096 per step; "
                f"give a finite one, up to {4096 * options.dt:g} s"
            )
        return _Dynamics(current, voltage, _gain(current) * _gain(voltage), True)
    voltage = decay_of("tau")
    return _Dynamics(one, voltage, _gain(voltage), False)


def _gain(decay_per_step: Floats) -> Floats:
    """Factor of the input: the decay, or 1 where there is none, an integrator whose r is the gain per step, as IF's."""
    return np.where(decay_per_step == 0, 1.0, decay_per_step)


def _memoryless(size: int) -> _Dynamics:
    return _Dynamics(np.ones(size), np.ones(size), np.ones(size), False)


def _readout(name: str, shape: Shape) -> FloatPopulation:
    """Neurons that output their input of the step, for an Output that reads a synapse."""
    size = math.prod(shape)
    one = np.ones(size)
    return FloatPopulation(name, shape, one, one, np.full(size, np.inf), np.zeros(size), sends="voltage")


def _field(node: nir.NIRNode, key: str, size: int) -> Floats:
    return np.broadcast_to(np.asarray(getattr(node, key, 0.0), np.float64).reshape(-1), (size,)).copy()
