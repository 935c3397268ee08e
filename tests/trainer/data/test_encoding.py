"""Encodings and data sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.data.encoding import encode


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_integrate_spaces_spikes_evenly() -> None:
    spikes = encode("integrate", np.array([[0.0, 0.25, 0.375, 1.0]]), 8, generator())
    assert spikes.dtype == np.uint8 and spikes.shape == (8, 1, 4)
    assert spikes[:, 0].T.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 1],
        [0, 0, 1, 0, 0, 1, 0, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
    ]


@given(st.lists(st.integers(0, 16), min_size=1, max_size=20), st.integers(1, 40))
def test_integrate_fires_the_whole_part_of_steps_times_value(sixteenths: list[int], steps: int) -> None:
    values = np.array(sixteenths)
    spikes = encode("integrate", values[None] / 16, steps, generator())
    np.testing.assert_array_equal(spikes.sum(0)[0], values * steps // 16)


def test_bernoulli_has_the_rate_of_the_value_and_follows_its_generator() -> None:
    x = np.tile([0.0, 0.2, 1.0], (500, 1))
    spikes = encode("bernoulli", x, 40, generator(1))
    np.testing.assert_allclose(spikes.mean((0, 1)), [0, 0.2, 1], atol=0.01)
    np.testing.assert_array_equal(spikes, encode("bernoulli", x, 40, generator(1)))
    assert (spikes != encode("bernoulli", x, 40, generator(2))).any()


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_values_outside_0_to_1_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        encode("integrate", np.array([[value]]), 4, generator())


def test_an_unknown_encoding_and_no_steps_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'bernoulli'"):
        encode("bernouli", np.zeros((1, 1)), 4, generator())
    with pytest.raises(InputError, match="at least 1 step"):
        encode("integrate", np.zeros((1, 1)), 0, generator())


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="at least one sample"):
        encode("integrate", np.zeros((0, 4)), 4, generator())


def test_digits_are_split_by_the_seed_and_stratified() -> None:
    first, again, other = load_dataset("digits", 0), load_dataset("digits", 0), load_dataset("digits", 1)
    assert first.x_train.shape == (1437, 64) and first.x_test.shape == (360, 64)
    assert first.x_train.dtype == np.float32 and first.y_train.dtype == np.int64
    assert first.x_train.min() == 0 and first.x_train.max() == 1
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert (first.x_test != other.x_test).any()
    shares = np.bincount(first.y_test) / 360 - np.bincount(first.y_train) / 1437
    assert np.abs(shares).max() < 0.002


def test_digits_as_images_are_the_same_digits() -> None:
    flat, image = load_dataset("digits", 3), load_dataset("digits_image", 3)
    assert image.input_shape == (1, 8, 8) and image.classes == 10
    np.testing.assert_array_equal(image.x_test.reshape(360, 64), flat.x_test)


def test_an_unknown_data_set_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown data set 'digit'; did you mean 'digits'"):
        load_dataset("digit", 0)


@pytest.mark.parametrize(
    ("labels", "shape", "message"),
    [([0, 1, 2], (4,), "labels outside 0 to 1"), ([0, 1], (4,), "3 samples and 2 labels"), ([0, 1, 1], (5,), "shape")],
)
def test_data_that_do_not_agree_are_refused(labels: list[int], shape: tuple[int, ...], message: str) -> None:
    x, y = np.zeros((3, 4), np.float32), np.array(labels)
    with pytest.raises(InputError, match=message):
        Dataset(x, y, x, y, shape, 2, "made")


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(1, 30))
def test_latency_fires_once_and_the_larger_earlier(hundredths: list[int], steps: int) -> None:
    values = np.array(hundredths) / 100
    spikes = encode("latency", values[None], steps, generator())[:, 0]
    np.testing.assert_array_equal(spikes.sum(0), values > 0)
    first = spikes.argmax(0)
    for larger, smaller in zip(np.argsort(-values)[:-1], np.argsort(-values)[1:], strict=True):
        assert values[smaller] == 0 or first[larger] <= first[smaller]
    assert (first[values == 1] == 0).all()


def test_poisson_has_the_rate_of_at_least_one_event() -> None:
    x = np.tile([0.0, 0.2, 1.0], (500, 1))
    spikes = encode("poisson", x, 40, generator(1))
    np.testing.assert_allclose(spikes.mean((0, 1)), 1 - np.exp([0, -0.2, -1.0]), atol=0.01)
    np.testing.assert_array_equal(spikes, encode("poisson", x, 40, generator(1)))


@given(st.lists(st.integers(0, 16), min_size=1, max_size=20), st.integers(1, 40))
def test_staggered_spaces_spikes_as_evenly_and_equal_values_do_not_fire_together(
    sixteenths: list[int], steps: int
) -> None:
    values = np.array(sixteenths) / 16
    spikes = encode("staggered", values[None], steps, generator())[:, 0]
    assert (np.abs(spikes.sum(0) - values * steps) < 1).all()
    halves = encode("staggered", np.full((1, 200), 0.5), 2, generator())[:, 0]
    assert 50 < halves[0].sum() < 150 and (halves.sum(0) == 1).all()
