"""The chip's number formats: round trips, grids, and scales at which nothing leaves its register."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import seeds

from spikeport.hardware_profiles.fixed_point import (
    SIGN_MODES,
    STATE_UNIT,
    ConnectionRange,
    SignMode,
    WordWidths,
    at_threshold,
    choose_scale,
    decay_from_du,
    decay_from_dv,
    du_from_decay,
    dv_from_decay,
    largest_input,
    quantise_weights,
    sign_mode,
    split_bias,
    weight_grid,
)

WIDTHS = WordWidths()
EVERY_WORD = np.arange(4096, dtype=np.int32)

modes = st.sampled_from(SIGN_MODES)
bits = st.integers(1, 8)
positive = st.floats(1e-6, 1e6)


def test_every_du_and_dv_survives_the_way_over_fractions() -> None:
    np.testing.assert_array_equal(du_from_decay(decay_from_du(EVERY_WORD)), EVERY_WORD)
    np.testing.assert_array_equal(dv_from_decay(decay_from_dv(EVERY_WORD)), EVERY_WORD)


def test_du_and_dv_survive_float32() -> None:
    np.testing.assert_array_equal(du_from_decay(decay_from_du(EVERY_WORD).astype(np.float32)), EVERY_WORD)
    np.testing.assert_array_equal(dv_from_decay(decay_from_dv(EVERY_WORD).astype(np.float32)), EVERY_WORD)


@given(st.floats(0, 1))
def test_a_decay_is_rounded_to_the_nearest_word(decay: float) -> None:
    assert abs(decay_from_du(du_from_decay(decay)) - decay) <= max(0.5 / 4096, 1 / 4096 - decay)
    assert abs(decay_from_dv(dv_from_decay(decay)) - decay) <= max(0.5 / 4096, decay - 4095 / 4096)


@given(mode=modes, bits=bits)
def test_a_grid_holds_what_it_rounds_to_and_leaves_its_own_points(mode: SignMode, bits: int) -> None:
    grid = weight_grid(mode, bits)
    points = np.arange(grid.low, grid.high + 1, grid.step)
    np.testing.assert_array_equal(grid.round(points.astype(float)), points)
    values = np.linspace(-600, 600, 997)
    rounded = grid.round(values)
    assert np.isin(rounded, points).all()
    nearest = np.abs(np.clip(values, grid.low, grid.high)[:, None] - points).min(axis=1)
    np.testing.assert_allclose(np.abs(np.clip(values, grid.low, grid.high) - rounded), nearest)


@pytest.mark.lava
@given(mode=modes, bits=bits)
def test_grids_are_the_weights_that_stock_lava_leaves_alone(mode: SignMode, bits: int) -> None:
    from lava.utils import weightutils

    stock = getattr(weightutils.SignMode, mode.upper())
    one_sign = {"excitatory": np.arange(600), "inhibitory": -np.arange(600), "mixed": np.arange(-600, 600)}[mode]
    kept = weightutils.truncate_weights(weightutils.clip_weights(one_sign, stock, num_bits=8), stock, bits)
    grid = weight_grid(mode, bits)
    np.testing.assert_array_equal(np.unique(kept), np.arange(grid.low, grid.high + 1, grid.step))


@pytest.mark.lava
@given(seed=seeds, low=st.integers(-2, 0), high=st.integers(1, 3))
def test_sign_modes_are_those_that_stock_lava_finds(seed: int, low: int, high: int) -> None:
    from lava.utils import weightutils

    values = np.random.default_rng(seed).integers(low, high, (2, 2))
    assert weightutils.determine_sign_mode(values).name.lower() == sign_mode(values)


def test_a_matrix_without_weights_has_a_sign_mode() -> None:
    assert sign_mode(np.zeros((0, 3))) == "excitatory"


@given(st.lists(st.floats(-WIDTHS.bias_max, WIDTHS.bias_max), min_size=1, max_size=20))
def test_a_bias_fits_its_registers_within_half_a_unit_of_its_exponent(values: list[float]) -> None:
    bias = np.array(values)
    mantissa, exponent = split_bias(bias, WIDTHS)
    assert np.abs(mantissa).max() <= 4095
    assert exponent.min() >= 0
    assert exponent.max() <= 7
    assert (np.abs((mantissa << exponent) - bias) <= 0.5 * np.exp2(exponent)).all()
    # the smallest exponent: one less would not hold the value
    larger = exponent > 0
    assert (np.rint(np.abs(bias[larger]) / np.exp2(exponent[larger] - 1)) > 4095 - 1).all()


def test_a_bias_out_of_reach_is_cut_to_the_largest() -> None:
    mantissa, exponent = split_bias(np.array([1e9, -1e9]), WIDTHS)
    assert list(mantissa << exponent) == [WIDTHS.bias_max, -WIDTHS.bias_max]


@given(seed=seeds, bits=st.integers(2, 8), vth=positive, decay=st.floats(1 / 4096, 1), bias=st.floats(0, 10))
def test_no_input_drives_u_or_the_bias_out_of_its_register(
    seed: int, bits: int, vth: float, decay: float, bias: float
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 10.0 ** rng.integers(-2, 2), (rng.integers(1, 6), rng.integers(1, 40))) * vth
    grid = weight_grid(sign_mode(weights), bits)
    current = float(largest_input(weights).max()) / decay
    connection = ConnectionRange(float(np.abs(weights).max()), grid)
    found = choose_scale([connection], vth, current, bias * vth, WIDTHS)
    # a threshold of 1 is as low as the scale can go
    assume(found.vth > 1)
    assert found.scale * current <= WIDTHS.state_max
    assert found.scale * bias * vth <= WIDTHS.bias_max * (1 + 1e-9)
    assert 1 <= found.vth <= WIDTHS.vth_max
    assert all(0 <= e <= WIDTHS.weight_exp_max for e in found.weight_exps)


@given(threshold=st.integers(1, WIDTHS.vth_max), vth=positive, weight=positive)
def test_a_chosen_threshold_is_exact(threshold: int, vth: float, weight: float) -> None:
    grid = weight_grid("mixed", 8)
    found = at_threshold(threshold, [ConnectionRange(weight, grid)], vth, WIDTHS)
    assert found.vth == threshold
    assert found.scale * vth / STATE_UNIT == pytest.approx(threshold, rel=1e-14)


@given(mode=modes, bits=st.integers(2, 8), exponent=st.integers(0, 7), threshold=st.integers(1000, 100_000))
def test_a_full_grid_keeps_its_exponent_and_its_integers(
    mode: SignMode, bits: int, exponent: int, threshold: int
) -> None:
    grid = weight_grid(mode, bits)
    points = np.arange(grid.low, grid.high + 1, grid.step, dtype=np.int32)
    vth, unit = 0.7, 0.7 * 2.0**exponent / threshold
    connection = ConnectionRange((grid.high or -grid.low) * unit, grid)
    found = at_threshold(threshold, [connection], vth, WIDTHS)
    assert found.weight_exps == (exponent,)
    np.testing.assert_array_equal(quantise_weights(points * unit, grid, found.scale, exponent), points)


@given(seed=seeds)
def test_the_largest_input_is_all_positive_or_all_negative_inputs_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, 2, 2))
    patterns = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1)
    sums = np.abs(weights.reshape(3, 4) @ patterns).max(axis=1)
    np.testing.assert_allclose(largest_input(weights), sums)
