"""Rounding by sign: twice the levels, a searched end of the grid, and no input that makes u wrap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths
from spikeport.trainer.neuron_step.quantise import ChipAware, LayerTensors, fake_quantise


def layer(weight: torch.Tensor, recurrent: torch.Tensor | None = None, bias: float = 0.0) -> LayerTensors:
    one = torch.tensor(1.0)
    return LayerTensors(weight, torch.full(weight.shape[:1], bias), 0.3 * one, 0.1 * one, one, recurrent)


def relative_error(rounded: torch.Tensor, exact: torch.Tensor) -> float:
    return float((rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt())


# what splitting signs without clipping gives: 9, 18 and 37 %
@pytest.mark.parametrize(("bits", "levels", "error"), [(4, 31, 0.07), (3, 15, 0.13), (2, 7, 0.25)])
def test_few_bits_have_a_level_for_each_sign_and_clip_the_rare_large_weights(
    bits: int, levels: int, error: float
) -> None:
    torch.manual_seed(0)
    weight = 0.05 * torch.randn(128, 256)
    rounded = fake_quantise(layer(weight), ChipAware(bits)).weight
    assert len(torch.unique(rounded)) <= levels
    assert relative_error(rounded, weight) < error
    mixed = fake_quantise(layer(weight), ChipAware(bits, sign_modes="mixed")).weight
    assert relative_error(rounded, weight) < relative_error(mixed, weight) / 2


def test_eight_bits_stay_one_connection_unless_split_is_asked_for() -> None:
    torch.manual_seed(0)
    weight = 0.05 * torch.randn(64, 64)
    auto, mixed, split = (
        fake_quantise(layer(weight), ChipAware(8, sign_modes=mode)).weight for mode in ("auto", "mixed", "split")
    )
    assert torch.equal(auto, mixed)
    assert relative_error(split, weight) < relative_error(mixed, weight)


@settings(max_examples=40)
@given(
    seed=seeds, bits=st.integers(2, 8), recurrent=st.booleans(),
    size=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 0, 1]), bias=st.floats(-3, 3),
)  # fmt: skip
def test_every_number_is_whole_and_no_input_makes_u_wrap(
    seed: int, bits: int, recurrent: bool, size: float, sign: int, bias: float
) -> None:
    torch.manual_seed(seed)
    weight = size * torch.randn(6, 9)
    weight = weight if sign == 0 else sign * weight.abs()
    own = size * torch.rand(1).item() * torch.randn(6, 6) if recurrent else None
    rounded = fake_quantise(layer(weight, own, bias), ChipAware(bits, sign_modes="split"))
    assert rounded.chip is not None
    scale, widths = rounded.chip.scale, WordWidths()
    current = torch.zeros(6, 2)
    step = 1 << (8 - bits)
    for name, values in (("weight", rounded.weight), ("recurrent", rounded.recurrent)):
        if values is None:
            continue
        exponent = rounded.chip.exponents[name]
        assert 0 <= exponent <= widths.weight_exp_max
        words = values.double() * scale / (STATE_UNIT * 2.0**exponent)
        np.testing.assert_allclose(words, words.round(), atol=1e-3)
        # the larger of two exponents is at most 3 above
        assert words.abs().max() <= (256 - step) * 8
        current += torch.stack([values.clamp(min=0).sum(1), (-values).clamp(min=0).sum(1)], 1)
    assert float(current.max() / rounded.current_decay) * scale <= widths.state_max + STATE_UNIT * 16
    assert 1 <= rounded.chip.vth <= widths.vth_max


def test_weights_of_zero_and_gradients_are_kept() -> None:
    nothing = fake_quantise(layer(torch.zeros(3, 2)), ChipAware(2))
    assert not nothing.weight.any()
    weight = torch.randn(4, 5, requires_grad=True)
    rounded = fake_quantise(layer(weight), ChipAware(2))
    (slopes,) = torch.autograd.grad(3 * rounded.weight.sum(), weight)
    assert torch.equal(slopes, torch.full((4, 5), 3.0))


def test_a_rare_weight_of_the_other_sign_is_not_cut_to_nothing() -> None:
    weight = torch.full((100, 100), -0.01)
    weight[57, 31] = 0.5
    rounded = fake_quantise(layer(weight), ChipAware(4)).weight
    assert rounded[57, 31] > 0.1


def test_a_diverged_layer_stays_as_it_is() -> None:
    weight = torch.tensor([[1.0, float("nan")]])
    assert fake_quantise(layer(weight), ChipAware(2)).weight is weight
