"""Limits of HDF5 files: absolute, checked before any array is read, and the same for what was just written."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.common.hdf5 import check_self_contained, check_written
from spikeport.common.limits import LARGEST_BYTES, LARGEST_TEXT_BYTES, MOST_CHUNKS, MOST_OBJECTS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["small"] = np.ones(3)
    return tmp_path / "x.h5"


def check(path: Path) -> None:
    with h5py.File(path) as file:
        check_self_contained(file, str(path))
    check_written(BytesIO(path.read_bytes()), str(path))


def refused(path: Path, *words: str) -> None:
    with h5py.File(path) as file, pytest.raises(InputError) as read:
        check_self_contained(file, str(path))
    with pytest.raises(InputError) as written:
        check_written(BytesIO(path.read_bytes()), str(path))
    assert str(read.value) == str(written.value)
    assert all(word in str(read.value) for word in (str(path), *words))


def test_zeros_of_any_size_below_the_limit_are_read(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.create_dataset("zeros", data=np.zeros((2048, 2048), np.float32), compression="gzip", shuffle=True)
        file.create_dataset("packed", data=np.zeros((1500, 1500)), chunks=(1500, 1500), compression=9)
    check(path)


@pytest.mark.parametrize("shape", [(MOST_CHUNKS,), (512, 512)])
def test_chunks_are_counted_over_the_whole_file(path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "a") as file:
        file.create_dataset("chunked", shape, "i1", chunks=(1,) * len(shape))
    check(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("more", (1,), "i1", chunks=(1,))
    refused(path, "more", "chunks", f"{MOST_CHUNKS:,}")


@pytest.mark.parametrize("layout", [{}, {"chunks": (1 << 14,)}, {"chunks": (1 << 20,), "compression": "gzip"}])
def test_a_large_array_that_was_never_written(path: Path, layout: dict[str, object]) -> None:
    with h5py.File(path, "a") as file:
        promised = file.create_dataset("promised", (1 << 21,), "f4", **layout)
        if layout:
            promised[:100] = 1
    refused(path, "promised", "not written as a whole")


def test_all_arrays_together_are_limited(path: Path) -> None:
    half = LARGEST_BYTES // 16
    with h5py.File(path, "a") as file:
        for name in ("first", "second"):
            file.create_dataset(name, (half,), "f8")
    refused(path, "first", "not written")
    with h5py.File(path, "a") as file:
        file.create_dataset("a", (2 * half + 1,), "i1", chunks=(1 << 16,))
    refused(path, "a (", "bytes in its arrays", f"{LARGEST_BYTES:,}")


def test_one_text_that_stands_in_many_places(path: Path) -> None:
    long = "x" * (1 << 20)
    count = LARGEST_TEXT_BYTES >> 20
    with h5py.File(path, "a") as file:
        file["long"] = long
        file.create_dataset("texts", (count - 1,), h5py.string_dtype())
    check(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("texts_again", (2,), h5py.string_dtype())
    refused(path, "texts_again", "bytes of text")


def test_texts_in_attributes_count(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["long"] = "x" * (1 << 20)
        file["small"].attrs["texts"] = np.full(LARGEST_TEXT_BYTES // (1 << 20) + 1, "a", object)
    refused(path, "attribute texts", "bytes of text")


def test_objects_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeport.common.hdf5.MOST_OBJECTS", 9)
    with h5py.File(path, "a") as file:
        for number in range(4):
            file[f"array{number}"] = 1
            file[f"array{number}"].attrs["unit"] = "s"
    check(path)
    with h5py.File(path, "a") as file:
        file["zero_more"] = 1
    refused(path, "zero_more", "10", "groups")
    assert MOST_OBJECTS > 1 << 16
