"""Data sets of torchvision and tonic, on small files of their formats."""

from __future__ import annotations

import gzip
import pickle
import struct
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE, DATA
from spikeport.trainer.data.sets.events import to_spikes

EVENTS = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


@pytest.fixture
def vision(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    datasets = pytest.importorskip("torchvision.datasets", reason="torchvision is not installed")
    forbid_downloads(monkeypatch, datasets.mnist, datasets.cifar, datasets.imagenette)
    monkeypatch.setattr(datasets.svhn, "download_url", refused)
    return datasets


@pytest.fixture
def tonic(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    datasets = pytest.importorskip("tonic.datasets", reason="tonic is not installed")
    forbid_downloads(monkeypatch, sys.modules["tonic.dataset"])
    return datasets


def refused(*_: object, **__: object) -> None:
    raise OSError("no network here")


def forbid_downloads(monkeypatch: pytest.MonkeyPatch, *modules: object) -> None:
    for module in modules:
        monkeypatch.setattr(module, "download_and_extract_archive", refused)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())
    with gzip.open(f"{path}.gz", "wb") as packed:
        packed.write(header + array.tobytes())


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_is_read_by_torchvision(vision, tmp_path: Path, name: str, kind: str) -> None:  # type: ignore[no-untyped-def]
    images, raw = generator().integers(0, 256, (5, 28, 28), dtype=np.uint8), tmp_path / kind / "raw"
    for part in ("train", "t10k"):
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(5, dtype=np.uint8))
    data = load_dataset(name, 0, tmp_path)
    assert data.x_train.shape == (5, 1, 28, 28) and data.y_test.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(np.rint(data.x_test[:, 0] * 255), images)
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(InputError, match=f"'{name}' cannot be downloaded or read"):
        load_dataset(name, 0, tmp_path)


