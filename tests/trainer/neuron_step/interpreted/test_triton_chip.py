"""The chip's step in Triton against the compiled loops: spikes, u and v equal in every entry, gradients to rounding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths
from spikeport.trainer.neuron_step import engine, fused
from spikeport.trainer.neuron_step.chip_populations import ChipNeurons, run_neurons
from spikeport.trainer.neuron_step.chip_step import chip_fire, chip_fire_recurrent
from spikeport.trainer.neuron_step.quantise import ChipScale, LayerTensors
from spikeport.trainer.neuron_step.surrogates import SURROGATES, surrogate

SHAPES = st.one_of(
    st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 130)),
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
)
TYPES = st.sampled_from([torch.float32, torch.float64])
WORDS = st.integers(0, 4095)
NAMES = st.sampled_from(sorted(SURROGATES))
# of one synaptic input: a few, and so many that v saturates
LARGEST = st.sampled_from([3, 200, 1 << 16])
TOP = WordWidths().state_max

Run = Callable[[], tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]


def check(run: Run, kind: torch.dtype) -> None:
    """run: values, equal in every entry, and gradients."""
    results = []
    for kernels in (engine.cpu_kernels, engine.triton_kernels):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fused, "kernels_for", lambda _, chosen=kernels: chosen())
            results.append(run())
    (values, slopes), (mine, my_slopes) = results
    for number, (a, b) in enumerate(zip(mine, values, strict=True)):
        assert torch.equal(a, b), f"value {number} differs by up to {(a - b).abs().max()}"
    tolerance = 2e-5 if kind == torch.float32 else 1e-12
    for a, b in zip(my_slopes, slopes, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(b.abs().max())))


def whole(shape: tuple[int, ...], generator: torch.Generator, kind: torch.dtype, low: int, high: int) -> Tensor:
    return torch.randint(low, high + 1, shape, generator=generator).to(kind).requires_grad_()


def gradients(values: tuple[Tensor, ...], leaves: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in values]
    return torch.autograd.grad(sum((v * w).sum() for v, w in zip(values, weights, strict=True)), leaves)  # type: ignore[arg-type]


@given(SHAPES, TYPES, st.integers(0, 2**31), WORDS, WORDS, LARGEST, NAMES, st.sampled_from(["rest", "state", "all"]))
def test_neurons_of_a_trained_layer(
    shape: tuple[int, ...], kind: torch.dtype, seed: int, du: int, dv: int, largest: int, name: str, slopes: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    chip = ChipScale(4096.0 / 3, 78, {"weight": 0})
    a = whole(shape, generator, kind, -largest // 2, largest)
    bias = (whole(shape[2:3], generator, kind, -4000, 4000) / chip.scale).detach().requires_grad_()
    decays = torch.tensor((du + 1) / 4096, dtype=kind), torch.tensor(dv / 4096, dtype=kind)
    threshold = torch.tensor(chip.vth * STATE_UNIT / chip.scale, dtype=kind)
    for value in (*decays, threshold):
        value.requires_grad_(slopes == "all")
    layer = LayerTensors(bias, bias, *decays, threshold, chip=chip)
    starts = tuple(whole(shape[1:], generator, kind, -100_000, 4000) for _ in "uv")
    leaves = [a, bias, *(() if slopes == "rest" else starts), *((*decays, threshold) if slopes == "all" else ())]

    def run() -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        ran = chip_fire(a, layer, chip, surrogate(name), 0.7, None if slopes == "rest" else starts)
        state = ran.state or ()
        ends = ran.spikes, *(value / chip.scale for value in state)
        return (ran.spikes, ran.over, *state), gradients(ends, leaves, seed)

    check(run, kind)


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 130)),
    TYPES, st.integers(0, 2**31), LARGEST, NAMES, st.sampled_from(["zero", "subtract", "voltage"]), st.integers(0, 9),
)  # fmt: skip
def test_neurons_of_every_reset(
    shape: tuple[int, int, int], kind: torch.dtype, seed: int, largest: int, name: str, reset: str, shift: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, bias = whole(shape, generator, kind, -largest // 2, largest), whole(shape[2:], generator, kind, -4000, 4000)
    starts = tuple(whole(shape[1:], generator, kind, -TOP, TOP) for _ in "uv")
    keep_u, keep_v = (torch.randint(0, 4097, shape[2:], generator=generator) / 4096.0 for _ in "uv")
    words = (torch.randint(1, 2000, shape[2:], generator=generator) * STATE_UNIT).double()
    neurons = ChipNeurons(
        keep_u.double(), keep_v.double(), None if reset == "voltage" else words,
        words if reset == "subtract" else None, shift, surrogate(name), 0.7, float(words.max()),
    )  # fmt: skip

    def run() -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        ran = run_neurons(a, bias, neurons, *starts)
        return ran, gradients(ran, [a, bias, *starts], seed)

    check(run, kind)


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_recurrent_neurons(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    chip, kind = ChipScale(4096.0, 78, {"weight": 0, "recurrent": 1}), torch.float32
    a, bias = whole((5, 3, 9), generator, kind, -30, 60), torch.zeros(9)
    weights = (torch.randint(-9, 9, (9, 9), generator=generator) * 32.0 * STATE_UNIT * 2 / chip.scale).requires_grad_()
    constants = torch.tensor(0.5), torch.tensor(0.25), torch.tensor(78 * STATE_UNIT / chip.scale)
    layer = LayerTensors(bias, bias, *constants, recurrent=weights, chip=chip)

    def run() -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        ran = chip_fire_recurrent(a, layer, chip, surrogate("atan"), 0.7, None, None)
        assert ran.state is not None
        return (ran.spikes, ran.over, *ran.state), gradients((ran.spikes,), [a, weights], seed)

    check(run, kind)
