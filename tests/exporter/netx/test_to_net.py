"""Programs written as .net and read again: every layer kind lava-dl has, and a sentence for what it cannot say."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from net_files import LOIHI2, NETX, needs_networks, write_net
from net_strategies import net_files
from strategies import DT, nir_graphs

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.netx.combined_weights import weights_survive
from spikeport.exporter.netx.compile_for_net import compile_for_net
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.netx.to_net import write_net as write_program
from spikeport.exporter.neurons import RF, CubaLI, CubaLIF, Population, TernaryLIF
from spikeport.exporter.program.chip_program import ChipProgram, DenseConnection, InputPort
from spikeport.lava_runtime.simulate import simulate

KEPT = ("weight", "weight_rec", "weight/real", "weight/imag")


def written_and_read(program: ChipProgram) -> ChipProgram:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.net"
        write_program(program, path)
        return compile_net(path, LOIHI2)


def assert_same(one: ChipProgram, other: ChipProgram) -> None:
    """All the same but the names of populations and synapses."""
    called = dict(zip((n.name for n in one.nodes), (n.name for n in other.nodes), strict=True))
    for ours, theirs in zip((*one.nodes, *one.connections), (*other.nodes, *other.connections), strict=True):
        assert type(ours) is type(theirs)
        for item in fields(ours):
            mine, its = getattr(ours, item.name), getattr(theirs, item.name)
            if item.name in ("name", "source", "target"):
                assert called[mine] == its
            elif item.name == "synaptic_delays" and (mine is not None or its is not None):
                # none at all, and a delay of 0 everywhere, are the same; so is whatever a weight of 0 has
                held = ours.weights != 0  # type: ignore[union-attr]
                nothing = np.zeros(held.shape, np.int32)
                mine, its = (nothing if delays is None else delays for delays in (mine, its))
                np.testing.assert_array_equal(mine[held], its[held])
            elif isinstance(mine, np.ndarray):
                np.testing.assert_array_equal(mine, its, err_msg=f"{ours.__class__.__name__}, {item.name}")
            elif item.name != "synapse":
                assert mine == its, item.name


@settings(max_examples=60, deadline=None)
@given(net_files())
def test_what_was_read_is_written_and_read_again(drawn: tuple[Any, tuple[int, ...]]) -> None:
    layers, _ = drawn
    # netx reads all-negative weights down to a power of 2 as something else: those are read, and not written
    named = [[layer[k] for k in KEPT if k in layer] for layer in layers if layer["type"].startswith(b"dense")]
    joint = [[m.astype(np.int32) for m in held] for held in named if held]
    separate = [[m] for held in joint for m in held] if any("weight/real" in layer for layer in layers) else joint
    assume(all(map(weights_survive, separate)))
    with tempfile.TemporaryDirectory() as folder:
        program = compile_net(write_net(Path(folder) / "m.net", layers), LOIHI2)
    assert_same(program, written_and_read(program))


@needs_networks
@pytest.mark.parametrize("name", ["tinynet/tiny.net", "oxford/network.net", "mnist/trained_mnist_network.net"])
def test_networks_of_lava_dl_are_written_and_read_again(name: str) -> None:
    program = compile_net(NETX / name, LOIHI2)
    assert_same(program, written_and_read(program))


def as_chain(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Without edges past a layer, loops of convolutions, and biases that pass a synaptic filter."""
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name, node in graph.nodes.items():
        layer = name.split("_")[0]
        if name.endswith("_skip") or (
            name.endswith("_recurrent") and isinstance(nodes[f"{layer}_synapse"], nir.Conv2d)
        ):
            del nodes[name]
            edges = [edge for edge in edges if name not in edge]
        elif isinstance(node, nir.Affine) and isinstance(nodes[layer], nir.CubaLIF):
            nodes[name] = nir.Linear(node.weight)
        elif isinstance(node, nir.Conv2d) and isinstance(nodes[layer], nir.CubaLIF):
            nodes[name] = replace(node, bias=np.zeros_like(node.bias))
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=graph.metadata, type_check=False)


@settings(max_examples=60, deadline=None)
@given(nir_graphs().map(as_chain), st.integers(0, 99))
def test_graphs_are_rounded_to_what_a_file_can_say(graph: nir.NIRGraph, number: int) -> None:
    program = compile_for_net(graph, LOIHI2)
    # a layer of nothing, or of so little that it rounds to it
    assume(all(np.any(c.weights > 0) or c.weights.min() < -2 for c in program.connections))
    read = written_and_read(program)
    rng = np.random.default_rng(number)
    x = (rng.random((20, 2, *program.inputs[0].shape)) < 0.5).astype(np.uint8)
    ours, theirs = (simulate(p, x, steps=20, record="all").states for p in (program, read))
    for one, other in zip(program.populations, read.populations, strict=True):
        for kind in "vs" if isinstance(one, CubaLIF) else "v":
            mine, its = ours[f"{kind}/{one.name}"], theirs[f"{kind}/{other.name}"]
            np.testing.assert_array_equal(mine.reshape(20, 2, -1), its.reshape(20, 2, -1))


