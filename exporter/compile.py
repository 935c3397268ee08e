"""NIR graph -> ChipProgram: check, run the named passes, lower to the chip's normal form, round."""

from __future__ import annotations

import warnings

import nir

from spikeport.common.errors import InputError, naming
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.lowering.dialects import apply_dialect
from spikeport.exporter.lowering.graded_sums import insert_relays
from spikeport.exporter.lowering.passes.inline_subgraphs import inline_subgraphs
from spikeport.exporter.nir_graph.graph_checks import check_known, check_reached
from spikeport.exporter.nir_graph.nir_file import NirWarning, check_graph, time_step
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.exporter.quantisation.synaptic_delays import join_delays
from spikeport.hardware_profiles.schema import ChipProfile

from .compile_options import DEFAULTS, CompileOptions, LoweringOptions
from .lowering import pass_pipeline
from .mapping import fits


def lower_graph(
    graph: nir.NIRGraph,
    options: CompileOptions = DEFAULTS,
    context: str = "graph",
    on_pass: pass_pipeline.Watch | None = None,
) -> FloatNetwork:
    """Check a graph, run the passes and lower it; raises InputError that names the faulty node.

    options: sums "graded" leaves time for relays (lowering/graded_sums.py); on_pass: called with the name and result of
    every step (lowering/pass_pipeline.py).
    """
    graph, options = apply_dialect(graph, options, context)
    check_graph(graph, context)
    check_known(graph, context)
    lowering = LoweringOptions.of(options, time_step(graph, options.dt, context))
    try:
        check_reached(inline_subgraphs(graph))
        with naming(context, "export the network again"):
            return pass_pipeline.run(graph, lowering, context, on_pass)
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(context) else f"{context}: {error}") from error


def compile_graph(
    graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions = DEFAULTS, context: str = "graph"
) -> ChipProgram:
    """Compile a graph for a chip; context: the graph's name in errors. Raises InputError."""
    check_sums(chip, options, context)
    network = lower_graph(graph, options, context)
    for note in network.notes:
        warnings.warn(f"{context}: {note}", NirWarning, stacklevel=2)
    return _finished(round_network(network, chip, options, context), options)


def check_sums(chip: ChipProfile, options: CompileOptions, context: str) -> None:
    """Raises InputError for sums as graded spikes on a chip without them."""
    if options.sums == "graded" and not chip.word_widths.fixed_point().message_bits:
        raise InputError(
            f"{context}: sums as graded spikes: {chip.name}'s spikes carry no payload; leave them to the synapses "
            "(--sums synapses), or compile for a chip with graded spikes"
        )


def round_network(network: FloatNetwork, chip: ChipProfile, options: CompileOptions, context: str) -> ChipProgram:
    """Round a lowered network such that it fits the chip if it can; one connection per delay. Raises InputError."""
    if not network.populations:
        raise InputError(f"{context}: holds no neurons; add an IF, LIF or CubaLIF node")
    widths = chip.word_widths.fixed_point()
    return quantise(network, chip.name, widths, options, fits=lambda program: fits(_finished(program, options), chip))


def _finished(rounded: ChipProgram, options: CompileOptions) -> ChipProgram:
    joined = join_delays(rounded)
    return insert_relays(joined) if options.sums == "graded" else joined
