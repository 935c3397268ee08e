"""Hypothesis strategies for random networks: ChipPrograms, NIR graphs and FloatNetworks, and input for them.

Structure is drawn by hypothesis, so that a failure shrinks to a small network; bulk numbers come from a drawn seed.
"""

from __future__ import annotations

import math
from typing import Any

import nir
import numpy as np
import programs
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import ConvGeometry, FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.lowering.balance_delays import balance
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    CubaLIF,
    DenseConnection,
    InputPort,
)
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import SIGN_MODES, WordWidths, decay_from_du, decay_from_dv, weight_grid

DT = 1e-3
Shape = tuple[int, ...]

seeds = st.integers(0, 2**32 - 1)


@st.composite
def shapes(draw: st.DrawFn, largest: int) -> Shape:
    """A vector or an image of at most `largest` elements."""
    if draw(st.booleans()):
        return (draw(st.integers(1, largest)),)
    channels = draw(st.integers(1, max(1, min(4, largest // 9))))
    height = draw(st.integers(1, max(1, min(6, largest // channels // 2))))
    return channels, height, draw(st.integers(1, max(1, min(6, largest // channels // height))))


@st.composite
def geometries(draw: st.DrawFn, source: tuple[int, int, int], largest: int) -> ConvGeometry | None:
    """A convolution over `source` with stride, padding, dilation and groups; None if it were empty or too large."""
    groups = draw(st.sampled_from([g for g in (1, 2, source[0]) if source[0] % g == 0]))
    kernel, stride, dilation = ((draw(st.integers(1, most)), draw(st.integers(1, most))) for most in (3, 3, 2))
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(source[1:], kernel, stride, padding, dilation, strict=True)
    )
    channels = groups * draw(st.integers(1, 2))
    if min(height, width) < 1 or channels * height * width > largest:
        return None
    return ConvGeometry(source, (channels, height, width), stride, padding, dilation, groups)


def kernel_shape(geometry: ConvGeometry, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Shape of a convolution's weights."""
    return geometry.output_shape[0], geometry.input_shape[0] // geometry.groups, *size


def kernel_size(geometry: ConvGeometry) -> tuple[int, int]:
    """The largest kernel that gives the geometry's output shape."""
    return tuple(
        (n + 2 * p - (out - 1) * s - 1) // d + 1
        for n, p, out, s, d in zip(
            geometry.input_shape[1:], geometry.padding, geometry.output_shape[1:], geometry.stride, geometry.dilation,
            strict=True,
        )
    )  # type: ignore[return-value]  # fmt: skip


@st.composite
def connections(
    draw: st.DrawFn, source: str, target: str, sizes: dict[str, Shape], geometry: ConvGeometry | None, longest: int
) -> Connection:
    """Synapses of any sign mode, width, exponent and delay up to `longest` between two nodes of given shapes."""
    rng = np.random.default_rng(draw(seeds))
    mode, bits = draw(st.sampled_from(SIGN_MODES)), draw(st.integers(1, 8))
    delay = draw(st.integers(1, longest))
    if geometry is None:
        shape = math.prod(sizes[target]), math.prod(sizes[source])
        values = programs.weights(shape, mode, bits, rng)
        return DenseConnection(source, target, values, draw(st.integers(-8, 7)), mode, bits, delay)
    values = programs.weights(kernel_shape(geometry, kernel_size(geometry)), mode, bits, rng)
    return ConvConnection(
        source, target, values, draw(st.integers(0, 7)), mode, bits, delay, geometry.input_shape, geometry.output_shape,
        geometry.stride, geometry.padding, geometry.dilation, geometry.groups,
    )  # fmt: skip


@st.composite
def chip_programs(draw: st.DrawFn, max_neurons: int = 40, delays: bool = True, payloads: bool = True) -> ChipProgram:
    """A valid ChipProgram of one to three populations and one input "in".

    Dense and convolutional layers, recurrent, skip and backward edges (with delays up to 5 if `delays`), every constant
    its own a compartment and over its whole width. `payloads`: the chip's messages carry integers of 32 bit.
    """
    sizes: dict[str, Shape] = {"in": draw(shapes(max_neurons))}
    longest = 5 if delays else 1
    found: list[Connection] = []
    source = "in"
    for name in draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")])):
        geometry = draw(geometries(sizes[source], max_neurons)) if len(sizes[source]) == 3 else None  # type: ignore[arg-type]
        sizes[name] = geometry.output_shape if geometry else draw(shapes(max_neurons))
        found.append(draw(connections(source, name, sizes, geometry, longest)))
        source = name
    targets = [name for name in sizes if name != "in"]
    extra = st.tuples(st.sampled_from(list(sizes)), st.sampled_from(targets))
    found += [draw(connections(s, t, sizes, None, longest)) for s, t in draw(st.lists(extra, max_size=3))]
    rng = np.random.default_rng(draw(seeds))
    populations = tuple(programs.population(name, sizes[name], rng) for name in targets)
    outputs = tuple(draw(st.lists(st.sampled_from(targets), min_size=1, unique=True)))
    widths = programs.WIDTHS if payloads else WordWidths()
    ports = (InputPort("in", sizes["in"]),)
    return validate(ChipProgram("loihi2", widths, DT, ports, populations, tuple(found), outputs))


@st.composite
def inputs_for(
    draw: st.DrawFn, program: ChipProgram, density: float, max_steps: int = 12, max_batch: int = 3
) -> NDArray[np.int32]:
    """Input (time, batch, *shape) of that density: 0/1 spikes, or payloads of either sign where messages carry them."""
    steps, batch = draw(st.integers(1, max_steps)), draw(st.integers(1, max_batch))
    largest = draw(st.sampled_from([1, 1, 200, 100_000])) if program.widths.message_bits else 1
    rng = np.random.default_rng(draw(seeds))
    shape = (steps, batch, *program.inputs[0].shape)
    values = rng.integers(-largest, largest + 1, shape) if largest > 1 else np.ones(shape, np.int64)
    return ((rng.random(shape) < density) * values).astype(np.int32)


@st.composite
def scattered_programs(draw: st.DrawFn, max_neurons: int = 12) -> ChipProgram:
    """A valid ChipProgram of any shape: one to three inputs and one to four populations, with any edges between them.

    So there are several components, populations that nothing feeds, inputs that feed nothing or several layers, loops,
    and outputs inside the network.
    """
    sizes = st.integers(1, max_neurons)
    ports = tuple(InputPort(f"in{n}", (draw(sizes),)) for n in range(draw(st.integers(1, 3))))
    rng = np.random.default_rng(draw(seeds))
    populations = tuple(programs.population(f"p{n}", (draw(sizes),), rng) for n in range(draw(st.integers(1, 4))))
    shapes_ = {node.name: node.shape for node in (*ports, *populations)}
    targets = [p.name for p in populations]
    edges = draw(st.lists(st.tuples(st.sampled_from(list(shapes_)), st.sampled_from(targets)), max_size=5))
    found = tuple(draw(connections(s, t, shapes_, None, 3)) for s, t in edges)
    outputs = tuple(draw(st.lists(st.sampled_from(targets), min_size=1, unique=True)))
    return validate(ChipProgram("loihi2", programs.WIDTHS, DT, ports, populations, found, outputs))


def lif(shape: Shape, rng: np.random.Generator, filtered: bool) -> nir.NIRNode:
    """A LIF or CubaLIF node with every constant its own a neuron."""

    def each(low: float, high: float) -> NDArray[np.float64]:
        return rng.uniform(low, high, shape)

    common: dict[str, Any] = {
        "r": each(0.5, 3), "v_leak": each(-0.3, 0.3), "v_threshold": each(0.3, 2), "v_reset": np.zeros(shape)
    }  # fmt: skip
    if filtered:
        return nir.CubaLIF(tau_syn=each(1, 10) * DT, tau_mem=each(1, 20) * DT, w_in=each(0.5, 2), **common)
    return nir.LIF(tau=each(1, 20) * DT, **common)


def integrator(shape: Shape, rng: np.random.Generator) -> nir.IF:
    """An IF node with every constant its own a neuron."""
    return nir.IF(r=rng.uniform(0.5, 3, shape), v_threshold=rng.uniform(1, 6, shape))


@st.composite
def nir_graphs(draw: st.DrawFn, max_neurons: int = 24) -> nir.NIRGraph:
    """Input -> (Linear, Affine or Conv2d -> IF, LIF or CubaLIF) x 1..3 -> Output, with recurrent and skip edges."""
    rng = np.random.default_rng(draw(seeds))
    shape = draw(shapes(max_neurons))
    nodes: dict[str, nir.NIRNode] = {"in": nir.Input(input_type={"input": np.array(shape)})}
    edges: list[tuple[str, str]] = []
    sizes: dict[str, Shape] = {"in": shape}
    source = "in"
    for name in draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")])):
        kind = draw(st.sampled_from(["LIF", "CubaLIF", "IF"]))
        geometry = draw(geometries(sizes[source], max_neurons)) if len(sizes[source]) == 3 else None  # type: ignore[arg-type]
        sizes[name] = geometry.output_shape if geometry else (draw(st.integers(1, max_neurons)),)
        nodes[name] = integrator(sizes[name], rng) if kind == "IF" else lif(sizes[name], rng, kind == "CubaLIF")
        feeds = [(source, f"{name}_synapse", geometry)]
        if draw(st.booleans()):
            feeds.append((name, f"{name}_recurrent", None))
        if source != "in" and draw(st.booleans()):
            feeds.append(("in", f"{name}_skip", None))
        biased = draw(st.booleans())
        for origin, synapse, form in feeds:
            nodes[synapse] = _nir_synapse(sizes[origin], sizes[name], form, rng, biased)
            edges += [(origin, synapse), (synapse, name)]
        source = name
    nodes["out"] = nir.Output(output_type={"output": np.array(sizes[source])})
    # nir's own type check knows no groups and no kernels that are not square
    return nir.NIRGraph(nodes=nodes, edges=[*edges, (source, "out")], metadata={"dt": DT}, type_check=False)


def _nir_synapse(
    source: Shape, target: Shape, geometry: ConvGeometry | None, rng: np.random.Generator, biased: bool
) -> nir.NIRNode:
    if geometry is not None:
        weights = rng.normal(0, 2, kernel_shape(geometry, kernel_size(geometry)))
        bias = rng.normal(0, 0.3, target[0]) * biased
        return nir.Conv2d(
            input_shape=source[1:], weight=weights, stride=geometry.stride, padding=geometry.padding,
            dilation=geometry.dilation, groups=geometry.groups, bias=bias,
        )  # fmt: skip
    size = math.prod(target)
    weights = rng.normal(0, 3 / math.sqrt(math.prod(source)), (size, math.prod(source)))
    return nir.Affine(weight=weights, bias=rng.normal(0, 0.3, size)) if biased else nir.Linear(weight=weights)


@st.composite
def grid_networks(
    draw: st.DrawFn, bits: int = 8, biased: bool = True, full: bool = True
) -> tuple[FloatNetwork, ChipProgram]:
    """A FloatNetwork whose every number is an integer of the chip over one scale a population, and those integers.

    Dense layers with recurrence and a skip edge; nothing can wrap. `full`: the largest weight fills its grid.
    """
    rng = np.random.default_rng(draw(seeds))
    sizes: dict[str, Shape] = {"in": (draw(st.integers(2, 6)),)}
    forward, source = [], "in"
    for name in draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")])):
        sizes[name] = (draw(st.integers(2, 6)),)
        forward.append((source, name))
        source = name
    edges = forward + [(t, t) for _, t in forward if draw(st.booleans())]
    if len(forward) > 1 and draw(st.booleans()):
        edges.append(("in", source))
    mode = draw(st.sampled_from(SIGN_MODES))
    grid = weight_grid(mode, bits)
    chip_populations, populations, floats, integers = [], [], [], []
    for _, name in forward:
        scale = float(rng.uniform(500, 5000))
        compartments = _moderate(name, sizes[name], rng, biased)
        chip_populations.append(compartments)
        populations.append(FloatPopulation(
            name, sizes[name], decay_from_du(compartments.du), decay_from_dv(compartments.dv),
            compartments.vth * 64 / scale, compartments.bias / scale,
        ))  # fmt: skip
        for origin, target in edges:
            if target == name:
                values = programs.weights((sizes[name][0], sizes[origin][0]), mode, bits, rng)
                values.flat[0] = (grid.high or grid.low) if full else values.flat[0]
                values.flat[1] = -grid.step if mode == "mixed" else values.flat[1]
                exponent = int(rng.integers(0, 2))
                integers.append(DenseConnection(origin, target, values, exponent, mode, bits, 1))
                floats.append(FloatConnection(origin, target, values * (64 * 2.0**exponent / scale), None, 1))
    ports = (InputPort("in", sizes["in"]),)
    network = FloatNetwork(DT, ports, tuple(populations), balance(["in"], tuple(floats)), (source,))
    return network, ChipProgram("loihi2", WordWidths(), DT, ports, tuple(chip_populations), tuple(integers), (source,))


def _moderate(name: str, shape: Shape, rng: np.random.Generator, biased: bool) -> CubaLIF:
    """Compartments that forget within some steps and whose bias alone does not make them spike."""
    size = math.prod(shape)

    def draw(low: int, high: int) -> NDArray[np.int32]:
        return rng.integers(low, high, size, dtype=np.int32)

    bias = draw(-400, 400) * biased
    zero = np.zeros(size, np.int32)
    return CubaLIF(
        name, shape, du=draw(1500, 4096), dv=draw(1500, 3500), vth=draw(300, 2000), bias_mant=bias, bias_exp=zero,
        v_initial=zero,
    )  # fmt: skip
