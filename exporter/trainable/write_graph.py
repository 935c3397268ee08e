"""The chip's form of a network -> NIR graph, in NIR's own meaning.

    population      IF, LIF, CubaLIF (I, LI, CubaLI where it sends its voltage), r = 1/dv and w_in = 1/du, so that all
                    gains are 1 and the bias is v_leak = bias / dv
    connection      Linear or Conv2d, behind a Delay if the network has one
    bias axon       the bias of an Affine (exporter/lowering/bias_axons.py)

Each keeps the name of the node that it came from. Metadata of the graph record the time step, and how time constants
and the reset are meant, so that another framework's conventions are not applied to it (exporter/lowering/dialects.py).
Neurons' constants are float64: a reset is computed from them to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import nir
import numpy as np
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats

from .ties import by_channel

# the leak of neurons that have none, but a bias: it rounds to 0 on the chip
_NO_LEAK = 1e-9
# a weight that is kept where all are 0, in thresholds
_NOTHING = 1e-18
# entries of the largest matrix of zeros that is written for the sake of its bias
_LARGEST_UNUSED = 1 << 26


def write_graph(
    network: FloatNetwork,
    discretize: str,
    reset: str,
    output_names: tuple[str, ...],
    hints: Mapping[str, dict[str, Any]],
) -> nir.NIRGraph:
    """The graph of a network without v_leak; raises InputError for what NIR cannot represent.

    output_names: of the Output nodes, one for each of the network's outputs; hints: metadata of each population's node.
    """
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[tuple[str, str]] = []
    for port in network.inputs:
        payload = network.payloads.get(port.name, 1)
        metadata = {"payload": payload} if payload > 1 else {}
        nodes[port.name] = nir.Input(input_type={"input": np.array(port.shape)}, metadata=metadata)
    axons = _bias_axons(network)
    taken = {*nodes, *output_names, *(p.name for p in network.populations)}
    for population in network.populations:
        if population.name in axons:
            continue
        as_output = population.name in output_names
        incoming = [c for c in network.connections if c.target == population.name]
        nodes[population.name] = (
            nir.Output(output_type={"output": np.array(population.shape)})
            if as_output
            else _neuron(population, network.dt, discretize, any(c.source in axons for c in incoming))
        )
        nodes[population.name].metadata.update(hints.get(population.name, {}))
        _add_synapses(network, population, axons, nodes, edges, taken, affine=as_output or _integrates(population))
    for population in network.populations:
        # one in a loop that no input leads to
        inputs = [port.name for port in network.inputs]
        if population.name not in axons and population.name not in _reached(inputs, edges):
            _unused_edge(network, population, np.zeros(population.size), nodes, edges, taken)
    for name, source in zip(output_names, network.outputs, strict=True):
        if name != source:
            shape = next(p.shape for p in network.populations if p.name == source)
            nodes[name] = nir.Output(output_type={"output": np.array(shape)})
            edges.append((source, name))
    stated: dict[str, Any] = {"dt": network.dt, "discretize": discretize, "reset": reset}
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=stated, type_check=False)


def _bias_axons(network: FloatNetwork) -> dict[str, FloatPopulation]:
    """The populations that lowering added for biases (exporter/lowering/bias_axons.py)."""
    targets = {c.target for c in network.connections}
    return {
        p.name: p
        for p in network.populations
        if p.name.rstrip("_").endswith(".bias") and p.name not in targets and p.name not in network.outputs
    }


def _add_synapses(
    network: FloatNetwork,
    population: FloatPopulation,
    axons: Mapping[str, FloatPopulation],
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
    taken: set[str],
    affine: bool,
) -> None:
    """Nodes and edges of what leads to a population; affine: its own bias is the synapse's."""
    incoming = [c for c in network.connections if c.target == population.name]
    biases = [c for c in incoming if c.source in axons]
    bias = population.bias if affine else np.zeros(population.size)
    for axon in biases:
        if axon.steps:
            raise InputError(
                f"{population.name!r} has a bias behind a Delay, which training does not keep; move it into the "
                "synapse after the Delay"
            )
        bias = bias + axon.dense[:, 0]
    synapses = [c for c in incoming if c.source not in axons]
    # one synapse carries the whole bias
    carrier = next((c for c in synapses if _can_carry(c, bias)), None)
    for connection in synapses:
        source = _delayed(connection, network, nodes, edges, taken)
        name = _free(connection.synapse or f"{connection.source}_{connection.target}", taken)
        own = bias if connection is carrier else np.zeros(population.size)
        nodes[name] = _synapse(_kept(connection, population), own)
        edges += [(source, name), (name, population.name)]
    if carrier is None:
        _unused_edge(network, population, bias, nodes, edges, taken)


def _can_carry(connection: FloatConnection, bias: Floats) -> bool:
    """Whether a synapse may have this bias: that of a convolution has one value per channel."""
    geometry = connection.geometry
    return geometry is None or by_channel(bias, geometry.output_shape[0]) is not None


