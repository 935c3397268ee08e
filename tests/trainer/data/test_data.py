"""Data sets that lie on the user's disk, on small files of the same format, and the cochlea."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from places import SHARED
from scipy.io import wavfile

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.data.encoding import encode
from spikeport.trainer.data.paths_and_cache import CACHE, DATA
from spikeport.trainer.data.readers.cochlea import Cochlea

DIGITS = range(3)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


def tone(hertz: float, seconds: float = 0.3, rate: int = 8000) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in DIGITS:
        for index in (0, 4, 5, 12):
            wavfile.write(folder / f"{digit}_ann_{index}.wav", 8000, tone(300 * (digit + 1) + index))
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    path = tmp_path / "data" / "mnist10k.npz"
    path.parent.mkdir(exist_ok=True)
    x = generator.integers(0, 256, (2010, 28, 28), dtype=np.uint8)
    np.savez(path, x=x, y=(np.arange(2010) % 10).astype(np.uint8))
    return path


def test_the_cochlea_hears_a_tone_where_its_frequency_is() -> None:
    cochlea = Cochlea(steps=20)
    centres = cochlea.centres()
    assert np.all(np.diff(centres) > 0) and np.allclose(centres[[0, -1]], [100, 3700])
    for hertz in (200.0, 700.0, 2500.0):
        spikes = cochlea.spikes(tone(hertz))
        assert spikes.shape == (20, 64) and spikes.dtype == np.uint8
        # filters overlap: the middle of those that fire most
        loudest = np.mean(np.flatnonzero(spikes.sum(0) == spikes.sum(0).max()))
        assert abs(loudest - np.abs(centres - hertz).argmin()) <= 4, hertz


def test_the_cochlea_is_silent_after_the_sound_and_takes_any_scale() -> None:
    cochlea = Cochlea(steps=40)
    spikes = cochlea.spikes(tone(500, 0.1))
    assert spikes[:10].any() and not spikes[20:].any()
    np.testing.assert_array_equal(spikes, cochlea.spikes(tone(500, 0.1) / 64))
    assert not cochlea.spikes(np.zeros(100)).any() and not cochlea.spikes(np.zeros(0)).any()


def test_spoken_digits_are_split_as_their_makers_do(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("fsdd", 0, recordings)
    assert data.x_train.shape == data.x_test.shape == (6, 80, 64) and data.steps == 80
    assert data.y_train.tolist() == data.y_test.tolist() == [0, 0, 1, 1, 2, 2]
    first = Cochlea().spikes(wavfile.read(recordings / "0_ann_12.wav")[1])
    np.testing.assert_array_equal(data.x_train[0], first)
    monkeypatch.setenv(DATA, str(recordings.parent.parent))
    np.testing.assert_array_equal(load_dataset("fsdd", 0).x_test, data.x_test)


def test_what_was_heard_is_kept_and_a_broken_or_old_cache_is_not_believed(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = load_dataset("fsdd", 0, recordings)
    (kept,) = (tmp_path / "cache").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(Cochlea, "spikes", lambda *_: pytest.fail("heard again"))
        np.testing.assert_array_equal(load_dataset("fsdd", 0, recordings).x_train, heard.x_train)
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(load_dataset("fsdd", 0, recordings).x_train, heard.x_train)
    wavfile.write(recordings / "0_ann_5.wav", 8000, tone(3000))
    assert (load_dataset("fsdd", 0, recordings).x_train != heard.x_train).any()


def test_a_cache_that_cannot_be_written_costs_a_warning(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = recordings.parent / "file"
    file.touch()
    monkeypatch.setenv(CACHE, str(file))
    with pytest.warns(UserWarning, match="nothing is kept"):
        assert load_dataset("fsdd", 0, recordings).steps == 80


def test_broken_recordings_and_folders_are_refused(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 test and 0 training recordings"):
        load_dataset("fsdd", 0, tmp_path)
    whole = (recordings / "1_ann_5.wav").read_bytes()
    for content in (whole[:10], whole[: len(whole) // 2], b"no sound"):
        (recordings / "1_ann_5.wav").write_bytes(content)
        with pytest.raises(InputError, match=r"1_ann_5\.wav: is not a whole wav file"):
            load_dataset("fsdd", 0, recordings)
    wavfile.write(recordings / "1_ann_5.wav", 16000, tone(300))
    with pytest.raises(InputError, match="has 16000 Hz and 1 channels"):
        load_dataset("fsdd", 0, recordings)


def test_mnist10k_keeps_its_last_2000_to_test(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("mnist10k", 0, images)
    assert data.x_train.shape == (10, 1, 28, 28) and data.x_test.shape == (2000, 1, 28, 28)
    assert data.y_train.tolist() == list(range(10))
    with np.load(images) as file:
        np.testing.assert_array_equal(np.rint(data.x_test[:, 0] * 255), file["x"][10:])
    monkeypatch.setenv(DATA, str(images.parent))
    np.testing.assert_array_equal(load_dataset("mnist10k", 3).x_train, data.x_train)


def test_broken_image_files_are_refused(images: Path) -> None:
    whole = images.read_bytes()
    for content in (b"", whole[:100], whole[:-50], b"text"):
        images.write_bytes(content)
        with pytest.raises(InputError, match=r"mnist10k\.npz: is truncated"):
            load_dataset("mnist10k", 0, images)
    for arrays, message in (
        ({"x": np.zeros((2010, 28, 28), np.uint8)}, "has no array"),
        ({"x": np.zeros((2010, 784), np.uint8), "y": np.zeros(2010)}, "needed are"),
        ({"x": np.zeros((2000, 28, 28), np.uint8), "y": np.zeros(2000)}, "above 2000"),
    ):
        np.savez(images, **arrays)
        with pytest.raises(InputError, match=message):
            load_dataset("mnist10k", 0, images)


def test_data_that_are_not_there_say_how_to_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mnist10k", "fsdd"):
        with pytest.raises(InputError, match=f"'{name}' does not come with the project.*SPIKEPORT_DATA"):
            load_dataset(name, 0)
        with pytest.raises(InputError, match="does not exist"):
            load_dataset(name, 0, tmp_path / "nowhere")
    monkeypatch.setenv(DATA, str(tmp_path))
    with pytest.raises(InputError, match=r"mnist10k\.npz: does not exist"):
        load_dataset("mnist10k", 0)


def trains(steps: int | None = 4) -> Dataset:
    x = np.random.default_rng(0).integers(0, 2, (3, 4, 5), dtype=np.uint8)
    return Dataset(x, np.arange(3), x, np.arange(3), (5,), 3, "made", steps)


def test_spike_trains_pass_the_encoding_as_they_are() -> None:
    data = trains()
    spikes = encode("spikes", data.x_train, 4, np.random.default_rng(0))
    assert spikes.shape == (4, 3, 5) and spikes.flags.c_contiguous
    np.testing.assert_array_equal(spikes[2, 1], data.x_train[1, 2])
    np.testing.assert_array_equal(data.still(data.x_train), spikes.mean(0, dtype=np.float32))
    with pytest.raises(InputError, match="spike trains of 4 steps, not 5"):
        encode("spikes", data.x_train, 5, np.random.default_rng(0))


def test_an_encoding_that_does_not_fit_the_data_is_refused() -> None:
    with pytest.raises(InputError, match=r'spike trains; use encoding = "spikes"'):
        trains().check_encoding("integrate", 4)
    with pytest.raises(InputError, match="use steps = 4"):
        trains().check_encoding("spikes", 16)
    with pytest.raises(InputError, match="holds images"):
        load_dataset("digits", 0).check_encoding("spikes", 16)
    with pytest.raises(InputError, match=r"shape \(4, 5\), not \(5,\)"):
        trains(None)


@pytest.mark.slow
def test_the_recordings_beside_this_checkout() -> None:
    folder = SHARED / "data" / "fsdd"
    if not folder.is_dir():
        pytest.skip("the recordings are not beside this checkout (../shared/data/fsdd)")
    data = load_dataset("fsdd", 0, folder)
    assert (len(data.y_train), len(data.y_test)) == (2700, 300)
    assert np.bincount(data.y_test).tolist() == [30] * 10
    assert 0.11 < data.x_train.mean() < 0.13
    assert os.environ[CACHE]
