"""Hypothesis strategy for NIR graphs of every primitive, joined in every way that has a meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import DT, Shape, seeds

from spikeport.exporter.nir_graph.shapes import conv_output, output_shapes

NEURON_KINDS = ("LIF", "CubaLIF", "IF", "Threshold", "LI", "CubaLI", "I")
LARGEST = 40


class Builder:
    """A graph as it grows: nodes, edges, and the shape of what each puts out."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.rng = draw, np.random.default_rng(draw(seeds))
        self.nodes: dict[str, nir.NIRNode] = {}
        self.edges: list[tuple[str, str]] = []
        self.shapes: dict[str, Shape] = {}

    def add(self, kind: str, node: nir.NIRNode, *sources: str) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        graph = nir.NIRGraph(self.nodes, self.edges, {}, type_check=False)
        self.shapes[name] = output_shapes(graph).get(name, ())
        return name

    def each(self, low: float, high: float, shape: Shape) -> NDArray[np.float64]:
        return self.rng.uniform(low, high, shape)


def neuron(b: Builder, kind: str, shape: Shape) -> nir.NIRNode:
    """A neuron with constants one a neuron, a channel or all, gains of any sign and a reset of its own."""
    forms = [shape, (1,)] + ([(shape[0], *[1] * (len(shape) - 1))] if len(shape) > 1 else [])
    form = b.draw(st.sampled_from(forms))
    r = b.each(0.5, 2, form) * b.rng.choice([1, 1, 1, -1, 0], form)
    plain = b.draw(st.booleans())
    r = np.abs(r) + 0.1 if plain else r
    reset = np.zeros(form) if plain else b.each(-0.5, 0.3, form)
    threshold = b.each(0.4, 1.5, form)
    leak, tau = b.each(-0.3, 0.6, form), b.each(0.5, 10, form) * DT
    if kind == "IF":
        return nir.IF(r=r, v_threshold=2 * threshold, v_reset=reset)
    if kind == "LIF":
        return nir.LIF(tau=tau, r=3 * r, v_leak=leak, v_threshold=threshold, v_reset=reset)
    if kind == "Threshold":
        return nir.Threshold(threshold=threshold if plain else threshold - 1)
    if kind == "I":
        return nir.I(r=r)
    if kind == "LI":
        return nir.LI(tau=tau, r=r, v_leak=leak)
    w_in = np.abs(b.each(0.5, 2, form)) if plain else b.each(-2, 2, form)
    common: dict[str, Any] = {"tau_syn": b.each(0.5, 5, form) * DT, "tau_mem": tau, "r": 3 * r, "v_leak": leak}
    if kind == "CubaLI":
        return nir.CubaLI(**common, w_in=w_in)
    return nir.CubaLIF(**common, v_threshold=threshold, v_reset=reset, w_in=w_in)


def affine(b: Builder, size: int, out: int) -> nir.NIRNode:
    weight = b.rng.normal(0, 2 / math.sqrt(size), (out, size)) * (b.rng.random((out, size)) < 0.8)
    kind = b.draw(st.sampled_from(["Linear", "Affine", "Affine", "zero"]))
    if kind == "Linear":
        return nir.Linear(weight=weight)
    return nir.Affine(weight=weight * (kind != "zero"), bias=b.rng.normal(0, 0.5, out))


