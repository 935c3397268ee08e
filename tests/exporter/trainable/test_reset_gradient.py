"""Gradients through the reset, or not: against autograd through the equations, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import Tensor

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.trainable.loop import LoopLayer, LoopSynapse, run_loop
from spikeport.trainer.neuron_step.chip_populations import ChipNeurons, run_neurons
from spikeport.trainer.neuron_step.surrogates import surrogate
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights

STEPS, SIZE, UNIT = 12, 5, 6400.0
WEIGHTING = torch.linspace(-1, 1, STEPS)[:, None, None]


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, beyond: Tensor, neurons: ChipNeurons) -> Tensor:
        ctx.save_for_backward(beyond)
        ctx.neurons = neurons
        return (beyond > 0).double()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (beyond,), neurons = ctx.saved_tensors, ctx.neurons
        slope = neurons.spike.slope(beyond / neurons.unit, neurons.width) * neurons.spike.height / neurons.unit
        return gradient * slope, None


def truncated(values: Tensor) -> Tensor:
    return values + (values.trunc() - values).detach()


def by_steps(a: Tensor, bias: Tensor, neurons: ChipNeurons, matrix: Tensor | None) -> Tensor:
    u = v = torch.zeros(a.shape[1], SIZE).double()
    sent, out = torch.zeros_like(u), []
    for arriving in a.double():
        if matrix is not None:
            arriving = arriving + sent @ matrix.double().T
        u = truncated(u * neurons.keep_u) + arriving * 64
        before = truncated(v * neurons.keep_v) + u + bias.double()
        sent = Spike.apply(before - neurons.threshold, neurons)
        s = sent if neurons.reset_gradient else sent.detach()
        v = before * (1 - s) if neurons.subtracted is None else before - neurons.subtracted * s
        out.append(sent)
    return torch.stack(out)


def neurons_of(reset: str, reset_gradient: bool) -> ChipNeurons:
    full = torch.full((SIZE,), UNIT).double()
    threshold = full * torch.linspace(0.6, 1, SIZE).double()
    keep_u, keep_v = torch.linspace(0, 0.6, SIZE).double(), torch.linspace(0.5, 0.95, SIZE).double()
    subtracted = None if reset == "zero" else threshold
    return ChipNeurons(keep_u, keep_v, threshold, subtracted, 0, surrogate("atan"), 0.5, UNIT, reset_gradient)


@pytest.mark.parametrize("reset_gradient", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_gradients_are_those_of_the_equations(reset: str, reset_gradient: bool, recurrent: bool) -> None:
    neurons = neurons_of(reset, reset_gradient)
    random = np.random.default_rng(1)
    leaves = [
        torch.from_numpy(random.integers(-20, 60, (STEPS, 3, SIZE))).float().requires_grad_(),
        torch.from_numpy(random.integers(0, 300, SIZE)).float().requires_grad_(),
        torch.from_numpy(random.integers(-30, 30, (SIZE, SIZE))).float().requires_grad_(),
    ]
    a, bias, matrix = leaves
    rest = torch.zeros(3, SIZE)
    if recurrent:
        (sent,) = run_loop([LoopLayer(neurons, bias, a, rest, rest, (LoopSynapse(0, matrix, 1),))])
    else:
        sent, _, _ = run_neurons(a, bias, neurons, rest, rest)
    used = leaves if recurrent else leaves[:2]
    found = torch.autograd.grad((sent * WEIGHTING).sum(), used)
    wanted_sent = by_steps(a, bias, neurons, matrix if recurrent else None)
    wanted = torch.autograd.grad((wanted_sent * WEIGHTING).sum(), used)
    assert 0 < sent.mean() < 1 and torch.equal(sent.double(), wanted_sent)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))
    other_way = by_steps(a, bias, replace(neurons, reset_gradient=not reset_gradient), matrix if recurrent else None)
    assert not torch.allclose(torch.autograd.grad((other_way * WEIGHTING).sum(), used)[0], found[0], rtol=1e-2)


@pytest.mark.parametrize(("chip", "default"), [("loihi2", False), ("xylo_audio2", True)])
@pytest.mark.parametrize("neurons", [lif, cuba])
def test_the_switch_changes_gradients_and_no_spike(chip: str, default: bool, neurons: Any) -> None:
    first = lif(8, 5) if neurons is lif else cuba(8, 3, 5)
    graph = chain([first, cuba(4, 3, 5)], random_weights([6, 8, 4], 1.0))
    graph.nodes["again"] = nir.Linear(random_weights([8, 8], 0.2)[0])
    graph.edges += [("n0", "again"), ("again", "n0")]
    x = torch.from_numpy(np.random.default_rng(0).binomial(1, 0.3, (30, 4, 6))).float()
    sent, gradients = [], []
    for choice in (None, False, True):
        module = sp.torch.module(graph, chip, reset="subtract", reset_gradient=choice)
        out = module(x)
        (out.sum(0) - 3).square().sum().backward()
        sent.append(out.detach())
        gradients.append([p.grad for p in module.parameters() if p.grad is not None])
    assert sent[0].any() and torch.equal(sent[0], sent[1]) and torch.equal(sent[0], sent[2])
    usual, other = (gradients[2], gradients[1]) if default else (gradients[1], gradients[2])
    assert all(torch.equal(one, two) for one, two in zip(gradients[0], usual, strict=True))
    assert any(not torch.allclose(one, two, rtol=1e-2) for one, two in zip(gradients[0], other, strict=True))


def test_a_family_without_the_choice_says_so() -> None:
    module = sp.torch.module(chain([lif(3, 5)], random_weights([4, 3], 0.5)), "xylo_audio2")
    module.own = torch.nn.Linear(4, 3)
    module.set_reset_gradient(None)
    with pytest.raises(InputError, match="xylo_audio2's integers has no reset_gradient; leave it out"):
        module.set_reset_gradient(True)
