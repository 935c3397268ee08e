"""Bad graphs and files: each refused in one sentence that names the culprit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from strategies import DT, lif

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.hardware_profiles import load_chip

Nodes = dict[str, nir.NIRNode]
Edges = list[tuple[str, str]]


def good(filtered: bool = False) -> tuple[Nodes, Edges]:
    nodes: Nodes = {
        "in": nir.Input(input_type={"input": np.array([3])}),
        "synapse": nir.Affine(weight=np.ones((2, 3)), bias=np.zeros(2)),
        "neuron": lif((2,), np.random.default_rng(0), filtered),
        "out": nir.Output(output_type={"output": np.array([2])}),
    }
    return nodes, [("in", "synapse"), ("synapse", "neuron"), ("neuron", "out")]


def image(**changes: Any) -> tuple[Nodes, Edges]:
    """The same with a convolution of an image, some of its fields changed."""
    fields: dict[str, Any] = {
        "input_shape": (4, 4), "weight": np.ones((2, 1, 3, 3)), "stride": (1, 1), "padding": (0, 0),
        "dilation": (1, 1), "groups": 1, "bias": np.zeros(2),
    }  # fmt: skip
    nodes, edges = good()
    nodes["in"] = nir.Input(input_type={"input": np.array([1, 4, 4])})
    nodes["neuron"] = lif((2, 2, 2), np.random.default_rng(0), False)
    nodes["synapse"] = nir.Conv2d(**fields)
    for name, value in changes.items():
        setattr(nodes["synapse"], name, value)
    return nodes, edges


def refusal(nodes: Nodes, edges: Edges, metadata: dict[str, Any] | None = None) -> str:
    """The sentence with which compiling refuses the graph; nir's own check is left out, it knows less."""
    meta = {"dt": DT} if metadata is None else metadata
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata=meta, type_check=False)
    with pytest.raises(InputError) as caught:
        compile_graph(graph, load_chip("loihi2"), context="model.nir")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 300
    return sentence


def with_field(name: str, value: float, filtered: bool = False) -> tuple[Nodes, Edges]:
    nodes, edges = good(filtered)
    getattr(nodes["neuron"], name)[1] = value
    return nodes, edges


@pytest.mark.parametrize(
    ("change", "culprits"),
    [
        (lambda n, e: e.append(("neurn", "out")), ["neurn", "neuron"]),
        (lambda n, e: e.append(("neuron", "exit")), ["exit"]),
        (lambda n, e: n["synapse"].weight.put(5, np.nan), ["synapse", "weight", "nan at [1, 2]"]),
        (lambda n, e: n["synapse"].bias.__setitem__(0, np.inf), ["synapse", "bias", "inf at [0]"]),
        (lambda n, e: n.update(synapse=nir.Linear(weight=np.ones((2, 5)))), ["in -> neuron", "(2, 5)", "(2, 3)"]),
        (lambda n, e: n.update(synapse=nir.Affine(np.ones((3, 3)), np.zeros(3))), ["in -> neuron", "(3, 3)"]),
        (lambda n, e: n.update(synapse=nir.Affine(np.ones((2, 3)), np.zeros(5))), ["synapse", "bias", "(5,)"]),
        (lambda n, e: n.update(synapse=nir.Linear(weight=np.ones((1, 2, 3)))), ["in -> neuron", "(1, 2, 3)"]),
        (lambda n, e: n.update(synapse=nir.Threshold(np.ones(3))), ["synapse", "Threshold", "(3,)", "Linear"]),
        (lambda n, e: n.update(synapse=nir.Delay(np.ones(3))), ["synapse", "Delay", "(3,)"]),
        (lambda n, e: (n.update(late=nir.Delay(np.full(2, -1.0))), e.extend([("neuron", "late"), ("late", "out")])),
         ["late", "Delay", "-1"]),
        (lambda n, e: e.__setitem__(slice(0, 2), [("in", "neuron")]), ["neuron", "'in' (Input)", "Linear"]),
        (lambda n, e: e.__setitem__(2, ("in", "out")), ["out", "'in'", "neuron"]),
        (lambda n, e: e.pop(), ["Output"]),
        (lambda n, e: e.pop(0), ["synapse"]),
        (lambda n, e: e.append(("out", "synapse")), ["out -> synapse"]),
        (lambda n, e: n.update(neuron=nir.LIF(*(np.ones((2, 0)) for _ in range(5)))), ["neuron"]),
    ],
)  # fmt: skip
def test_a_bad_graph_is_refused_by_name(change: Callable[[Nodes, Edges], object], culprits: list[str]) -> None:
    nodes, edges = good()
    change(nodes, edges)
    sentence = refusal(nodes, edges)
    for culprit in ["model.nir", *culprits]:
        assert culprit in sentence


