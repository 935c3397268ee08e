"""What stays fixed while a network is trained: structure, decays, and the scale and grids that compiling chose.

The graph is compiled once. Its decays and the scale of every layer are kept; weights, biases and thresholds start as
the compiler sees them, with its corrections for rounded decays. From then on every number is rounded on these grids, so
that the compiler, which reads the scale from the exported graph, gets the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

import nir
import numpy as np
from scipy.sparse import csr_array, diags_array

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph, round_network
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.lowering.dialects import apply_dialect
from spikeport.exporter.nir_graph.graph_checks import POOLS
from spikeport.exporter.program.chip_program import ChipProgram, Cuba
from spikeport.exporter.quantisation.compensation.charge import weight_factors
from spikeport.exporter.quantisation.compensation.leak import leak_factors, with_rounded_leak
from spikeport.exporter.quantisation.layer import synapse_names
from spikeport.exporter.quantisation.payload import senders_first
from spikeport.hardware_profiles.fixed_point import WordWidths, decay_from_du, decay_from_dv
from spikeport.hardware_profiles.schema import ChipProfile

from .grids import Grid, doubled_grid, grid_of
from .ties import Key, Tie, channels_tie, key, ties_of


@dataclass(frozen=True)
class LayerPlan:
    """A population with the chip's decays, the synapses into it with their grids, and its scale.

    ties: how each synapse's weights follow from the graph's, None where they do not.
    scale: the chip's units of u and v for one of the network's; start: its first step on the chip; shift: bits by
    which a voltage is shifted right before it is sent; leak: the correction of every neuron for its rounded leak, which
    compiling applies again to neurons that the graph does not hold (an Output that reads a synapse). exact, charges:
    the population with the graph's own decays, and by what every synapse's rows differ from the graph's: the correction
    for the rounded ones, times `rows`, by which all numbers of a neuron were scaled. weight_bits: of its weights;
    doubled: whether each has a high and a low half of so many. fixed: which synapses are poolings, whose weights stay.
    """

    population: FloatPopulation
    synapses: tuple[FloatConnection, ...]
    grids: tuple[Grid, ...]
    ties: tuple[Tie | None, ...]
    scale: float
    start: int
    shift: int
    leak: Floats
    exact: FloatPopulation
    charges: tuple[Floats, ...]
    rows: Floats
    weight_bits: int
    doubled: bool
    fixed: tuple[bool, ...]


@dataclass(frozen=True)
class Plan:
    """The network in the chip's form, its layers from senders to readers, and how to write it as a graph again.

    discretize: how the graph's time constants are meant; output_names: of the graph's Output nodes, in the order of
    the network's outputs; biases: of the graph's synapses by name.
    """

    network: FloatNetwork
    layers: Mapping[str, LayerPlan]
    options: CompileOptions
    discretize: str
    reset: str
    output_names: tuple[str, ...]
    chip: ChipProfile
    biases: Mapping[str, Floats]


def scaled_neurons(layer: LayerPlan, factors: Floats) -> LayerPlan:
    """The layer with all numbers of its neurons times the factors, (size,): its spikes stay.

    Weights into one population share the chip's exponents, thresholds are a neuron's own. Synapses are dense matrices.
    """
    population = layer.population
    return replace(
        layer,
        population=replace(
            population, threshold=population.threshold * factors, bias=population.bias * factors,
            v_initial=population.v_initial * factors,
        ),
        synapses=tuple(scaled_rows(connection, factors) for connection in layer.synapses),
        ties=tuple(_corrected(tie, c, factors) for tie, c in zip(layer.ties, layer.synapses, strict=True)),
        charges=tuple(charge * factors.reshape(len(charge), -1)[:, 0] for charge in layer.charges),
        rows=layer.rows * factors,
    )  # fmt: skip


def whole_sums(chip: ChipProfile) -> WordWidths:
    """The chip's registers without negative weight exponents: training sums whole numbers and divides none."""
    return replace(chip.word_widths.fixed_point(), weight_exp_min=0)


