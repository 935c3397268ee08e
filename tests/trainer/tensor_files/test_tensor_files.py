"""Files of trained networks: what is written is read again, and nothing that a file tries is done."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from safetensors.torch import load, save
from tensor_cases import CONTENT, equal, refused

from spikeport.common.errors import InputError
from spikeport.trainer.tensor_files import plain_values as plain
from spikeport.trainer.tensor_files import tensor_files as files
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    write_tensors(path, "network", CONTENT)
    assert equal(read_tensors(path, "network"), CONTENT)
    assert load(path.read_bytes()).keys() == {"state/a.b", "state/n", "state/empty"}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(st.characters(codec="utf-8")) | st.integers(-9, 9), inner)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(values=st.dictionaries(st.text(st.characters(codec="utf-8")), PLAIN))
def test_any_plain_values_are_strict_json_and_come_back(values: dict[str, Any]) -> None:
    apart, tensors = plain.take_apart(values)
    assert not tensors
    assert equal(plain.put_together(plain.parse(plain.dump(apart)), {}), values)


@pytest.mark.parametrize("value", [{1, 2}, b"x", 1j, 2**64, "\ud800", {(1,): 2}, torch.ones(2, dtype=torch.complex64),
                                   torch.eye(2).to_sparse()])  # fmt: skip
def test_what_could_not_be_read_is_not_written(tmp_path: Path, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_tensors(tmp_path / "x.safetensors", "network", {"value": value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", plain.DTYPES)
def test_tensors_of_every_type_stride_and_shared_memory(tmp_path: Path, dtype: torch.dtype) -> None:
    whole = torch.arange(24).reshape(4, 6).to(dtype)
    content = {
        "t": [whole, whole, whole.T, whole[1:, ::2], whole[2], whole.expand(2, 4, 6), torch.zeros((), dtype=dtype)]
    }
    write_tensors(tmp_path / "x.safetensors", "network", content)
    assert equal(read_tensors(tmp_path / "x.safetensors", "network"), content)


def test_headers_of_every_size(tmp_path: Path) -> None:
    # 0x80 begins a pickle, too
    for length in range(256):
        content = {"text": "x" * length}
        write_tensors(tmp_path / "x.safetensors", "network", content)
        assert read_tensors(tmp_path / "x.safetensors", "network") == content


def test_names_of_tensors_that_would_be_the_same(tmp_path: Path) -> None:
    content = {"a": {"b/c": torch.ones(1)}, "a/b": {"c": torch.zeros(1)}, "__metadata__": torch.ones(2), "$tensor": "x"}
    write_tensors(tmp_path / "x.safetensors", "network", content)
    assert equal(read_tensors(tmp_path / "x.safetensors", "network"), content)


def test_the_same_content_is_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys, torch; from spikeport.trainer.tensor_files.tensor_files import write_tensors;"
        "write_tensors(sys.argv[1], 'network', {c: {c: torch.ones(3), 'n': 1} for c in 'qwertyuiop'})"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", code, tmp_path / seed], check=True, env=environment)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_file_cut_or_changed_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    write_tensors(path, "network", CONTENT)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path, "train again")
    rng = random.Random(1)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            assert equal(read_tensors(path, "network"), CONTENT)  # \u00E9 is \u00e9
        except InputError as error:
            assert "train again" in str(error) or "format version" in str(error)


def written(tmp_path: Path, header: bytes, rest: bytes = b"", size: int | None = None) -> Path:
    path = tmp_path / "network.safetensors"
    path.write_bytes((len(header) if size is None else size).to_bytes(8, "little") + header + rest)
    return path


@pytest.mark.parametrize("size", [100, 1 << 25, 1 << 40, (1 << 64) - 1])
def test_a_header_that_claims_more_than_the_file(tmp_path: Path, size: int) -> None:
    refused(written(tmp_path, b"{}", b" " * 50, size), f"claims {size} bytes")


def test_a_header_without_measure(tmp_path: Path) -> None:
    refused(written(tmp_path, b" " * (files.LARGEST_HEADER + 1)), "are allowed")
    with pytest.raises(InputError, match="would be larger"):
        write_tensors(tmp_path / "x.safetensors", "network", {"text": "x" * files.LARGEST_HEADER})
    assert not (tmp_path / "x.safetensors").exists()


def test_a_file_without_measure_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "network.pt").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(files.LARGEST_FILE + 1)
    refused(tmp_path / "network.pt", "are allowed")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "network.pt")
    refused(tmp_path / "network.pt", "pipe")


DESCRIBED = '{"kind":"network","version":2,"sha256":"","values":{}}'


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (DESCRIBED.replace("network", "checkpoint"), "not a network file"),
        (DESCRIBED.replace('"network"', "7"), "not a network file"),
        (DESCRIBED.replace("2", "7"), "version 7"),
        (DESCRIBED.replace("2", '"\x1b[31m"'), "truncated"),
        (DESCRIBED.replace("2", "[[]]"), "version unknown"),
        (DESCRIBED, "damaged"),
        (DESCRIBED.replace("{}", '{"a":1,"a":2}'), "occurs twice"),
        (DESCRIBED.replace("{}", "NaN"), "NaN"),
        (DESCRIBED.replace("{}", "1e999"), "too large"),
        (DESCRIBED.replace("{}", "9" * 9000), "64 bits"),
        (DESCRIBED.replace("{}", "[" * 100_000), "truncated"),
        ("[]", "truncated"),
        ("{", "truncated"),
    ],
)
def test_headers_that_are_wrong(tmp_path: Path, described: str, words: str) -> None:
    refused(written(tmp_path, plain.dump({"__metadata__": {"spikeport": described}}).encode()), words)


@pytest.mark.parametrize("values", ['"\\ud800"', '{"$tensor":"x"}', '{"$tuple":{}}', '{"$float":"1"}', '{"$x":1}', "[]",
                                    '{"$dict":[[1,2],[1,3]]}', '{"a":{"$tuple":[],"b":1}}', '{"$dict":[[[],1]]}',
                                    "7"])  # fmt: skip
def test_marks_that_are_wrong(tmp_path: Path, values: str) -> None:
    digest = files._digest("network", plain.parse(values), {})
    described = DESCRIBED.replace('""', f'"{digest}"').replace("{}", values)
    refused(written(tmp_path, plain.dump({"__metadata__": {"spikeport": described}}).encode()), "truncated")


def test_a_tensor_that_stands_twice_in_the_header(tmp_path: Path) -> None:
    entry = b'"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}'
    refused(written(tmp_path, b"{" + entry + b"," + entry + b"}", b"abcd"), "occurs twice")


@pytest.mark.parametrize("content", [b"", b"{}", b"hello world, this is a text", save({"x": torch.ones(3)})])
def test_files_of_others_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.safetensors"
    path.write_bytes(content)
    refused(path, "not a network file")
