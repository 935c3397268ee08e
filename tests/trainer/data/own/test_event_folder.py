"""Folders of event recordings by class, in every format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from own_data import events, nmnist_bytes, write_events

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, FileOptions, load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE
from spikeport.trainer.data.readers.event_files import FIELDS, read_events


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))


def load(folder: Path, steps: int = 4, **options: Any) -> Dataset:
    return load_dataset("files", 0, folder, steps, encoding="spikes", files=FileOptions(**options))


def same(path: Path, made: np.ndarray) -> None:
    read = read_events(path).events
    for name in "xypt":
        np.testing.assert_array_equal(read[name], made[name], err_msg=name)


def test_nmnist_recordings_are_read_as_tonic_reads_them(tmp_path: Path) -> None:
    read_mnist_file = pytest.importorskip("tonic.io").read_mnist_file
    path = tmp_path / "0.bin"
    made = events(60, 34)
    raw = np.frombuffer(nmnist_bytes(made), np.uint8).reshape(-1, 5).copy()
    raw[20, 1] = 240  # the time overflows
    path.write_bytes(raw.tobytes())
    reference = read_mnist_file(str(path), np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
    same(path, reference)
    assert read_events(path).sensor == (34, 34)


@pytest.mark.parametrize("form", ["npy", "npz table", "npz arrays", "h5 table", "h5 group", "h5 arrays"])
def test_structured_events_are_read_from_any_file_of_arrays(form: str, tmp_path: Path) -> None:
    made = events()
    fields = {name: made[name] for name in "xypt"}
    path = tmp_path / f"recording.{form.split()[0]}"
    if form == "npy":
        np.save(path, made)
    elif form == "npz table":
        np.savez(path, events=made)
    elif form == "npz arrays":
        np.savez(path, **fields)
    else:
        with h5py.File(path, "w") as file:
            place = {"h5 group": "events/", "h5 arrays": ""}.get(form)
            if place is None:
                file["events"] = made
            else:
                for name, values in fields.items():
                    file[place + name] = values
    same(path, made)


@pytest.mark.parametrize("encoding", ["dat", "evt2", "evt3"])
def test_prophesee_recordings_are_read_by_expelliarmus(encoding: str, tmp_path: Path) -> None:
    wizard = pytest.importorskip("expelliarmus").Wizard(encoding=encoding)
    made = np.zeros(40, [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "u1")])
    for name in "xypt":
        made[name] = events()[name]
    path = tmp_path / ("recording.dat" if encoding == "dat" else "recording.raw")
    wizard.save(fpath=path, arr=made)
    same(path, made)
    whole = path.read_bytes()
    if encoding != "dat":
        # an event of a type that does not exist
        path.write_bytes(whole[:-40] + b"\xdd" * 40)
        with pytest.raises(InputError, match="is damaged"):
            read_events(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="ends within an event"):
        read_events(path)


def test_recordings_are_cut_evenly_or_by_a_window(tmp_path: Path) -> None:
    folder = write_events(tmp_path / "moves")
    data = load(folder)
    assert (data.input_shape, data.steps, data.class_names) == ((2, 34, 34), 4, ("left", "right"))
    first = events(seed=0)
    spikes = np.zeros((4, 2, 34, 34), np.uint8)
    step = (first["t"] - first["t"].min()) * 4 // (np.ptp(first["t"]) + 1)
    spikes[step, first["p"], first["y"], first["x"]] = 1
    assert any(np.array_equal(sample, spikes) for sample in (*data.x_train, *data.x_test))
    windowed = load(folder, steps=2, window=1e-3)
    # N-MNIST's time begins with the recording: the first millisecond is empty
    assert not windowed.x_train[:, 0].any() and windowed.x_train[:, 1].any()


def test_sensors_are_scaled_and_polarities_merged(tmp_path: Path) -> None:
    folder = write_events(tmp_path)
    data, full = load(folder, size=(17, 17), polarity="merged"), load(folder)
    assert data.input_shape == (1, 17, 17)
    pooled = full.x_train.max(axis=2).reshape(-1, 4, 17, 2, 17, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(data.x_train[:, :, 0], pooled)


def test_a_sensor_with_one_axis_has_channels(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "ears" / name).mkdir(parents=True)
        for n in range(2):
            np.savez(tmp_path / "ears" / name / f"{n}.npz", x=np.array([0, 3]), t=np.array([0.0, 0.5]), p=np.ones(2))
    data = load(tmp_path / "ears", sensor=(4,), time_unit=1.0, window=0.25)
    assert data.input_shape == (4,) and np.argwhere(data.x_train[0]).tolist() == [[0, 0], [2, 3]]


def test_bad_recordings_are_refused_before_training(tmp_path: Path) -> None:
    folder = write_events(tmp_path / "moves")
    odd = folder / "right" / "odd.npy"
    np.save(odd, events(side=60))
    with pytest.raises(InputError, match=r"odd\.npy: has an event at [xy] = \d+, outside a sensor of 34 x 34 pixels"):
        load(folder)
    with pytest.raises(InputError, match=r"0\.bin: is of a sensor of 34 x 34 pixels, but \[files\] states 60 x 60"):
        load(folder, sensor=(60, 60))
    np.save(odd, events()[:0])
    with pytest.raises(InputError, match=r"odd\.npy: has no events"):
        load(folder)
    bad = events().astype([("x", "f4"), ("y", "u2"), ("p", "u1"), ("t", "i8")])
    bad["x"][3] = np.nan
    np.save(odd, bad)
    with pytest.raises(InputError, match=r"odd\.npy: field 'x' holds float32 with values that are not finite"):
        load(folder)
    np.save(odd, np.ones((4, 4)))
    with pytest.raises(InputError, match=r"odd\.npy: is a \.npy array among event recordings"):
        load(folder)
    odd.unlink()
    (folder / "left" / "0.bin").write_bytes((folder / "left" / "0.bin").read_bytes()[:-2])
    with pytest.raises(InputError, match=r"0\.bin: has 198 bytes, but an N-MNIST event has 5"):
        load(folder)


def test_a_sensor_that_no_file_states_must_be_given(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "x" / name).mkdir(parents=True)
        for n in range(2):
            np.save(tmp_path / "x" / name / f"{n}.npy", events(seed=n))
    with pytest.raises(InputError, match=r"does not state the size of its sensor; set sensor"):
        load(tmp_path / "x")
    assert load(tmp_path / "x", sensor=(10, 10)).input_shape == (2, 10, 10)


def test_missing_fields_and_unreadable_formats_say_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(2), p=np.ones(2), t=np.ones(3))
    with pytest.raises(InputError, match="each event has one x, y, p and t"):
        read_events(tmp_path / "a.npz")
    (tmp_path / "b.aedat").write_bytes(b"#!AER-DAT3.1\r\n" + bytes(40))
    with pytest.raises(InputError, match="is an AEDAT 3 recording; recordings that are read are"):
        read_events(tmp_path / "b.aedat")
    assert FIELDS.names == ("t", "x", "y", "p")


def test_aedat4_is_read_by_aedat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """files/dv.aedat4: 40 events on 12 x 10 pixels, written by iniVation's dv-processing 2.0.4 (MonoCameraWriter)."""
    path = Path(__file__).parent / "files" / "dv.aedat4"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "aedat", None)
        with pytest.raises(
            InputError, match=r'is read by aedat, which is not installed.*pip install "spikeport\[data\]"'
        ):
            read_events(path)
    pytest.importorskip("aedat")
    made = events()
    made["t"] += 1_600_000_000_000_000
    same(path, made)
    recording = read_events(path)
    assert recording.sensor == (10, 12) and recording.start == made["t"].min()
    (tmp_path / "cut.aedat4").write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"is not a whole AEDAT 4\.0 file"):
        read_events(tmp_path / "cut.aedat4")


def test_aedat2_of_a_dvs128_is_read(tmp_path: Path) -> None:
    address, time = np.array([[5 << 8 | 3 << 1 | 1, 10], [0, 20]], ">u4").T
    (tmp_path / "a.aedat").write_bytes(b"#!AER-DAT2.0\r\n" + np.stack([address, time], axis=1).astype(">u4").tobytes())
    recording = read_events(tmp_path / "a.aedat")
    assert recording.sensor == (128, 128) and recording.events["t"].tolist() == [10, 20]
    assert recording.events["x"].tolist() == [122, 127] and recording.events["p"].tolist() == [0, 1]
