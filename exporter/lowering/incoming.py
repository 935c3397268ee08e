"""What leads to a neuron of a NIR graph, as connections and biases.

The usual way, source -> Delay? -> synapse -> neuron, becomes one connection that keeps its kernel, the Delay its axons'
delays. Whatever else stands between is written out as matrices (exporter/lowering/linear_form.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import nir
import numpy as np
from scipy.sparse import csr_array, diags_array

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import ConvGeometry, FloatConnection, Floats
from spikeport.exporter.nir_graph.graph_checks import NEURONS, SYNAPSES, bias_of, pair, predecessors
from spikeport.exporter.nir_graph.shapes import Shape, conv_output, is_row
from spikeport.exporter.program.chip_program import Integers

from .discretize import delay_steps
from .linear_form import LinearForm, conv_matrix, linear_form

# a matrix of this many weights or more, of which no more than this share is not 0, is held in compressed rows
_LARGE, _SPARSE = 1 << 14, 0.1


@dataclass
class Arriving:
    """Connections to one node, and biases (size,) by the step from which on they act."""

    connections: list[FloatConnection] = field(default_factory=list)
    biases: dict[int, Floats] = field(default_factory=dict)

    def add_bias(self, step: int, bias: Floats) -> None:
        """Add a bias that acts from a step on."""
        self.biases[step] = self.biases.get(step, 0) + bias

    def scaled(self, gain: Floats) -> Arriving:
        """All of it times one factor a neuron."""
        return Arriving(
            [_scaled(c, gain) for c in self.connections], {step: bias * gain for step, bias in self.biases.items()}
        )


def arriving_at(graph: nir.NIRGraph, name: str, shapes: Mapping[str, Shape], dt: float, where: str) -> Arriving:
    """What leads to a neuron or an Output; raises InputError that names what does not fit."""
    found = Arriving()
    size = math.prod(shapes[name])
    for before in predecessors(graph, name):
        node = graph.nodes[before]
        ways = _ways(graph, before, dt) if isinstance(node, SYNAPSES) else None
        if ways is None:
            form = linear_form(graph, before, shapes, dt, where)
            if math.prod(form.shape) != size:
                raise InputError(
                    f"{where}: {before!r} ({type(node).__name__}) puts out shape {form.shape}, but {name!r} has "
                    f"{shapes[name]}; put a Linear, Affine or Conv2d node between"
                )
            _add_form(found, form, name, before)
            continue
        if not ways:
            raise InputError(f"{where}: nothing leads to node {before!r}; add an edge from an input or a neuron")
        for source, delays in ways:
            connection = _connection(graph, before, source, name, shapes, where)
            if np.any(node.weight):
                found.connections.append(_late(connection, delays))
        try:
            found.add_bias(0, bias_of(node, shapes[name]))
        except ValueError as error:
            raise InputError(f"{where}: {before!r}, a synapse of {name!r}, {error}") from error
    return found


def delay_notes(graph: nir.NIRGraph, dt: float) -> tuple[str, ...]:
    """A sentence for each Delay that is no whole number of steps."""
    notes = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Delay):
            _, distance = delay_steps(node.delay, dt, f"Delay {name!r}")
            if distance:
                notes.append(
                    f"Delay {name!r} is no whole number of steps of {dt:g} s: rounded to the nearest, by up to "
                    f"{distance:.2g} steps"
                )
    return tuple(notes)


def _ways(graph: nir.NIRGraph, synapse: str, dt: float) -> list[tuple[str, Integers | None]] | None:
    """Each source of a synapse and its elements' delays, None where anything but Delays stands between."""
    ways: list[tuple[str, Integers | None]] = []
    for before in predecessors(graph, synapse):
        node = graph.nodes[before]
        if isinstance(node, (nir.Input, *NEURONS)):
            ways.append((before, None))
            continue
        sources = predecessors(graph, before)
        if not isinstance(node, nir.Delay) or not all(
            isinstance(graph.nodes[s], (nir.Input, *NEURONS)) for s in sources
        ):
            return None
        steps, _ = delay_steps(node.delay, dt, f"Delay {before!r}")
        ways += [(source, steps.reshape(-1)) for source in sources]
    return ways


def _late(connection: FloatConnection, delays: Integers | None) -> FloatConnection:
    """The connection with its axons' delays: what they share, and what each has beyond."""
    if delays is None:
        return connection
    shared = int(delays.min(initial=0 if not delays.size else int(delays.max())))
    beyond = (delays - shared).astype(np.int32)
    return replace(connection, steps=shared, axonal_delays=beyond if np.any(beyond) else None)


