"""NIR graph -> ChipProgram: check, run the named passes, lower to the chip's normal form, round."""

from __future__ import annotations

import warnings

import nir

from spikeport.common.errors import InputError, naming
from spikeport.exporter.passes.inline_subgraphs import inline_subgraphs
from spikeport.hardware_profiles.schema import ChipProfile

from . import flow
from .compile_options import DEFAULTS, CompileOptions, LoweringOptions
from .dialects import apply_dialect
from .float_network import FloatNetwork
from .graded_sums import with_relays
from .mapping import fits
from .nir_file import NirWarning, check_graph, time_step
from .nir_graph import check_known, check_reached
from .program import ChipProgram
from .quantise import quantise
from .synaptic_delays import join_delays


def lower_graph(
    graph: nir.NIRGraph,
    options: CompileOptions = DEFAULTS,
    where: str = "graph",
    watch: flow.Watch | None = None,
) -> FloatNetwork:
    """Check a graph, run the passes and lower it; raises InputError that names the node at fault.

    options: sums "graded" leaves time for relays (exporter/graded_sums.py); watch: is given the name and result of
    every step (exporter/flow.py).
    """
    graph, options = apply_dialect(graph, options, where)
    check_graph(graph, where)
    check_known(graph, where)
    lowering = LoweringOptions.of(options, time_step(graph, options.dt, where))
    try:
        check_reached(inline_subgraphs(graph))
        with naming(where, "export the network again"):
            return flow.run(graph, lowering, where, watch)
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error


def compile_graph(
    graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions = DEFAULTS, where: str = "graph"
) -> ChipProgram:
    """Compile a graph for a chip; where: what errors call it. Raises InputError."""
    widths = chip.word_widths.fixed_point()
    if options.sums == "graded" and not widths.message_bits:
        raise InputError(
            f"{where}: sums as graded spikes: {chip.name}'s spikes carry no payload; leave them to the synapses "
            "(--sums synapses), or compile for a chip with graded spikes"
        )
    network = lower_graph(graph, options, where)
    for note in network.notes:
        warnings.warn(f"{where}: {note}", NirWarning, stacklevel=2)
    if not network.populations:
        raise InputError(f"{where}: holds no neurons; add an IF, LIF or CubaLIF node")

    def finished(rounded: ChipProgram) -> ChipProgram:
        joined = join_delays(rounded)
        return with_relays(joined) if options.sums == "graded" else joined

    program = quantise(network, chip.name, widths, options, fits=lambda program: fits(finished(program), chip))
    return finished(program)