def convolution(b: Builder, shape: Shape) -> nir.NIRNode | None:
    """A Conv1d of a signal or a Conv2d of an image, None where the drawn one would be empty or too large."""
    axes = len(shape) - 1
    pick = lambda low, high: tuple(b.draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    kernel, stride, dilation, padding = pick(1, 3), pick(1, 2), pick(1, 2), pick(0, 2)
    word = b.draw(st.sampled_from(["", "", "same", "valid"]))
    if word == "same":
        stride, inside = (1,) * axes, shape[1:]
    else:
        padding = (0,) * axes if word == "valid" else padding
        inside = conv_output(shape[1:], kernel, stride, padding, dilation)
    groups = b.draw(st.sampled_from([g for g in (1, shape[0]) if shape[0] % g == 0]))
    out = groups * b.draw(st.integers(1, 2))
    if min(inside) < 1 or out * math.prod(inside) > LARGEST:
        return None
    weight = b.rng.normal(0, 1, (out, shape[0] // groups, *kernel))
    bias = b.rng.normal(0, 0.4, out) * b.draw(st.booleans())
    if axes == 1:
        return nir.Conv1d(shape[1], weight, stride[0], word or padding[0], dilation[0], groups, bias)
    return nir.Conv2d(shape[1:], weight, stride, word or padding, dilation, groups, bias)


def stateless(b: Builder, source: str) -> str:
    """A node without memory behind another one."""
    shape = b.shapes[source]
    kinds = ["affine", "affine", "scale", "delay", "flatten"]
    kinds += ["conv"] * 4 if len(shape) in (2, 3) else []
    kinds += ["pool"] * 2 if len(shape) == 3 else []
    kind = b.draw(st.sampled_from(kinds))
    if kind == "affine":
        flat = source if len(shape) == 1 else b.add("flat", nir.Flatten({"input": np.array(shape)}, 0, -1), source)
        return b.add("synapse", affine(b, math.prod(shape), b.draw(st.integers(1, 8))), flat)
    if kind == "scale":
        return b.add("scale", nir.Scale(b.each(-1.5, 1.5, b.draw(st.sampled_from([shape, (1,)])))), source)
    if kind == "delay":
        steps = b.rng.integers(0, 4, shape) if b.draw(st.booleans()) else np.full(shape, b.draw(st.integers(0, 3)))
        return b.add("delay", nir.Delay(steps * DT), source)
    if kind == "flatten":
        return b.add("flat", nir.Flatten({"input": np.array(shape)}, 0, -1), source)
    if kind == "conv":
        node = convolution(b, shape)
        return source if node is None else b.add("conv", node, source)
    numbers = [np.array([b.draw(st.integers(low, high)) for _ in "yx"]) for low, high in ((1, 3), (1, 2), (0, 1))]
    if min(conv_output(shape[1:], *numbers, (1, 1))) < 1:
        return source
    return b.add("pool", b.draw(st.sampled_from([nir.SumPool2d, nir.AvgPool2d]))(*numbers), source)


@st.composite
def any_graphs(draw: st.DrawFn, most: int = 4) -> nir.NIRGraph:
    """One or two inputs, up to `most` populations of any kind with anything between, one or two outputs."""
    b = Builder(draw)
    for _ in range(draw(st.integers(1, 2))):
        shape = draw(st.sampled_from([(3,), (2, 5), (2, 4, 3), (1, 5, 5)]))
        b.add("in", nir.Input({"input": np.array(shape)}))
    neurons: list[str] = []
    for _ in range(draw(st.integers(1, most))):
        source = draw(st.sampled_from([*b.nodes][-4:] + neurons))
        for _ in range(draw(st.integers(0, 3))):
            source = stateless(b, source)
        shape = b.shapes[source]
        joined = [source]
        alike = [n for n in b.shapes if n != source and math.prod(b.shapes[n]) == math.prod(shape)]
        if alike and draw(st.booleans()):
            joined.append(draw(st.sampled_from(alike)))
        elif neurons and draw(st.booleans()):
            other = draw(st.sampled_from(neurons))
            joined.append(b.add("synapse", affine(b, math.prod(b.shapes[other]), math.prod(shape)), other))
        flat = draw(st.booleans()) and len(shape) > 1
        name = b.add(
            "n", neuron(b, draw(st.sampled_from(NEURON_KINDS)), (math.prod(shape),) if flat else shape), *joined
        )
        neurons.append(name)
        _feed_back(b, name, neurons)
    for index in range(draw(st.integers(1, 2))):
        choices = neurons + [n for n in b.nodes if n.startswith(("synapse", "conv"))]
        source = neurons[-1] if index == 0 else draw(st.sampled_from(choices))
        b.add("out", nir.Output({"output": np.array(b.shapes[source])}), source)
    return nir.NIRGraph(b.nodes, b.edges, {"dt": DT}, type_check=False)


def _feed_back(b: Builder, name: str, neurons: list[str]) -> None:
    """Perhaps an edge from a neuron to itself, or to an earlier one through enough delay."""
    size = math.prod(b.shapes[name])
    kind = b.draw(st.sampled_from(["", "", "self", "self late", "earlier"]))
    target = b.draw(st.sampled_from(neurons)) if kind == "earlier" else name
    if not kind or size > LARGEST:
        return
    source = name
    if kind != "self":
        steps = np.full(size, len(neurons) + 1) + b.rng.integers(0, 2, size) if kind == "earlier" else np.ones(size)
        source = b.add("delay", nir.Delay(steps * DT), name)
    weight = b.rng.normal(0, 0.5 / math.sqrt(size), (math.prod(b.shapes[target]), size))
    # kept small, so that voltages that feed each other do not grow without bound
    synapse = b.add("back", nir.Linear(weight), source)
    b.edges.append((synapse, target))


def spikes_for(graph: nir.NIRGraph, steps: int, batch: int, seed: int, density: float) -> dict[str, NDArray[np.int32]]:
    """Random 0/1 input (steps, batch, *shape) for every Input node."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.random((steps, batch, *(int(n) for n in node.output_type["output"]))) < density).astype(np.int32)
        for name, node in graph.nodes.items()
        if isinstance(node, nir.Input)
    }


def flat(inputs: Mapping[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int32]]:
    """The same as (steps, batch, size)."""
    return {name: values.reshape(*values.shape[:2], -1) for name, values in inputs.items()}