def _unused_edge(
    network: FloatNetwork,
    population: FloatPopulation,
    bias: Floats,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
    taken: set[str],
) -> None:
    """An edge without weight from an input, because a graph needs one; it carries the bias."""
    port = network.inputs[0]
    if population.size * port.size > _LARGEST_UNUSED:
        raise InputError(
            f"{population.name!r} has a bias of its own for each of {population.size} neurons, which only a matrix "
            f"from {port.name!r} with {population.size * port.size:,} zeros could carry; make it the same in a channel"
        )
    name = _free(f"{population.name}_unused", taken)
    nodes[name] = nir.Affine(np.zeros((population.size, port.size), np.float32), bias.astype(np.float32))
    edges += [(port.name, name), (name, population.name)]


def _reached(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> set[str]:
    """The nodes that edges lead to from these, and these."""
    reached, links = set(names), list(edges)
    growing = True
    while growing:
        new = {target for source, target in links if source in reached} - reached
        reached |= new
        growing = bool(new)
    return reached


def _kept(connection: FloatConnection, population: FloatPopulation) -> FloatConnection:
    """The connection; one whose weights are all 0 gets one that rounds to 0, so that reading keeps it."""
    if np.any(connection.weights.data if isinstance(connection.weights, csr_array) else connection.weights):
        return connection
    weights = np.zeros(connection.weights.shape)
    # thresholds are above 64 units of the register
    weights.flat[0] = _NOTHING * (population.threshold.min() if population.sends == "spikes" else 1.0)
    return replace(connection, weights=weights)


def _delayed(
    connection: FloatConnection,
    network: FloatNetwork,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
    taken: set[str],
) -> str:
    """The node that a synapse reads: its source, or a Delay after it."""
    delays = connection.axonal_delays
    if not connection.steps and delays is None:
        return connection.source
    shapes = {port.name: port.shape for port in network.inputs} | {p.name: p.shape for p in network.populations}
    shape = shapes[connection.source]
    steps = np.full(shape, connection.steps) if delays is None else connection.steps + delays.reshape(shape)
    name = _free(f"{connection.synapse or connection.target}_delay", taken)
    nodes[name] = nir.Delay(delay=steps * network.dt)
    edges.append((connection.source, name))
    return name


def _synapse(connection: FloatConnection, bias: Floats) -> nir.NIRNode:
    geometry = connection.geometry
    if geometry is None:
        dense = connection.dense.astype(np.float32)
        return nir.Affine(weight=dense, bias=bias.astype(np.float32)) if np.any(bias) else nir.Linear(weight=dense)
    channels = bias.reshape(geometry.output_shape[0], -1)
    return nir.Conv2d(
        input_shape=geometry.input_shape[1:], weight=connection.weights.astype(np.float32), stride=geometry.stride,
        padding=geometry.padding, dilation=geometry.dilation, groups=geometry.groups,
        bias=channels[:, 0].astype(np.float32),
    )  # fmt: skip


def _neuron(population: FloatPopulation, dt: float, discretize: str, axon: bool) -> nir.NIRNode:
    """The node of a population; axon: whether a bias axon leads to it, which only a filtered neuron gets."""
    current, voltage = population.current_decay, population.voltage_decay
    spiking, filtered = population.sends == "spikes", axon or bool(np.any(current != 1))
    metadata = {"v_initial": population.v_initial.reshape(population.shape)} if np.any(population.v_initial) else {}

    def each(values: Floats | float) -> Floats:
        return np.broadcast_to(np.asarray(values, np.float64), (population.size,)).reshape(population.shape).copy()

    if _integrates(population):
        return nir.I(r=each(1.0), metadata=metadata)
    if not filtered and not np.any(voltage) and not np.any(population.bias):
        return nir.IF(each(1.0), each(population.threshold), v_reset=each(0.0), metadata=metadata)
    voltage = np.where(voltage > 0, voltage, _NO_LEAK)
    common = {"r": each(1 / voltage), "v_leak": each(population.bias / voltage), "metadata": metadata}
    tau = each(_time_constant(voltage, dt, discretize))
    if filtered:
        common |= {"tau_mem": tau, "tau_syn": each(_time_constant(current, dt, discretize)), "w_in": each(1 / current)}
    else:
        common["tau"] = tau
    if not spiking:
        return (nir.CubaLI if filtered else nir.LI)(**common)
    common |= {"v_threshold": each(population.threshold), "v_reset": each(0.0)}
    return (nir.CubaLIF if filtered else nir.LIF)(**common)


def _integrates(population: FloatPopulation) -> bool:
    """Whether neurons add up their input and send the sum: NIR's I, whose bias is its synapse's."""
    memory = np.any(population.current_decay != 1) or np.any(population.voltage_decay)
    return population.sends == "voltage" and not memory


def _time_constant(decay: Floats, dt: float, discretize: str) -> Floats:
    """The time constant whose decay per step it is; decays of 1, exponentially, are less than one register unit off."""
    if discretize == "exponential":
        return np.asarray(-dt / np.log1p(-np.minimum(decay, 1 - 1e-12)))
    return np.asarray(dt / decay)


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number if a node already has it; it is taken from then on."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}__{number}"
    taken.add(candidate)
    return candidate
