"""The compressor in threads: what zlib reads, the same bytes for any number of threads and any pieces."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.common import deflate
from spikeport.common.arrays import Blocks, save_arrays
from spikeport.common.deflate import Deflate, deflating


def stream(pieces: list[bytes], threads: int) -> bytes:
    with deflating(threads) as pool:
        compressor = Deflate(pool, threads, 1)
        return b"".join([*map(compressor.compress, pieces), compressor.flush()])


@given(pieces=st.lists(st.binary(max_size=40), max_size=12), block=st.integers(1, 64))
def test_zlib_reads_it_back(pieces: list[bytes], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deflate, "BLOCK", block)
        found = stream(pieces, 3)
        reader = zlib.decompressobj(-zlib.MAX_WBITS)
        assert reader.decompress(found) == b"".join(pieces)
        assert reader.eof and not reader.unused_data
        assert found == stream([b"".join(pieces)], 1)


def test_arrays_are_the_same_file_by_any_number_of_threads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    counts, states = rng.poisson(0.3, (3000, 500)).astype(np.uint8), rng.integers(-9, 9, (40, 9000), dtype=np.int32)
    halves = Blocks(counts.shape, counts.dtype, lambda: (counts[:1000], counts[1000:]))
    for threads in (1, 3):
        save_arrays(tmp_path / f"{threads}.npz", {"counts": halves, "states": states[:, ::2]}, threads)
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "3.npz").read_bytes()
    with np.load(tmp_path / "1.npz") as read:
        np.testing.assert_array_equal(read["counts"], counts)
        np.testing.assert_array_equal(read["states"], states[:, ::2])


def test_an_error_while_writing_ends_the_threads(tmp_path: Path) -> None:
    def broken() -> list[np.ndarray]:
        raise OSError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone"):
        save_arrays(tmp_path / "x.npz", {"x": Blocks((1,), np.dtype(np.uint8), broken)}, 2)
    assert not list(tmp_path.iterdir())
