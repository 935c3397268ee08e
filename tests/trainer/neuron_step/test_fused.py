"""The compiled recurrences give what the step-by-step ones give: spikes to the last bit, gradients to rounding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeport.trainer.neuron_step import cpu_arrays, fused
from spikeport.trainer.neuron_step.dynamics import (
    filter_current,
    filter_stepwise,
    fire_stepwise,
    integrate_and_fire_from,
    integrate_and_fire_over,
)
from spikeport.trainer.neuron_step.neurons import LIF, CubaLIF
from spikeport.trainer.neuron_step.sparse_synapse import is_faster, sparse_linear
from spikeport.trainer.neuron_step.surrogates import SURROGATES, Surrogate, surrogate

SHAPES = st.sampled_from([(1, 1, 1), (4, 3, 5), (7, 2, 2, 3, 3), (3, 4, 33)])
TYPES = st.sampled_from([torch.float32, torch.float64])


def leaf(shape: tuple[int, ...], generator: torch.Generator, kind: torch.dtype, low: float, high: float) -> Tensor:
    value = torch.rand(shape, generator=generator, dtype=kind) * (high - low) + low
    return value.requires_grad_()


def constant(shape: tuple[int, ...], scalar: bool, *rest: object) -> Tensor:
    return leaf(() if scalar else shape[2:], *rest)  # type: ignore[arg-type]


def gradients(result: tuple[Tensor, ...], weights: list[Tensor], leaves: list[Tensor]) -> tuple[Tensor, ...]:
    loss = sum((value * weight).sum() for value, weight in zip(result, weights, strict=True))
    return torch.autograd.grad(loss, leaves)  # type: ignore[arg-type]


@given(SHAPES, TYPES, st.integers(0, 2**31), st.booleans(), st.sampled_from(sorted(SURROGATES)), st.booleans())
def test_firing_is_equal_forward_and_backward(
    shape: tuple[int, ...], kind: torch.dtype, seed: int, scalar: bool, name: str, threads: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    current = leaf(shape, generator, kind, -1, 2)
    ends = (0, 1), (0.5, 1.5), (-0.2, 0.2)
    keep, vth, bias = (constant(shape, scalar, generator, kind, *pair) for pair in ends)
    start = leaf(shape[1:], generator, kind, -1, 0.4)
    weights = [torch.randn(s, generator=generator, dtype=kind) for s in (shape, shape[1:])]
    leaves = [current, bias, keep, vth, start]
    with pytest.MonkeyPatch.context() as patch:
        if threads:
            patch.setattr(cpu_arrays, "ONE_THREAD", 0)
            patch.setattr(torch, "get_num_threads", lambda: 3)
        found = fused.fire_fused(current.clone(), bias, keep, vth, surrogate(name), 0.7, start)
        slopes = gradients(found, weights, leaves)
    wanted = fire_stepwise(current + bias, keep, vth, surrogate(name), 0.7, start)
    assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
    tolerance = 1e-4 if kind == torch.float32 else 1e-11
    for mine, theirs in zip(slopes, gradients(wanted, weights, leaves), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


@given(SHAPES, TYPES, st.integers(0, 2**31), st.booleans())
def test_the_filter_is_equal_forward_and_backward(
    shape: tuple[int, ...], kind: torch.dtype, seed: int, scalar: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, start = leaf(shape, generator, kind, -1, 1), leaf(shape[1:], generator, kind, -1, 1)
    keep = constant(shape, scalar, generator, kind, 0, 1)
    weights = [torch.randn(shape, generator=generator, dtype=kind)]
    found, wanted = fused.filter_fused(a, keep, start), filter_stepwise(a, keep, start)
    assert torch.equal(found, wanted)
    tolerance = 1e-4 if kind == torch.float32 else 1e-11
    slopes = [gradients((value,), weights, [a, keep, start]) for value in (found, wanted)]
    for mine, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def test_a_sequence_cut_in_two_gives_the_same_as_whole() -> None:
    generator = torch.Generator().manual_seed(3)
    current, dv, vth = torch.rand((9, 2, 4), generator=generator), torch.tensor(0.2), torch.tensor(1.0)
    spike = surrogate("atan")
    whole, end = integrate_and_fire_from(None, current, dv, vth, spike, 0.5)
    first, between = integrate_and_fire_from(None, current[:4], dv, vth, spike, 0.5)
    second, last = integrate_and_fire_from(between, current[4:], dv, vth, spike, 0.5)
    assert torch.equal(torch.cat([first, second]), whole) and torch.equal(last, end)
    u = filter_current(current, dv)
    assert torch.equal(filter_current(current[4:], dv, u[3]), u[4:])


def test_who_keeps_the_current_for_a_backward_pass_is_told_that_it_was_overwritten() -> None:
    dv, vth, spike = torch.tensor(0.2), torch.tensor(1.0), surrogate("atan")
    x = torch.rand(4, 2, 3, requires_grad=True)
    current = x * 3
    (kept := current.square()).sum()
    spikes, _ = integrate_and_fire_over(None, current, dv, vth, spike, 0.5)
    assert not torch.equal(current, 3 * x), "v is not in its memory"
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        (kept.sum() + spikes.sum()).backward()
    spikes, _ = integrate_and_fire_over(None, x * 3, dv, vth, spike, 0.5)
    spikes.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


@pytest.mark.parametrize("neuron", [LIF(0.2), CubaLIF(0.3, 0.2)])
def test_a_neuron_by_itself_leaves_its_input_as_it_is(neuron: CubaLIF) -> None:
    x = torch.rand(4, 2, 3)
    before = x.clone()
    assert neuron(x).sum() > 0 and torch.equal(x, before)


def test_what_no_kernel_knows_goes_step_by_step() -> None:
    own = Surrogate("own", lambda x, width: torch.exp(-x.square() / width))
    assert fused.supports_surrogate(surrogate("atan")) and not fused.supports_surrogate(own)
    assert not fused.supports_surrogate(Surrogate("atan", own.slope))
    assert not fused.supports_shape(torch.zeros(3, 2, 4, dtype=torch.bfloat16), torch.tensor(1.0))
    assert not fused.supports_shape(torch.zeros(3, 2), torch.tensor(1.0))
    current = torch.rand(5, 2, 3, requires_grad=True)
    spikes, _ = integrate_and_fire_from(None, current, torch.tensor(0.1), torch.tensor(0.8), own, 0.5)
    spikes.sum().backward()
    assert current.grad is not None and bool((current.grad > 0).any())


@given(
    st.integers(0, 2**31),
    TYPES,
    st.sampled_from([0.0, 0.03, 0.3]),
    st.sampled_from([(1, 3, 4), (600, 9, 65), (40, 200, 20)]),
)
def test_the_sparse_synapse_is_the_dense_one(
    seed: int, kind: torch.dtype, share: float, sizes: tuple[int, int, int]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows, inputs, outputs = sizes
    spikes = (torch.rand((rows, inputs), generator=generator) < share) * torch.randint(1, 4, (rows, inputs))
    spikes = spikes.to(kind).requires_grad_()
    weight = leaf((outputs, inputs), generator, kind, -1, 1)
    found, wanted = sparse_linear(spikes, weight), torch.nn.functional.linear(spikes, weight)
    tolerance = 1e-4 if kind == torch.float32 else 1e-11
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
    weights = [torch.randn((rows, outputs), generator=generator, dtype=kind)]
    slopes = [gradients((value,), weights, [spikes, weight]) for value in (found, wanted)]
    for mine, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance * 10, atol=tolerance * 10)


def test_the_sparse_synapse_is_taken_for_few_spikes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    weight, few, many = torch.ones(64, 100), torch.zeros(10, 100), torch.ones(10, 100)
    few[:, 3] = 1
    assert is_faster(few, weight) and not is_faster(many, weight) and not is_faster(few, torch.ones(10, 100))
    assert not is_faster(few.double(), weight) and not is_faster(few.bfloat16(), weight.bfloat16())
