"""NIR graph -> the chip's normal form (FloatNetwork), once the passes have folded gains and resets.

With decays d a step (exporter/lowering/discretize.py), forward Euler or exponential, r = w_in = 1 and v_reset = 0:

    LI, LIF          v <- v (1 - d) + d (v_leak + I)
    CubaLI, CubaLIF  i <- i (1 - d_syn) + d_syn S;   v <- v (1 - d_mem) + d_mem (v_leak + i)
    I, IF            v <- v + I
    Threshold        v <- I

IF's equation is dv/dt = r I, but the frameworks that export it (Sinabs, for one) mean one step of v += r I and
know no seconds: its gain is r, not r dt, whatever the time step. v does not leak and there is no filter.

The factor before I (or S) is folded into threshold and bias, which the chip holds a neuron: dividing u and v by it
leaves every spike as it was and lets convolutions keep their shared kernel. Neurons that send their voltage keep it, so
there the factor goes into the weights. An Affine's bias is added to v where there is no filter before it, and comes
from a bias axon where there is, or where a Delay holds it back.
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
    trained_threshold,
)
from spikeport.exporter.nir_graph.shapes import Shape, output_shapes
from spikeport.exporter.program.chip_program import InputPort

from .bias_axons import bias_axon
from .discretize import decay
from .incoming import Arriving, arriving_at, delay_notes


@dataclass(frozen=True)
class _Dynamics:
    """A neuron's decays a step and the factor before its input, each (size,); passed: whether its input is filtered."""

    current_decay: Floats
    voltage_decay: Floats
    gain: Floats
    filtered: bool


def lower(graph: nir.NIRGraph, options: LoweringOptions, where: str = "graph") -> FloatNetwork:
    """Lower a graph that the passes have been over; raises InputError for what the chip cannot hold.

    What v leaks to is no part of the bias yet (exporter/lowering/fold_leak.py), and the connections' delays are not balanced
    (exporter/lowering/balance_delays.py).
    """
    shapes = output_shapes(graph)
    inputs = tuple(InputPort(n, shapes[n]) for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    connections: list[FloatConnection] = []
    populations: list[FloatPopulation] = []
    for name, node in graph.nodes.items():
        if isinstance(node, NEURONS):
            shape = shapes[name]
            if not math.prod(shape):
                raise InputError(f"{where}: {name!r} has shape {shape}, which holds no neuron")
            dynamics = _dynamics(name, node, math.prod(shape), options, where)
            population = replace(_population(name, node, shape, dynamics, where), reset=options.reset)
        elif isinstance(node, nir.Output) and _needs_readout(graph, name, where):
            shape = shapes.get(name, ())
            dynamics = _memoryless(math.prod(shape))
            population = _readout(name, shape)
        else:
            continue
        arriving = arriving_at(graph, name, shapes, options.dt, where)
        if population.sends == "voltage":
            arriving = arriving.scaled(dynamics.gain)
        added, found = _with_bias(population, arriving, dynamics, graph.nodes)
        populations += added
        connections += found
    outputs = _outputs(graph, where)
    notes = delay_notes(graph, options.dt)
    payloads = {port.name: largest_payload(graph.nodes[port.name]) for port in inputs}
    return FloatNetwork(
        options.dt, inputs, tuple(populations), tuple(connections), outputs, notes=notes,
        payloads={name: largest for name, largest in payloads.items() if largest > 1},
    )  # fmt: skip


def _with_bias(
    population: FloatPopulation, arriving: Arriving, dynamics: _Dynamics, taken: Mapping[str, nir.NIRNode]
) -> tuple[list[FloatPopulation], list[FloatConnection]]:
    """The population with the bias that acts on v from the start; the rest comes from bias axons."""
    axons: list[FloatPopulation] = []
    links = list(arriving.connections)
    names = set(taken)
    for steps, bias in sorted(arriving.biases.items()):
        if steps == 0 and not dynamics.filtered:
            population = replace(population, bias=population.bias + bias)
        elif np.any(bias):
            axon, link = bias_axon(population.name, bias, names)
            names.add(axon.name)
            axons.append(axon)
            links.append(replace(link, steps=steps))
    return [*axons, population], links


def _needs_readout(graph: nir.NIRGraph, name: str, where: str) -> bool:
    """Whether an Output reads anything but one neuron, so that a population without memory must put the sum out."""
    sources = predecessors(graph, name)
    for source in sources:
        if isinstance(graph.nodes[source], nir.Input):
            raise InputError(
                f"{where}: output {name!r} reads input {source!r} directly; put a synapse and a neuron between"
            )
    return bool(sources) and not (len(sources) == 1 and isinstance(graph.nodes[sources[0]], NEURONS))


def _outputs(graph: nir.NIRGraph, where: str) -> tuple[str, ...]:
    names: list[str] = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Output):
            sources = predecessors(graph, name)
            if sources:
                names.append(name if _needs_readout(graph, name, where) else sources[0])
    if not names:
        raise InputError(f"{where}: no neuron leads to an Output node; add an edge from the last layer to an Output")
    return tuple(dict.fromkeys(names))


