"""NIR graph -> ChipProgram: check, run the named passes, lower to the chip's normal form, round."""

from __future__ import annotations

from typing import Any

import nir
from numpy.typing import NDArray

from hardware_profiles.errors import InputError
from hardware_profiles.schema import ChipProfile

from .delays import balance_delays
from .discretize import Discretize
from .float_network import FloatNetwork, Reset
from .lower import lower
from .mapping import map_program
from .nir_file import check_graph, time_step
from .nir_graph import check_known, check_reached
from .passes import PASSES
from .passes.inline_subgraphs import inline_subgraphs
from .program import ChipProgram
from .quantise import Precision, quantise


def lower_graph(
    graph: nir.NIRGraph,
    dt: float | None = None,
    where: str = "graph",
    *,
    discretize: Discretize = "euler",
    reset: Reset = "zero",
) -> FloatNetwork:
    """Check a graph, run the passes and lower it; raises InputError that names the node at fault.

    discretize: how time constants become decays a step (exporter/lower.py); reset: what a spike does to v, which NIR
    does not say.
    """
    check_graph(graph, where)
    check_known(graph, where)
    step = time_step(graph, dt, where)
    try:
        check_reached(inline_subgraphs(graph))
        for transform in PASSES.values():
            graph = transform(graph)
        network = lower(graph, step, where, discretize=discretize, reset=reset)
        return balance_delays(network)
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
    calibration: NDArray[Any] | None = None,
) -> ChipProgram:
    """Compile a graph for a chip; dt in seconds (default: the graph's metadata). Raises InputError.

    discretize and reset as in lower_graph; precision "high" spends more synapses on exact weights; calibration: sample
    input (time, batch, *input shape) by whose spikes the scales are chosen.
    """
    widths = chip.word_widths.fixed_point()
    network = lower_graph(graph, dt, where, discretize=discretize, reset=reset)
    if not network.populations:
        raise InputError(f"{where}: holds no neurons; add an IF, LIF or CubaLIF node")
    return quantise(
        network,
        chip.name,
        widths,
        weight_bits or widths.weight_bits,
        precision=precision,
        calibration=calibration,
        fits=lambda program: map_program(program, chip).fits,
    )