def lif(name: str = "a", size: int = 2, **others: Any) -> CubaLIF:
    return CubaLIF.of(name, (size,), **{"du": 1000, "dv": 100, "vth": 50, **others})


def program(*populations: Population, weights: Any = ((2, -4), (6, 8)), **others: Any) -> ChipProgram:
    """Populations of two in a row, all joined by the same weights."""
    names = ["in", *(p.name for p in populations)]
    connections = [
        DenseConnection(one, other, np.array(weights, np.int32), 0, "mixed", 8, 1, **others)
        for one, other in pairwise(names)
    ]
    widths = LOIHI2.word_widths.fixed_point()
    return ChipProgram("loihi2", widths, DT, (InputPort("in", (2,)),), populations, (*connections,), (names[-1],))


def forked() -> ChipProgram:
    made = program(lif("a"), lif("b"))
    return replace(made, connections=(*made.connections, replace(made.connections[0], target="b")))


def looped(delay: int) -> ChipProgram:
    made = program(lif("a"))
    return replace(made, connections=(*made.connections, replace(made.connections[0], source="a", delay=delay)))


def waiting(steps: int) -> ChipProgram:
    return program(lif("a"), synaptic_delays=np.full((2, 2), steps, np.int32))


RESONATORS = {"sin_decay": 900, "cos_decay": 3000, "state_exp": 6, "vth": 640}
UNSAYABLE: list[tuple[Callable[[], ChipProgram], str]] = [
    (lambda: replace(program(lif()), inputs=(InputPort("in", (2,)), InputPort("on", (2,)))), "has the inputs in, on"),
    (forked, "'in' leads to 'a' and 'b'"),
    (lambda: replace(program(lif("a"), lif("b")), outputs=("a",)), "its outputs are a, but"),
    (lambda: program(lif(bias_mant=5)), "'a': has a bias of 5, but a .net file's are multiples of 64; export the .nir"),
    (lambda: program(lif(v_initial=7)), "'a': starts at voltages of its own"),
    (lambda: program(TernaryLIF.of("a", (2,), du=0, dv=0, vth_lo=-5, vth_hi=5)), "neurons of kind ternary_lif"),
    (lambda: program(CubaLI.of("a", (2,), du=0, dv=0, shift=6), lif("b")), "'a': passes its voltage on"),
    (lambda: program(lif(), weights=((0, 0), (0, 0))), "weights of 0 to 0 that netx would change"),
    (lambda: looped(2), "is recurrent and has delays"),
    (lambda: waiting(70), "waits 70 steps, but a .net file's delays end at 62"),
    (lambda: program(RF.of("a", (2,), **RESONATORS)), "weights of 0 to 0 that netx would change"),
    (lambda: program(RF.of("a", (2,), **{**RESONATORS, "sin_decay": np.array([900, 901])})), "sin_decay that differs"),
    (lambda: program(RF.of("a", (2,), **{**RESONATORS, "state_exp": 0})), "has state_exp 0, but netx sets it to 6"),
]


