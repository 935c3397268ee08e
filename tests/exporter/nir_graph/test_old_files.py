"""Files of NIR 0.1 and 0.2, and of newer releases than ours: read as they mean, or refused by node and field."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from benchmarks.nir_simulator import simulate_nir
from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.nir_graph.nir_file import NirWarning, read_nir
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate

DT = 1e-3
Nodes = dict[str, dict[str, Any]]


def nodes() -> Nodes:
    """A network as the newest release writes it, without what is new in it."""
    one, image = np.ones(3), np.ones((2, 4, 4))
    return {
        "input": {"type": "Input", "shape": np.array([1, 4, 4])},
        "conv": {"type": "Conv2d", "weight": np.arange(18.0).reshape(2, 1, 3, 3) / 20 - 0.2, "stride": np.array([1, 1]),
                 "padding": np.array([1, 1]), "dilation": np.array([1, 1]), "groups": 1, "bias": np.zeros(2),
                 "input_shape": np.array([4, 4])},
        "if": {"type": "IF", "r": image, "v_threshold": 0.5 * image, "v_reset": 0 * image},
        "flat": {"type": "Flatten", "start_dim": 0, "end_dim": -1, "input_type": np.array([2, 4, 4])},
        "fc": {"type": "Affine", "weight": np.sin(np.arange(96.0)).reshape(3, 32) + 0.1, "bias": np.zeros(3)},
        "cuba": {"type": "CubaLIF", "tau_mem": 0.01 * one, "tau_syn": 0.005 * one, "r": 2 * one, "v_leak": 0 * one,
                 "v_threshold": 0.3 * one, "v_reset": 0 * one, "w_in": one},
        "output": {"type": "Output", "shape": np.array([3])},
    }  # fmt: skip


def write(path: Path, content: Nodes, version: str | None = "0.2") -> Path:
    with h5py.File(path, "w") as file:
        if version is not None:
            file["version"] = version
        file["node/type"] = "NIRGraph"
        file["node/edges"] = np.array(list(pairwise(content)), dtype=h5py.string_dtype())
        for name, fields in content.items():
            for field, value in fields.items():
                file[f"node/nodes/{name}/{field}"] = value
    return path


def spikes(path: Path) -> Any:
    x = (np.random.default_rng(0).random((30, 4, 1, 4, 4)) < 0.4).astype(np.uint8)
    out = simulate_nir(read_nir(path), {"input": x}, DT).outputs["output"]
    return out.reshape(30, 4, -1)


def without(content: Nodes, *fields: str) -> Nodes:
    return {name: {k: v for k, v in node.items() if k not in fields} for name, node in content.items()}


def with_scalars(content: Nodes) -> Nodes:
    mixed = without(content)
    mixed["cuba"] |= {"r": np.float32(2), "v_leak": 0, "tau_mem": 0.01, "v_threshold": np.array([0.3])}
    mixed["if"] |= {"r": 1.0}
    return mixed


@pytest.mark.filterwarnings("ignore::spikeport.exporter.nir_graph.nir_file.NirWarning")
@pytest.mark.parametrize("version", [None, "0.1", "0.2", "1.0.8"])
@pytest.mark.parametrize(
    "fields",
    [(), ("v_reset",), ("w_in", "v_reset"), ("input_shape",), ("bias",), ("input_type", "start_dim", "end_dim"),
     ("v_reset", "w_in", "input_shape", "bias", "input_type")],
)  # fmt: skip
def test_a_file_without_later_fields_means_the_same(tmp_path: Path, fields: tuple[str, ...], version: Any) -> None:
    expected = spikes(write(tmp_path / "new.nir", nodes()))
    assert 0.02 < expected.mean() < 0.9
    content = without(nodes(), *fields)
    if "start_dim" in fields:
        # nir's own defaults keep the first axis
        content["flat"] |= {"start_dim": 0}
    for made in (content, with_scalars(content)):
        np.testing.assert_array_equal(spikes(write(tmp_path / "old.nir", made, version)), expected)


@pytest.mark.parametrize("shape", [[1, 3], [3, 1, 1], [3]])
def test_an_output_of_another_rank_with_the_same_elements(tmp_path: Path, shape: list[int]) -> None:
    content = nodes()
    content["output"]["shape"] = np.array(shape)
    path = write(tmp_path / "m.nir", content)
    if len(shape) == 1:
        graph = read_nir(path)
    else:
        with pytest.warns(NirWarning, match="all shapes fit"):
            graph = read_nir(path)
    graph.metadata["dt"] = DT
    program = compile_graph(graph, load_chip("loihi2"), context="m.nir")
    x = np.ones((6, 1, 1, 4, 4), np.uint8)
    assert simulate(program, x, steps=8).output.reshape(8, 1, -1).shape == (8, 1, 3)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("cuba", {"type": "AdEx"}, ["'cuba'", "'AdEx'", "known are", "CubaLIF"]),
        ("cuba", {"type": 3.0}, ["'cuba'", "known are"]),
        ("cuba", {"tau_ref": np.ones(3)}, ["'cuba'", "CubaLIF", "'tau_ref'", "without it"]),
        ("fc", {"type": "Conv3d"}, ["'fc'", "'Conv3d'"]),
    ],
)
def test_what_a_newer_release_writes_is_refused_by_name(
    tmp_path: Path, name: str, change: dict[str, Any], words: list[str]
) -> None:
    content = nodes()
    content[name] |= change
    with pytest.raises(InputError) as caught:
        read_nir(write(tmp_path / "m.nir", content))
    assert all(word in str(caught.value) for word in ("m.nir: node", *words)), caught.value


def test_a_missing_field_is_refused_by_name(tmp_path: Path) -> None:
    optional = {"v_reset", "w_in", "input_shape", "bias", "input_type", "start_dim", "end_dim"}
    for name, fields in nodes().items():
        for field in set(fields) - optional:
            content = nodes()
            del content[name][field]
            with pytest.raises(InputError, match=f"m.nir: node {name!r}"):
                read_nir(write(tmp_path / "m.nir", content))


def test_a_file_that_is_no_hdf5_is_told_from_one_that_nir_cannot_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.nir").write_bytes(b"text")
    with pytest.raises(InputError, match=r"no whole HDF5 file .*copy it again"):
        read_nir(tmp_path / "m.nir")

    def fail(_: object) -> None:
        raise AssertionError

    write(tmp_path / "m.nir", nodes())
    monkeypatch.setattr(nir, "dict2NIRNode", fail)
    with pytest.raises(InputError) as caught:
        read_nir(tmp_path / "m.nir")
    # exporting again would give the same file
    assert "AssertionError" in str(caught.value) and "report the file" in str(caught.value)
    assert "again" not in str(caught.value)


def integrator(**changes: Any) -> nir.NIRGraph:
    one = np.ones(3)
    nodes_by_name = {
        "input": nir.Input(np.array([3])),
        "fc": nir.Affine(np.eye(3), np.array([0.1, 0, -0.1])),
        "cell": nir.LIF(tau=one * np.inf, r=0.5 * one, v_leak=0 * one, v_threshold=one),
        "output": nir.Output(np.array([3])),
    }
    graph = nir.NIRGraph(nodes_by_name, list(pairwise(nodes_by_name)), metadata={"dt": DT}, type_check=False)
    for field, value in changes.items():
        setattr(graph.nodes["cell"], field, value)
    return graph


@pytest.mark.parametrize("discretize", ["euler", "exponential"])
@pytest.mark.parametrize("r", [0.5, np.inf])
def test_an_infinite_time_constant_is_an_integrator(discretize: Any, r: float) -> None:
    x = (np.random.default_rng(0).random((40, 4, 3)) < 0.5).astype(float)
    with_leak = integrator(r=np.full(3, r))
    without_leak = integrator()
    without_leak.nodes["cell"] = nir.IF(r=np.full(3, 0.5 if r == 0.5 else 1.0), v_threshold=np.ones(3))
    results = [simulate_nir(graph, {"input": x}, discretize=discretize).outputs["output"]
               for graph in (with_leak, without_leak)]  # fmt: skip
    np.testing.assert_array_equal(*results)
    programs = [compile_graph(graph, load_chip("loihi2")) for graph in (with_leak, without_leak)]
    for constant in ("du", "dv", "vth", "bias_mant"):
        np.testing.assert_array_equal(*(getattr(p.populations[0], constant) for p in programs))
    np.testing.assert_array_equal(*(p.connections[0].weights for p in programs))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"tau": np.full(3, -np.inf)}, ["tau", "-inf"]), ({"tau": np.ones(3), "r": np.full(3, np.inf)}, ["r", "inf"]),
     ({"v_threshold": np.full(3, np.inf)}, ["v_threshold", "inf"])],
)  # fmt: skip
def test_other_infinities_are_refused(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        compile_graph(integrator(**changes), load_chip("loihi2"))
    assert all(word in str(caught.value) for word in ("'cell'", *words))


def test_a_current_without_leak_is_refused() -> None:
    graph, one = integrator(), np.ones(3)
    graph.nodes["cell"] = nir.CubaLIF(
        tau_syn=np.inf * one, tau_mem=0.01 * one, r=one, w_in=one, v_leak=0 * one, v_threshold=one
    )
    with pytest.raises(InputError, match=r"'cell' has an infinite tau_syn.*4\.096 s"):
        compile_graph(graph, load_chip("loihi2"))
