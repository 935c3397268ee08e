"""NIR graph -> ChipProgram: check, run the named passes, lower to the chip's normal form, round."""

from __future__ import annotations

import warnings
from dataclasses import replace

import nir

from spikeport.common.errors import InputError, naming
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.lowering.dialects import apply_dialect, notes_of
from spikeport.exporter.lowering.graded_sums import insert_relays
from spikeport.exporter.lowering.passes.inline_subgraphs import inline_subgraphs
from spikeport.exporter.nir_graph.graph_checks import check_known, check_reached
from spikeport.exporter.nir_graph.nir_file import NirWarning, check_graph, time_step
from spikeport.exporter.nir_graph.value_types import check_value_types
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.exporter.quantisation.synaptic_delays import join_delays
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.hardware_profiles.schema import ChipProfile

from .chip_integers import integers_of, quantise_by
from .compile_options import DEFAULTS, CompileOptions, LoweringOptions
from .lowering import pass_pipeline
from .mapping import cores_by_layer, fits


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
    check_value_types(graph, context)
    check_known(graph, context)
    checked = check_graph(graph, context)
    graph, applied = apply_dialect(checked, options, context)
    lowering = LoweringOptions.of(applied, time_step(graph, applied.dt, context))
    try:
        check_reached(inline_subgraphs(graph))
        with naming(context, "check its shapes, or report the file as a fault of spikeport"):
            network = pass_pipeline.run(graph, lowering, context, on_pass)
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(context) else f"{context}: {error}") from error
    return replace(network, notes=(*notes_of(checked, options), *network.notes))


def compile_graph(
    graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions = DEFAULTS, context: str = "graph"
) -> ChipProgram:
    """Compile a graph for a chip; context: the graph's name in errors. Raises InputError."""
    # before the graph is read: a chip without its package compiles nothing
    family = None if chip.integers == "loihi" else integers_of(chip)
    check_sums(chip, options, context)
    network = lower_graph(graph, options, context)
    for note in network.notes:
        warnings.warn(f"{context}: {note}", NirWarning, stacklevel=2)
    if family is not None:
        return quantise_by(family, network, chip, options, context)
    return _finished(round_network(network, chip, options, context), options)


def check_sums(chip: ChipProfile, options: CompileOptions, context: str) -> None:
    """Raises InputError for sums as graded spikes on a chip without them."""
    if options.sums == "graded" and not chip.word_widths.fixed_point().message_bits:
        raise InputError(
            f"{context}: sums as graded spikes: {chip.name}'s spikes carry no payload; leave them to the synapses "
            "(--sums synapses), or compile for a chip with graded spikes"
        )


def round_network(
    network: FloatNetwork,
    chip: ChipProfile,
    options: CompileOptions,
    context: str,
    widths: WordWidths | None = None,
) -> ChipProgram:
    """Round a lowered network such that it fits the chip if it can; one connection per delay. Raises InputError.

    widths: narrower registers than the chip's, if given.
    """
    if not network.populations:
        raise InputError(f"{context}: holds no neurons; add an IF, LIF or CubaLIF node")
    words = widths or chip.word_widths.fixed_point()
    return quantise(
        network, chip.name, words, options,
        fits=lambda program: fits(_finished(program, options), chip),
        cores=lambda program: cores_by_layer(_finished(program, options), chip),
    )  # fmt: skip


def _finished(rounded: ChipProgram, options: CompileOptions) -> ChipProgram:
    joined = join_delays(rounded)
    return insert_relays(joined) if options.sums == "graded" else joined
