"""The input of a node through stateless nodes, expanded: for every graph that no pass could shorten.

NIR's nodes between neurons are linear, so any path is a sum of matrices, one per source and delay:

    y(t) = sum over sources s and delays n of M[s, n] s(t - n)  +  sum over n of b[n] (from step n on)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import nir
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array, eye_array

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import Floats
from spikeport.exporter.nir_graph.graph_checks import NEURONS, POOLS, SYNAPSES, bias_of, pair, predecessors
from spikeport.exporter.nir_graph.shapes import Shape

from .discretize import delay_steps

# stored weights of the largest expanded matrix
_LARGEST = 1 << 27


@dataclass
class LinearForm:
    """Matrices (size, source size) by source and delay in steps, and biases (size,) by their first step."""

    shape: Shape
    matrices: dict[tuple[str, int], csr_array] = field(default_factory=dict)
    biases: dict[int, Floats] = field(default_factory=dict)

    def add(self, other: LinearForm) -> None:
        """Add another form of the same size."""
        for key, matrix in other.matrices.items():
            self.matrices[key] = self.matrices[key] + matrix if key in self.matrices else matrix
        for step, bias in other.biases.items():
            self.biases[step] = self.biases.get(step, 0) + bias

    def through(self, matrix: csr_array, shape: Shape) -> LinearForm:
        """This form multiplied by a matrix."""
        matrices = {key: csr_array(matrix @ own) for key, own in self.matrices.items()}
        return LinearForm(shape, matrices, {step: matrix @ bias for step, bias in self.biases.items()})

    def delayed(self, steps: NDArray[np.int32]) -> LinearForm:
        """The form with every element delayed by its own number of steps."""
        late = LinearForm(self.shape)
        for n in np.unique(steps):
            selection = diags_array((steps == n).astype(np.float64), format="csr")
            part = self.through(csr_array(selection), self.shape)
            late.add(LinearForm(
                self.shape, {(source, k + int(n)): m for (source, k), m in part.matrices.items()},
                {k + int(n): b for k, b in part.biases.items()},
            ))  # fmt: skip
        return late


def linear_form(graph: nir.NIRGraph, name: str, shapes: Mapping[str, Shape], dt: float, context: str) -> LinearForm:
    """The form of a node's output; raises InputError that names the node whose input does not fit it."""
    node = graph.nodes[name]
    if name not in shapes:
        raise InputError(f"{context}: node {name!r} ({type(node).__name__}) reads what it cannot; {_accepted(node)}")
    shape = shapes[name]
    size = math.prod(shape)
    if isinstance(node, (nir.Input, *NEURONS)):
        return LinearForm(shape, {(name, 0): csr_array(eye_array(size))})
    sources = predecessors(graph, name)
    if not sources:
        raise InputError(f"{context}: nothing leads to node {name!r}; add an edge from an input or a neuron")
    form: LinearForm | None = None
    for source in sources:
        part = linear_form(graph, source, shapes, dt, context)
        if form is None:
            form = part
        elif math.prod(form.shape) != math.prod(part.shape):
            raise InputError(
                f"{context}: node {name!r} is fed by shapes {form.shape} and {part.shape}; make them equal"
            )
        else:
            form.add(part)
    assert form is not None
    return _through_node(form, node, shape, dt, f"{context}: node {name!r} ({type(node).__name__})")


def conv_matrix(weight: Floats, conv: nir.Conv2d, shape: Shape, out: Shape) -> csr_array:
    """A convolution of images as a matrix (out size, in size)."""
    (top, side), (down, right), (tall, wide) = pair(conv.padding), pair(conv.stride), pair(conv.dilation)
    groups = int(conv.groups)
    outs = len(weight) // groups
    o, c, ky, kx, y, x = np.ogrid[
        : len(weight), : weight.shape[1], : weight.shape[2], : weight.shape[3], : out[1], : out[2]
    ]
    row, column = y * down - top + ky * tall, x * right - side + kx * wide
    inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2]) & (weight != 0)[..., None, None]
    channel = o // outs * weight.shape[1] + c
    whole = inside.shape
    targets = np.broadcast_to((o * out[1] + y) * out[2] + x, whole)[inside]
    sources = np.broadcast_to((channel * shape[1] + row) * shape[2] + column, whole)[inside]
    values = np.broadcast_to(weight[..., None, None], whole)[inside]
    return csr_array(coo_array((values, (targets, sources)), shape=(math.prod(out), math.prod(shape))))


def _through_node(form: LinearForm, node: nir.NIRNode, shape: Shape, dt: float, context: str) -> LinearForm:
    if isinstance(node, nir.Delay):
        steps, _ = delay_steps(node.delay, dt, f"{context}, delay")
        return _sized(form, math.prod(shape), context).delayed(steps.reshape(-1))
    if isinstance(node, nir.Scale):
        scale = np.asarray(node.scale, np.float64).reshape(-1)
        return _sized(form, scale.size, context).through(csr_array(diags_array(scale)), shape)
    matrix = _matrix(form, node, shape, context)
    result = form.through(matrix, shape)
    if sum(m.nnz for m in result.matrices.values()) > _LARGEST:
        raise InputError(
            f"{context} and the nodes before it become a matrix of more than {_LARGEST} weights; put a neuron between"
        )
    if isinstance(node, SYNAPSES):
        try:
            bias = bias_of(node, shape)
        except ValueError as error:
            raise InputError(f"{context} {error}") from error
        if np.any(bias):
            result.add(LinearForm(shape, {}, {0: bias}))
    return result


def _matrix(form: LinearForm, node: nir.NIRNode, shape: Shape, context: str) -> csr_array:
    if isinstance(node, POOLS):
        kernel = pair(node.kernel_size)
        factor = 1 / (kernel[0] * kernel[1]) if isinstance(node, nir.AvgPool2d) else 1.0
        weight = np.full((shape[0], 1, *kernel), factor)
        conv = nir.Conv2d(None, weight, pair(node.stride), pair(node.padding), (1, 1), shape[0], np.zeros(shape[0]))
        return conv_matrix(weight, conv, form.shape, shape)
    weight = np.asarray(node.weight, np.float64)
    if isinstance(node, nir.Conv2d):
        image = form.shape if len(form.shape) == 3 else (form.shape[0], 1, *form.shape[1:])
        out = shape if len(shape) == 3 else (shape[0], 1, *shape[1:])
        if len(image) != 3 or weight.shape[1] * int(node.groups) != image[0]:
            raise InputError(
                f"{context} has weights {weight.shape} and {node.groups} groups, but reads shape {form.shape}"
            )
        return conv_matrix(weight, node, image, out)
    if weight.ndim != 2 or weight.shape[1] != math.prod(form.shape):
        raise InputError(f"{context} has weights of shape {weight.shape}, but reads shape {form.shape}")
    return csr_array(weight)


def _sized(form: LinearForm, size: int, context: str) -> LinearForm:
    if math.prod(form.shape) != size:
        raise InputError(f"{context} has {size} elements, but reads shape {form.shape}; give both the same size")
    return form


def _accepted(node: nir.NIRNode) -> str:
    images = isinstance(node, (nir.Conv1d, nir.Conv2d, *POOLS))
    return (
        "it takes images (channels, height, width) not smaller than its kernel" if images else "state its input's shape"
    )
