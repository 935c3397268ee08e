"""Arrays in files: .npz, .npy and HDF5, in memory and larger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, FileOptions, load_dataset
from spikeport.trainer.data.own import arrays as module
from spikeport.trainer.data.readers.stored_rows import StoredRows

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (12, 6, 5), dtype=np.uint8)
Y = np.arange(12) % 3


def load(path: Path, encoding: str = "integrate", steps: int | None = None, **options: Any) -> Dataset:
    return load_dataset("files", 0, path, steps, encoding=encoding, files=FileOptions(**options))


def save(folder: Path, form: str, **values: Any) -> Path:
    """The arrays as one .npz, one .h5, or a folder of .npy files."""
    path = folder / f"data.{form}" if form != "npy" else folder / "data"
    if form == "npz":
        np.savez(path, **values)
    elif form == "h5":
        with h5py.File(path, "w") as file:
            for name, array in values.items():
                array = np.asarray(array)
                file[name] = array.astype("S") if array.dtype.kind == "U" else array
    else:
        path.mkdir()
        for name, array in values.items():
            np.save(path / f"{name}.npy", array)
    return path


@pytest.mark.parametrize("form", ["npz", "h5", "npy"])
@pytest.mark.parametrize("large", [False, True])
def test_every_file_gives_the_same_samples(
    form: str, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(module, "MOST_IN_MEMORY", 0)
        monkeypatch.setattr(module, "_READ_ROWS_BYTES", 200)
    names = np.array(["ant", "bee", "cow"])[Y]
    path = save(tmp_path, form, x_train=BYTES, y_train=names, x_test=BYTES[:4], y_test=names[:4])
    data = load(path)
    assert isinstance(data.x_train, StoredRows) == (large and form != "npz")
    assert (data.input_shape, data.class_names, data.y_train.tolist()) == ((1, 6, 5), ("ant", "bee", "cow"), Y.tolist())
    expected = (BYTES[:, None] / 255).astype(np.float32)
    np.testing.assert_allclose(data.x_train[:], expected, atol=1e-7)
    index = np.array([7, 2, 2])
    np.testing.assert_allclose(data.x_train[index], expected[index], atol=1e-7)
    np.testing.assert_allclose(data.x_train[3], expected[3], atol=1e-7)
    rest, held_out = data.hold_out(0.25, 0)
    assert held_out is not None and len(rest.x_train) + len(held_out.x_train) == 12
    if large and form != "npz":
        monkeypatch.setattr("spikeport.trainer.data.readers.stored_rows.MOST_AT_ONCE", 100)
        with pytest.raises(InputError, match="read batch by batch; set test_limit"):
            data.check_test_fits()


def test_whole_arrays_are_split_by_the_seed_and_named_by_class_names(tmp_path: Path) -> None:
    path = save(tmp_path, "npz", x=BYTES.reshape(12, 30) / 255, y=Y.astype(float), class_names=["p", "q", "r"])
    data = load(path, test=0.25)
    assert data.input_shape == (30,) and data.class_names == ("p", "q", "r")
    assert np.bincount(data.y_test).tolist() == [1, 1, 1] and len(data.x_train) == 9
    order = [int(np.abs(BYTES.reshape(12, 30) / 255 - x).sum(axis=1).argmin()) for x in data.x_test]
    assert Y[order].tolist() == data.y_test.tolist()


def test_channels_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.random((12, 6, 5, 3))
    path = save(tmp_path, "h5", x=x, y=Y)
    data = load(path)
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 0)
    stored = load(path)
    assert data.input_shape == stored.input_shape == (3, 6, 5)
    np.testing.assert_allclose(data.x_test, stored.x_test[:], atol=1e-7)
    assert any(np.allclose(data.x_test[0], sample.transpose(2, 0, 1)) for sample in x)
    rescaled = load(path, rescale=True)
    assert rescaled.x_train[:].max() == 1


def test_spike_trains_pass_and_series_become_spikes(tmp_path: Path) -> None:
    trains = RNG.integers(0, 2, (12, 8, 5), dtype=np.uint8)
    data = load(save(tmp_path, "npz", x=trains, y=Y), "spikes", 8)
    assert (data.input_shape, data.steps, data.x_train.dtype) == ((5,), 8, np.uint8)
    with pytest.raises(InputError, match="have 8 steps; set steps = 8"):
        load(tmp_path / "data.npz", "spikes", 9)
    waves = RNG.normal(size=(12, 8, 5))
    path = save(tmp_path, "h5", x=waves, y=Y)
    with pytest.raises(InputError, match="scale them, or set rescale = true"):
        load(path, "spikes", 16)
    series = load(path, "spikes", 16, rescale=True)
    assert series.x_train.shape == (9, 16, 5) and set(np.unique(series.x_train)) == {0, 1}
    with pytest.raises(InputError, match=r"has shape \(12, 30\); spike trains and series are \(samples, time"):
        load(save(tmp_path, "npz", x=BYTES.reshape(12, 30), y=Y), "spikes", 4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": BYTES, "y": Y[:5]}, r"x has 12 samples, but y has shape \(5,\)"),
        ({"x": BYTES, "y": np.eye(3)[Y]}, r"y: has shape \(12, 3\), but each sample has one label"),
        ({"x": BYTES, "y": Y + 0.5}, r"y: label 0 is 0\.5; give whole numbers"),
        ({"x": BYTES, "y": Y, "class_names": ["a"]}, "has labels 0 to 2, but class names for 0 to 0"),
        ({"x": np.where(BYTES[7, 0, 0] == BYTES, np.nan, 0.5), "y": Y}, "holds NaN or infinity in sample"),
        ({"x": BYTES.astype(float), "y": Y}, r"x holds 0 to 255; values are 0 to 1, or bytes"),
        ({"x": BYTES.astype("S3"), "y": Y}, r"x holds \|S3; samples are numbers"),
        ({"x": BYTES[:0], "y": Y[:0]}, "at least one"),
        ({"images": BYTES, "y": Y}, "needed are x_train, y_train, x_test, y_test, or x, y"),
        ({"x": BYTES, "y": np.array([0] * 11 + [1])}, "class '1' has one sample"),
        ({"x_train": BYTES, "y_train": Y, "x_test": BYTES[:, :5], "y_test": Y}, "make them the same"),
        ({"x_train": BYTES, "y_train": Y, "x_test": BYTES / 255, "y_test": Y}, "one part holds bytes and the other"),
        ({"x_train": BYTES, "y_train": Y, "x_test": BYTES, "y_test": Y + 1}, "class '3' is in the test part only"),
    ],
)
def test_bad_arrays_are_refused_before_training(arrays: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load(save(tmp_path, "npz", **arrays))


def test_damaged_and_linked_files_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, "npz", x=BYTES, y=Y)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"data\.npz: is"):
        load(path)
    np.savez(path, x=np.array([{}]), y=Y)
    with pytest.raises(InputError, match="Python objects"):
        load(path)
    with h5py.File(tmp_path / "l.h5", "w") as file:
        file["x"] = h5py.ExternalLink(str(path), "x")
        file["y"] = Y
    with pytest.raises(InputError, match="x is not an array of this file"):
        load(tmp_path / "l.h5")
    with h5py.File(tmp_path / "h.h5", "w") as file:
        file.create_dataset("x", (1 << 30, 64), "f4", chunks=(1, 64))
        file["y"] = Y
    with pytest.raises(InputError, match=r"h\.h5: x has shape \(1073741824, 64\), but"):
        load(tmp_path / "h.h5")
    np.save(tmp_path / "one.npy", BYTES)
    with pytest.raises(InputError, match="is one array; give the folder"):
        load(tmp_path / "one.npy")


@pytest.mark.parametrize("form", ["npz", "h5", "npy"])
@pytest.mark.parametrize("kind", ["?", "i1", "u1", ">i2", "u4", ">u8", "f2", ">f4", "f8"])
def test_the_type_of_whole_numbers_does_not_matter(form: str, kind: str, tmp_path: Path) -> None:
    binary = BYTES % 2
    for encoding in ("integrate", "spikes"):
        (tmp_path / encoding).mkdir()
        wanted = load(save(tmp_path / encoding, "npz", x=binary.astype(np.int64), y=Y), encoding)
        (tmp_path / f"{encoding}-typed").mkdir()
        data = load(save(tmp_path / f"{encoding}-typed", form, x=binary.astype(kind), y=Y.astype(">u2")), encoding)
        np.testing.assert_array_equal(data.x_train[:], wanted.x_train[:])
        np.testing.assert_array_equal(data.y_test, wanted.y_test)


@pytest.mark.parametrize("kind", ["c8", "S1", "M8[s]", "V3", "i4,i4"])
def test_samples_of_a_type_that_is_no_number(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.npz"):
        load(save(tmp_path, "npz", x=np.zeros((6, 2, 3), kind), y=Y[:6]))
