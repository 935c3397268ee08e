"""A module in a chip's own integers has the calls of one in Loihi's, and they mean the same."""

from __future__ import annotations

import inspect

import nir
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.own_graph import OwnGraph
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights
from tests.support.networks.xylo_random_graphs import random_graphs

CHIPS = ("loihi2", "xylo_audio2")
GRAPH = chain([cuba(24, 3, 6), cuba(4, 3, 6)], random_weights([16, 24, 4], 0.4))
CALLS = ("forward", "run", "run_in_units", "eval_float", "to_nir", "synapse_values", "compile", "load_into")


def spikes(inputs: int = 16, rate: float = 0.2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).binomial(1, rate, (30, 4, inputs))).float()


def trained(module: torch.nn.Module, x: torch.Tensor, rate: float = 0.05) -> torch.nn.Module:
    optimiser = torch.optim.SGD(module.parameters(), lr=rate)
    for _ in range(2):
        optimiser.zero_grad()
        (module(x).sum(0) - 3).square().mean().backward()
        optimiser.step()
    return module


def test_both_have_the_same_calls() -> None:
    for name in CALLS:
        one, other = (inspect.signature(getattr(kind, name)) for kind in (sp.torch.Module, sp.torch.OwnModule))
        assert list(one.parameters) == list(other.parameters)
    public = [
        {name for name in dir(kind) if not name.startswith("_")} - set(dir(nn.Module))
        for kind in (sp.torch.Module, sp.torch.OwnModule)
    ]
    assert set(CALLS) - {"forward", "compile"} <= public[0] & public[1]
    assert {"chip_name", "input_scale"} <= public[0] & public[1]
    assert issubclass(sp.torch.Module, ChipModule) and issubclass(sp.torch.OwnModule, OwnGraph)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_calls_mean_the_same(chip: str) -> None:
    x = spikes()
    module = trained(sp.torch.module(GRAPH, chip), x)
    layers = module.run(x)
    assert list(layers) == ["n0", "n1"] and torch.equal(layers["n1"], module(x))
    assert torch.equal(module({"input": x}), module(x))
    network = module.compile()
    result = network.simulate(x.numpy().astype(np.uint8))
    late = network.program.pipeline_steps
    np.testing.assert_array_equal(result.spikes[late:], module(x).detach().numpy())
    again = sp.compile(module.to_nir(), chip=chip).simulate(x.numpy().astype(np.uint8))
    np.testing.assert_array_equal(again.spikes, result.spikes)
    assert network.diff(x.numpy().astype(np.uint8)).differing is not None
    assert module.chip_name == chip and module.input_scale == 1.0
    with pytest.raises(InputError, match="is no tensor"):
        module(None)
    with pytest.raises(InputError, match="input 'input' is missing"):
        module({"other": x})


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("biased", [False, True])
def test_eval_float_is_the_graph_s_float_network(chip: str, biased: bool) -> None:
    graph = chain([lif(24, 5), cuba(6, 3, 6), cuba(4, 3, 6)], random_weights([16, 24, 6, 4], 0.8))
    if biased:
        graph.nodes["n0"].v_leak = np.linspace(0, 2, 24)
        graph.nodes["n1"].v_leak = np.full(6, 0.4)
        graph.nodes["w2"] = nir.Affine(graph.nodes["w2"].weight, np.full(4, 0.1))
    module, x = sp.torch.module(graph, chip), spikes()
    network = lower_graph(graph, CompileOptions())
    starts, steps = network.starts, len(x)
    values = {"input": x.numpy().astype(np.int32)}
    sent = simulate_float(network, values, steps + max(starts.values())).spikes["n2"]
    wanted = sent[starts["n2"] : starts["n2"] + steps]
    assert wanted.any()
    # parameters are 32-bit numbers: a spike may come a step later
    assert np.mean(module.eval_float(x).numpy() != wanted) < 0.002


@given(random_graphs())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_not_rounded_has_the_weights_and_biases_of_the_graph(case: tuple[nir.NIRGraph, CompileOptions]) -> None:
    graph, options = case
    module = sp.torch.module(graph, "xylo_audio2", options=options)
    before, after = lower_graph(graph, options), module.own.floating()
    for one, other in zip(before.populations, after.populations, strict=True):
        np.testing.assert_allclose(other.bias, one.bias, rtol=1e-4, atol=1e-6 * float(one.threshold.max()))
    pairs = {(c.source, c.target) for c in before.connections}
    for ends in pairs:
        one, other = (
            sum(c.dense for c in n.connections if (c.source, c.target) == ends and c.geometry is None)
            for n in (before, after)
        )
        if not np.isscalar(one):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6 * float(np.abs(one).max()))


