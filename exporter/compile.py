"""NIR graph -> ChipProgram: check, run the named passes, lower to the chip's normal form, round."""

from __future__ import annotations

import warnings

import nir

from hardware_profiles.errors import InputError, naming
from hardware_profiles.schema import ChipProfile

from . import flow
from .discretize import Discretize
from .float_network import FloatNetwork, Reset
from .graded_sums import Sums, with_relays
from .mapping import fits
from .nir_file import NirWarning, check_graph, time_step
from .nir_graph import check_known, check_reached
from .passes.inline_subgraphs import inline_subgraphs
from .program import ChipProgram, Given
from .quantise import Precision, quantise
from .synaptic_delays import join_delays


def lower_graph(
    graph: nir.NIRGraph,
    dt: float | None = None,
    where: str = "graph",
    *,
    discretize: Discretize = "euler",
    reset: Reset = "zero",
    sums: Sums = "synapses",
    watch: flow.Watch | None = None,
) -> FloatNetwork:
    """Check a graph, run the passes and lower it; raises InputError that names the node at fault.

    discretize: how time constants become decays a step (exporter/discretize.py); reset: what a spike does to v, which
    NIR does not say; sums: "graded" leaves time for relays (exporter/graded_sums.py); watch: is given the name and
    result of every step (exporter/flow.py).
    """
    check_graph(graph, where)
    check_known(graph, where)
    step = time_step(graph, dt, where)
    try:
        check_reached(inline_subgraphs(graph))
        with naming(where, "export the network again"):
            return flow.run(graph, step, where, discretize, reset, sums, watch)
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error


def compile_graph(
    graph: nir.NIRGraph,
    chip: ChipProfile,
    dt: float | None = None,
    weight_bits: int | None = None,
    where: str = "graph",
    *,
    discretize: Discretize = "euler",
    reset: Reset = "zero",
    precision: Precision = "normal",
    sums: Sums = "synapses",
    calibration: Given | None = None,
) -> ChipProgram:
    """Compile a graph for a chip; dt in seconds (default: the graph's metadata). Raises InputError.

    discretize, reset and sums as in lower_graph; precision "high" spends more synapses on exact weights; calibration:
    sample input (time, batch, *input shape), one a name for several inputs, by whose spikes the scales are chosen.
    """
    widths = chip.word_widths.fixed_point()
    if sums == "graded" and not widths.message_bits:
        raise InputError(
            f"{where}: sums as graded spikes: {chip.name}'s spikes carry no payload; leave them to the synapses "
            "(--sums synapses), or compile for a chip with graded spikes"
        )
    network = lower_graph(graph, dt, where, discretize=discretize, reset=reset, sums=sums)
    for note in network.notes:
        warnings.warn(f"{where}: {note}", NirWarning, stacklevel=2)
    if not network.populations:
        raise InputError(f"{where}: holds no neurons; add an IF, LIF or CubaLIF node")

    def finished(rounded: ChipProgram) -> ChipProgram:
        joined = join_delays(rounded)
        return with_relays(joined) if sums == "graded" else joined

    program = quantise(
        network,
        chip.name,
        widths,
        weight_bits or widths.weight_bits,
        precision=precision,
        calibration=calibration,
        fits=lambda program: fits(finished(program), chip),
    )
    return finished(program)
