"""NIR graph -> a ChipProgram that a .net file can represent: weights without exponents, biases in units of 64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import nir
import numpy as np

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.neurons import Cuba, CubaLIF, LIFReset, Population
from spikeport.exporter.program.chip_program import ChipProgram, Connection
from spikeport.exporter.program.validate import validate
from spikeport.exporter.quantisation.compensation.start_voltage import start_voltage
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles.fixed_point import WordWidths, split_bias
from spikeport.hardware_profiles.schema import ChipProfile

from .combined_weights import kernel_of, matrix_of, weights_survive
from .layer_chain import chain_of
from .net_file import NetLayer
from .neurons import BIAS_EXPONENT
from .synapses import dense


def compile_for_net(
    graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions = DEFAULTS, context: str = "graph"
) -> ChipProgram:
    """Compile a graph for write_net; arguments as for compile_graph. Raises InputError unless it is a chain of layers.

    Weights have 8 bits and one synapse each: options for others are rejected. The chip's exponents and finer biases are
    unused, so this loses more than compile_graph does.
    """
    widths = chip.word_widths.fixed_point()
    if options.precision != "normal" or options.weight_bits is not None:
        raise InputError(f"{context}: weights of a .net file have 8 bits; leave --precision and --weight-bits out")
    network = lower_graph(graph, options, context)
    if not network.populations:
        raise InputError(f"{context}: holds no neurons; add an IF, LIF or CubaLIF node")
    narrow = replace(widths, weight_exp_max=0)
    narrow_program = quantise(network, chip.name, narrow, options)
    program = replace(narrow_program, widths=widths)
    port, links = chain_of(program, context)
    sources = [port.size, *(link.population.size for link in links)]
    connections: list[Connection] = []
    for link, source_size in zip(links, sources, strict=False):
        connections += _as_netx_keeps(link.forward, link.recurrent, (link.population.size, source_size), context)
    populations = [_coarse_bias(link.population, depth + 1, widths) for depth, link in enumerate(links)]
    return validate(replace(program, populations=tuple(populations), connections=tuple(connections)), context)


def _as_netx_keeps(
    forward: Sequence[Connection], recurrent: Sequence[Connection], shape: tuple[int, int], context: str
) -> list[Connection]:
    """A layer's connections, with weights on the even grid if netx would lose digits otherwise."""
    if not forward or kernel_of(forward, context) is not None:
        return [*forward, *recurrent]
    target = forward[0].target
    name = f"{context}: {target!r}"
    halves = [matrix_of(forward, shape, name)]
    if recurrent:
        halves.append(matrix_of(recurrent, (shape[0], shape[0]), name))
    if weights_survive([half.weights for half in halves]):
        return [*forward, *recurrent]
    layer = NetLayer(name, "dense", (shape[0],), {}, None)
    even = [np.clip(2 * np.rint(half.weights / 2), -254, 254).astype(np.int32) for half in halves]
    if not weights_survive(even):
        # netx loses a lowest weight that is a power of 2 if all are negative
        lowest = min(int(weights.min()) for weights in even)
        even = [np.maximum(weights, lowest + 2) for weights in even]
    connections: list[Connection] = []
    for half, weights, parts in zip(halves, even, (forward, recurrent), strict=False):
        connections += dense(layer, weights, parts[0].source, target, half.delays)
    return connections


def _coarse_bias(population: Population, wait: int, widths: WordWidths) -> Population:
    """The population with biases in units of 64, and the matching start voltage."""
    if not isinstance(population, Cuba) or not np.any(population.bias % (1 << BIAS_EXPONENT)):
        return population
    unit = float(1 << BIAS_EXPONENT)
    mantissa, exponent = split_bias(unit * np.rint(population.bias / unit), widths)
    vth = population.threshold_word
    rest, bias_settles = start_voltage(mantissa << exponent, population.dv, vth, wait, widths)
    # a reset by subtraction is kept, so that writing the file rejects it
    if vth is None or population.subtracted is not None:
        return replace(population, bias_mant=mantissa, bias_exp=exponent, v_initial=rest)
    constants = {
        "du": population.du, "dv": population.dv, "vth": vth,
        "bias_mant": mantissa, "bias_exp": exponent, "v_initial": rest,
    }  # fmt: skip
    if bias_settles:
        return CubaLIF(population.name, population.shape, **constants)
    return LIFReset(population.name, population.shape, **constants, **LIFReset.once(population.size, wait, widths))
