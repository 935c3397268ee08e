"""What is fuzzed: each reader with what follows it, and the real files that are mutated."""

from __future__ import annotations

import json
import math
import pickle
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import nir
import numpy as np
import onnx
import onnx.external_data_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support/networks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support/referees"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support/runs"))

from command import graph
from fuzz import mutate as m
from fuzz import tensor_files
from fuzz.mutate_arrays import typed_npy, typed_npz
from fuzz.mutate_onnx import mutate_onnx
from fuzz.mutate_text import mutate_json, mutate_toml
from net_files import dense as net_dense
from net_files import write_net
from onnx_float import relu_answers
from onnx_models import Model
from places import ROOT
from programs import beyond_stock, dense, every_kind, spikes
from report_runs import make_summary

from spikeport.common.errors import InputError
from spikeport.exporter.mapping.build_mapping import map_program
from spikeport.exporter.mapping.file import read_map, write_map
from spikeport.exporter.onnx.calibration_statistics import answers
from spikeport.exporter.onnx.convert import convert_onnx
from spikeport.exporter.onnx.relu_network import open_network as open_relu_network
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.hardware_profiles.loader import load_chip, load_profile
from spikeport.lava_runtime.input_files import open_input
from spikeport.lava_runtime.inputs import as_dict, steps_and_samples
from spikeport.lava_runtime.simulate import simulate
from spikeport.network.network import compile_network, open_network
from spikeport.run.recipe import load_recipe
from spikeport.summary.file import read_summary

CONFORMANCE = ROOT.parent / "shared" / "conformance"
# a run of what was read is as long as this, whatever a file holds
_LONGEST = 6

Mutation = Callable[[bytes, list[bytes], random.Random], bytes]


@dataclass(frozen=True)
class Reader:
    """read: path -> None, or InputError; seeds: real files; mutations: one is drawn for each case."""

    name: str
    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    mutations: tuple[Mutation, ...]

    def case(self, number: int) -> bytes:
        """The file of a case: the same number gives the same bytes."""
        rng = random.Random(f"{self.name} {number}")
        seeds = self.seeds()
        seed = rng.choice(seeds)
        try:
            return rng.choice(self.mutations)(seed, seeds, rng)
        except (ValueError, KeyError, OSError, RuntimeError, TypeError, MemoryError):
            # HDF5 or ONNX itself would not write that
            return m.mutate(seed, seeds, rng)


def _run(path: Path, chip: str | None = None) -> object:
    """Compile, lay on cores and run a few steps without input."""
    network = open_network(path, chip) if chip is None else compile_network(path, chip)
    network.check("loihi2")
    program = network.program
    if sum(node.size for node in program.nodes) > 1 << 16:
        return None
    x = {port.name: np.ones((2, 1, *port.shape), np.uint8) for port in program.inputs}
    return simulate(program, x, steps=_LONGEST, record="all", threads=1)


def _nir(path: Path) -> object:
    return _run(path, "loihi2")


@lru_cache(maxsize=1)
def _small() -> Any:
    return dense((6, 4), 1)


def _input(path: Path) -> object:
    values: InputArrays = open_input(path, _small())
    steps = min(_LONGEST, max(1, steps_and_samples(values)[0]))
    result = simulate(_small(), values, steps=steps, threads=1)
    whole = {name: np.asarray(array).astype(np.int64) for name, array in as_dict(values).items()}
    again = simulate(_small(), whole.get("", whole), steps=steps, threads=1)
    assert np.array_equal(result.output, again.output), "another answer than for the same integers"
    return result


def _toml(path: Path) -> object:
    if b"[network" in path.read_bytes():
        return load_recipe(path)
    return load_profile(path)


def _json(path: Path) -> object:
    if b'"layers"' in path.read_bytes()[:20]:
        return read_map(path, _small(), load_chip("loihi2"))
    return read_summary(path)


@lru_cache(maxsize=1)
def _json_seeds() -> list[bytes]:
    mapping = map_program(_small(), load_chip("loihi2"))
    return [_bytes_of(lambda p: write_map(mapping, p), ".json"), json.dumps(make_summary()).encode()]