@pytest.mark.parametrize(("chip", "rate"), [("loihi2", 1e-4), ("xylo_audio2", 2e-3)])
def test_weights_and_biases_go_back_into_a_network_of_the_same_names(chip: str, rate: float) -> None:
    graph = chain([lif(24, 5), cuba(4, 3, 6)], random_weights([16, 24, 4], 1.0))
    for name in ("w0", "w1"):
        graph.nodes[name] = nir.Affine(graph.nodes[name].weight, np.full(len(graph.nodes[name].weight), 0.02))
    module, x = trained(sp.torch.module(graph, chip), spikes(), rate), spikes()
    layers = nn.ModuleDict({"w0": nn.Linear(16, 24), "w1": nn.Linear(24, 4)})
    module.load_into(layers)
    assert not np.array_equal(layers["w0"].weight.detach().numpy(), graph.nodes["w0"].weight)
    assert not np.allclose(layers["w1"].bias.detach().numpy(), 0.02)
    for name, layer in layers.items():
        graph.nodes[name] = nir.Affine(layer.weight.detach().numpy(), layer.bias.detach().numpy())
    own, again = (m.eval_float(x).numpy() for m in (module, sp.torch.module(graph, chip)))
    assert own.any() and np.mean(own != again) < 0.01


def test_what_no_layer_has_a_place_for_is_told_in_one_sentence() -> None:
    module = trained(sp.torch.module(GRAPH, "xylo_audio2"), spikes())
    layers = nn.ModuleDict({"w0": nn.Linear(16, 24), "w1": nn.Linear(24, 4)})
    with pytest.raises(InputError, match=r"has given 'n0' biases, for which no layer into it has a place"):
        module.load_into(layers)
    with torch.no_grad():
        for values in module.own.bias.values():
            values.zero_()
    module.load_into(layers)
    np.testing.assert_array_equal(layers["w0"].weight.detach(), module.synapse_values()["w0"]["weight"].astype("f4"))
    with pytest.raises(InputError, match=r"has no floating\(\); eval_float needs it"):
        _with_poor_family(module).eval_float(spikes())
    with pytest.raises(InputError, match=r"has no trained\(\); take the integers from compile\(\)"):
        _with_poor_family(module).to_nir()


@pytest.mark.parametrize("chip", CHIPS)
def test_slips_end_in_a_sentence(chip: str) -> None:
    module, x = sp.torch.module(GRAPH, chip), spikes()
    for call in (module, module.run, module.eval_float):
        for wrong in (x[0], x[..., :3], x[:0]):
            with pytest.raises(InputError, match=r"\(T, B, 16\)|holds no samples"):
                call(wrong)
    for wrong in (x * 0.5, x * float("nan")):
        with pytest.raises(InputError, match="spikes are 0 or 1 and payloads whole numbers; encode it first"):
            module.eval_float(wrong)
    with pytest.raises(InputError, match=r"network is a value of type NoneType; give the torch\.nn\.Module"):
        module.load_into(None)
    with pytest.raises(InputError, match="reset_gradient is True, False or None, not 'no'"):
        sp.torch.module(GRAPH, chip, reset_gradient="no")
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="not finite: training has diverged"):
        module(x)


def test_several_outputs_come_by_name() -> None:
    graph = chain([cuba(6, 3, 6), cuba(4, 3, 6)], random_weights([16, 6, 4], 0.4))
    graph.nodes["first"] = nir.Output({"output": np.array([6])})
    graph.edges.append(("n0", "first"))
    for chip in CHIPS:
        module, x = sp.torch.module(graph, chip), spikes()
        sent, floating = module(x), module.eval_float(x)
        assert set(sent) == set(floating) == {"output", "first"}
        assert torch.equal(sent["first"], module.run(x)["n0"]) and floating["first"].shape == sent["first"].shape


class _Poor(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., :4]


def _with_poor_family(module: OwnGraph) -> OwnGraph:
    """The module as a family would have it that offers forward() only."""
    module.own = _Poor()
    assert list(module.run(spikes())) == ["n1"]
    return module