@pytest.mark.parametrize(("make", "sentence"), UNSAYABLE, ids=[s for _, s in UNSAYABLE])
def test_what_a_file_cannot_say_gets_a_sentence(make: Callable[[], ChipProgram], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        write_program(make(), tmp_path / "m.net", "m.chip")
    assert sentence in str(caught.value) and str(caught.value).startswith("m.chip: ")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_bias_that_passes_the_synaptic_filter_has_no_place() -> None:
    neuron = nir.CubaLIF(
        tau_syn=np.full(2, 5 * DT), tau_mem=np.full(2, 9 * DT), w_in=np.ones(2), r=np.ones(2), v_leak=np.zeros(2),
        v_threshold=np.ones(2), v_reset=np.zeros(2),
    )  # fmt: skip
    nodes = {
        "in": nir.Input(input_type={"input": np.array([2])}),
        "w": nir.Affine(np.ones((2, 2)), np.array([0.1, -0.2])),
        "a": neuron,
        "out": nir.Output(output_type={"output": np.array([2])}),
    }
    graph = nir.NIRGraph(nodes, [("in", "w"), ("w", "a"), ("a", "out")], metadata={"dt": DT}, type_check=False)
    with pytest.raises(InputError, match="its bias passes the synaptic filter: leave it out, or use LIF neurons"):
        compile_for_net(graph, LOIHI2, context="m.nir")


def test_a_reset_by_subtraction_is_refused_whatever_the_bias(tmp_path: Path) -> None:
    nodes = {
        "in": nir.Input(input_type={"input": np.array([2])}),
        "w": nir.Affine(np.ones((2, 2)), np.array([0.1, -0.003])),
        "a": nir.IF(r=np.ones(2), v_threshold=np.ones(2), v_reset=np.zeros(2)),
        "out": nir.Output(output_type={"output": np.array([2])}),
    }
    graph = nir.NIRGraph(nodes, [("in", "w"), ("w", "a"), ("a", "out")], metadata={"dt": DT}, type_check=False)
    with pytest.raises(InputError, match="'a': resets by subtraction"):
        write_program(compile_for_net(graph, LOIHI2, CompileOptions(reset="subtract")), tmp_path / "m.net")


@settings(max_examples=60, deadline=None)
@given(nir_graphs().map(as_chain))
def test_a_compiled_program_is_written_exactly_or_refused(graph: nir.NIRGraph) -> None:
    program = compile_graph(graph, LOIHI2)
    try:
        read = written_and_read(program)
    except InputError as error:
        assert "export the .nir file" in str(error)
        return
    x = (np.random.default_rng(0).random((20, 2, *program.inputs[0].shape)) < 0.5).astype(np.uint8)
    ours, theirs = (simulate(p, x, steps=20).output.reshape(20, 2, -1) for p in (program, read))
    np.testing.assert_array_equal(ours, theirs)


def kept_by_lava(weights: list[Any]) -> bool:
    """netx's and Lava's own arithmetic on a layer's matrices, step by step."""
    joint = np.hstack(weights)
    low, high = joint.min(), joint.max()
    if not joint.any():
        return False
    if low < 0 < high and (high > 254 or low < -256):
        return False
    signed = int(low < 0 <= high)
    with np.errstate(divide="ignore"):
        scale = min(127 / high, -128 / low) if signed else -256 / low if high < 0 else 255 / high
    shift = int(np.floor(np.log2(scale))) + signed
    if shift < 0:
        return False
    zeros = 8
    while zeros > 0 and np.any(joint / 2**zeros != np.round(joint / 2**zeros)):
        zeros -= 1
    bits = 8 - shift - (zeros - signed)
    for matrix in weights:
        shifted = matrix << shift
        mode = "e" if shifted.min() >= 0 else "i" if shifted.max() <= 0 else "m"
        values = -shifted if mode == "i" else shifted
        clipped = np.clip(values, -256 * (mode == "m"), 255)
        cut = 8 - bits + (mode == "m")
        if cut < 0 or np.any((clipped >> cut) << cut != values):
            return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_netx_keeps_the_weights_that_are_written(data: st.DataObject) -> None:
    low = data.draw(st.sampled_from([-256, -255, -128, -127, -64, -3, -1, 0, 1]))
    high = data.draw(st.sampled_from([n for n in (-1, 0, 1, 2, 127, 128, 254, 255) if n >= low]))
    numbers = st.lists(st.integers(low, high), min_size=4, max_size=4)
    matrices = [np.array(data.draw(numbers)).reshape(2, 2) for _ in range(data.draw(st.integers(1, 2)))]
    factor = data.draw(st.sampled_from([1, 2]))
    if factor * max(-low, high) <= 256:
        matrices = [factor * m for m in matrices]
    matrices = [m.astype(np.int32) for m in matrices]
    if any(m.any() for m in matrices):
        assert weights_survive(matrices) == kept_by_lava(matrices)


def test_constants_of_each_neuron_stand_in_netx_order(tmp_path: Path) -> None:
    vth = np.arange(12, dtype=np.int32).reshape(1, 3, 4) + 5
    layer = {
        "type": b"conv", "shape": np.array([1, 3, 4]), "weight": np.full((1, 1, 1, 1, 1), 6.0), "groups": 1,
        "stride": np.array([1, 1]), "padding": np.array([0, 0]), "dilation": np.array([1, 1]),
        "neuron": {"type": b"CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": vth.transpose()},
        "bias": 2 * vth.transpose(),
    }  # fmt: skip
    layers = [{"type": b"input", "shape": np.array([1, 3, 4])}, layer]
    program = compile_net(write_net(tmp_path / "m.net", layers), LOIHI2)
    (population,) = program.populations
    assert isinstance(population, CubaLIF)
    np.testing.assert_array_equal(population.vth.reshape(1, 3, 4), vth)
    np.testing.assert_array_equal(population.bias.reshape(1, 3, 4), 2 * 64 * vth)
    write_program(program, tmp_path / "again.net")
    with h5py.File(tmp_path / "again.net") as file:
        assert file["layer/1/neuron/vThMant"].shape == file["layer/1/bias"].shape == (4, 3, 1)
    assert_same(program, compile_net(tmp_path / "again.net", LOIHI2))