def _bytes_of(write: Callable[[Path], object], ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"seed{ending}"
        write(path)
        return path.read_bytes()


def _others(pattern: str, largest: int = 1 << 16) -> list[bytes]:
    found = sorted(CONFORMANCE.glob(pattern)) if CONFORMANCE.is_dir() else []
    return [path.read_bytes() for path in found if path.stat().st_size <= largest]


@lru_cache(maxsize=1)
def _nir_seeds() -> list[bytes]:
    conv = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([2, 6, 6])}),
            "conv": nir.Conv2d((6, 6), np.ones((3, 2, 3, 3), np.float32), 1, 1, 1, 1, np.zeros(3)),
            "if": nir.IF(r=np.ones((3, 6, 6)), v_threshold=np.ones((3, 6, 6)), v_reset=np.zeros((3, 6, 6))),
            "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
            "flat": nir.Flatten({"input": np.array([3, 3, 3])}, 0, -1),
            "fc": nir.Affine(np.ones((4, 27), np.float32), np.zeros(4)),
            "cuba": nir.CubaLIF(*(np.ones(4) * v for v in (0.01, 0.02, 1, 0, 1)), w_in=np.ones(4)),
            "output": nir.Output(output_type={"output": np.array([4])}),
        },
        edges=[("input", "conv"), ("conv", "if"), ("if", "pool"), ("pool", "flat"), ("flat", "fc"), ("fc", "cuba"),
               ("cuba", "output")],
        metadata={"dt": 1e-3},
    )  # fmt: skip
    own = [_bytes_of(lambda p, g=g: nir.write(str(p), g), ".nir") for g in (graph(), conv)]  # type: ignore[misc]
    return own + _others("nir/*.nir")


@lru_cache(maxsize=1)
def _net_seeds() -> list[bytes]:
    rng = np.random.default_rng(1)
    layers = [net_dense(rng.integers(-9, 9, (5, 6))), net_dense(rng.integers(-9, 9, (3, 5)), bias=np.arange(3))]
    return [_bytes_of(lambda p: write_net(p, layers), ".net"), *_others("netx/*/*.net", 1 << 17)]


@lru_cache(maxsize=1)
def _chip_seeds() -> list[bytes]:
    programs = (dense((6, 5, 4), 1), every_kind(1), beyond_stock(1))
    return [_bytes_of(lambda p, g=g: save_program(g, p), ".chip") for g in programs]  # type: ignore[misc]


