"""The float neurons' kernels in Triton against the compiled loops: all equal to the last bit, gradients too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeport.trainer.neuron_step import engine, fused
from spikeport.trainer.neuron_step.surrogates import SURROGATES, surrogate

# one column, fewer than a program's, more than one program's, images
SHAPES = st.one_of(
    st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 130)),
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
)
TYPES = st.sampled_from([torch.float32, torch.float64])
ENGINES = {"loops": engine.cpu_kernels, "triton": engine.triton_kernels}

Run = Callable[[], tuple[Tensor, ...]]


def by_both(run: Run) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What the compiled loops give, and what Triton gives."""
    results = []
    for kernels in ENGINES.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fused, "kernels_for", lambda _, chosen=kernels: chosen())
            results.append(run())
    return results[0], results[1]


def leaf(shape: tuple[int, ...], generator: torch.Generator, kind: torch.dtype, low: float, high: float) -> Tensor:
    value = torch.rand(shape, generator=generator, dtype=kind) * (high - low) + low
    return value.requires_grad_()


def gradients(values: tuple[Tensor, ...], leaves: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in values]
    return torch.autograd.grad(sum((v * w).sum() for v, w in zip(values, weights, strict=True)), leaves)  # type: ignore[arg-type]


def assert_equal(mine: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> None:
    for number, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        assert torch.equal(a, b), f"value {number} differs by up to {(a - b).abs().max()}"


@given(SHAPES, TYPES, st.integers(0, 2**31), st.booleans(), st.sampled_from(sorted(SURROGATES)), st.booleans())
def test_firing(shape: tuple[int, ...], kind: torch.dtype, seed: int, scalar: bool, name: str, from_rest: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    current = leaf(shape, generator, kind, -1, 2)
    of_neurons = () if scalar else shape[2:]
    bias = leaf(of_neurons, generator, kind, -0.2, 0.2)
    keep, threshold = leaf(of_neurons, generator, kind, 0, 1), leaf(of_neurons, generator, kind, 0.5, 1.5)
    start = leaf(shape[1:], generator, kind, -1, 0.4)
    leaves = [current, bias, keep, threshold, *([] if from_rest else [start])]

    def run() -> tuple[Tensor, ...]:
        before = None if from_rest else start
        values = fused.fire_fused(current.clone(), bias, keep, threshold, surrogate(name), 0.7, before)
        return *values, *gradients(values, leaves, seed)

    assert_equal(*by_both(run))


@given(SHAPES, TYPES, st.integers(0, 2**31), st.booleans(), st.booleans())
def test_the_filter(shape: tuple[int, ...], kind: torch.dtype, seed: int, scalar: bool, from_rest: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, start = leaf(shape, generator, kind, -1, 1), leaf(shape[1:], generator, kind, -1, 1)
    keep = leaf(() if scalar else shape[2:], generator, kind, 0, 1)
    leaves = [a, keep, *([] if from_rest else [start])]

    def run() -> tuple[Tensor, ...]:
        u = fused.filter_fused(a, keep, None if from_rest else start)
        return u, *gradients((u,), leaves, seed)

    assert_equal(*by_both(run))


def test_images_with_their_channels_last_in_memory() -> None:
    generator = torch.Generator().manual_seed(5)
    current = torch.randn((4, 2, 5, 5, 3), generator=generator).movedim(-1, 2).requires_grad_()
    keep, threshold, bias = torch.tensor(0.7), torch.rand((3, 1, 1), generator=generator) + 0.2, torch.tensor(0.1)

    def run() -> tuple[Tensor, ...]:
        u = fused.filter_fused(current, torch.tensor(0.4), None)
        values = fused.fire_fused(u, bias, keep, threshold, surrogate("atan"), 0.5, None)
        return *values, *gradients(values, [current], 5)

    assert_equal(*by_both(run))
