"""NIR graph -> ChipProgram: check, run the named passes, lower to the chip's normal form, round."""

from __future__ import annotations

import nir

from hardware_profiles.errors import InputError
from hardware_profiles.schema import ChipProfile

from .float_network import FloatNetwork
from .lower import lower
from .nir_file import check_graph, time_step
from .nir_graph import check_cycles, check_known
from .passes import PASSES
from .passes.inline_subgraphs import inline_subgraphs
from .program import ChipProgram
from .quantise import quantise


def lower_graph(graph: nir.NIRGraph, dt: float | None = None, where: str = "graph") -> FloatNetwork:
    """Check a graph, run the passes and lower it; raises InputError that names the node at fault."""
    check_graph(graph, where)
    check_known(graph, where)
    check_cycles(inline_subgraphs(graph), where)
    step = time_step(graph, dt, where)
    for transform in PASSES.values():
        graph = transform(graph)
    return lower(graph, step, where)


def compile_graph(
    graph: nir.NIRGraph,
    chip: ChipProfile,
    dt: float | None = None,
    weight_bits: int | None = None,
    where: str = "graph",
) -> ChipProgram:
    """Compile a graph for a chip; dt in seconds (default: the graph's metadata). Raises InputError."""
    widths = chip.word_widths.fixed_point()
    network = lower_graph(graph, dt, where)
    if not network.populations:
        raise InputError(f"{where}: holds no neurons; add an IF, LIF or CubaLIF node")
    return quantise(network, chip.name, widths, weight_bits or widths.weight_bits)