class _Code:
    """Writes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("executed", "w")


@lru_cache(maxsize=1)
def _npy_seeds() -> list[bytes]:
    arrays = [spikes((10, 3, 6), 0.4, 1), np.ones((4, 2, 6)), np.ones((3, 1, 6), np.int16).astype(">i2")]
    found = []
    for array in arrays:
        content = BytesIO()
        np.save(content, array)
        found.append(content.getvalue())
    content = BytesIO()
    np.save(content, np.array([_Code()], object), allow_pickle=True)
    return [*found, content.getvalue(), pickle.dumps(_Code()), *_others("netx/tinynet/*.npy", 1 << 14)]


@lru_cache(maxsize=1)
def _npz_seeds() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        content = BytesIO()
        save(content, input=spikes((10, 3, 6), 0.4, 1), other=np.arange(4))
        found.append(content.getvalue())
    content = BytesIO()
    np.savez(content, input=np.array([_Code()], object))
    return [*found, content.getvalue()]


@lru_cache(maxsize=1)
def _h5_seeds() -> list[bytes]:
    grid = nir.TimeGriddedData(np.ones((3, 10, 6), np.bool_), 1e-3)
    events = nir.EventData(np.array([[0, 1, 5]]), np.array([[0.0, 1e-3, 2e-3]]), 6, 5e-3)
    data = [nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": each})}) for each in (grid, events)]
    return [_bytes_of(lambda p, d=d: nir.write_data(str(p), d), ".h5") for d in data]  # type: ignore[misc]


def _onnx(path: Path) -> object:
    shape = open_relu_network(path).shape
    if math.prod(shape) > 1 << 12:
        return None
    samples = np.random.default_rng(5).uniform(0, 1, (2, *shape)).astype(np.float32)
    converted = convert_onnx(path, load_chip("loihi2"), samples)
    # what was read must be the network that onnxruntime runs
    activity = converted.statistics
    largest = max(*activity.sums.values(), activity.largest_output, activity.largest_input)
    difference = relu_answers(converted.network, samples).reshape(2, -1) - answers(converted.network, samples)
    assert np.abs(difference).max() <= 1e-2 * largest, "another network"
    return simulate(converted.program, np.ones((2, 1, *shape), np.uint8), steps=_LONGEST, threads=1)


@lru_cache(maxsize=1)
def _onnx_seeds() -> list[bytes]:
    """Two Gemm layers; the second file has its weights outside, where nothing may be read."""
    rng = np.random.default_rng(1)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in (("w", (6, 5)), ("v", (5, 3)))}
    nodes = [
        onnx.helper.make_node("Gemm", ["x", "w"], ["a"]),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("Gemm", ["b", "v"], ["y"]),
    ]
    ends = [
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", size])]
        for name, size in (("x", 6), ("y", 3))
    ]
    tensors = [onnx.numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph_ = onnx.helper.make_graph(nodes, "g", *ends, tensors)
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph_, opset_imports=opset, ir_version=8)
    whole = model.SerializeToString()
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, "../secret.bin")
        tensor.ClearField("raw_data")
    return [whole, whole, whole, model.SerializeToString(), *(each.proto().SerializeToString() for each in _networks())]


def _networks() -> Iterator[Model]:
    """Every operator once."""
    image = Model((2, 4, 4), 1)
    image.conv(3)
    image.batch_norm()
    image.add("Relu")
    image.pool()
    image.add("Div", np.float32(2))
    image.add("GlobalAveragePool")
    image.add("Squeeze", np.array([2, 3]))
    image.shape = (3,)
    image.dense(3)
    yield image
    vector = Model((6,), 1)
    vector.dense(5, by_matmul=True)
    vector.add("Identity")
    vector.add("Mul", np.ones(5))
    first = vector.add("Clip", np.float32(0), np.float32(6))
    vector.add("Dropout")
    vector.add("Sub", np.ones(5))
    vector.add("Relu")
    vector.add("Sum", inputs=(vector.now, first, vector.now))
    vector.add("Cast", to=onnx.TensorProto.FLOAT)
    vector.add("Reshape", np.array([0, -1]))
    vector.add("Flatten")
    vector.dense(3)
    vector.add("Softmax")
    yield vector


@lru_cache(maxsize=1)
def _toml_seeds() -> list[bytes]:
    files = [*(ROOT / "hardware_profiles" / "data").glob("*.toml"), *(ROOT / "recipes").glob("*.toml")]
    return [path.read_bytes() for path in sorted(files)]


def _huge_npy(_: bytes, __: list[bytes], rng: random.Random) -> bytes:
    return m.huge_npy(rng)


_TENSORS = (m.mutate, tensor_files.mutate_values, tensor_files.mutate_values, tensor_files.mutate_header)
_HDF5 = (m.mutate, m.mutate_hdf5, m.mutate_hdf5)
READERS = {
    reader.name: reader
    for reader in (
        Reader("nir", _nir, _nir_seeds, _HDF5),
        Reader("net", _nir, _net_seeds, _HDF5),
        Reader("chip", _run, _chip_seeds, _HDF5),
        Reader("h5", _input, _h5_seeds, _HDF5),
        Reader("onnx", _onnx, _onnx_seeds, (m.mutate, mutate_onnx, mutate_onnx)),
        Reader("toml", _toml, _toml_seeds, (m.mutate_lines, mutate_toml, mutate_toml, m.mutate)),
        Reader("npy", _input, _npy_seeds, (m.mutate, typed_npy, typed_npy, _huge_npy)),
        Reader("npz", _input, _npz_seeds, (m.mutate, m.mutate_archive, typed_npz)),
        Reader("json", _json, _json_seeds, (m.mutate, mutate_json, mutate_json)),
        Reader("safetensors", tensor_files.read, tensor_files.seeds, _TENSORS),
        Reader("pt", tensor_files.read, tensor_files.old_seeds, (m.mutate, tensor_files.mutate_torch)),
    )
}

__all__ = ["READERS", "InputError", "Reader"]
