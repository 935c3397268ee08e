"""Values between ONNX nodes, as nodes of a NIR graph that is being built.

A value is a sum of the outputs of NIR nodes, each times a factor: a spike of a neuron with threshold t represents t, an
input integer n represents n units of the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.lowering.linear_form import conv_matrix
from spikeport.exporter.nir_graph.shapes import conv_output

Floats = NDArray[np.float64]
Shape = tuple[int, ...]
READOUT = "readout"
# weights of the largest matrix that is stored in full, a quarter of a gigabyte
_LARGEST_MATRIX = 1 << 25
# a matrix of this side is half a gigabyte
_LARGEST_DIAGONAL = 8192


# the fractional parts of its multiples are spread evenly between 0 and 1
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Value:
    """Sum of factor * node over the terms; shape without the batch."""

    terms: tuple[tuple[str, float], ...]
    shape: Shape

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass
class NirBuilder:
    """A NIR graph while it is built; names are those of the ONNX graph's tensors.

    shared: nodes with several readers, which must not be changed.
    """

    nodes: dict[str, nir.NIRNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)

    def graph(self, dt: float) -> nir.NIRGraph:
        """The graph built so far."""
        return nir.NIRGraph(nodes=self.nodes, edges=self.edges, metadata={"dt": dt}, type_check=False)

    def input(self, name: str, shape: Shape, unit: float) -> Value:
        """The network's input; an input of 1 represents `unit`."""
        node = self._add(name, nir.Input(input_type={"input": np.array(shape)}))
        return Value(((node, unit),), shape)

    def affine(self, value: Value, weight: Floats, bias: Floats, name: str) -> Value:
        """weight (outputs, inputs) times the value, flattened."""
        value = self.flat(value, f"{name}_flat")
        source, factor = self._one(value, name)
        node = self._add(name, nir.Affine(weight=_finite(weight * factor), bias=_finite(bias)), *source)
        return Value(((node, 1.0),), (len(bias),))

    def convolution(
        self, value: Value, weight: Floats, bias: Floats, name: str, *, stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0), dilation: tuple[int, int] = (1, 1), groups: int = 1,
    ) -> Value:  # fmt: skip
        """A convolution over an image (channels, height, width)."""
        matrices, images = self._by_form(value)
        if matrices.terms:
            conv = nir.Conv2d(value.shape[1:], weight, stride, padding, dilation, groups, bias)
            size = conv_output(value.shape[1:], weight.shape[2:], stride, padding, dilation)
            out = (len(weight), *size)
            biases = np.repeat(bias, math.prod(size)) * (0.0 if images.terms else 1.0)
            self.check_matrix(value.shape, out, name)
            part = self.matrix(matrices, conv_matrix(weight, conv, value.shape, out), biases, out, f"{name}_matrix")
            if not images.terms:
                return part
            geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
            return Value((*part.terms, *self.convolution(images, weight, bias, name, **geometry).terms), out)
        source, factor = self._one(value, name)
        space = (value.shape[1], value.shape[2])
        conv = nir.Conv2d(space, _finite(weight * factor), stride, padding, dilation, groups, _finite(bias))
        node = self._add(name, conv, *source)
        size = conv_output(space, weight.shape[2:], stride, padding, dilation)
        return Value(((node, 1.0),), (len(weight), *size))

    def average(self, value: Value, kernel: tuple[int, int], stride: tuple[int, int], name: str) -> Value:
        """The mean over windows of an image; the factor stays with it."""
        if self._by_form(value)[0].terms:
            weight = np.full((value.shape[0], 1, *kernel), 1 / math.prod(kernel))
            bias = np.zeros(value.shape[0])
            return self.convolution(value, weight, bias, name, stride=stride, groups=value.shape[0])
        source, factor = self._one(value, name)
        node = self._add(name, nir.AvgPool2d(np.array(kernel), np.array(stride), np.array((0, 0))), *source)
        size = conv_output(value.shape[1:], kernel, stride, (0, 0), (1, 1))
        return Value(((node, factor),), (value.shape[0], *size))

    def matrix(self, value: Value, matrix: csr_array, bias: Floats, shape: Shape, name: str) -> Value:
        """A matrix (outputs, inputs) times the value, as an image; NIR stores it in full."""
        return replace(self.affine(value, matrix.toarray(), bias, name), shape=shape)

    def check_matrix(self, inputs: Shape, outputs: Shape, context: str) -> None:
        """Raises InputError for a layer whose matrix is too large to be stored in full."""
        if math.prod(inputs) * math.prod(outputs) > _LARGEST_MATRIX:
            raise InputError(
                f"{context}: is a matrix of {math.prod(outputs):,} x {math.prod(inputs):,} here, more than "
                f"{_LARGEST_MATRIX:,} weights; use smaller images, or fewer channels"
            )

    def _by_form(self, value: Value) -> tuple[Value, Value]:
        """The terms of an image that are matrices' outputs, which have one axis in NIR, and the others."""
        is_image = len(value.shape) == 3
        flat = [term for term in value.terms if is_image and isinstance(self.nodes[term[0]], nir.Affine)]
        others = tuple(term for term in value.terms if term not in flat)
        return replace(value, terms=tuple(flat)), replace(value, terms=others)

    def neuron(self, value: Value, threshold: float, name: str) -> Value:
        """ReLU as an integrate-and-fire neuron that starts half-way to its threshold: a spike represents `threshold`.

        The start makes the spike count round instead of truncate: Bu, Ding, Yu & Huang 2022, arXiv 2202.01440. The
        first layer's neurons start anywhere between 0 and the threshold, half-way on average: their input never
        changes, so all those of a uniform background would otherwise spike in the same steps.
        """
        each = np.full(value.shape, threshold)
        start = each * (0.5 if self._after_neurons(value) else _spread(value.shape))
        node = nir.IF(r=np.ones(value.shape), v_threshold=each, metadata={"v_initial": start})
        return Value(((self._add(name, node, *self._unscaled(value, name)), threshold),), value.shape)

    def _after_neurons(self, value: Value) -> bool:
        """Whether there is a neuron anywhere between the input and the value."""
        waiting, seen = [node for node, _ in value.terms], set[str]()
        while waiting:
            name = waiting.pop()
            if isinstance(self.nodes[name], nir.IF):
                return True
            if name not in seen:
                seen.add(name)
                waiting += [source for source, target in self.edges if target == name]
        return False

    def readout(self, value: Value) -> None:
        """Add the answer, neurons READOUT that accumulate their input, and the end of the graph."""
        node = self._add(READOUT, nir.I(r=np.ones(value.shape)), *self._unscaled(value, READOUT), readout=True)
        self._add("output", nir.Output(output_type={"output": np.array(value.shape)}), node)

    def flat(self, value: Value, name: str) -> Value:
        """The value with one axis."""
        if len(value.shape) == 1:
            return value
        source, factor = self._one(value, name)
        shape = {"input": np.array(value.shape)}
        node = self._add(name, nir.Flatten(start_dim=0, end_dim=-1, input_type=shape), *source)
        return Value(((node, factor),), (value.size,))

    def scaled(self, value: Value, gain: Floats, offset: Floats, name: str) -> Value:
        """gain * value + offset, (channels,) or (1,) each; merged into the layer before if nothing else reads it."""
        channels = value.shape[0]
        gain, offset = np.broadcast_to(gain, channels), np.broadcast_to(offset, channels)
        node = value.terms[0][0]
        layer, alone = self.nodes[node], value.terms == ((node, 1.0),) and node not in self.shared
        if alone and isinstance(layer, (nir.Affine, nir.Conv2d)):
            # an image of a matrix has as many rows per channel as pixels
            pixels = len(layer.weight) // channels
            gain, offset = np.repeat(gain, pixels), np.repeat(offset, pixels)
            weight = np.asarray(layer.weight) * gain.reshape(-1, *[1] * (layer.weight.ndim - 1))
            bias = np.asarray(layer.bias) * gain + offset
            self.nodes[node] = replace(layer, weight=_finite(weight), bias=_finite(bias))
            return value
        if len(value.shape) == 3:
            return self.convolution(value, gain.reshape(-1, 1, 1, 1).copy(), offset.copy(), name, groups=channels)
        if channels > _LARGEST_DIAGONAL:
            raise InputError(f"{name}: scales {channels} numbers, each by its own; fold that into the layer before it")
        return self.affine(value, np.diag(gain), offset.copy(), name)

    def _one(self, value: Value, reader: str) -> tuple[list[str], float]:
        """The nodes to read so that value = factor * their sum."""
        factors = {factor for _, factor in value.terms}
        if len(factors) == 1:
            return [node for node, _ in value.terms], factors.pop()
        return self._unscaled(value, reader), 1.0

    def _unscaled(self, value: Value, reader: str) -> list[str]:
        """The nodes to read so that value = their sum: with a Scale after those with another unit."""
        sources = []
        for number, (node, factor) in enumerate(value.terms):
            if factor == 1:
                sources.append(node)
            else:
                sources.append(self._add(f"{reader}_unit{number}", nir.Scale(np.full(value.shape, factor)), node))
        return sources

    def _add(self, name: str, node: nir.NIRNode, *sources: str, readout: bool = False) -> str:
        # a node's name is part of file names and paths
        base = name.replace("/", "_").strip("_.") or "node"
        # the answer's neurons are found by their name, which a tensor may also have
        name, number = base, 1
        while name in self.nodes or (name == READOUT and not readout):
            number += 1
            name = f"{base}_{number}"
        self.nodes[name] = node
        self.edges += [(source, name) for source in dict.fromkeys(sources)]
        return name


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("weights beyond the largest number")
    return values


def _spread(shape: Shape) -> Floats:
    """Numbers between 0 and 1, evenly spread over any run of neighbours, 0.5 on average."""
    return ((np.arange(math.prod(shape)) + 0.5) * _GOLDEN % 1).reshape(shape)
