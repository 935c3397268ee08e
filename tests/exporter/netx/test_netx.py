"""lava-dl's .net files: read exactly, run like lava-dl's own netx, refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from net_files import LOIHI2, NETX, NEURON, dense, needs_networks, write_net

from spikeport.common.errors import InputError
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.netx.synapses import exact
from spikeport.exporter.program.chip_program import CubaLI, DenseConnection
from spikeport.hardware_profiles.fixed_point import weight_grid
from spikeport.lava_runtime.simulate import simulate


@needs_networks
def test_tinynet_repeats_every_recorded_layer() -> None:
    program = compile_net(NETX / "tinynet" / "tiny.net", LOIHI2)
    # the recorded sample as the bias that netx gives its neurons; 34 of it is the file's own
    bias = np.load(NETX / "tinynet" / "input_bias.npy").astype(np.int32).transpose(2, 1, 0)
    x = np.broadcast_to(bias - 34, (17, 1, 3, 16, 16)) / 36
    result = simulate(program, x, steps=20, record="all")
    for depth, name in enumerate(("input", "layer1", "output")):
        recorded = np.load(NETX / "tinynet" / f"{name}.npy")[0]
        # a layer runs a step behind the one before it, on the chip and in the recording
        found = np.moveaxis(result.states[f"s/layer{depth}"][:, 0], 0, -1)[..., depth : depth + 16]
        np.testing.assert_array_equal(found, recorded)


@needs_networks
def test_oxford_spikes_as_netx_does() -> None:
    program = compile_net(NETX / "oxford" / "network.net", LOIHI2)
    events = np.load(NETX / "oxford" / "input.npy")
    x = np.zeros((2000, 1, 200), np.uint8)
    x[events[:, 2].astype(int), 0, events[:, 0].astype(int)] = 1
    # 10712 spikes in 2000 steps: lava-dl 0.6.0's netx on the same input, equal in every place
    assert simulate(program, x, steps=2000).output.sum() == 10712


@needs_networks
def test_mnist_answers_as_trained() -> None:
    program = compile_net(NETX / "mnist" / "trained_mnist_network.net", LOIHI2)
    data = np.load(NETX.parents[1] / "data" / "mnist10k.npz")
    images, labels = data["x"][-2000:].reshape(2000, -1) / 255.0, data["y"][-2000:]
    voltage, steps = np.zeros_like(images), []
    for _ in range(32):
        voltage += images
        spikes = voltage > 1
        voltage[spikes] = 0
        steps.append(spikes)
    result = simulate(program, np.array(steps, np.uint8), steps=35)
    # an integrate-and-fire encoder and 32 steps, as the network's authors ran it
    assert np.mean(result.output_counts(slice(3, 35)).argmax(axis=1) == labels) >= 0.955


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_weight_of_eight_bit_is_held_exactly(data: st.DataObject) -> None:
    low = data.draw(st.sampled_from([-256, -255, -128, -30, 0, 3]))
    high = data.draw(st.sampled_from([n for n in (-1, 0, 17, 127, 254, 255) if n >= low]))
    drawn = data.draw(st.lists(st.integers(low, high), min_size=6, max_size=6))
    weights = np.array(drawn, np.int32).reshape(2, 3)
    shifts = data.draw(st.booleans())
    # -256 is on the even grid of mixed signs alone
    assume(weights.min() > -256 or (weights.max() <= 254 and not np.any(weights % 2)))
    parts = exact(
        "layer",
        weights,
        lambda values, exponent, mode: DenseConnection("in", "out", values, exponent, mode, 8, 1),
        shifts,
    )
    np.testing.assert_array_equal(sum(part.weights * 2.0**part.weight_exp for part in parts), weights)
    assert shifts or all(part.weight_exp == 0 for part in parts)
    for part in parts:
        grid = weight_grid(part.sign_mode)
        assert grid.low <= part.weights.min() and part.weights.max() <= grid.high
        assert not np.any(part.weights % grid.step)


def test_delays_reach_every_synapse_of_a_layer(tmp_path: Path) -> None:
    weights = np.array([[100.0, 0.0], [0.0, 100.0], [100.0, 100.0]])
    path = write_net(tmp_path / "m.net", [dense(weights, delay=np.array([0.0, 3.0, 62.0]))])
    x = np.zeros((1, 1, 2), np.uint8)
    x[0, 0] = 1
    program = compile_net(path, LOIHI2)
    current = simulate(program, x, steps=70, record="all").states["u/layer0"][:, 0]
    first = [int(np.flatnonzero(current[:, neuron])[0]) for neuron in range(3)]
    assert first == [1, 4, 63]


def test_recurrent_layers_and_readouts_without_a_threshold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    even = (2 * rng.integers(-60, 60, (5, 4))).astype(float)
    recurrent = {
        **dense(even), "type": b"dense_rec", "weight_rec": np.full((5, 5), -12.0), "bias": np.full(5, 3.0)
    }  # fmt: skip
    readout = dense(np.ones((2, 5)) * 7)
    del readout["neuron"]
    program = compile_net(write_net(tmp_path / "m.net", [recurrent, readout]), LOIHI2)
    assert [c.label for c in program.connections] == ["input -> layer0", "layer0 -> layer0", "layer0 -> layer1"]
    assert isinstance(program.populations[1], CubaLI)
    result = simulate(program, (rng.random((30, 3, 4)) < 0.5).astype(np.uint8), record="all")
    spikes, answer = result.states["s/layer0"], result.output
    assert spikes.sum() > 0
    # the readout adds up 7 for every spike that has arrived
    arrived = 7 * np.cumsum(spikes.sum(axis=2, dtype=np.int64), axis=0)
    np.testing.assert_array_equal(answer[1:, :, 0], arrived[:-1])


def test_sigma_delta_layers_pass_on_changes(tmp_path: Path) -> None:
    neuron = {"type": b"SDNN", "vThMant": 0, "activation": b"relu"}
    layers = [
        {"type": b"input", "shape": np.array([4]), "neuron": neuron},
        dense(np.array([[20.0, -10, 4, 6], [-2, 8, 30, 2]]), neuron=neuron, bias=np.array([3.0, -5.0])),
        dense(np.array([[12.0, -34.0]]), neuron={**neuron, "sigma_output": True}),
    ]  # fmt: skip
    program = compile_net(write_net(tmp_path / "m.net", layers), LOIHI2)
    x = np.array([0.5, -0.25, 1.0, 0.0])
    values = simulate(program, np.broadcast_to(x, (8, 1, 4)), steps=8).output[:, 0, 0]
    # real numbers enter in 64ths; a graded spike and a state have six binary places more each
    sums = np.array([[20, -10, 4, 6], [-2, 8, 30, 2]]) @ (64 * x) * 64
    active = np.maximum(sums + np.array([3, -5]) * 4096, 0).astype(int)
    assert values[-1] == np.array([12, -34]) @ (active >> 6)
    assert np.all(values[4:] == values[-1])


def test_complex_weights_reach_both_parts_of_a_resonator(tmp_path: Path) -> None:
    neuron = {"type": b"RF_PHASE", "sinDecay": 1500, "cosDecay": 3700, "vThMant": 20}
    layer = {
        "type": b"dense", "shape": np.array([3]), "neuron": neuron,
        "weight/real": np.full((3, 2), 40.0), "weight/imag": np.full((3, 2), -8.0),
    }  # fmt: skip
    program = compile_net(write_net(tmp_path / "m.net", [layer]), LOIHI2)
    assert [c.port for c in program.connections] == ["a_real_in", "a_imag_in"]
    x = np.zeros((40, 1, 2), np.uint8)
    x[0] = 1
    result = simulate(program, x, record="all")
    assert result.states["real/layer0"][1].tolist() == [[80 * 64] * 3]
    assert result.states["imag/layer0"][1].tolist() == [[-16 * 64] * 3]
    assert result.output.sum() > 0


BAD: list[tuple[Callable[[], list[dict[str, Any]]], str]] = [
    (lambda: [dense(np.array([[0.5]]))], "weight holds numbers that are not chip integers"),
    (lambda: [dense(np.array([[np.nan]]))], "weight holds numbers that are not chip integers"),
    (lambda: [dense(np.array([[300.0, -2.0]]))], "weights of -2 to 300, beyond 8 bit"),
    (lambda: [dense(np.ones((2, 3))), dense(np.ones((2, 3)))], r"takes 3 inputs, but \(2,\) leads to it"),
    (lambda: [{**dense(np.ones((1, 1))), "type": b"convT"}], "a type that is not compiled; known are input, dense"),
    (lambda: [dense(np.ones((1, 1)), neuron={**NEURON, "type": b"ALIEN"})], "has ALIEN neurons; known are"),
    (lambda: [dense(np.ones((1, 1)), neuron={**NEURON, "iDecay": 0})], "iDecay 0 and vDecay 128"),
    (lambda: [dense(np.ones((2, 2)), bias=np.ones(3))], "has 3 biases, which do not fit"),
    (lambda: [dense(np.ones((2, 2)), delay=np.ones(3))], "has 3 delays, which fit neither end"),
    (lambda: [{"type": b"flatten"}], "holds no layer with neurons"),
]


@pytest.mark.parametrize(("layers", "sentence"), BAD, ids=[s for _, s in BAD])
def test_bad_files_get_a_sentence(layers: Callable[[], list[dict[str, Any]]], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        compile_net(write_net(tmp_path / "bad.net", layers()), LOIHI2)
    assert "bad.net" in str(caught.value) and "\n" not in str(caught.value)


def test_a_truncated_file_gets_a_sentence(tmp_path: Path) -> None:
    path = write_net(tmp_path / "cut.net", [dense(np.ones((40, 30)))])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"cut\.net: cannot be read as \.net"):
        compile_net(path, LOIHI2)
    with pytest.raises(InputError, match="no such file"):
        compile_net(tmp_path / "none.net", LOIHI2)
