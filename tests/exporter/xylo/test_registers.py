"""A network that was trained in a Xylo chip's integers compiles to them again, from NIR as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import HealthCheck, assume, given, settings

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.trainable.xylo.module import XyloModule
from spikeport.exporter.xylo.quantise import quantise_xylo
from spikeport.hardware_profiles import load_chip
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights
from tests.support.networks.xylo_random_graphs import random_graphs

CHIP = load_chip("xylo_audio2")


def trained(module: XyloModule, inputs: int) -> XyloModule:
    x = torch.from_numpy(np.random.default_rng(3).binomial(2, 0.3, (30, 4, inputs))).float()
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(3):
        optimiser.zero_grad()
        (module(x).sum(0) - 3).square().mean().backward()
        optimiser.step()
    return module


def assert_same(program: ChipProgram, other: ChipProgram) -> None:
    """Every register and weight."""
    assert [p.name for p in program.populations] == [p.name for p in other.populations]
    for p, q in zip(program.populations, other.populations, strict=True):
        assert all(np.array_equal(value, getattr(q, name)) for name, value in vars(p).items())
    ends = [[(c.source, c.target) for c in one.connections] for one in (program, other)]
    assert ends[0] == ends[1]
    for c, d in zip(program.connections, other.connections, strict=True):
        assert all(np.array_equal(value, getattr(d, name)) for name, value in vars(c).items() if name != "synapse")


@given(random_graphs())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_trained_network_rounds_to_the_integers_of_its_training(case: tuple[object, CompileOptions]) -> None:
    graph, options = case
    network = lower_graph(graph, options)  # type: ignore[arg-type]
    module = trained(XyloModule(network, CHIP, options), network.inputs[0].size)
    try:
        found = module.trained()
    except InputError as error:
        assert "bias = false" in str(error)
        assume(False)
    assert_same(module.program(), quantise_xylo(found, CHIP, options))


def test_registers_of_other_words_or_sizes_are_left_alone() -> None:
    network = lower_graph(chain([lif(6, 8), cuba(3, 4, 8)], random_weights([5, 6, 3], 0.4)))
    found = trained(XyloModule(network, CHIP, CompileOptions()), 5).trained()
    four = quantise_xylo(found, CHIP, CompileOptions(weight_bits=4))
    assert max(int(np.abs(c.weights).max()) for c in four.connections) <= 7
    for wrong in ({"xylo_scale": np.ones(2)}, {"xylo_shifts": np.array([9, 9])}, {"xylo_threshold": np.full(6, -1)}):
        first = replace(found.populations[0], registers={**found.populations[0].registers, **wrong})
        broken = replace(found, populations=(first, *found.populations[1:]))
        quantise_xylo(broken, CHIP, CompileOptions())