def _population(name: str, node: nir.NIRNode, shape: Shape, dynamics: _Dynamics, where: str) -> FloatPopulation:
    size = math.prod(shape)
    leak, bias = _field(node, "v_leak", size), np.zeros(size)
    start = np.broadcast_to(initial_voltage(node).reshape(-1), (size,)).copy()
    if not isinstance(node, SPIKING):
        return FloatPopulation(
            name, shape, dynamics.current_decay, dynamics.voltage_decay, np.full(size, np.inf), bias,
            sends="voltage", v_initial=start, v_leak=leak,
        )  # fmt: skip
    threshold = _field(node, "threshold" if isinstance(node, nir.Threshold) else "v_threshold", size)
    if isinstance(node, nir.Threshold):
        # without memory, a bias moves input and threshold together
        lift = np.where(threshold > 0, 0.0, 1 - threshold)
        threshold, bias = threshold + lift, bias + lift
    elif np.any(threshold <= 0):
        raise InputError(
            f"{where}: {name!r} has a v_threshold of {threshold.min():g} above its v_reset; "
            "it must be positive, for the chip's thresholds are: raise v_threshold or lower v_reset"
        )
    gain = dynamics.gain
    return FloatPopulation(
        name, shape, dynamics.current_decay, dynamics.voltage_decay, threshold / gain, bias / gain,
        v_initial=start / gain, vth=trained_threshold(node), v_leak=leak / gain,
    )  # fmt: skip


def _dynamics(name: str, node: nir.NIRNode, size: int, options: LoweringOptions, where: str) -> _Dynamics:
    def share(field: str) -> Floats:
        return decay(_field(node, field, size), options.dt, options.discretize, f"{where}: {name!r}, {field}")

    one = np.ones(size)
    if isinstance(node, (nir.I, nir.IF)):
        return _Dynamics(one, np.zeros(size), one, False)
    if isinstance(node, nir.Threshold):
        return _memoryless(size)
    if isinstance(node, FILTERED):
        current, voltage = share("tau_syn"), share("tau_mem")
        return _Dynamics(current, voltage, current * voltage, True)
    voltage = share("tau")
    return _Dynamics(one, voltage, voltage, False)


def _memoryless(size: int) -> _Dynamics:
    return _Dynamics(np.ones(size), np.ones(size), np.ones(size), False)


def _readout(name: str, shape: Shape) -> FloatPopulation:
    """Neurons that put out what reaches them in the step, for an Output that reads a synapse."""
    size = math.prod(shape)
    one = np.ones(size)
    return FloatPopulation(name, shape, one, one, np.full(size, np.inf), np.zeros(size), sends="voltage")


def _field(node: nir.NIRNode, key: str, size: int) -> Floats:
    return np.broadcast_to(np.asarray(getattr(node, key, 0.0), np.float64).reshape(-1), (size,)).copy()
