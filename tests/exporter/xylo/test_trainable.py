"""A torch module in a Xylo chip's integers against the emulator, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.neurons.xylo.neurons import XyloHidden
from spikeport.exporter.trainable.xylo.module import XyloModule
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights
from tests.support.networks.xylo_random_graphs import random_graphs

CHIP = load_chip("xylo_audio2")
SUBTRACT = CompileOptions(reset="subtract")


def events(inputs: int, rate: float = 0.3, steps: int = 40, samples: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).binomial(2, rate, (steps, samples, inputs))).float()


def equal(module: XyloModule, x: torch.Tensor) -> None:
    """Every event of every layer is the emulator's on the program that the module compiles to."""
    program = module.program()
    run = simulate(program, x.numpy().astype(np.uint8), record="layers")
    for name, sent in module.run(x).items():
        first = program.latency.get(name, 0)
        np.testing.assert_array_equal(sent.detach().numpy(), run.states[f"s/{name}"][first : first + len(x)])


@given(random_graphs())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_forward_pass_is_the_emulator_s_before_and_after_training(case: tuple[object, CompileOptions]) -> None:
    graph, options = case
    network = lower_graph(graph, options)  # type: ignore[arg-type]
    module = XyloModule(network, CHIP, options)
    x = events(network.inputs[0].size)
    equal(module, x)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.05)
    for _ in range(2):
        optimiser.zero_grad()
        (module(x).sum(0) - 3).square().mean().backward()
        optimiser.step()
    equal(module, x)


def test_a_gradient_by_hand() -> None:
    """One hidden neuron below its threshold and one output neuron; the triangle is as wide as the threshold."""
    graph = chain([cuba(1, 2, 2), cuba(1, 2, 2)], [np.full((1, 1), 0.5, np.float32)] * 2)
    network = lower_graph(graph, SUBTRACT)
    module = XyloModule(network, CHIP, SUBTRACT, "triangle", 1.0)
    x = torch.zeros(1, 1, 1)
    x[0] = 1
    sent = module.run(x)["n0"]
    sent.sum().backward()
    hidden = module.program().population("n0")
    assert isinstance(hidden, XyloHidden) and not sent.any()
    weight = float(module._matrix("in").detach())
    scale = float(module._plan.rounded["hidden"].scale[0])
    # p = weight / 2 (dash_syn 1); slope 1 - |p / threshold - 1|, per threshold; dp / dweight = 1 / 2
    threshold = float(hidden.threshold[0])
    wanted = (weight / 2 / threshold) / threshold * 0.5 * scale
    assert module.weights["in"].grad is not None
    assert float(module.weights["in"].grad) == pytest.approx(wanted, rel=1e-3)


def test_gradients_are_those_of_the_linear_form() -> None:
    """Against autograd through the equations of step.py, without rounding, where nothing saturates or spikes twice."""
    graph = chain([cuba(6, 4, 8), cuba(3, 4, 8)], random_weights([5, 6, 3], 0.4))
    module = XyloModule(lower_graph(graph, SUBTRACT), CHIP, SUBTRACT, "atan", 0.5)
    x, width = events(5, 0.2, 20, 2), 0.5
    weighting = torch.linspace(-1, 1, 20)[:, None, None]
    (module(x) * weighting).sum().backward()
    found = {
        name: parameter.grad.clone() for name, parameter in module.named_parameters() if parameter.grad is not None
    }
    module.zero_grad()
    network = module.rounded().specification
    keep = {n: torch.from_numpy(1 - 2.0 ** -getattr(network, f"dash_{n}").astype(float)).float()
            for n in ("syn", "mem", "syn_out", "mem_out")}  # fmt: skip
    thresholds = [torch.from_numpy(t.astype(np.float32)) for t in (network.threshold, network.threshold_out)]
    run = simulate(module.program(), torch.cat([x, x[:1] * 0]).numpy().astype(np.uint8), "emulator", 21, "all")

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, p, real_p, real_n, threshold, most):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(real_p, threshold)
            ctx.most = most
            return real_n.clone()

        @staticmethod
        def backward(ctx, g):  # type: ignore[no-untyped-def]
            p, threshold = ctx.saved_tensors
            z = p / threshold
            z = z - z.round().clamp(1, ctx.most)
            slope = (0.5 / width) / (1 + (z * (0.5 * torch.pi / width)) ** 2)
            return g * slope / threshold, None, None, None, None

    i, v, i_o, v_o = (torch.zeros(2, n) for n in (6, 6, 3, 3))
    s, out = torch.zeros(2, 6), []
    recorded = {k: torch.from_numpy(a.astype(np.float32)) for k, a in run.states.items()}
    for t in range(21):
        arriving = x[t] if t < 20 else x[0] * 0
        a_o = s @ module._matrix("out")
        i = (i + arriving @ module._matrix("in") + s @ module._matrix("rec")) * keep["syn"]
        p = v * keep["mem"] + i + module._whole_bias("hidden")
        n = recorded["s/n0"][t]
        s = Spike.apply(p, recorded["v/n0"][t] + thresholds[0] * n, n, thresholds[0], 31)
        v = p - thresholds[0] * s
        i_o = (i_o + a_o) * keep["syn_out"]
        p_o = v_o * keep["mem_out"] + i_o + module._whole_bias("outputs")
        n_o = recorded["s/n1"][t]
        s_o = Spike.apply(p_o, recorded["v/n1"][t] + thresholds[1] * n_o, n_o, thresholds[1], 1)
        v_o = p_o - thresholds[1] * s_o
        out.append(s_o)
    (torch.stack(out[1:]) * weighting).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(
            found[name], parameter.grad, rtol=2e-3, atol=1e-4 * float(parameter.grad.abs().max())
        )


def test_training_learns_and_compiles_to_the_same_integers() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(64) % 4
    rates = np.full((64, 16), 0.05)
    for sample, label in enumerate(labels):
        rates[sample, 4 * label : 4 * label + 4] = 0.3
    x = torch.from_numpy(random.binomial(1, rates, (40, 64, 16))).float()
    module = sp.torch.module(chain([lif(24, 8), cuba(4, 4, 8)], random_weights([16, 24, 4], 0.3)), "xylo_audio2")
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(30):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(x).sum(0) / 2, torch.from_numpy(labels)).backward()
        optimiser.step()
    network = module.compile()
    run = network.simulate(x.numpy().astype(np.uint8))
    assert np.mean(run.winners == labels) > 0.9
    np.testing.assert_array_equal(run.spikes[network.program.pipeline_steps :], module(x).detach().numpy())


def test_what_is_no_count_of_events_is_refused() -> None:
    module = sp.torch.module(chain([cuba(3, 4, 8)], random_weights([4, 3], 0.3)), "xylo_audio2")
    for wrong in (torch.full((2, 1, 4), 0.5), torch.full((2, 1, 4), 16.0), -torch.ones(2, 1, 4)):
        with pytest.raises(InputError, match="counts of events, 0 to 15"):
            module(wrong)
    events = torch.rand(5, 2, 4) < 0.5
    assert torch.equal(module(events), module(events.float()))
    with pytest.raises(InputError, match=r"one tensor of shape \(T, B, 4\)"):
        module(torch.ones(2, 1, 5))