def _add_form(found: Arriving, form: LinearForm, target: str, synapse: str) -> None:
    for step, bias in form.biases.items():
        found.add_bias(step, bias)
    for source in dict.fromkeys(source for source, _ in form.matrices):
        parts = {steps: m for (s, steps), m in form.matrices.items() if s == source and m.nnz}
        uses = np.array([np.asarray(abs(m).sum(axis=0)) > 0 for m in parts.values()])
        if len(parts) > 1 and uses.sum(axis=0).max(initial=0) <= 1:
            # every axon has one delay: one connection holds them all
            steps = np.array(list(parts))
            delays = np.where(uses.any(axis=0), steps @ uses, steps.min()).astype(np.int32)
            whole = sum(list(parts.values())[1:], start=next(iter(parts.values())))
            connection = FloatConnection(source, target, _held(whole), None, 1, synapse=synapse)
            found.connections.append(_late(connection, delays))
            continue
        for late, matrix in parts.items():
            found.connections.append(
                FloatConnection(source, target, _held(matrix), None, 1, steps=late, synapse=synapse)
            )


def _held(matrix: csr_array) -> Floats | csr_array:
    """In compressed rows where that is shorter."""
    size = math.prod(matrix.shape)
    if size >= _LARGE and matrix.nnz <= _SPARSE * size:
        return matrix
    dense: Floats = matrix.toarray()
    return dense


def _scaled(connection: FloatConnection, gain: Floats) -> FloatConnection:
    weights, geometry = connection.weights, connection.geometry
    if geometry is None:
        scaled = csr_array(diags_array(gain) @ weights) if isinstance(weights, csr_array) else weights * gain[:, None]
        return replace(connection, weights=scaled)
    channels = gain.reshape(len(weights), -1)
    if np.all(channels == channels[:, :1]):
        return replace(connection, weights=weights * channels[:, :1, None, None])
    conv = nir.Conv2d(
        None, weights, geometry.stride, geometry.padding, geometry.dilation, geometry.groups, np.zeros(len(weights))
    )
    matrix = conv_matrix(weights, conv, geometry.input_shape, geometry.output_shape)
    return replace(connection, weights=_held(csr_array(diags_array(gain) @ matrix)), geometry=None)


def _connection(
    graph: nir.NIRGraph, name: str, source: str, target: str, shapes: Mapping[str, Shape], where: str
) -> FloatConnection:
    synapse = graph.nodes[name]
    weights = np.asarray(synapse.weight, np.float64)
    shape, target_shape = shapes[source], shapes[target]
    if isinstance(synapse, nir.Conv2d):
        geometry = _geometry(synapse, weights, shape, target_shape, f"{where}: convolution {source} -> {target}")
        return FloatConnection(source, target, weights, geometry, 1, synapse=name)
    expected = (math.prod(target_shape), math.prod(shape))
    if weights.shape != expected:
        raise InputError(
            f"{where}: weights {source} -> {target} have shape {weights.shape}, but {expected} fits the ends"
        )
    return FloatConnection(source, target, _compressed(weights), None, 1, synapse=name)


def _compressed(weights: Floats) -> Floats | csr_array:
    sparse = weights.size >= _LARGE and np.count_nonzero(weights) <= _SPARSE * weights.size
    return csr_array(weights) if sparse else weights


def _geometry(node: nir.Conv2d, weights: Floats, shape: Shape, target_shape: Shape, what: str) -> ConvGeometry:
    if is_row(weights.shape, shape):
        shape = (shape[0], 1, shape[1])
    if len(shape) != 3:
        raise InputError(f"{what} reads shape {shape}, but it must be (channels, height, width)")
    stride, padding, dilation = (pair(getattr(node, key)) for key in ("stride", "padding", "dilation"))
    if weights.ndim != 4 or min(*stride, *dilation, int(node.groups)) < 1 or min(padding) < 0:
        raise InputError(
            f"{what} has weights {weights.shape}, stride {stride}, padding {padding}, dilation {dilation} and "
            f"{node.groups} groups; weights have four dimensions, the others are 1 or more, padding 0 or more"
        )
    height, width = conv_output(shape[1:], weights.shape[2:], stride, padding, dilation)
    computed = (weights.shape[0], height, width)
    if (
        math.prod(computed) != math.prod(target_shape)
        or min(height, width) < 1
        or weights.shape[1] * node.groups != shape[0]
    ):
        raise InputError(
            f"{what}: kernel {weights.shape} on input {shape} gives {computed}, but {target_shape} follows"
        )
    return ConvGeometry((shape[0], shape[1], shape[2]), computed, stride, padding, dilation, int(node.groups))
