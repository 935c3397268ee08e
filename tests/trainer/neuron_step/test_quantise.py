"""Chip-aware rounding: on the chip's grid, found again by the compiler's search, gradients straight through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import (
    STATE_UNIT,
    ConnectionRange,
    WordWidths,
    at_threshold,
    quantise_weights,
)
from spikeport.trainer.neuron_step import quantise
from spikeport.trainer.neuron_step.quantise import ChipAware, LayerTensors, fake_quantise
from spikeport.trainer.neuron_step.weight_scale import Constants, FanIn, Stored, layer_scale

Array = NDArray[np.float64]


def layer(seed: int, bits: int, sign: int = 0, bias: float = 0.3, outputs: int = 7, inputs: int = 12) -> LayerTensors:
    generator = np.random.default_rng(seed)
    weight = generator.normal(size=(outputs, inputs)) * generator.uniform(0.02, 3)
    weight = weight if sign == 0 else sign * np.abs(weight)
    tensors = (weight, bias * generator.normal(size=outputs), generator.uniform(0.05, 1), generator.uniform(0, 1), 1.0)
    return fake_quantise(
        LayerTensors(*(torch.tensor(t, dtype=torch.float64) for t in tensors)), ChipAware(bits, sign_modes="mixed")
    )


def numbers(value: torch.Tensor) -> Array:
    return np.asarray(value.numpy(), dtype=np.float64)


def search(weight: Array, bias: Array, du: Array, dv: Array, vth: Array, bits: int) -> tuple[Array, float, float]:
    """Integers by thresholds near the chosen one, the least rounding error wins: (weights << exp, scale, error)."""
    chosen, (grid,) = layer_scale([Stored(torch.from_numpy(weight), FanIn())], Constants(bias, du, dv, vth), bits)
    connection = ConnectionRange(float(np.abs(weight).max()), grid)
    best: tuple[Array, float, float] | None = None
    # nearest first: half the threshold may hold the weights as well, but not the bias
    for threshold in sorted(range(max(1, chosen.vth - 64), chosen.vth + 65), key=lambda t: abs(t - chosen.vth)):
        scale = at_threshold(threshold, [connection], float(vth), WordWidths())
        shift = 2.0 ** scale.weight_exps[0]
        integers = quantise_weights(weight, grid, scale.scale, scale.weight_exps[0]) * shift
        error = float(np.abs(integers * STATE_UNIT / scale.scale - weight).max() / np.abs(weight).max())
        if best is None or error < best[2] - 1e-12:
            best = integers, scale.scale, error
    assert best is not None
    return best


@given(seed=st.integers(0, 10**6), bits=st.integers(2, 8), sign=st.sampled_from([-1, 0, 1]), bias=st.floats(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_compiler_search_finds_the_same_integers_again(seed: int, bits: int, sign: int, bias: float) -> None:
    found = layer(seed, bits, sign, bias)
    weight, offset, du, dv, vth = (
        numbers(t) for t in (found.weight, found.bias, found.current_decay, found.voltage_decay, found.threshold)
    )
    integers, scale, error = search(weight, offset, du, dv, vth, bits)
    assert error < 1e-9
    np.testing.assert_allclose(integers * STATE_UNIT / scale, weight, rtol=1e-9)
    np.testing.assert_allclose(np.rint(offset * scale) / scale, offset, rtol=1e-9)


@given(seed=st.integers(0, 10**6), bits=st.integers(2, 8))
@settings(max_examples=50, deadline=None)
def test_rounding_a_rounded_layer_changes_nothing(seed: int, bits: int) -> None:
    once = layer(seed, bits)
    twice = fake_quantise(once, ChipAware(bits, sign_modes="mixed"))
    assert twice.chip is not None and once.chip is not None
    assert (twice.chip.vth, twice.chip.exponents) == (once.chip.vth, once.chip.exponents)
    for name, value in ((name, value) for name, value in vars(once).items() if isinstance(value, torch.Tensor)):
        np.testing.assert_allclose(numbers(getattr(twice, name)), numbers(value), rtol=1e-9, atol=1e-15)


def test_decays_and_threshold_lie_on_the_grid() -> None:
    found = layer(3, 8)
    du, dv = numbers(found.current_decay), numbers(found.voltage_decay)
    assert du * 4096 == np.rint(du * 4096) and dv * 4096 == np.rint(dv * 4096)
    assert float(found.threshold) == 1.0


def test_thresholds_per_neuron_become_whole_numbers() -> None:
    weight = torch.tensor([[0.5, -0.25], [0.1, 0.2]], dtype=torch.float64)
    vth = torch.tensor([1.0, 0.77], dtype=torch.float64)
    one = torch.tensor(1.0, dtype=torch.float64)
    found = fake_quantise(LayerTensors(weight, torch.zeros(2, dtype=torch.float64), one, 0.1 * one, vth), ChipAware())
    weights, bias, du, threshold = (
        numbers(t) for t in (found.weight, found.bias, found.current_decay, found.threshold)
    )
    constants = Constants(bias, du, np.asarray(0.1), threshold)
    scale, _ = layer_scale([Stored(torch.from_numpy(weights), FanIn())], constants, 8)
    mantissas = threshold * scale.scale / STATE_UNIT
    np.testing.assert_allclose(mantissas, np.rint(mantissas), rtol=1e-9)
    assert abs(threshold[1] - 0.77) < 1e-3 and threshold[0] == 1.0


def test_fewer_bits_make_coarser_weights() -> None:
    fine, coarse = (np.unique(numbers(layer(0, bits, outputs=40).weight)) for bits in (8, 3))
    assert len(coarse) <= 8 < len(fine)


def test_gradients_go_straight_through() -> None:
    weight = torch.randn(4, 5, requires_grad=True)
    bias = torch.randn(4, requires_grad=True)
    du = torch.tensor(0.31234, requires_grad=True)
    found = fake_quantise(LayerTensors(weight, bias, du, torch.tensor(0.1), torch.tensor(1.0)), ChipAware(4))
    assert not torch.equal(found.weight, weight) and float(found.current_decay) != float(du)
    total = 3 * found.weight.sum() + 2 * found.bias.sum() + 5 * found.current_decay
    slopes = torch.autograd.grad(total, (weight, bias, du))
    assert torch.equal(slopes[0], torch.full((4, 5), 3.0))
    assert torch.equal(slopes[1], torch.full((4,), 2.0))
    assert float(slopes[2]) == 5.0


def test_zero_weights_stay_zero() -> None:
    one = torch.tensor(1.0)
    found = fake_quantise(LayerTensors(torch.zeros(3, 2), torch.zeros(3), one, 0.1 * one, one), ChipAware())
    assert not found.weight.any() and not found.bias.any()


@pytest.mark.parametrize("bits", [1, 9])
def test_unknown_widths_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match="2 to 8 bits"):
        ChipAware(bits)


def test_a_layer_is_rounded_again_only_if_a_value_of_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rounded = []
    original = quantise._rounded
    monkeypatch.setattr(quantise, "_rounded", lambda *given: (rounded.append(given), original(*given))[1])
    weight, decay = torch.randn(3, 4, requires_grad=True), torch.tensor(0.3)
    layer = LayerTensors(weight, torch.zeros(3), torch.tensor(1.0), decay, torch.tensor(1.0))
    remembered = quantise.RememberedRounding()
    first, second = remembered(layer, ChipAware()), remembered(layer, ChipAware())
    assert len(rounded) == 1 and torch.equal(first.weight, second.weight) and first.chip == second.chip
    (gradient,) = torch.autograd.grad(second.weight.sum(), weight)
    assert bool((gradient == 1).all())
    # what an optimizer does, what hides from version counters, another parameter, another grid
    changes = [
        lambda: weight.detach().mul_(1.5),
        lambda: weight.data.mul_(0.7),
        lambda: decay.mul_(0.5),
    ]
    for number, change in enumerate(changes):
        change()
        assert torch.equal(remembered(layer, ChipAware()).weight, fake_quantise(layer, ChipAware()).weight)
        # fake_quantise remembers nothing
        assert len(rounded) == 3 + 2 * number
    assert remembered(layer, ChipAware(4)).chip == fake_quantise(layer, ChipAware(4)).chip
    with torch.no_grad():
        weight[0, 0] = torch.nan
    assert remembered(layer, ChipAware()) is layer
