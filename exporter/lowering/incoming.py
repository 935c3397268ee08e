"""A NIR neuron's incoming edges as connections and biases.

The usual path, source -> Delay? -> synapse -> neuron, becomes one connection with its kernel; a Delay becomes axonal
delays. Any other path is expanded to matrices (exporter/lowering/linear_form.py).
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

# a matrix of at least this many weights, with at most this fraction nonzero, is stored in compressed rows
_LARGE, _SPARSE = 1 << 14, 0.1


@dataclass
class Incoming:
    """Connections to one node, and biases (size,) by the step from which they act."""

    connections: list[FloatConnection] = field(default_factory=list)
    biases: dict[int, Floats] = field(default_factory=dict)

    def add_bias(self, step: int, bias: Floats) -> None:
        """Add a bias that acts from a step on."""
        self.biases[step] = self.biases.get(step, 0) + bias

    def scaled(self, gain: Floats) -> Incoming:
        """All of it times one factor per neuron."""
        return Incoming(
            [_scaled(c, gain) for c in self.connections], {step: bias * gain for step, bias in self.biases.items()}
        )


def incoming_of(graph: nir.NIRGraph, name: str, shapes: Mapping[str, Shape], dt: float, context: str) -> Incoming:
    """The input of a neuron or an Output; raises InputError that names what does not fit."""
    incoming = Incoming()
    size = math.prod(shapes[name])
    for predecessor in predecessors(graph, name):
        node = graph.nodes[predecessor]
        direct_sources = _direct_sources(graph, predecessor, dt) if isinstance(node, SYNAPSES) else None
        if direct_sources is None:
            form = linear_form(graph, predecessor, shapes, dt, context)
            if math.prod(form.shape) != size:
                raise InputError(
                    f"{context}: {predecessor!r} ({type(node).__name__}) outputs {form.shape}, but {name!r} has "
                    f"{shapes[name]}; put a Linear, Affine or Conv2d node between"
                )
            _add_form(incoming, form, name, predecessor)
            continue
        if not direct_sources:
            raise InputError(f"{context}: nothing leads to node {predecessor!r}; add an edge from an input or a neuron")
        for source, delays in direct_sources:
            connection = _connection(graph, predecessor, source, name, shapes, context)
            if np.any(node.weight):
                incoming.connections.append(_with_delays(connection, delays))
        try:
            incoming.add_bias(0, bias_of(node, shapes[name]))
        except ValueError as error:
            raise InputError(f"{context}: {predecessor!r}, a synapse of {name!r}, {error}") from error
    return incoming


def delay_notes(graph: nir.NIRGraph, dt: float) -> tuple[str, ...]:
    """A sentence for each Delay that is not a whole number of steps."""
    notes = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Delay):
            _, distance = delay_steps(node.delay, dt, f"Delay {name!r}")
            if distance:
                notes.append(
                    f"Delay {name!r} is not a whole number of steps of {dt:g} s: rounded to the nearest, by up to "
                    f"{distance:.2g} steps"
                )
    return tuple(notes)


def _direct_sources(graph: nir.NIRGraph, synapse: str, dt: float) -> list[tuple[str, Integers | None]] | None:
    """Each source of a synapse and its elements' delays, None if there is anything but Delays between."""
    direct_sources: list[tuple[str, Integers | None]] = []
    for predecessor in predecessors(graph, synapse):
        node = graph.nodes[predecessor]
        if isinstance(node, (nir.Input, *NEURONS)):
            direct_sources.append((predecessor, None))
            continue
        sources = predecessors(graph, predecessor)
        if not isinstance(node, nir.Delay) or not all(
            isinstance(graph.nodes[s], (nir.Input, *NEURONS)) for s in sources
        ):
            return None
        steps, _ = delay_steps(node.delay, dt, f"Delay {predecessor!r}")
        direct_sources += [(source, steps.reshape(-1)) for source in sources]
    return direct_sources


def _with_delays(connection: FloatConnection, delays: Integers | None) -> FloatConnection:
    """The connection with its axonal delays: the common delay, and what each axon has beyond it."""
    if delays is None:
        return connection
    shared = int(delays.min(initial=0 if not delays.size else int(delays.max())))
    beyond = (delays - shared).astype(np.int32)
    return replace(connection, steps=shared, axonal_delays=beyond if np.any(beyond) else None)


def _add_form(incoming: Incoming, form: LinearForm, target: str, synapse: str) -> None:
    for step, bias in form.biases.items():
        incoming.add_bias(step, bias)
    for source in dict.fromkeys(source for source, _ in form.matrices):
        parts = {steps: m for (s, steps), m in form.matrices.items() if s == source and m.nnz}
        uses = np.array([np.asarray(abs(m).sum(axis=0)) > 0 for m in parts.values()])
        if len(parts) > 1 and uses.sum(axis=0).max(initial=0) <= 1:
            # every axon has one delay, so one connection suffices
            steps = np.array(list(parts))
            delays = np.where(uses.any(axis=0), steps @ uses, steps.min()).astype(np.int32)
            whole = sum(list(parts.values())[1:], start=next(iter(parts.values())))
            connection = FloatConnection(source, target, _stored(whole), None, 1, synapse=synapse)
            incoming.connections.append(_with_delays(connection, delays))
            continue
        for late, matrix in parts.items():
            incoming.connections.append(
                FloatConnection(source, target, _stored(matrix), None, 1, steps=late, synapse=synapse)
            )


def _stored(matrix: csr_array) -> Floats | csr_array:
    """The matrix in compressed rows if that is shorter, else dense."""
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
    return replace(connection, weights=_stored(csr_array(diags_array(gain) @ matrix)), geometry=None)


def _connection(
    graph: nir.NIRGraph, name: str, source: str, target: str, shapes: Mapping[str, Shape], context: str
) -> FloatConnection:
    synapse = graph.nodes[name]
    weights = np.asarray(synapse.weight, np.float64)
    shape, target_shape = shapes[source], shapes[target]
    if isinstance(synapse, nir.Conv2d):
        geometry = _geometry(synapse, weights, shape, target_shape, f"{context}: convolution {source} -> {target}")
        return FloatConnection(source, target, weights, geometry, 1, synapse=name)
    expected = (math.prod(target_shape), math.prod(shape))
    if weights.shape != expected:
        raise InputError(
            f"{context}: weights {source} -> {target} have shape {weights.shape}, but {expected} fits the ends"
        )
    return FloatConnection(source, target, _compressed(weights), None, 1, synapse=name)


def _compressed(weights: Floats) -> Floats | csr_array:
    sparse = weights.size >= _LARGE and np.count_nonzero(weights) <= _SPARSE * weights.size
    return csr_array(weights) if sparse else weights


def _geometry(node: nir.Conv2d, weights: Floats, shape: Shape, target_shape: Shape, context: str) -> ConvGeometry:
    if is_row(weights.shape, shape):
        shape = (shape[0], 1, shape[1])
    if len(shape) != 3:
        raise InputError(f"{context} reads shape {shape}, but it must be (channels, height, width)")
    stride, padding, dilation = (pair(getattr(node, key)) for key in ("stride", "padding", "dilation"))
    if weights.ndim != 4 or min(*stride, *dilation, int(node.groups)) < 1 or min(padding) < 0:
        raise InputError(
            f"{context} has weights {weights.shape}, stride {stride}, padding {padding}, dilation {dilation} and "
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
            f"{context}: kernel {weights.shape} on input {shape} gives {computed}, but {target_shape} follows"
        )
    return ConvGeometry((shape[0], shape[1], shape[2]), computed, stride, padding, dilation, int(node.groups))