def test_house_numbers_are_read_by_torchvision(  # type: ignore[no-untyped-def]
    vision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.io import savemat

    # the sums are those of the real files
    monkeypatch.setattr(vision.SVHN, "_check_integrity", lambda self: True)
    monkeypatch.setattr(vision.SVHN, "download", lambda self: None)
    pixels = generator().integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    for split in ("train", "test"):
        # 10 stands for the digit 0 there
        savemat(tmp_path / f"{split}_32x32.mat", {"X": pixels, "y": np.array([[10], [1], [9], [2]], np.uint8)})
    data = load_dataset("svhn", 0, tmp_path)
    assert data.x_train.shape == (4, 3, 32, 32) and data.y_test.tolist() == [0, 1, 9, 2]
    np.testing.assert_array_equal(np.rint(data.x_test * 255), pixels.transpose(3, 2, 0, 1))
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut short")
    with pytest.raises(InputError, match="'svhn' cannot be downloaded or read"):
        load_dataset("svhn", 0, tmp_path)


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_cifar_is_read_by_torchvision(  # type: ignore[no-untyped-def]
    vision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, classes: int
) -> None:
    kind = getattr(vision, name.upper())
    # the sums are those of the real files
    monkeypatch.setattr(kind, "_check_integrity", lambda self: True)
    monkeypatch.setattr(kind, "_load_meta", lambda self: None)
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    pixels = generator().integers(0, 256, (4, 3072), dtype=np.uint8)
    for file, _ in kind.train_list + kind.test_list:
        key = "labels" if classes == 10 else "fine_labels"
        (folder / file).write_bytes(pickle.dumps({"data": pixels, key: [0, 1, 2, classes - 1]}))
    data = load_dataset(name, 0, tmp_path)
    assert data.classes == classes and data.x_test.shape == (4, 3, 32, 32)
    assert len(data.y_train) == 4 * len(kind.train_list)
    np.testing.assert_array_equal(np.rint(data.x_test * 255).reshape(4, -1), pixels)


def test_imagenette_is_cut_to_its_middle_square_and_kept(vision, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from PIL import Image

    for split in ("train", "val"):
        for label, wnid in enumerate(sorted(vision.Imagenette._WNID_TO_CLASS)):
            folder = tmp_path / "imagenette2-160" / split / wnid
            folder.mkdir(parents=True)
            pixels = np.zeros((160, 200, 3), np.uint8)
            pixels[:, 20:180] = 25 * label
            Image.fromarray(pixels).save(folder / "a.JPEG", quality=95)
    data = load_dataset("imagenette", 0, tmp_path)
    assert data.x_train.shape == (10, 3, 64, 64) and data.y_test.tolist() == list(range(10))
    np.testing.assert_allclose(data.x_train[4, :, 8:-8, 8:-8], 100 / 255, atol=0.02)
    assert isinstance(data.x_train, np.memmap)
    np.testing.assert_array_equal(load_dataset("imagenette", 0, tmp_path).x_test, data.x_test)


def write_nmnist(folder: Path, label: int, events: np.ndarray, name: str) -> None:
    t, p = events["t"], events["p"]
    raw = np.stack([events["x"], events["y"], p << 7 | t >> 16, t >> 8 & 255, t & 255], axis=1).astype(np.uint8)
    (folder / str(label)).mkdir(parents=True, exist_ok=True)
    (folder / str(label) / name).write_bytes(raw.tobytes())


def made_events(count: int, side: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    events = np.zeros(count, EVENTS)
    events["x"], events["y"] = draw.integers(0, side, count), draw.integers(0, side, count)
    events["p"], events["t"] = draw.integers(0, 2, count), np.sort(draw.integers(0, 310_000, count))
    return events


def test_nmnist_events_become_spikes_of_10_ms(  # type: ignore[no-untyped-def]
    tonic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tonic.NMNIST, "_check_exists", lambda self: True)
    events = made_events(200, 34, 1)
    for part in ("Train", "Test"):
        for label in (3, 7):
            write_nmnist(tmp_path / "NMNIST" / part, label, events, "00001.bin")
    data = load_dataset("nmnist", 0, tmp_path)
    assert data.x_train.shape == (2, 30, 2, 34, 34) and data.steps == 30 and data.y_test.tolist() == [3, 7]
    wanted = {(e["t"] // 10_000, e["p"], e["y"], e["x"]) for e in events if e["t"] < 300_000}
    assert set(zip(*np.nonzero(data.x_test[0]), strict=True)) == wanted
    assert load_dataset("nmnist", 0, tmp_path, steps=10).x_train.shape == (2, 10, 2, 34, 34)
    # other files, other spikes
    write_nmnist(tmp_path / "NMNIST" / "Test", 3, made_events(50, 34, 2), "00001.bin")
    assert load_dataset("nmnist", 0, tmp_path).x_test[0].sum() < data.x_test[0].sum()


def test_gestures_are_cut_evenly(tonic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(tonic.DVSGesture, "_check_exists", lambda self: True)
    events = np.zeros((320, 4), np.float64)
    events[:, 0], events[:, 1], events[:, 3] = np.arange(320) % 128, 5, 4000 + np.arange(320)
    for part in ("Train", "Test"):
        folder = tmp_path / "DVSGesture" / f"ibmGesture{part}" / "user01_led"
        folder.mkdir(parents=True)
        for label in (10, 0):
            np.save(folder / f"{label}.npy", events)
    data = load_dataset("dvs_gesture", 0, tmp_path)
    assert data.x_train.shape == (2, 16, 2, 128, 128) and data.y_train.tolist() == [0, 10]
    assert data.x_train[0].sum((1, 2, 3)).tolist() == [20] * 16


@pytest.mark.parametrize(
    ("name", "files"), [("shd", ("shd_train.h5", "shd_test.h5")), ("ssc", ("ssc_train.h5", "ssc_test.h5"))]
)
def test_heidelberg_digits_and_commands(  # type: ignore[no-untyped-def]
    tonic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: tuple[str, str]
) -> None:
    kind = getattr(tonic, name.upper())
    monkeypatch.setattr(kind, "_check_exists", lambda self: True)
    (tmp_path / name.upper()).mkdir()
    times = [np.array([0.0, 0.5, 0.999]), np.array([0.1]), np.array([])]
    units = [np.array([0, 699, 3]), np.array([5]), np.array([], int)]
    for file in files:
        with h5py.File(tmp_path / name.upper() / file, "w") as content:
            floats, ints = h5py.vlen_dtype(np.float32), h5py.vlen_dtype(np.int64)
            content["labels"] = np.array([2, 0, 19])
            content["extra/keys"], content["extra/speaker"] = np.array([b"a"]), np.arange(3)
            for key, values, dtype in (("spikes/times", times, floats), ("spikes/units", units, ints)):
                stored = content.create_dataset(key, (3,), dtype=dtype)
                for n, value in enumerate(values):
                    stored[n] = value
    data = load_dataset(name, 0, tmp_path, steps=70)
    assert data.x_train.shape == (3, 70, 700) and data.y_test.tolist() == [2, 0, 19]
    step = {"shd": (25, 49), "ssc": (35, 69)}[name]
    assert list(zip(*(a.tolist() for a in np.nonzero(data.x_train[0])), strict=True)) == [
        (0, 0),
        (step[0], 699),
        (step[1], 3),
    ]
    assert not data.x_train[2].any()


def test_events_outside_the_time_are_left_out_and_none_are_no_spikes() -> None:
    assert not to_spikes(np.zeros(0, EVENTS), 4, None, (2, 3, 3)).any()
    events = np.zeros(3, EVENTS)
    events["t"] = [0, 99, 100]
    assert to_spikes(events, 2, 1e-4, (2, 3, 3)).sum((1, 2, 3)).tolist() == [1, 1]


def test_what_cannot_be_had_is_said_in_one_sentence(  # type: ignore[no-untyped-def]
    vision, tonic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mnist", "cifar10", "imagenette", "nmnist", "shd"):
        with pytest.raises(InputError, match=f"'{name}' is downloaded; set the folder.*SPIKEPORT_DATA"):
            load_dataset(name, 0)
    for name in ("cifar10", "svhn", "imagenette", "nmnist", "shd"):
        with pytest.raises(InputError, match=f"'{name}' cannot be downloaded or read .no network here"):
            load_dataset(name, 0, tmp_path)
    for library, name in (("torchvision", "mnist"), ("tonic", "shd")):
        monkeypatch.setitem(sys.modules, f"{library}.datasets", None)
        with pytest.raises(InputError, match=rf"{library}, which is not installed.*spikeport\[data\]"):
            load_dataset(name, 0, tmp_path)
