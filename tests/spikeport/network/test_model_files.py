"""A file given as a model that is something else is called what it is, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from command import graph, refused, spikeport

import spikeport as sp
from spikeport.exporter.program.chip_file import save_program


def lfs_pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def keras(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15"
        file.create_group("model_weights")


def torch_file(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"weight": torch.ones(2)}, path)


def run_folder(path: Path) -> None:
    path.mkdir()
    (path / "summary.json").write_text("{}")


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("m.nir", lfs_pointer, ("m.nir: is a Git LFS pointer", "git lfs pull")),
        ("m.h5", keras, ("m.h5: is a Keras HDF5 file", "ONNX")),
        ("net.pt", torch_file, ("net.pt: is a PyTorch file", "export the module as NIR")),
        ("m.nir", torch_file, ("m.nir: is a PyTorch file", "export the module as NIR")),
        ("m.onnx", lambda p: p.write_text("<!DOCTYPE html>"), ("m.onnx: is a web page", "download")),
        ("m.npy", lambda p: np.save(p, np.ones((2, 2))), ("is a .npy array, not a model", "--input")),
        ("m.txt", lambda p: p.write_text("words"), ("m.txt: is a text file; give a .chip, .nir, .net or .onnx file",)),
        ("m.nir", lambda p: p.write_bytes(b""), ("m.nir: is empty",)),
        ("run", run_folder, ("the folder of a spikeport run", "model.nir")),
        ("m.h5", lambda p: nir.write(str(p), graph()), ("m.h5: is a NIR file, which ends in .nir",)),
        ("m.nir", lambda p: save_program(sp.compile(graph()).program, p), ("is a compiled .chip file",)),
        ("nett.pt", lambda _: None, ("nett.pt: no such file", "give the path of a")),
    ],
)
def test_it_is_named(name: str, write: Callable[[Path], object], words: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path / name)
    for command in (("check", name, "--chip", "loihi2"), ("compile", name, "--chip", "loihi2", "-o", "o.chip")):
        done = spikeport(*command, cwd=tmp_path)
        refused(done, *(word.replace(".chip, .nir", ".nir") if command[0] == "compile" else word for word in words))
        assert f"did you mean '{name}'" not in done.stderr
