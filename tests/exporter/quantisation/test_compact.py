"""Precision "compact": finer weight forms go where they cost cores, and stay where they cost none."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import nir
import numpy as np
import pytest

from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.mapping import map_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles import load_chip
from spikeport.network.network import Network

SIZES = (784, 128, 64, 10)
CHIP = load_chip("loihi2")


@pytest.fixture(scope="module")
def normal(graph: nir.NIRGraph) -> ChipProgram:
    return compile_graph(graph, CHIP)


@pytest.fixture(scope="module")
def graph() -> nir.NIRGraph:
    rng = np.random.default_rng(0)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(input_type={"input": np.array([SIZES[0]])})}
    for number, (before, after) in enumerate(pairwise(SIZES)):
        one, weight = np.ones(after), rng.normal(0, before**-0.5, (after, before))
        nodes[f"fc{number}"] = nir.Linear(weight=weight)
        nodes[f"lif{number}"] = nir.LIF(tau=0.01 * one, r=10 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)
    nodes["output"] = nir.Output(output_type={"output": np.array([SIZES[-1]])})
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)), metadata={"dt": 1e-3})


def forms(program: ChipProgram) -> list[int]:
    """Connections into each layer."""
    return [len(program.into(p.name)) for p in program.populations]


def test_784_128_64_10_takes_the_cores_of_the_vendors_compiler(graph: nir.NIRGraph, normal: ChipProgram) -> None:
    compact = compile_graph(graph, CHIP, CompileOptions(precision="compact"))
    assert map_program(normal, CHIP).cores == 7
    # benchmarks/published_mappings.py: 3 + 1 + 1
    assert [layer.cores for layer in map_program(compact, CHIP).layers] == [3, 1, 1]
    assert (forms(normal), forms(compact)) == ([2, 2, 2], [1, 2, 2])


@pytest.mark.parametrize(("vth", "parts"), [(100, 2), (None, 1)])
def test_a_layer_trained_in_the_chips_numbers_keeps_its_parts(vth: int | None, parts: int) -> None:
    # odd integers of both signs at the scale of training: one connection of mixed sign would lose the lowest bit
    one, rng = np.ones(8), np.random.default_rng(0)
    weights = (2 * rng.integers(-60, 60, (8, 20)) + 1) / 100
    nodes: dict[str, nir.NIRNode] = {
        "input": nir.Input(input_type={"input": np.array([20])}),
        "fc": nir.Linear(weight=weights),
        "lif": nir.LIF(tau=0.01 * one, r=10 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "output": nir.Output(output_type={"output": np.array([8])}),
    }
    network = lower_graph(nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)), metadata={"dt": 1e-3}))
    network = replace(network, populations=tuple(replace(p, vth=vth) for p in network.populations))
    widths = CHIP.word_widths.fixed_point()
    # every connection costs a core
    program = quantise(
        network, "loihi2", widths, CompileOptions(precision="compact"), cores=lambda p: len(p.connections)
    )
    assert forms(program) == [parts]


def test_check_for_the_fewest_cores_tells_of_compact(graph: nir.NIRGraph, normal: ChipProgram) -> None:
    network = Network(normal, "net", "loihi2", graph)
    fit = network.check(optimise="cores")
    assert (fit.mapping.cores, fit.compact, fit.to_dict()["compact_cores"]) == (7, 5, 5)
    assert "--precision compact it takes 5 cores" in str(fit)
    assert network.check(optimise="energy").compact is None
