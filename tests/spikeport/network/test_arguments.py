"""Slips in Python: values of the wrong type or form end in one sentence that names them and what to give instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from command import graph
from programs import spikes

import spikeport as sp
from spikeport.lava_runtime.doubtful_input import InputWarning

X = spikes((10, 3, 6), 0.4, 1)


@pytest.fixture(scope="module")
def network() -> sp.Network:
    return sp.compile(graph())


def changed(node: str, field: str, change: Callable[[Any], Any]) -> nir.NIRGraph:
    other = graph()
    setattr(other.nodes[node], field, change(getattr(other.nodes[node], field)))
    return other


def torch_module() -> Any:
    return pytest.importorskip("torch").nn.Linear(4, 4)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: 42, "type int, which cannot be compiled: give a nir.NIRGraph"),
        (lambda: None, "type NoneType"),
        (lambda: b"m.nir", "type bytes"),
        (lambda: nir.Linear(np.eye(2)), "wrap the node in a nir.NIRGraph"),
        (torch_module, "export the module with its framework's NIR exporter"),
        (lambda: sp.compile(graph()), "compiled already"),
    ],
)
def test_what_is_no_graph_is_named(source: Callable[[], Any], words: str) -> None:
    with pytest.raises(sp.InputError, match=words):
        sp.compile(source())


def test_nodes_and_parameters_of_other_types_are_named() -> None:
    other = graph()
    node = next(name for name, value in other.nodes.items() if isinstance(value, (nir.Linear, nir.Affine)))
    with pytest.raises(sp.InputError, match=f"node '{node}', weight is of type complex128; give real numbers"):
        sp.compile(changed(node, "weight", lambda w: w * (1 + 1j)))
    other.nodes[node] = "fc"
    with pytest.raises(sp.InputError, match=f"node '{node}' is a value of type str"):
        sp.compile(other)
    other = graph()
    other.edges = [("input",)]
    with pytest.raises(sp.InputError, match="not a pair of node names"):
        sp.compile(other)


@pytest.mark.parametrize("field", ["weight", "tau"])
def test_a_torch_tensor_inside_a_graph_is_named(field: str) -> None:
    torch = pytest.importorskip("torch")
    node = next(name for name, value in graph().nodes.items() if hasattr(value, field))
    with pytest.raises(sp.InputError, match=rf"node '{node}', {field} is a torch Tensor.*\.detach\(\)\.numpy\(\)"):
        sp.compile(changed(node, field, torch.tensor))


def test_chips_and_paths_of_other_types_are_named(network: sp.Network, tmp_path: Path) -> None:
    for value in (3, None, ["loihi2"]):
        with pytest.raises(sp.InputError, match="chip is a value of type"):
            sp.compile(graph(), chip=value)  # type: ignore[arg-type]
    profile = sp.chips()["loihi1"]
    assert sp.compile(graph(), chip=profile).chip == "loihi1"
    with pytest.raises(sp.InputError, match=r"chip is a changed profile of loihi1; write it to a \.toml file"):
        sp.compile(graph(), chip=profile.model_copy(update={"title": "mine"}))  # type: ignore[arg-type]
    with pytest.raises(sp.InputError, match="options is a value of type dict"):
        sp.compile(graph(), options={"dt": 1e-3})  # type: ignore[arg-type]
    calls: list[Callable[[], object]] = [
        lambda: sp.load(42),  # type: ignore[arg-type]
        lambda: sp.open_run(42),  # type: ignore[arg-type]
        lambda: sp.run_recipe(42),  # type: ignore[arg-type]
        lambda: network.save(42),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(sp.InputError, match="is a value of type int; give a path"):
            call()
    with pytest.raises(sp.InputError, match=r"ends in \.chip"):
        network.save(tmp_path / "m.npz")


@pytest.mark.parametrize("x", [None, 42, "text", object(), {1, 2}, [object()], [[1, 2], [3]]])
def test_input_that_is_no_array_is_refused(network: sp.Network, x: Any) -> None:
    for call in (network.simulate, network.profile, network.diff):
        with pytest.raises(sp.InputError):
            call(x)


def test_numbers_of_a_run_have_their_types(network: sp.Network) -> None:
    for value in (3.5, "3", True):
        with pytest.raises(sp.InputError, match=r"steps is .*whole number"):
            network.simulate(X, steps=value)  # type: ignore[arg-type]
    for limit in ("x", 0, -1):
        with pytest.raises(sp.InputError, match="limit_seconds"):
            network.simulate(X, limit_seconds=limit)  # type: ignore[arg-type]
    assert network.profile(X, costs="loihi1").to_dict() == network.profile(X, costs=("loihi1",)).to_dict()


@pytest.mark.parametrize(
    "dtype", ["?", "u1", "<u8", ">u2", ">i4", "<i8", ">i8", "<f2", ">f2", ">f4", "<f8", ">f8", "g"]
)
def test_every_number_type_and_byte_order_gives_the_answer_of_int64(network: sp.Network, dtype: str) -> None:
    expected = network.simulate(X.astype(np.int64), record="all")
    x = X.astype(dtype)
    result = network.simulate(x, record="all")
    np.testing.assert_array_equal(result.spikes, expected.spikes)
    for name, values in expected.states.items():
        np.testing.assert_array_equal(result.states[name], values)
    assert network.profile(x).to_dict() == network.profile(X.astype(np.int64)).to_dict()
    assert network.diff(x).to_dict() == network.diff(X.astype(np.int64)).to_dict()
    sp.compile(graph(), calibrate=x)


def test_tensors_and_lists_are_read_as_arrays(network: sp.Network) -> None:
    torch = pytest.importorskip("torch")
    expected = network.simulate(X).spikes
    for x in (torch.tensor(X), torch.tensor(X).float(), X.tolist(), {"input": torch.tensor(X)}):
        np.testing.assert_array_equal(network.simulate(x).spikes, expected)
    with pytest.raises(sp.InputError, match="requires grad"):
        network.simulate(torch.tensor(X).float().requires_grad_())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x * 255, "holds 0 and 255.*divide by 255"),
        (lambda x: -x.astype(np.int32), "holds negative values"),
        (lambda x: x * 3, "a payload of 3 counts as 3 spikes"),
    ],
)
def test_values_that_are_no_spikes_are_pointed_out(
    network: sp.Network, change: Callable[[Any], Any], words: str
) -> None:
    with pytest.warns(InputWarning, match=words):
        network.simulate(change(X))


def test_payloads_that_a_network_was_made_for_are_not(tmp_path: Path) -> None:
    made = graph()
    made.nodes["input"].metadata["payload"] = 16
    sp.compile(made).save(tmp_path / "model.chip")
    network = sp.load(tmp_path / "model.chip")
    assert network.program.inputs[0].payload == 16
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        network.simulate(X * 16)
    for values, words in ((X * 17, "made for payloads up to 16; scale them"), (-X.astype(np.int32), "negative")):
        with pytest.warns(InputWarning, match=words):
            network.simulate(values)


def test_calibration_that_says_nothing_is_refused() -> None:
    for values, words in ((np.zeros_like(X), "only zeros"), (42, "type int"), ([1, 2], "shape")):
        with pytest.raises(sp.InputError, match=words):
            sp.compile(graph(), calibrate=values)  # type: ignore[arg-type]


def test_every_name_of_the_package_loads() -> None:
    for name in sp.__all__:
        assert getattr(sp, name) is not None


def test_calibration_input_that_is_no_spikes_is_pointed_out() -> None:
    with pytest.warns(InputWarning, match="calibration input: holds 0 and 255.*divide by 255"):
        sp.compile(graph(), chip="loihi2", calibrate=X * 255)


def test_slips_with_a_trainable_module_are_named() -> None:
    torch = pytest.importorskip("torch")
    for source, words in ((3, "type int; give an nn.Module"), ({"w": 1}, "type dict"), (None, "type NoneType")):
        with pytest.raises(sp.InputError, match=words):
            sp.torch.module(source)
    module = sp.torch.module(graph())
    for x, words in ((None, "is no tensor"), (X, "is no tensor"), (torch.tensor(X)[:0], "holds no samples")):
        with pytest.raises(sp.InputError, match=words):
            module(x)
    with pytest.raises(sp.InputError, match="learning rate is a positive number, not nan"):
        sp.TuneSettings(learning_rate=float("nan"))
    with pytest.raises(sp.InputError, match="data: holds only zeros"):
        sp.tune(graph(), torch.zeros(X.shape))
