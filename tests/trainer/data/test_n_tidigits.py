"""N-TIDIGITS from an HDF5 file of its form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE, DATA

# name: seconds and channels of the events
TRAIN = {
    "man-ae-a-z": ([0.5, 0.509, 0.51, 1.499, 1.51], [0, 0, 63, 7, 9]),
    "woman-ek-b-o": ([0.2], [5]),
    "man-ae-a-1z3": ([0.1, 0.2], [1, 2]),
    "woman-ac-a-7": ([], []),
}
TEST = {"man-bm-b-9": ([0.0, 0.03], [1, 2])}


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


def write(path: Path, **changes: Any) -> Path:
    """The file; changes: recordings that hold something else, by their last digit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for part, recordings in (("train", TRAIN), ("test", TEST)):
            file[f"{part}_labels"] = [name.encode() for name in recordings]
            for name, (seconds, channels) in recordings.items():
                times, addresses = changes.get(name[-1], (np.array(seconds, np.float32), np.array(channels, np.uint8)))
                file[f"{part}_timestamps/{name}"], file[f"{part}_addresses/{name}"] = times, addresses
    return path


def test_single_digits_become_the_second_from_their_first_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "data" / "n-tidigits.hdf5")
    data = load_dataset("n_tidigits", 0, path)
    assert data.x_train.shape == (3, 100, 64) and data.steps == 100 and data.classes == 11
    assert data.y_train.tolist() == [0, 10, 7] and data.y_test.tolist() == [9]
    assert np.argwhere(data.x_train[0]).tolist() == [[0, 0], [1, 63], [99, 7]]
    assert np.argwhere(data.x_train[1]).tolist() == [[0, 5]] and not data.x_train[2].any()
    assert np.argwhere(data.x_test[0]).tolist() == [[0, 1], [3, 2]]
    assert np.argwhere(load_dataset("n_tidigits", 0, path, steps=10).x_test[0]).tolist() == [[0, 1], [0, 2]]
    monkeypatch.setenv(DATA, str(path.parent))
    np.testing.assert_array_equal(load_dataset("n_tidigits", 0).x_train, data.x_train)
    # where tonic puts it
    path.rename(write(tmp_path / "other" / "NTIDIGITS18" / "n-tidigits.hdf5"))
    np.testing.assert_array_equal(load_dataset("n_tidigits", 0, tmp_path / "other").x_train, data.x_train)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "n-tidigits.hdf5")
    whole = path.read_bytes()
    sentence = r"n-tidigits\.hdf5: is not a whole n-tidigits\.hdf5 .*fetch it again; see https://docs\.google"
    for content in (b"", whole[:100], whole[: len(whole) // 2], b"no data"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=sentence):
            load_dataset("n_tidigits", 0, path)
    with h5py.File(path, "w") as file:
        file["train_labels"] = [b"man-ae-a-z"]
    with pytest.raises(InputError, match=sentence):
        load_dataset("n_tidigits", 0, path)
    with h5py.File(path, "w") as file:
        file["train_labels"] = [b"man-ae-a-12"]
    with pytest.raises(InputError, match="train_labels names no recording of a single digit"):
        load_dataset("n_tidigits", 0, path)


@pytest.mark.parametrize(
    ("recording", "sentence"),
    [
        ((np.zeros(2), np.zeros(3, np.uint8)), r"has addresses uint8 \(3,\) and timestamps float64 \(2,\)"),
        ((np.zeros(2), np.zeros(2)), r"has addresses float64 \(2,\)"),
        ((np.zeros((2, 2)), np.zeros((2, 2), np.uint8)), r"has addresses uint8 \(2, 2\)"),
        ((np.zeros(2), np.array([0, 64], np.uint8)), "has addresses outside 0 to 63"),
        ((np.array([0, np.nan]), np.zeros(2, np.uint8)), "or times that are not numbers"),
    ],
)
def test_wrong_arrays_are_named(recording: Any, sentence: str, tmp_path: Path) -> None:
    path = write(tmp_path / "n-tidigits.hdf5", o=recording)
    with pytest.raises(InputError, match=rf"recording woman-ek-b-o {sentence}|woman-ek-b-o .*{sentence}"):
        load_dataset("n_tidigits", 0, path)


def test_what_is_absent_is_said_with_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="'n_tidigits' is downloaded; set the folder"):
        load_dataset("n_tidigits", 0)
    with pytest.raises(InputError, match=r"n-tidigits\.hdf5: does not exist"):
        load_dataset("n_tidigits", 0, tmp_path / "n-tidigits.hdf5")
    library = pytest.importorskip("tonic.datasets.ntidigits18", reason="tonic is not installed")

    def refused(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(library.requests, "get", refused)
    with pytest.raises(InputError, match=r"cannot be downloaded .no network here.*by hand.*https://docs\.google"):
        load_dataset("n_tidigits", 0, tmp_path / "empty")
