"""What save_program writes, load_program reads; no number is cut or wrapped on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import programs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.common import hdf5
from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.program.chip_program import ChipProgram, SparseConnection
from spikeport.exporter.program.validate import validate

FILLS = {
    "zeros": lambda size: np.zeros((size, size), np.int32),
    "ones": lambda size: np.full((size, size), 2, np.int32),
    "identity": lambda size: 2 * np.eye(size, dtype=np.int32),
    "rows": lambda size: np.repeat(2 * (np.arange(size, dtype=np.int32) % 60), size).reshape(size, size),
}


def one_layer(weights: NDArray[np.int32]) -> ChipProgram:
    program = programs.dense(weights.shape[::-1], 0)
    return replace(program, connections=(replace(program.connections[0], weights=weights),))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(size=800, fill="ones", compressed=False)
@example(size=2048, fill="identity", compressed=False)
@example(size=512, fill="zeros", compressed=False)
@given(size=st.integers(1, 600), fill=st.sampled_from(list(FILLS)), compressed=st.booleans())
def test_arrays_that_compress_well_come_back(
    size: int, fill: str, compressed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = one_layer(FILLS[fill](size))
    if compressed:
        matrix = csr_array(program.connections[0].weights)
        link = program.connections[0]
        sparse = SparseConnection(
            link.source, link.target, matrix.data.astype(np.int32), 0, "mixed", 8, 1,
            indices=matrix.indices.astype(np.int32), indptr=matrix.indptr.astype(np.int64),
        )  # fmt: skip
        program = replace(program, connections=(sparse,))
    path = tmp_path_factory.mktemp("chip") / "m.chip"
    save_program(program, path)
    np.testing.assert_array_equal(load_program(path).connections[0].weights, program.connections[0].weights)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(0, 4000), name=st.sampled_from(["LARGEST_BYTES", "MOST_CHUNKS", "MOST_OBJECTS"]))
def test_what_the_reader_would_refuse_is_not_written(
    limit: int, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("chip") / "m.chip"
    with monkeypatch.context() as patch:
        patch.setattr(hdf5, name, limit)
        try:
            save_program(programs.every_kind(1), path)
        except InputError as error:
            assert f"{limit:,}" in str(error) and str(path) in str(error)
            assert not path.exists()
            return
        load_program(path)


def replaced(file: h5py.File, name: str, values: NDArray[Any]) -> None:
    del file[name]
    file[name] = values


@pytest.mark.parametrize("wrapped", [1 << 32, -(1 << 32), 1 << 40, (1 << 63) - 1 - 500_000])
@pytest.mark.parametrize("name", ["connections/0000/weights", "connections/0000/axonal_delays",
                                  "connections/0000/synaptic_delays", "connections/0001/indices",
                                  "connections/0001/indptr", "populations/fc/vth"])  # fmt: skip
def test_an_integer_that_a_cast_would_wrap_is_refused(tmp_path: Path, name: str, wrapped: int) -> None:
    path = tmp_path / "m.chip"
    save_program(programs.beyond_stock(2), path)
    with h5py.File(path, "r+") as file:
        replaced(file, name, file[name][()].astype(np.int64) + wrapped)
    with pytest.raises(InputError, match=f"m.chip: /{name} holds .*32 bits"):
        load_program(path)


@pytest.mark.parametrize("value", [1.9, np.nan, np.inf, 1e300, 1 << 32, -(1 << 33), "1"])
@pytest.mark.parametrize("name", ["delay", "weight_exp", "weight_bits", "groups", "stride", "padding", "dilation",
                                  "input_shape", "output_shape"])  # fmt: skip
def test_an_attribute_that_a_cast_would_cut_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    path = tmp_path / "m.chip"
    save_program(programs.every_kind(1), path)
    with h5py.File(path, "r+") as file:
        attributes = file["connections/0000"].attrs
        size = np.size(attributes[name])
        attributes[name] = value if isinstance(value, str) else np.full(size, value) if size > 1 else value
    with pytest.raises(InputError, match=f"m.chip: /connections/0000, {name} holds"):
        load_program(path)


@pytest.mark.parametrize("place", ["/", "populations/fc", "inputs/in"])
def test_a_fractional_shape_or_version_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "m.chip"
    save_program(programs.every_kind(1), path)
    with h5py.File(path, "r+") as file:
        name = "version" if place == "/" else "shape"
        file[place].attrs[name] = np.asarray(file[place].attrs[name]) + 0.9
    with pytest.raises(InputError, match=rf"m.chip: .*{name} holds \d+\.9"):
        load_program(path)


@pytest.mark.parametrize("changes", [{"delay": 1.9}, {"weight_exp": 0.5}, {"weights": np.full((2, 3), 1.5)},
                                     {"axonal_delays": np.full(3, 0.5)}])  # fmt: skip
def test_a_program_of_fractions_is_not_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    program = programs.dense((3, 2), 0)
    broken = replace(program, connections=(replace(program.connections[0], **changes),))
    with pytest.raises(InputError, match=next(iter(changes))):
        validate(broken)
    with pytest.raises(InputError):
        save_program(broken, tmp_path / "m.chip")