def make_plan(graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions, context: str) -> Plan:
    """Compile a graph and keep what training does not change; raises InputError."""
    if chip.integers != "loihi":
        raise InputError(
            f"{context}: this training does not round to the integers of {chip.name} yet; write a loop around "
            "sp.torch.module, or train in floating point and compile the network for it"
        )
    if options.sums != DEFAULTS.sums:
        raise InputError(
            f"{context}: training does not add in relays (sums {options.sums!r}); leave that out, and compile the "
            "trained network with it"
        )
    _, meant = apply_dialect(graph, options, context)
    network = lower_graph(graph, options, context)
    program = round_network(network, chip, options, context, whole_sums(chip))
    starts, doubled = network.starts, options.precision == "high"
    bits = options.weight_bits or program.widths.weight_bits
    ties = ties_of(graph, network, lambda probe: lower_graph(probe, options, context))
    pools = _poolings(graph)
    layers = {
        population.name: _layer_plan(population, network, program, starts[population.name], bits, ties, doubled, pools)
        for population in senders_first(network)
    }
    chip_network = replace(
        network,
        populations=tuple(layers[p.name].population for p in network.populations),
        connections=tuple(c for p in network.populations for c in layers[p.name].synapses),
    )
    return Plan(
        chip_network, layers, options, meant.discretize or "euler", meant.reset or "zero",
        output_names(graph, network), chip,
        {n: np.asarray(node.bias, np.float64) for n, node in graph.nodes.items() if hasattr(node, "bias")},
    )  # fmt: skip


def output_names(graph: nir.NIRGraph, network: FloatNetwork) -> tuple[str, ...]:
    """Names for the network's outputs: those of the graph's Output nodes, if each has one."""
    names = [name for name, node in graph.nodes.items() if isinstance(node, nir.Output)]
    return tuple(names if len(names) == len(network.outputs) else (f"output_{n}" for n in range(len(network.outputs))))


def _poolings(graph: nir.NIRGraph) -> set[str]:
    """Names of synapses whose weights are a pooling's, alone or of a Scale's output."""
    pools = {name for name, node in graph.nodes.items() if isinstance(node, POOLS)}
    scales = [name for name, node in graph.nodes.items() if isinstance(node, nir.Scale)]
    return pools | {f"{pool}.{scale}" for pool in pools for scale in scales}


def _layer_plan(
    population: FloatPopulation,
    network: FloatNetwork,
    program: ChipProgram,
    start: int,
    bits: int,
    ties: Mapping[Key, Tie],
    doubled: bool,
    pools: Set[str],
) -> LayerPlan:
    rounded = program.population(population.name)
    assert isinstance(rounded, Cuba)
    bits = min(bits, population.weight_bits or bits)
    report = program.quantisation[population.name]
    leak = leak_factors(population, rounded.dv, report.interval or None)
    incoming = [c for c in network.connections if c.target == population.name]
    synapses, grids, tied, charges = [], [], [], []
    parts_of = [
        [c for c in program.into(population.name) if (c.source, c.synapse) == (connection.source, name)]
        for connection, name in zip(incoming, synapse_names(incoming), strict=True)
    ]
    # layers that a mixed grid holds exactly stay as they are
    doubled = doubled and not any(c.sign_mode == "mixed" for c in program.into(population.name))
    for connection, parts in zip(incoming, parts_of, strict=True):
        rows = len(connection.weights) if connection.geometry is not None else population.size
        factors = weight_factors(population, rounded.du, leak, rows)
        synapses.append(scaled_rows(connection, factors))
        charges.append(factors)
        tie = ties.get(key(connection)) or channels_tie(connection, population.shape)
        tied.append(_corrected(tie, connection, factors))
        grids.append(doubled_grid(parts, bits) if doubled else grid_of(parts, bits))
    corrected = replace(
        with_rounded_leak(population, leak),
        current_decay=decay_from_du(rounded.du),
        voltage_decay=decay_from_dv(rounded.dv),
    )
    shift = rounded.payload_shift
    return LayerPlan(
        corrected, tuple(synapses), tuple(grids), tuple(tied), report.scale, start,
        0 if shift is None else int(shift[0]), leak, population, tuple(charges), np.ones(population.size), bits,
        doubled, tuple(c.synapse in pools for c in incoming),
    )  # fmt: skip


def _corrected(tie: Tie | None, connection: FloatConnection, factors: Floats) -> Tie | None:
    """The tie with the rows' factors."""
    if tie is None or np.all(factors == 1):
        return tie
    scaled = scaled_rows(_with_values(connection, tie.factors), factors).weights
    return replace(tie, factors=scaled.data if isinstance(scaled, csr_array) else scaled)


def _with_values(connection: FloatConnection, values: Floats) -> FloatConnection:
    weights = connection.weights
    if isinstance(weights, csr_array):
        return replace(connection, weights=csr_array((values, weights.indices, weights.indptr), shape=weights.shape))
    return replace(connection, weights=values)


def scaled_rows(connection: FloatConnection, factors: Floats) -> FloatConnection:
    """The connection with its rows of weights times the factors, one per neuron or (of kernels) per channel."""
    if np.all(factors == 1):
        return connection
    weights = connection.weights
    if isinstance(weights, csr_array):
        return replace(connection, weights=csr_array(diags_array(factors) @ weights))
    rows = factors.reshape(len(weights), -1).mean(axis=1)
    return replace(connection, weights=weights * rows.reshape(-1, *[1] * (weights.ndim - 1)))
