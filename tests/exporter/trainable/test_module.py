"""A trainable module against the emulator on the graph that it writes: random graphs, trained a little."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from nir_strategies import any_graphs, spikes_for
from strategies import seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.trainable.module import ChipModule, module_of
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate

CHIP = load_chip("loihi2")


def written(module: ChipModule) -> nir.NIRGraph:
    """The module's graph through a file."""
    with tempfile.TemporaryDirectory() as folder:
        write_nir(module.to_nir(), Path(folder) / "model.nir")
        return read_nir(Path(folder) / "model.nir")


def assert_equals_emulator(module: ChipModule, inputs: dict[str, np.ndarray], options: CompileOptions) -> None:
    """Every layer's spikes in every place; the program from a file as the chip runs it."""
    program = compile_graph(written(module), CHIP, options)
    length = len(next(iter(inputs.values())))
    starts = module.plan.network.starts
    x = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    result = simulate(program, x, steps=length + max(starts.values()), record="layers")
    sent = module.run({name: torch.from_numpy(values) for name, values in inputs.items()})
    for population in program.populations:
        name = population.name
        if name not in sent:
            continue  # a bias axon, which has another name
        chip = result.states[f"s/{name}"][starts[name] : starts[name] + length]
        np.testing.assert_array_equal(sent[name].detach().numpy(), chip.reshape(sent[name].shape), err_msg=name)


def train_a_little(module: ChipModule, inputs: dict[str, np.ndarray], rate: float) -> None:
    """One step of a loss that leads everywhere."""
    sent = module.run({name: torch.from_numpy(values) for name, values in inputs.items()})
    loss = torch.stack([(s.mean() / (1 + s.detach().abs().max())) for s in sent.values()]).sum()
    parameters = list(module.parameters())
    if not parameters or not loss.requires_grad:
        return
    loss.backward()
    for parameter in parameters:
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert torch.isfinite(gradient).all()
        with torch.no_grad():
            parameter -= rate * (gradient.sign() + torch.randn_like(parameter)) * parameter.abs().mean()


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(
    graph=any_graphs(), seed=seeds, reset=st.sampled_from(["zero", "subtract", "subtract_after_decay"]),
    discretize=st.sampled_from(["euler", "exponential"]), bits=st.sampled_from([8, 8, 4]),
    calibrated=st.booleans(),
)  # fmt: skip
def test_any_graph_gives_the_chips_spikes_before_and_after_training(
    graph: nir.NIRGraph, seed: int, reset: str, discretize: str, bits: int, calibrated: bool
) -> None:
    inputs = spikes_for(graph, 8, 3, seed, 0.4)
    one = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    options = CompileOptions(
        weight_bits=bits, reset=reset, discretize=discretize, calibration=one if calibrated else None  # type: ignore[arg-type]
    )
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = module_of(graph, CHIP, options)
            module.to_nir()
        except InputError:
            assume(False)
        # nir adds an output to an input that nothing reads
        assume(all(name in {c.source for c in module.plan.network.connections} for name in inputs))
        assert_equals_emulator(module, inputs, options)
        for rate in (0.1, 1.0):
            train_a_little(module, inputs, rate)
            assert_equals_emulator(module, inputs, options)
