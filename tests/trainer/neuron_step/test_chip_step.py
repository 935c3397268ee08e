"""The chip's step in training: the kernel and torch's operations alike, gradients those of the float step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeport.exporter.neurons.cuba.cuba import plain_current, plain_voltage
from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.trainer.neuron_step import cpu_arrays, fused
from spikeport.trainer.neuron_step.chip_step import (
    ChipRun,
    ResetSlopes,
    chip_fire,
    chip_fire_recurrent,
    slopes_through_reset,
    slopes_without_reset,
)
from spikeport.trainer.neuron_step.dynamics import (
    Reset,
    filter_stepwise,
    fire_stepwise,
    integrate_recurrent_from,
    reset_apart,
    reset_through,
)
from spikeport.trainer.neuron_step.quantise import ChipScale, LayerTensors
from spikeport.trainer.neuron_step.surrogates import SURROGATES, surrogate

SHAPES = st.sampled_from([(1, 1, 1), (6, 3, 5), (5, 2, 2, 3, 3), (4, 4, 33)])
TYPES = st.sampled_from([torch.float32, torch.float64])
# a power of two: the float step rounds nothing either
CHIP = ChipScale(4096.0, 78, {"weight": 0, "recurrent": 1})


def layer(kind: torch.dtype, du: float, dv: float, bias: Tensor, recurrent: Tensor | None = None) -> LayerTensors:
    words = {"current_decay": du, "voltage_decay": dv, "threshold": CHIP.vth * STATE_UNIT / CHIP.scale}
    tensors = {name: torch.tensor(value, dtype=kind, requires_grad=True) for name, value in words.items()}
    return LayerTensors(bias, bias, **tensors, recurrent=recurrent, chip=CHIP)


def drawn(shape: tuple[int, ...], generator: torch.Generator, kind: torch.dtype, unit: int, most: int) -> Tensor:
    values = torch.randint(-most // 2, most, shape, generator=generator) * unit
    return values.to(kind).requires_grad_()


def bias_of(shape: tuple[int, ...], generator: torch.Generator, kind: torch.dtype, unit: int) -> Tensor:
    return (drawn(shape[2:3], generator, kind, unit, 8) / CHIP.scale).detach().requires_grad_()


def slopes(values: tuple[Tensor, ...], leaves: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in values]
    return torch.autograd.grad(sum((v * w).sum() for v, w in zip(values, weights, strict=True)), leaves)  # type: ignore[arg-type]


def ends(run: ChipRun) -> tuple[Tensor, ...]:
    """Spikes, and the state after in units of the network."""
    u, v = state(run)
    return run.spikes, u / CHIP.scale, v / CHIP.scale


def state(run: ChipRun) -> tuple[Tensor, Tensor]:
    assert run.state is not None
    return run.state


# what flows through the reset, in torch operations and by hand
RESETS: tuple[tuple[Reset, ResetSlopes], ...] = (
    (reset_apart, slopes_without_reset),
    (reset_through, slopes_through_reset),
)


@given(
    SHAPES, TYPES, st.integers(0, 2**31), st.sampled_from([1, 1000]), st.sampled_from(sorted(SURROGATES)), st.booleans()
)
def test_kernel_and_torch_operations_give_the_same(
    shape: tuple[int, ...], kind: torch.dtype, seed: int, unit: int, name: str, threads: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, bias = drawn(shape, generator, kind, unit, 60), bias_of(shape, generator, kind, unit)
    starts = tuple(drawn(shape[1:], generator, kind, unit, 2000) for _ in "uv")
    numbers = layer(kind, 1234 / 4096, 321 / 4096, bias)
    leaves = [a, bias, numbers.current_decay, numbers.voltage_decay, numbers.threshold, *starts]
    results = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setattr(fused, "supports_shape", lambda *_: False)
            elif threads:
                patch.setattr(cpu_arrays, "ONE_THREAD", 0)
                patch.setattr(torch, "get_num_threads", lambda: 3)
            run = chip_fire(a, numbers, CHIP, surrogate(name), 0.7, starts)
            results.append((run, slopes(ends(run), leaves, seed)))
    (run, mine), (other, theirs) = results
    for ours, others in zip(
        (run.spikes, run.over, *state(run)), (other.spikes, other.over, *state(other)), strict=True
    ):
        assert torch.equal(ours, others)
    tolerance = 1e-4 if kind == torch.float32 else 1e-11
    for ours, others in zip(mine, theirs, strict=True):
        torch.testing.assert_close(ours, others, rtol=tolerance, atol=tolerance)


@given(SHAPES, st.integers(0, 2**31), st.integers(0, 4095), st.integers(0, 4095))
def test_the_step_is_the_referee_s(shape: tuple[int, ...], seed: int, du: int, dv: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, bias = drawn(shape, generator, torch.float32, 50, 60), bias_of(shape, generator, torch.float32, 50)
    numbers = layer(torch.float32, (du + 1) / 4096, dv / 4096, bias)
    rest = torch.zeros(shape[1:])
    run = chip_fire(a, numbers, CHIP, surrogate("atan"), 0.5, (rest, rest))
    at_rest = chip_fire(a, numbers, CHIP, surrogate("atan"), 0.5, None)
    assert at_rest.state is None
    assert torch.equal(at_rest.spikes, run.spikes)
    assert torch.equal(at_rest.over, run.over)
    u = v = np.zeros(shape[1:], np.int32)
    added = np.rint(bias.detach().numpy().astype(np.float64) * CHIP.scale).astype(np.int32)
    added = added.reshape(-1, *[1] * (len(shape) - 3))
    for arriving, spikes in zip(a.detach().numpy().astype(np.int32), run.spikes.detach().numpy(), strict=True):
        u = plain_current(u, np.int32(du), arriving)
        voltage = plain_voltage(v, np.int32(dv), u, added)
        fired = voltage > CHIP.vth * STATE_UNIT
        np.testing.assert_array_equal(spikes, fired)
        v = np.where(fired, 0, voltage)
    for ours, theirs in zip(state(run), (u, v), strict=True):
        np.testing.assert_array_equal(ours.detach(), theirs)


@given(SHAPES, st.integers(0, 2**31), st.sampled_from(sorted(SURROGATES)), st.sampled_from(RESETS))
def test_where_nothing_is_truncated_it_is_the_float_step(
    shape: tuple[int, ...], seed: int, name: str, resets: tuple[Reset, ResetSlopes]
) -> None:
    reset, reset_slopes = resets
    generator = torch.Generator().manual_seed(seed)
    kind = torch.float64
    # halves of multiples of 2**12 stay whole for as many steps
    a, bias = drawn(shape, generator, kind, 64, 60), bias_of(shape, generator, kind, 4096)
    starts = tuple(drawn(shape[1:], generator, kind, 4096, 8) for _ in "uv")
    numbers = layer(kind, 0.5, 0.5, bias)
    leaves = [a, bias, numbers.current_decay, numbers.voltage_decay, numbers.threshold, *starts]
    run = chip_fire(a, numbers, CHIP, surrogate(name), 0.7, starts, reset_slopes)
    u, v = (start / CHIP.scale for start in starts)
    current = filter_stepwise(a * (STATE_UNIT / CHIP.scale), 1 - numbers.current_decay, u)
    entered = current + bias.view(-1, *[1] * (len(shape) - 3))
    keep = 1 - numbers.voltage_decay
    spikes, voltage = fire_stepwise(entered, keep, numbers.threshold, surrogate(name), 0.7, v, reset)
    wanted = spikes, current[-1], voltage
    for ours, theirs in zip(ends(run), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(slopes(ends(run), leaves, seed), slopes(wanted, leaves, seed), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 2**31), st.sampled_from(RESETS))
def test_recurrent_neurons_too(seed: int, resets: tuple[Reset, ResetSlopes]) -> None:
    generator = torch.Generator().manual_seed(seed)
    kind, shape = torch.float64, (6, 3, 4)
    a, bias = drawn(shape, generator, kind, 64, 60), bias_of(shape, generator, kind, 4096)
    unit = STATE_UNIT * 2 / CHIP.scale
    weights = (torch.randint(-9, 9, (4, 4), generator=generator) * 32 * unit).to(kind).requires_grad_()
    numbers = layer(kind, 0.5, 0.5, bias, weights)
    leaves = [a, bias, weights]
    run = chip_fire_recurrent(a, numbers, CHIP, surrogate("atan"), 0.7, None, None, resets[1])
    current = filter_stepwise(a * (STATE_UNIT / CHIP.scale), 1 - numbers.current_decay) + bias
    constants = weights, numbers.current_decay, numbers.voltage_decay, numbers.threshold
    spikes, _ = integrate_recurrent_from(None, current, *constants, surrogate("atan"), 0.7, resets[0])
    assert torch.equal(run.spikes, spikes)
    for ours, theirs in zip(slopes((run.spikes,), leaves, seed), slopes((spikes,), leaves, seed), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_16_bit_matrix_products_leave_recurrent_sums_whole() -> None:
    generator = torch.Generator().manual_seed(1)
    kind, shape = torch.float32, (12, 8, 40)
    a, bias = drawn(shape, generator, kind, 1, 300), bias_of(shape, generator, kind, 64)
    weights = torch.randint(-127, 127, (40, 40), generator=generator) * 2.0 * (STATE_UNIT * 2 / CHIP.scale)
    numbers = layer(kind, 0.5, 0.5, bias, weights)
    with torch.no_grad():
        run = chip_fire_recurrent(a, numbers, CHIP, surrogate("atan"), 0.7, None, None)
        with torch.autocast("cpu", torch.bfloat16):
            again = chip_fire_recurrent(a, numbers, CHIP, surrogate("atan"), 0.7, None, None)
    assert torch.equal(run.over, again.over)
