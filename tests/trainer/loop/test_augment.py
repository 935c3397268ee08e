"""Augmentation: what moves, what stays, and that a seed says it all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.augment import Augmentation, augment, drop_spikes
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

NOTHING = Augmentation()


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(n: int = 6) -> np.ndarray:
    return generator(9).random((n, 2, 5, 7)).astype(np.float32)


def trains(n: int = 6) -> np.ndarray:
    return generator(9).integers(0, 2, (n, 3, 2, 5, 7), dtype=np.uint8)


def test_nothing_changes_nothing_and_draws_nothing() -> None:
    state = generator()
    assert augment(images(), (2, 5, 7), NOTHING, state) is not None
    np.testing.assert_array_equal(augment(images(), (2, 5, 7), NOTHING, state), images())
    np.testing.assert_array_equal(drop_spikes(trains(), NOTHING, state), trains())
    assert state.random() == generator().random()


@given(st.integers(0, 2**32 - 1))
def test_a_shift_moves_every_channel_and_step_alike_and_brings_in_zeros(seed: int) -> None:
    how = Augmentation(shift=2)
    for x in (images(), trains()):
        moved = augment(x, (2, 5, 7), how, generator(seed))
        assert moved.dtype == x.dtype and moved.shape == x.shape
        for before, after in zip(x, moved, strict=True):
            padded = np.pad(before, [(0, 0)] * (before.ndim - 2) + [(2, 2), (2, 2)])
            windows = [padded[..., r : r + 5, c : c + 7] for r in range(5) for c in range(5)]
            assert any(np.array_equal(after, window) for window in windows)


def test_a_flip_mirrors_left_to_right_with_its_probability() -> None:
    x = images(400)
    flipped = augment(x, (2, 5, 7), Augmentation(flip=0.3), generator())
    mirrored = [np.array_equal(after, before[..., ::-1]) for before, after in zip(x, flipped, strict=True)]
    same = [np.array_equal(after, before) for before, after in zip(x, flipped, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 0.2 < np.mean(mirrored) < 0.4


def test_a_crop_shows_a_window_whose_pixels_are_the_image_s() -> None:
    x = np.arange(100, dtype=np.float32).reshape(1, 1, 10, 10) / 100
    seen = augment(np.repeat(x, 50, 0), (1, 10, 10), Augmentation(crop=0.5), generator())
    for sample in seen:
        assert np.isin(sample, x).all()
        rows, columns = np.unique(sample[0] * 100 // 10), np.unique(np.rint(sample[0] * 100) % 10)
        assert 5 <= len(rows) <= 10 and 5 <= len(columns) <= 10
    assert len({sample.tobytes() for sample in seen}) > 20


def test_noise_has_its_size_and_leaves_images_between_0_and_1() -> None:
    x = np.full((50, 1, 8, 8), 0.5, np.float32)
    noisy = augment(x, (1, 8, 8), Augmentation(noise=0.1), generator())
    assert noisy.dtype == np.float32 and abs(noisy.std() - 0.1) < 0.01
    wild = augment(x, (1, 8, 8), Augmentation(noise=5.0), generator())
    assert wild.min() == 0 and wild.max() == 1
    np.testing.assert_array_equal(augment(trains(), (2, 5, 7), Augmentation(noise=1.0), generator()), trains())


def test_dropped_spikes_are_a_share_of_those_that_were() -> None:
    spikes = np.ones((20, 10, 50), np.uint8)
    kept = drop_spikes(spikes, Augmentation(drop=0.25), generator())
    assert kept.dtype == np.uint8 and abs(kept.mean() - 0.75) < 0.02
    assert not drop_spikes(np.zeros_like(spikes), Augmentation(drop=0.25), generator()).any()


def test_channels_of_spike_trains_can_be_shifted_flat_images_cannot() -> None:
    x = np.eye(8, dtype=np.uint8)[None, :4] * np.ones((5, 1, 1), np.uint8)
    moved = augment(x, (8,), Augmentation(shift=1), generator(3))
    assert {tuple(np.argmax(sample, axis=1)) for sample in moved[moved.sum((1, 2)) == 4]} <= {
        (0, 1, 2, 3),
        (1, 2, 3, 4),
    }
    for how, shape in ((Augmentation(shift=1), (64,)), (Augmentation(flip=0.5), (64,))):
        with pytest.raises(InputError, match=r"need images \(C, H, W\)"):
            augment(np.zeros((2, 64), np.float32), shape, how, generator())
    with pytest.raises(InputError, match="channels can be shifted"):
        augment(x, (8,), Augmentation(crop=0.5), generator())


@pytest.mark.parametrize(
    "wrong", [{"shift": -1}, {"noise": -0.1}, {"flip": 1.1}, {"drop": -0.1}, {"crop": 0.0}, {"crop": 1.5}]
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Augmentation(**wrong)  # type: ignore[arg-type]


def test_training_sees_augmented_samples_from_its_seed() -> None:
    digits = load_dataset("digits_image", 0)
    network = NetworkConfig((LayerConfig(size=8),))
    plain = TrainConfig(epochs=1, steps=4, batch_size=256)
    changed = replace(plain, augment=Augmentation(shift=1, noise=0.05, drop=0.1))
    counts = [
        Bptt(network, training).fit(digits, progress=False).predict_counts(digits.x_test)
        for training in (plain, changed, changed)
    ]
    assert (counts[0] != counts[1]).any()
    np.testing.assert_array_equal(counts[1], counts[2])