@pytest.mark.parametrize(
    ("field", "value", "filtered"),
    [
        ("tau", -1e-3, False), ("tau", 0.0, False), ("tau_mem", -1.0, True), ("tau_syn", 0.0, True),
        ("v_reset", 9.5, False), ("v_threshold", 0.0, False), ("v_threshold", -1.0, True),
        ("v_threshold", np.nan, False),
    ],
)  # fmt: skip
def test_a_neuron_the_chip_cannot_hold_is_refused_by_name(field: str, value: float, filtered: bool) -> None:
    sentence = refusal(*with_field(field, value, filtered))
    assert "neuron" in sentence
    assert field in sentence


@pytest.mark.parametrize(
    ("changes", "culprit"),
    [
        ({"stride": (2, 2)}, "in -> neuron"),
        ({"stride": (0, 1)}, "in -> neuron"),
        ({"groups": 2}, "in -> neuron"),
        ({"weight": np.ones((2, 1, 9, 9))}, "in -> neuron"),
        ({"weight": np.ones((2, 1, 3))}, "in -> neuron"),
        ({"padding": "same", "stride": (2, 2)}, "same"),
        ({"bias": np.zeros(3)}, "bias"),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused_by_name(changes: dict[str, Any], culprit: str) -> None:
    assert culprit in refusal(*image(**changes))


def test_a_convolution_of_a_vector_is_refused() -> None:
    nodes, edges = image()
    nodes["in"] = nir.Input(input_type={"input": np.array([16])})
    assert "(channels, height, width)" in refusal(nodes, edges)


def test_a_cycle_without_a_neuron_is_refused_by_name() -> None:
    nodes, edges = good()
    nodes |= {name: nir.Linear(weight=np.eye(3)) for name in ("left", "right")}
    edges += [("left", "right"), ("right", "left"), ("right", "synapse")]
    assert "left -> right" in refusal(nodes, edges)


def test_a_cycle_in_which_no_time_passes_is_refused_with_the_way_out() -> None:
    nodes, edges = good()
    nodes |= {"back": nir.Linear(np.ones((3, 2))), "first": lif((3,), np.random.default_rng(1), False)}
    edges = [("in", "first"), ("first", "synapse"), *edges[1:], ("neuron", "back"), ("back", "first")]
    sentence = refusal(nodes, edges)
    assert "first" in sentence and "neuron" in sentence
    assert "put a Delay of 2 steps on the edge" in sentence


@pytest.mark.parametrize("dt", [0.0, -1e-3, np.nan, "fast", np.array([1e-3, 1e-3]), b"\xff"])
def test_a_time_step_that_is_none_is_refused(dt: Any) -> None:
    assert "time step" in refusal(*good(), metadata={"dt": dt})


def test_a_missing_time_step_is_asked_for() -> None:
    assert "--dt SECONDS" in refusal(*good(), metadata={})


def test_a_graph_without_neurons_is_refused() -> None:
    port = {"input": np.array([3])}
    nodes: Nodes = {"in": nir.Input(input_type=port), "out": nir.Output(output_type={"output": np.array([3])})}
    assert "out" in refusal(nodes, [("in", "out")])


def test_no_input_is_refused() -> None:
    nodes, edges = good()
    del nodes["in"]
    assert "synapse" in refusal(nodes, edges[1:])


def written(path: Path) -> bytes:
    nodes, edges = good()
    write_nir(nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": DT}), path)
    assert read_nir(path).metadata["dt"] == DT
    return path.read_bytes()


def file_refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_nir(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "m.nir"
    whole = written(path)
    for size in {0, 1, 100, *range(512, len(whole), 1499), len(whole) - 1}:
        path.write_bytes(whole[:size])
        file_refusal(path)


def test_files_that_are_no_nir_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.nir"
    assert "no such file" in file_refusal(path)
    path.write_text("not HDF5 " * 200)
    file_refusal(path)
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(3)
    assert "'node'" in file_refusal(path)
    path.unlink()
    path.mkdir()
    file_refusal(path)


@pytest.mark.parametrize("field", ["weight", "bias"])
def test_a_file_with_links_out_of_it_is_refused(tmp_path: Path, field: str) -> None:
    path, other = tmp_path / "m.nir", tmp_path / "other.h5"
    written(path)
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones((2, 3))
    with h5py.File(path, "r+") as file:
        del file[f"node/nodes/synapse/{field}"]
        file[f"node/nodes/synapse/{field}"] = h5py.ExternalLink(str(other), "secret")
    assert field in file_refusal(path)


def test_an_edge_to_a_missing_node_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "m.nir"
    written(path)
    with h5py.File(path, "r+") as file:
        edges = [["in", "synapse"], ["synaps", "neuron"], ["neuron", "out"]]
        del file["node/edges"]
        file["node/edges"] = edges
    sentence = file_refusal(path)
    assert "'synaps'" in sentence
    assert "'synapse'" in sentence
