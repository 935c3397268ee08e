"""What a file holds is recognised by its content, whatever its name."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import onnx
import pytest
import torch
from command import graph
from net_files import dense as net_layer
from net_files import write_net
from PIL import Image
from programs import dense
from safetensors.numpy import save_file
from scipy.io import savemat, wavfile

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import FileKind, describe, file_kind
from spikeport.exporter.program.chip_file import save_program

EVENTS = np.array([(1, 2, 1, 5), (3, 4, 0, 9)], [("x", "u2"), ("y", "u2"), ("p", "u1"), ("t", "i8")])


def _hdf5(**arrays: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values

    return write


def _keras(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15"
        file["model_weights/dense/kernel"] = np.ones(3)


def _onnx(path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", 1, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    out = onnx.helper.make_tensor_value_info("y", 1, [1])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [out])), str(path))


def _zip(*names: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "")

    return write


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _image(format_: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (9, 7)).save(stream, format_)
    return stream.getvalue()


def _numpy(write: Callable[..., None], *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    stream = io.BytesIO()
    write(stream, *arrays, **named)
    return stream.getvalue()


NIR_DATA = nir.NIRGraphData({"in": nir.NIRNodeData({"s": nir.TimeGriddedData(np.zeros((1, 4, 3), bool), 1e-3)})})
MADE: list[tuple[FileKind, Callable[[Path], object]]] = [
    (FileKind.TORCH, lambda path: torch.save({"w": torch.ones(3)}, path)),
    (FileKind.TORCH, lambda path: torch.save(torch.ones(3), path, _use_new_zipfile_serialization=False)),
    (FileKind.TORCH_SCRIPT, _zip("m/data.pkl", "m/constants.pkl", "m/code/x.py")),
    (FileKind.TORCH_EXPORT, _zip("m/models/model.json", "m/archive_format")),
    (FileKind.SAFETENSORS, lambda path: save_file({"w": np.ones(3)}, path)),
    (FileKind.KERAS_HDF5, _keras),
    (FileKind.KERAS, _zip("config.json", "metadata.json", "model.weights.h5")),
    (FileKind.NIR, lambda path: nir.write(str(path), graph())),
    (FileKind.NIR_DATA, lambda path: nir.write_data(str(path), NIR_DATA)),
    (FileKind.CHIP, lambda path: save_program(dense((6, 4), 1), path)),
    (FileKind.NET, lambda path: write_net(path, [net_layer(np.ones((4, 6)))])),
    (FileKind.ONNX, _onnx),
    (FileKind.TFLITE, _bytes(b"\x1c\x00\x00\x00TFL3" + bytes(8))),
    (FileKind.NPY, _bytes(_numpy(np.save, np.ones(3)))),
    (FileKind.NPZ, _bytes(_numpy(np.savez, x_train=np.ones(3), y_train=np.ones(3)))),
    (FileKind.NPZ, _bytes(_numpy(np.savez, x=np.ones(3), y=np.ones(3)))),
    (FileKind.EVENTS_NPY, _bytes(_numpy(np.save, EVENTS))),
    (FileKind.EVENTS_NPZ, _bytes(_numpy(np.savez, events=EVENTS))),
    (FileKind.EVENTS_NPZ, _bytes(_numpy(np.savez, **{name: EVENTS[name] for name in "xypt"}))),
    (FileKind.EVENTS_HDF5, _hdf5(events=EVENTS)),
    (FileKind.EVENTS_HDF5, _hdf5(**{f"events/{name}": EVENTS[name] for name in "xypt"})),
    (FileKind.HDF5, _hdf5(x=np.ones(3), y=np.ones(3))),
    (
        FileKind.MATLAB,
        _bytes(_numpy(savemat, {"x": 1})),
    ),
    (FileKind.AEDAT2, _bytes(b"#!AER-DAT2.0\r\n" + bytes(8))),
    (FileKind.AEDAT4, _bytes(b"#!AER-DAT4.0\r\n" + bytes(8))),
    (FileKind.EVT3, _bytes(b"% date 2020\n% evt 3.0\n% geometry 640x480\n" + bytes(8))),
    (FileKind.EVT2, _bytes(b"% camera x\n% format EVT2;height=480;width=640\n% end\n" + bytes(8))),
    (FileKind.EVT21, _bytes(b"% format EVT21;height=480;width=640\n% end\n" + bytes(8))),
    (
        FileKind.PROPHESEE_DAT,
        _bytes(b"% Data file containing CD events.\n% Version 2\n\x0c\x08" + bytes(8)),
    ),
    (FileKind.NMNIST, _bytes(bytes([3, 8, 128, 0, 9, 12, 30, 0, 1, 0]))),
    (FileKind.WAV, lambda path: wavfile.write(path, 8000, np.zeros(9, np.int16))),
    (FileKind.FLAC, _bytes(b"fLaC" + bytes(9))),
    *((FileKind.IMAGE, _bytes(_image(name))) for name in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP")),
    (FileKind.LFS_POINTER, _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")),
    (FileKind.HTML, _bytes(b"\n<!DOCTYPE html><html>not found</html>")),
    (FileKind.JSON, _bytes(json.dumps({"a": 1}).encode())),
    (FileKind.TEXT, _bytes("Grüße,\n1,2\n".encode() * 1000)),
    (FileKind.PICKLE, _bytes(pickle.dumps({"a": 1}))),
    (FileKind.ARCHIVE, _bytes(b"\x1f\x8b\x08" + bytes(9))),
    (FileKind.ZIP, _zip("a.txt")),
    (FileKind.KERAS, _zip("metadata.json", "config.json")),
    (FileKind.EMPTY, _bytes(b"")),
    (FileKind.UNKNOWN, _bytes(b"\x00\x01\x02\xff" * 9)),
]


@pytest.mark.parametrize(("kind", "write"), MADE, ids=[f"{kind.name}-{n}" for n, (kind, _) in enumerate(MADE)])
def test_a_file_is_recognised_whatever_its_name(
    kind: FileKind, write: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "file.dat"
    write(path)
    assert file_kind(path) is kind
    assert describe(path) == f"{path} is {kind.value}"


@pytest.mark.parametrize(("ending", "kind"), [("csv", FileKind.CSV), ("tsv", FileKind.CSV), ("toml", FileKind.TOML)])
def test_text_is_recognised_by_its_ending(ending: str, kind: FileKind, tmp_path: Path) -> None:
    path = tmp_path / f"file.{ending}"
    path.write_text("a,b\n1,2\n")
    assert file_kind(path) is kind


@pytest.mark.parametrize("written", [written for _, written in MADE], ids=map(str, range(len(MADE))))
def test_a_truncated_file_is_still_some_kind(written: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "file.dat"
    written(path)
    whole = path.read_bytes()
    for size in {1, 2, 3, 12, len(whole) // 2}:
        path.write_bytes(whole[:size])
        assert isinstance(file_kind(path), FileKind)


def test_folders_are_recognised_by_their_files(tmp_path: Path) -> None:
    def folder(name: str, file: str, content: bytes) -> Path:
        (tmp_path / name / "cats").mkdir(parents=True)
        (tmp_path / name / "notes.txt").write_text("ours")
        (tmp_path / name / "cats" / file).write_bytes(content)
        return tmp_path / name

    assert file_kind(folder("images", "1.png", _image("PNG"))) is FileKind.IMAGE_FOLDER
    assert file_kind(folder("events", "1.bin", bytes([3, 8, 128, 0, 9]))) is FileKind.EVENT_FOLDER
    assert file_kind(folder("sounds", "1.flac", b"fLaC")) is FileKind.SOUND_FOLDER
    assert file_kind(folder("others", "1.x", b"abc")) is FileKind.FOLDER
    (tmp_path / "others" / "summary.json").write_text("{}")
    assert file_kind(tmp_path / "others") is FileKind.RUN_FOLDER


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "network.nir").touch()
    with pytest.raises(InputError, match=r"no such file; did you mean 'network\.nir'"):
        file_kind(tmp_path / "netwrk.nir")


def test_links_in_an_hdf5_file_are_not_followed(tmp_path: Path) -> None:
    _hdf5(**{name: EVENTS[name] for name in "xypt"})(tmp_path / "events.h5")
    path = tmp_path / "links.h5"
    with h5py.File(path, "w") as file:
        file["events"] = h5py.ExternalLink("events.h5", "/")
    assert file_kind(path) is FileKind.HDF5
