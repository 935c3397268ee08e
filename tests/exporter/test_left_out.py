"""What a file holds and the chip's network does not: each is said in one line, or refused."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from net_files import NEURON, dense, write_net

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.netx.net_file import NetWarning
from spikeport.exporter.nir_graph.nir_file import NirWarning, read_nir
from spikeport.hardware_profiles import load_chip

ONE = np.ones(2)


def graph(**more: nir.NIRNode) -> nir.NIRGraph:
    nodes = {
        "in": nir.Input(np.array([2])),
        "fc": nir.Linear(np.eye(2)),
        "cell": nir.LIF(tau=0.01 * ONE, r=ONE, v_leak=0 * ONE, v_threshold=ONE),
        "out": nir.Output(np.array([2])),
    }
    edges = list(pairwise(nodes))
    return nir.NIRGraph({**nodes, **more}, edges, metadata={"dt": 1e-3}, type_check=False)


def cell() -> nir.NIRNode:
    return nir.IF(r=ONE, v_threshold=ONE)


def test_nodes_on_no_way_from_input_to_output_are_named() -> None:
    assert lower_graph(graph()).notes == ()
    branched = graph(dead_end=cell(), weights=nir.Linear(np.eye(2)), silent=cell(), after=nir.Linear(np.eye(2)))
    branched.edges += [("cell", "weights"), ("weights", "dead_end"), ("silent", "after"), ("after", "cell")]
    (note,) = lower_graph(branched).notes
    assert all(repr(name) in note for name in ("dead_end", "weights", "silent", "after"))
    assert "'cell'" not in note and "'fc'" not in note
    with pytest.warns(NirWarning, match="m.nir: left out.*'dead_end'"):
        compile_graph(branched, load_chip("loihi2"), context="m.nir")


def test_inputs_and_outputs_without_edges_are_named() -> None:
    notes = lower_graph(graph(other=nir.Input(np.array([2])), last=nir.Output(np.array([2])))).notes
    assert len(notes) == 2
    assert any("input 'other'" in note for note in notes) and any("output 'last'" in note for note in notes)


def test_many_nodes_are_named_by_the_first() -> None:
    (note,) = lower_graph(graph(**{f"dead{n}": cell() for n in range(20)})).notes
    assert "'dead0'" in note and "and 12 more" in note and len(note) < 250


def test_a_loose_end_in_a_file_does_not_become_an_output(tmp_path: Path) -> None:
    branched = graph(dead_end=cell())
    branched.edges.append(("cell", "dead_end"))
    nir.write(tmp_path / "m.nir", branched)
    read = read_nir(tmp_path / "m.nir")
    read.metadata["dt"] = 1e-3
    assert {name for name, node in read.nodes.items() if isinstance(node, nir.Output)} == {"out"}
    with pytest.warns(NirWarning, match="left out.*'dead_end'"):
        assert compile_graph(read, load_chip("loihi2")).outputs == ("cell",)


def test_an_output_that_nir_adds_is_named(tmp_path: Path) -> None:
    without = graph()
    del without.nodes["out"]
    without.edges.pop()
    nir.write(tmp_path / "m.nir", without)
    with pytest.warns(NirWarning, match="has no Output node; nir adds 'output_cell'"):
        read_nir(tmp_path / "m.nir")


def net(tmp_path: Path, neuron: dict[str, Any] | None = None, **more: Any) -> Path:
    layer = dense(2 * np.ones((4, 6)), **more)
    layer["neuron"] = {**NEURON, **(neuron or {})}
    return write_net(tmp_path / "m.net", [layer])


@pytest.mark.parametrize(("delay", "cut"), [(62, False), (64, True), (70, True)])
@pytest.mark.parametrize("size", [1, 4, 6])
def test_a_delay_that_is_cut_is_said(tmp_path: Path, delay: int, cut: bool, size: int) -> None:
    path = net(tmp_path, delay=np.array([delay] + [3] * (size - 1)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program = compile_net(path, load_chip("loihi2"))
    said = [str(w.message) for w in caught if issubclass(w.category, NetWarning)]
    assert len(said) == cut
    assert max(c.longest_delay for c in program.connections) == 63
    if cut:
        assert f"{delay} steps, cut to 62" in said[0] and f"1 of {size}" in said[0] and "m.net: layer 0" in said[0]


def test_a_negative_delay_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m.net: layer 0.*delay of -1"):
        compile_net(net(tmp_path, delay=np.array([-1, 0, 0, 0])), load_chip("loihi2"))


@pytest.mark.parametrize(("name", "value"), [("refDelay", 3), ("refDelay", 0), ("gradedSpike", True)])
def test_a_field_that_is_not_used_is_said(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.warns(NetWarning, match=f"m.net: layer 0.*{name}.*not used"):
        compile_net(net(tmp_path, {name: value}), load_chip("loihi2"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", NetWarning)
        compile_net(net(tmp_path, {"refDelay": 1, "gradedSpike": False}), load_chip("loihi2"))
