"""Every constant of every node, in every form that frameworks write, means the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields as fields_of
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir

SIZE = 3
# whole numbers, so that every type of number can hold them
VALUES = {
    "tau": 4, "tau_syn": 4, "tau_mem": 2, "r": 2, "v_leak": 1, "v_threshold": 5, "v_reset": 1, "w_in": 3,
    "threshold": 2, "scale": 3, "delay": 2,
}  # fmt: skip
KINDS = {
    "I": ("r",), "IF": ("r", "v_threshold", "v_reset"), "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    "Threshold": ("threshold",), "Scale": ("scale",), "Delay": ("delay",),
}  # fmt: skip
TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
         np.float16, np.float32, np.float64, np.longdouble]  # fmt: skip
FORMS: dict[str, Callable[[int], Any]] = {
    "Python int": int,
    "Python float": float,
    "a list": lambda value: [float(value)] * SIZE,
    **{f"{t.__name__} scalar": t for t in TYPES},
    **{f"{t.__name__} 0-d": lambda value, t=t: np.array(value, t) for t in TYPES},
    **{f"{t.__name__} (1,)": lambda value, t=t: np.array([value], t) for t in TYPES},
    **{f"{t.__name__} full": lambda value, t=t: np.full(SIZE, value, t) for t in TYPES},
}


def graph(kind: str) -> nir.NIRGraph:
    node = getattr(nir, kind)(**{name: np.full(SIZE, float(VALUES[name])) for name in KINDS[kind]})
    one = np.ones(SIZE)
    nodes = {
        "in": nir.Input(np.array([2])),
        "fc": nir.Affine(np.arange(6.0).reshape(SIZE, 2) - 2, np.array([0.5, 0, 1])),
        "node": node,
        "last": nir.LIF(tau=4 * one, r=one, v_leak=0 * one, v_threshold=one),
        "out": nir.Output(np.array([SIZE])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": 1.0}, type_check=False)


def assert_same(one: FloatNetwork, other: FloatNetwork) -> None:
    for ours, theirs in zip(
        (*one.populations, *one.connections), (*other.populations, *other.connections), strict=True
    ):
        for item in fields_of(ours):
            first, second = getattr(ours, item.name), getattr(theirs, item.name)
            if isinstance(first, np.ndarray):
                np.testing.assert_array_equal(first, second, err_msg=f"{item.name}")
            else:
                assert type(first) is type(second)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_in_every_form_means_the_same(kind: str, form: str) -> None:
    expected = lower_graph(graph(kind))
    for names in (*((name,) for name in KINDS[kind]), KINDS[kind]):
        changed = graph(kind)
        for name in names:
            setattr(changed.nodes["node"], name, FORMS[form](VALUES[name]))
        assert_same(lower_graph(changed), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::spikeport.exporter.nir_graph.nir_file.NirWarning")
def test_a_constant_of_a_file_in_every_form_means_the_same(kind: str, tmp_path: Path) -> None:
    nir.write(tmp_path / "m.nir", graph(kind))
    expected = lower_graph(read_nir(tmp_path / "m.nir"))
    forms = ("Python int", "Python float", "float32 scalar", "uint8 0-d", "float64 (1,)", "float16 full")
    for make in (FORMS[form] for form in forms):
        nir.write(tmp_path / "m.nir", graph(kind))
        with h5py.File(tmp_path / "m.nir", "r+") as file:
            for name in KINDS[kind]:
                del file[f"node/nodes/node/{name}"]
                file[f"node/nodes/node/{name}"] = make(VALUES[name])
        assert_same(lower_graph(read_nir(tmp_path / "m.nir")), expected)


CONV: dict[str, Any] = {"stride": 2, "padding": 1, "dilation": 1, "groups": 1}


def image(axes: int, pool: bool = False, **changes: Any) -> nir.NIRGraph:
    size = (7,) if axes == 1 else (7, 7)
    if pool:
        node = nir.AvgPool2d(np.array([3, 3]), np.array([2, 2]), np.array([1, 1]))
    else:
        kind = nir.Conv1d if axes == 1 else nir.Conv2d
        node = kind(input_shape=None, weight=np.arange(3.0**axes).reshape(1, 1, *(3,) * axes), bias=np.ones(1), **CONV)
    for name, value in changes.items():
        setattr(node, name, value)
    one = np.ones((1, *(4,) * axes))
    nodes = {
        "in": nir.Input(np.array([1, *size])),
        "node": node,
        "last": nir.LIF(tau=4 * one, r=one, v_leak=0 * one, v_threshold=one),
        "out": nir.Output(np.array(one.shape)),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": 1.0}, type_check=False)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "a list"])
@pytest.mark.parametrize("axes", [1, 2])
def test_strides_and_paddings_in_every_form(axes: int, form: str) -> None:
    if "full" in form and axes == 1:
        pytest.skip("one number is full for one axis")
    expected = lower_graph(image(axes))

    def formed(value: int, name: str) -> Any:
        made = FORMS[form](value)
        return made[: 1 if name == "groups" else axes] if "full" in form else made

    changes = {name: formed(value, name) for name, value in CONV.items()}
    assert_same(lower_graph(image(axes, bias=FORMS[form](1) if "full" not in form else 1, **changes)), expected)
    if axes == 2:
        pooled = {name: formed(value, name) for name, value in (("kernel_size", 3), ("stride", 2), ("padding", 1))}
        assert_same(lower_graph(image(2, pool=True, **pooled)), lower_graph(image(2, pool=True)))


@pytest.mark.parametrize("value", [1.5, np.nan, np.inf, 1 << 33, "1", (1, 2.5)])
@pytest.mark.parametrize(("name", "pool"), [("stride", False), ("padding", False), ("dilation", False),
                                            ("groups", False), ("input_shape", False), ("kernel_size", True),
                                            ("stride", True), ("padding", True)])  # fmt: skip
def test_fractions_are_refused_before_they_are_cut(name: str, pool: bool, value: Any, tmp_path: Path) -> None:
    if name == "padding" and value == "1":
        value = "11"
    with pytest.raises(InputError, match=f"'node'.*{name}|padding"):
        lower_graph(image(2, pool=pool, **{name: value}))
    if isinstance(value, str):
        return
    nir.write(tmp_path / "m.nir", image(2, pool=pool, **({} if pool else {"input_shape": (7, 7)})))
    with h5py.File(tmp_path / "m.nir", "r+") as file:
        del file[f"node/nodes/node/{name}"]
        file[f"node/nodes/node/{name}"] = value
    with pytest.raises(InputError, match=f"m.nir: node 'node', {name}"):
        read_nir(tmp_path / "m.nir")


@pytest.mark.parametrize("node", ["in", "out"])
@pytest.mark.parametrize("shape", [[2.5], [-1], [1 << 40]])
def test_a_shape_of_fractions_or_below_zero_is_refused(node: str, shape: list[float], tmp_path: Path) -> None:
    nir.write(tmp_path / "m.nir", graph("LIF"))
    with h5py.File(tmp_path / "m.nir", "r+") as file:
        del file[f"node/nodes/{node}/shape"]
        file[f"node/nodes/{node}/shape"] = shape
    with pytest.raises(InputError, match=f"m.nir: node '{node}', shape"):
        read_nir(tmp_path / "m.nir")


@pytest.mark.parametrize("value", ["text", None, 1j, np.nan, np.inf, [1.0, 2.0]])
def test_a_constant_that_is_no_number_for_each_neuron_is_refused(value: Any) -> None:
    for kind, names in KINDS.items():
        for name in names:
            if value == np.inf and name.startswith("tau"):
                continue
            changed = graph(kind)
            setattr(changed.nodes["node"], name, value)
            if value is None and name in ("v_reset", "w_in"):
                lower_graph(changed)
                continue
            with pytest.raises(InputError, match="node"):
                lower_graph(changed)


def test_scalars_are_written_so_that_nir_reads_them(tmp_path: Path) -> None:
    changed = graph("LIF")
    changed.nodes["node"].tau = np.float32(4)
    write_nir(changed, tmp_path / "m.nir")
    assert nir.read(tmp_path / "m.nir").nodes["node"].tau.shape == (SIZE,)
