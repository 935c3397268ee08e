"""A file given as an array that is none is called what it is, with the step that leads on."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from programs import dense

from spikeport.common.errors import InputError, nearest_file
from spikeport.exporter.program.chip_file import save_program
from spikeport.lava_runtime.input_files import open_input
from spikeport.lava_runtime.inputs import load_input

PROGRAM = dense((4, 3), 0)


def _write(path: Path, kind: str) -> None:
    if kind == "torch":
        torch.save(torch.ones(3), path)
    elif kind == "chip":
        save_program(PROGRAM, path)
    elif kind in ("hdf5", "keras"):
        with h5py.File(path, "w") as file:
            file["x"] = np.ones(3)
            if kind == "keras":
                file.attrs["keras_version"] = "2"
    elif kind == "gzip":
        path.write_bytes(gzip.compress(b"x"))
    else:
        path.write_bytes(
            {
                "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
                "pickle": pickle.dumps({"a": 1}),
                "empty": b"",
                "csv": b"a,b\n1,2\n",
                "page": b"<!DOCTYPE html><html></html>",
            }[kind]
        )


SENTENCES = {
    "torch": "is a PyTorch file, not an array; save its tensor with numpy.save",
    "chip": "is a compiled .chip file, not an array; it is a model",
    "hdf5": "is an HDF5 file, not an array; save its array with numpy.save",
    "keras": "is a Keras HDF5 file, not an array; it is a model",
    "gzip": "is a packed archive, not an array; unpack it",
    "pointer": "is a Git LFS pointer, not the file itself; fetch the file with `git lfs pull`",
    "pickle": "is a Python pickle, not an array; save its tensor",
    "empty": "is empty, not an array; save it again",
    "csv": "not an array; save its numbers with numpy.save",
    "page": "is a web page, not the file itself; download the file itself",
}


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.h5"])
@pytest.mark.parametrize(("kind", "sentence"), SENTENCES.items())
def test_a_file_that_is_no_array_is_called_what_it_is(name: str, kind: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / name
    _write(path, kind)
    with pytest.raises(InputError) as caught:
        open_input(path, PROGRAM)
    assert sentence in str(caught.value) and "magic" not in str(caught.value)


def test_a_damaged_array_is_left_to_its_reader(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(99))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(InputError, match=r"is not a whole \.npy array"):
        load_input(tmp_path / "x.npy")


def test_a_name_that_differs_in_capitals_comes_first(tmp_path: Path) -> None:
    for name in ("y.npy", "x.npy", "d.nir"):
        (tmp_path / name).touch()
    assert nearest_file(tmp_path / "X.npy") == "; did you mean 'x.npy'?"
    assert nearest_file(tmp_path / "D.NIR") == "; did you mean 'd.nir'?"
