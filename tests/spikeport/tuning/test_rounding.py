"""Integers chosen together: nearer to the float network, and what the compiler stores is what the module computes."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import torch

import spikeport as sp
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.plan import make_plan
from spikeport.hardware_profiles.loader import load_chip
from spikeport.tuning.rounding import rounded_together

STEPS, SAMPLES, BITS = 20, 200, 4


def network() -> nir.NIRGraph:
    """A convolution, a recurrent layer of small and large weights, and a layer that sends voltages."""
    rng, dt = np.random.default_rng(1), 1e-3
    neurons = {"tau_mem": 5 * dt, "tau_syn": 3 * dt, "r": 5.0, "w_in": 3.0, "v_leak": 0.0, "v_threshold": 1.0}
    nodes = {
        "input": nir.Input({"input": np.array([1, 6, 6])}),
        "conv": nir.Conv2d((6, 6), rng.normal(0.1, 0.4, (3, 1, 3, 3)), 2, 0, 1, 1, np.zeros(3)),
        "if": nir.IF(np.ones((3, 2, 2)), np.ones((3, 2, 2))),
        "flat": nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
        "fc": nir.Linear(rng.normal(0.1, 0.5, (16, 12)) * rng.uniform(0.2, 3, (16, 1))),
        "lif": nir.CubaLIF(**{name: np.full(16, value) for name, value in neurons.items()}),
        "recurrent": nir.Linear(rng.standard_t(2, (16, 16)) * 0.1),
        "last": nir.Linear(rng.normal(0, 0.5, (4, 16))),
        "li": nir.LI(tau=np.full(4, 8 * dt), r=np.full(4, 8.0), v_leak=np.zeros(4)),
        "output": nir.Output({"output": np.array([4])}),
    }
    order = ["input", "conv", "if", "flat", "fc", "lif", "last", "li", "output"]
    edges = [*pairwise(order), ("lif", "recurrent"), ("recurrent", "lif")]
    return nir.NIRGraph(nodes, edges, metadata={"dt": dt}, type_check=False)


def test_integers_chosen_together_keep_more_spikes_and_compile_to_themselves() -> None:
    options, chip = sp.CompileOptions(weight_bits=BITS), load_chip("loihi2")
    x = (np.random.default_rng(2).random((STEPS, SAMPLES, 1, 6, 6)) < 0.4).astype(np.uint8)
    plan = make_plan(network(), chip, options, "graph")
    nearest = ChipModule(plan)
    flat = {"input": x[:, : SAMPLES // 2].reshape(STEPS, SAMPLES // 2, -1)}
    together = rounded_together(plan, lower_graph(network(), options), flat, 6)
    test = torch.from_numpy(x[:, SAMPLES // 2 :])
    wanted = nearest.eval_float(test)
    errors = []
    for module in (nearest, together):
        compiled = sp.compile(module.to_nir(), "loihi2", weight_bits=BITS)
        answers = module(test).detach()
        np.testing.assert_array_equal(compiled.simulate(test.numpy()).spikes[-STEPS:], answers)
        scaled = answers / answers.abs().max() * wanted.abs().max()
        errors.append(float((scaled - wanted).square().mean() / wanted.square().mean()))
    assert errors[1] < 0.5 * errors[0]
    exponents = {c.weight_exp for c in compiled.program.connections if c.target == "lif"}
    assert len(exponents) > 2
    # what it learned is the network's own weights, whatever the scale of a neuron
    weights = together.synapse_values()["recurrent"]["weight"]
    np.testing.assert_allclose(weights, network().nodes["recurrent"].weight, atol=0.1)


def test_thresholds_and_biases_take_up_what_few_bits_leave_and_the_order_of_samples_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    nodes = {
        "input": nir.Input({"input": np.array([30])}),
        "fc": nir.Linear(rng.normal(0.05, 0.5, (20, 30))),
        "lif": nir.LIF(tau=np.full(20, 5e-3), r=np.full(20, 5.0), v_leak=np.zeros(20), v_threshold=np.ones(20)),
        "output": nir.Output({"output": np.array([20])}),
    }
    graph = nir.NIRGraph(nodes, [*pairwise(nodes)], metadata={"dt": 1e-3}, type_check=False)
    options = sp.CompileOptions(weight_bits=BITS)
    plan = make_plan(graph, load_chip("loihi2"), options, "graph")
    quiet, loud = ((rng.random((STEPS, 2500, 30)) < rate).astype(np.uint8) for rate in (0.05, 0.4))
    module = rounded_together(plan, lower_graph(graph, options), {"input": np.concatenate([loud, quiet], axis=1)}, 2)
    layer = module.plan.layers["lif"]
    assert np.any(layer.population.bias != 0)
    assert np.any(layer.population.threshold / layer.rows != 1)
    test = torch.from_numpy((rng.random((STEPS, 300, 30)) < 0.05).astype(np.uint8))
    answers, wanted = module(test).detach(), ChipModule(plan).eval_float(test)
    np.testing.assert_array_equal(
        sp.compile(module.to_nir(), "loihi2", weight_bits=BITS).simulate(test.numpy()).spikes[-STEPS:], answers
    )
    assert float((answers - wanted).abs().mean()) < 0.12 * float(wanted.mean())


def test_doubled_synapses_are_chosen_together_and_come_nearer() -> None:
    chip, x = load_chip("loihi2"), (np.random.default_rng(2).random((STEPS, SAMPLES, 1, 6, 6)) < 0.4).astype(np.uint8)
    flat = {"input": x[:, : SAMPLES // 2].reshape(STEPS, SAMPLES // 2, -1)}
    test = torch.from_numpy(x[:, SAMPLES // 2 :])
    errors = []
    for precision in ("normal", "high"):
        options = sp.CompileOptions(weight_bits=BITS, precision=precision)  # type: ignore[arg-type]
        plan = make_plan(network(), chip, options, "graph")
        module = rounded_together(plan, lower_graph(network(), options), flat, 6)
        answers = module(test).detach()
        compiled = sp.compile(module.to_nir(), "loihi2", options=options)
        np.testing.assert_array_equal(compiled.simulate(test.numpy()).spikes[-STEPS:], answers)
        wanted = ChipModule(plan).eval_float(test)
        scaled = answers / answers.abs().max() * wanted.abs().max()
        errors.append(float((scaled - wanted).square().mean() / wanted.square().mean()))
    assert errors[1] < 0.5 * errors[0]
    # a weight whose high or low digits are 0 takes one synapse
    lif = [c for c in compiled.program.connections if c.target == "lif" and c.source == "lif"]
    stored = sum(np.count_nonzero(c.weights) for c in lif)
    assert 16 * 16 < stored < 2 * 16 * 16 and len(lif) == 4
