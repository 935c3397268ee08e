"""Finer weight forms go where they cost cores, and stay where they cost none or where they are asked for."""

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

SIZES = (784, 128, 64, 10)
CHIP = load_chip("loihi2")


@pytest.fixture(scope="module")
def graph() -> nir.NIRGraph:
    return chain(SIZES)


def chain(sizes: tuple[int, ...]) -> nir.NIRGraph:
    """Dense layers of LIF neurons with weights of both signs."""
    rng = np.random.default_rng(0)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(input_type={"input": np.array([sizes[0]])})}
    for number, (before, after) in enumerate(pairwise(sizes)):
        one, weight = np.ones(after), rng.normal(0, before**-0.5, (after, before))
        nodes[f"fc{number}"] = nir.Linear(weight=weight)
        nodes[f"lif{number}"] = nir.LIF(tau=0.01 * one, r=10 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)
    nodes["output"] = nir.Output(output_type={"output": np.array([sizes[-1]])})
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)), metadata={"dt": 1e-3})


def forms(program: ChipProgram) -> list[int]:
    """Connections into each layer."""
    return [len(program.into(p.name)) for p in program.populations]


def test_784_128_64_10_takes_the_cores_of_the_vendors_compiler(graph: nir.NIRGraph) -> None:
    normal, fine = (compile_graph(graph, CHIP, CompileOptions(precision=p)) for p in ("normal", "fine"))
    # benchmarks/published_mappings.py: 3 + 1 + 1
    assert [layer.cores for layer in map_program(normal, CHIP).layers] == [3, 1, 1]
    assert map_program(fine, CHIP).cores == 7
    assert (forms(normal), forms(fine)) == ([1, 2, 2], [2, 2, 2])


@pytest.mark.parametrize(("costs", "left"), [(0, [2, 2]), (1, [1, 2])])
def test_only_layers_whose_form_costs_a_core_are_whole_again(costs: int, left: list[int]) -> None:
    network = lower_graph(chain((64, 64, 10)))

    def cores(program: ChipProgram) -> dict[str, int]:
        first, last = program.populations
        return {first.name: 1 + costs * len(program.into(first.name)), last.name: 1}

    assert forms(quantise(network, "loihi2", CHIP.word_widths.fixed_point(), cores=cores)) == left


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

    def cores(program: ChipProgram) -> dict[str, int]:
        # every connection costs a core
        return {layer.name: len(program.into(layer.name)) for layer in program.populations}

    assert forms(quantise(network, "loihi2", widths, cores=cores)) == [parts]
