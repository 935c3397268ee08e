"""ONNX networks of ReLUs as spiking networks: what they answer, and a sentence for what cannot be converted."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from command import refused, spikeport
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx_models import Model, relu_networks

from benchmarks.nir_simulator import simulate_nir
from spikeport.common.errors import InputError
from spikeport.exporter.onnx.calibration_statistics import answers, record
from spikeport.exporter.onnx.convert import Coding, convert_onnx
from spikeport.exporter.onnx.rate import input_scale, rate_graph
from spikeport.exporter.onnx.relu_network import open_network
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.results.conversion import measure

LOIHI2 = load_chip("loihi2")
SAMPLES = np.random.default_rng(5).uniform(0, 1, (24, 6)).astype(np.float32)
IMAGES = np.random.default_rng(5).uniform(0, 1, (24, 2, 6, 6)).astype(np.float32)


def own_answers(model: Model, x: NDArray[Any]) -> NDArray[Any]:
    """The ANN by onnxruntime, from the model as it was built."""
    session = ort.InferenceSession(model.proto().SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[Any] = session.run(None, {"x": x})[0]
    return found


def samples_for(model: Model) -> NDArray[np.float32]:
    return IMAGES if len(model.entered) == 3 else SAMPLES


@settings(max_examples=40, deadline=None)
@given(relu_networks(ceilings=False))
def test_sigma_delta_neurons_answer_a_still_image_as_the_ann(model: Model) -> None:
    x = samples_for(model)
    with tempfile.TemporaryDirectory() as folder:
        program = convert_onnx(model.save(Path(folder) / "m.onnx"), LOIHI2, x, "sigma-delta").program
    steps = program.pipeline_steps + 3
    found = simulate(program, np.broadcast_to(x, (steps, *x.shape)), steps=steps).output[-3:]
    wanted = own_answers(model, x)
    # the last layer's unit is what its first weight says; all else is rounding
    unit = float((wanted * found[0]).sum() / np.square(found[0], dtype=float).sum())
    assert np.abs(unit * found[0] - wanted).max() < 0.05 * np.abs(wanted).max() + 1e-3
    np.testing.assert_array_equal(found, np.broadcast_to(found[0], found.shape))


@settings(max_examples=25, deadline=None)
@given(relu_networks())
def test_rates_come_to_the_ann_s_answers(model: Model) -> None:
    x = samples_for(model)
    with tempfile.TemporaryDirectory() as folder:
        network = open_network(model.save(Path(folder) / "m.onnx"))
    activity = record(network, x, percentile=100)
    graph, steps = rate_graph(network, activity), 256
    entering = np.broadcast_to(np.rint(input_scale(activity) * x), (steps, *x.shape))
    name = next(iter(graph.nodes))
    ran = simulate_nir(graph, {name: entering}, None, reset="subtract")
    rates = next(iter(ran.outputs.values()))[-1].reshape(len(x), -1) / steps
    wanted = own_answers(model, x)
    assert np.abs(rates - wanted).max() < 0.12 * np.abs(wanted).max() + 0.02
    np.testing.assert_allclose(answers(network, x), wanted.reshape(len(x), -1), atol=1e-4)


def small() -> Model:
    model = Model((1, 6, 6), seed=3)
    model.conv(4)
    model.batch_norm()
    model.add("Relu")
    model.pool()
    model.add("Flatten")
    model.shape = (36,)
    model.dense(8)
    model.add("Relu")
    model.dense(4)
    return model


@pytest.mark.parametrize("way", ["rate", "sigma-delta"])
def test_the_chip_answers_as_the_ann_and_better_with_time(way: Coding, tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (60, 1, 6, 6)).astype(np.float32)
    model = small()
    found = measure(
        convert_onnx(model.save(tmp_path / "m.onnx"), LOIHI2, x, way), way, x, 64, own_answers(model, x).argmax(axis=1)
    )
    assert [loss.steps for loss in found.losses] == [8, 16, 32, 64]
    assert found.accuracy == 1 and found.losses[-1].agreement == found.losses[-1].accuracy
    assert found.losses[-1].agreement >= 0.95 and found.losses[0].agreement <= found.losses[-1].agreement
    assert found.messages > 0


def test_a_model_of_a_fixed_batch_is_run_in_such_batches(tmp_path: Path) -> None:
    free, fixed = Model((6,), 1), Model((6,), 1, batch=5)
    for model in (free, fixed):
        model.dense(5)
        model.add("Relu")
        model.dense(3)
    networks = [open_network(m.save(tmp_path / f"{i}.onnx")) for i, m in enumerate((free, fixed))]
    np.testing.assert_allclose(*(answers(network, SAMPLES) for network in networks), rtol=1e-6)


def test_thresholds_are_what_nearly_all_activations_stay_below(tmp_path: Path) -> None:
    network = open_network(small().save(tmp_path / "m.onnx"))
    x = np.random.default_rng(0).uniform(0, 1, (60, 1, 6, 6)).astype(np.float32)
    activity = record(network, x)
    graph = rate_graph(network, activity)
    for relu in network.relus:
        node = graph.nodes[relu.node]
        assert 0 < activity.percentiles[relu.after] <= activity.outputs[relu.after]
        np.testing.assert_allclose(node.v_threshold, activity.percentiles[relu.after])
    first, *others = (graph.nodes[relu.node] for relu in network.relus)
    # half a threshold at the start: counts are rounded, not cut off
    for node in others:
        np.testing.assert_allclose(node.metadata["v_initial"], node.v_threshold / 2)
    # neurons with the same input, which never changes, would spike together from equal starts
    start = first.metadata["v_initial"] / first.v_threshold
    assert 0 < start.min() < 0.1 and 0.9 < start.max() < 1 and len(np.unique(start)) == start.size
    for channel in start:
        assert channel.mean() == pytest.approx(0.5, abs=0.05)


def test_a_second_branch_begins_as_the_first_layer_does(tmp_path: Path) -> None:
    """What the ReLU reads decides, not how many came before it in the file."""
    model = Model((6,), 1)
    image = model.now
    model.dense(5)
    model.add("Relu")
    one = model.now
    model.now, model.shape = image, (6,)
    model.dense(5)
    two = model.add("Relu")
    model.add("Add", inputs=(one, two))
    model.dense(3)
    network = open_network(model.save(tmp_path / "m.onnx"))
    graph = rate_graph(network, record(network, SAMPLES))
    starts = [graph.nodes[relu.node].metadata["v_initial"] for relu in network.relus]
    assert len(starts) == 2 and all(np.ptp(start) > 0 for start in starts)


def with_node(kind: str, *constants: Any, shape: tuple[int, ...] = (1, 6, 6), **attributes: Any) -> Model:
    model = Model(shape, 2)
    if len(shape) == 3:
        model.conv(4)
    else:
        model.dense(4)
    model.add("Relu")
    model.add(kind, *constants, **attributes)
    return model


def in_the_middle(kind: str) -> Model:
    model = with_node(kind, shape=(6,))
    model.dense(3)
    return model


def image_of_a_layer() -> Model:
    model = with_node("Reshape", np.array([0, 9, 4, 4]))
    model.shape = (9, 4, 4)
    model.conv(2)
    return model


def test_a_linear_network_is_converted_and_told(tmp_path: Path) -> None:
    model = Model((6,), 2)
    model.dense(4)
    path = model.save(tmp_path / "m.onnx")
    for way in ("rate", "sigma-delta"):
        found = measure(convert_onnx(path, LOIHI2, SAMPLES, way), way, SAMPLES, 8)  # type: ignore[arg-type]
        assert found.losses[-1].agreement >= 0.9
    assert "holds no Relu" in open_network(path).notes[0]


UNCONVERTED: list[tuple[Callable[[], Model], str]] = [
    (lambda: in_the_middle("Sigmoid"), "Sigmoid node 't2': is not the end of the network"),
    (lambda: in_the_middle("Tanh"), "Tanh node 't2': is not the end of the network"),
    (lambda: with_node("LeakyRelu"), "LeakyRelu node 't2': is not converted; spikes represent only a ReLU"),
    (lambda: with_node("Erf"), "Erf node 't2': is not converted; known are Gemm, MatMul, Conv"),
    (lambda: with_node("AveragePool", kernel_shape=[2, 2], pads=[1] * 4), "has pads (1, 1, 1, 1), which its means"),
    (lambda: with_node("Conv", np.ones((2, 4, 3, 3)), auto_pad="SAME_UPPER", pads=[1] * 4), "has auto_pad SAME_UPPER"),
    (lambda: with_node("Clip", np.float32(-1), np.float32(6)), "clips to -1.0 to 6.0; use Relu"),
    (lambda: with_node("Reshape", np.array([2, -1])), "only shapes that keep N as the first axis"),
    (lambda: image_of_a_layer(), "made from (4, 6, 6) by Reshape or Transpose"),
    (lambda: with_node("Gemm", np.ones((4, 3))), "reads (N, 4, 6, 6), but must read (N, features); flatten first"),
    (lambda: with_node("Add", np.eye(6)), "its constant (6, 6) is not one number per channel"),
    (lambda: with_node("Gemm", np.ones((5, 3)), shape=(6,)), "do not take a vector of (N, 4)"),
    (lambda: with_node("Relu", shape=(0,)), "its input has shape (N, 0)"),
]


@pytest.mark.parametrize(("make", "sentence"), UNCONVERTED, ids=[s for _, s in UNCONVERTED])
def test_what_cannot_be_converted_gets_a_sentence(make: Callable[[], Model], sentence: str, tmp_path: Path) -> None:
    path = make().save(tmp_path / "m.onnx")
    with pytest.raises(InputError) as caught:
        open_network(path)
    assert sentence in str(caught.value) and str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_cut_relu_is_rate_coded_only(tmp_path: Path) -> None:
    model = with_node("Clip", np.float32(0), np.float32(6), shape=(6,))
    model.dense(3)
    path = model.save(tmp_path / "m.onnx")
    assert convert_onnx(path, LOIHI2, SAMPLES, "rate").program.populations
    with pytest.raises(InputError, match="is clipped at 6, which sigma-delta neurons cannot do"):
        convert_onnx(path, LOIHI2, SAMPLES, "sigma-delta")


def external(folder: Path, location: str) -> Path:
    """A model whose first weights are said to lie at `location`."""
    proto = small().proto()
    tensor = proto.graph.initializer[0]
    raw = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(raw)))):
        tensor.external_data.add(key=key, value=value)
    (folder / "weights.bin").write_bytes(raw)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    return folder / "m.onnx"


def test_weights_beside_the_model_are_read_and_others_are_not(tmp_path: Path) -> None:
    inside, secret = tmp_path / "in", tmp_path / "weights.bin"
    inside.mkdir()
    x = np.random.default_rng(0).uniform(0, 1, (8, 1, 6, 6)).astype(np.float32)
    here = open_network(external(inside, "weights.bin"))
    np.testing.assert_allclose(answers(here, x), own_answers(small(), x), rtol=1e-5)
    secret.write_bytes((inside / "weights.bin").read_bytes())
    (inside / "link.bin").symlink_to(secret)
    for location in (str(secret), "../weights.bin", "link.bin", "", "../in/../weights.bin"):
        with pytest.raises(InputError, match="outside the model's folder"):
            open_network(external(inside, location))
    with pytest.raises(InputError, match=r"are in 'none\.bin', which does not exist"):
        open_network(external(inside, "none.bin"))


def test_a_damaged_file_gets_a_sentence(tmp_path: Path) -> None:
    path = small().save(tmp_path / "m.onnx")
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"no model", whole[:-3] + b"\xff\xff\xff"):
        path.write_bytes(damage)
        with pytest.raises(InputError, match=r"m\.onnx"):
            open_network(path)


@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 20))
def test_a_file_with_other_bytes_is_read_or_refused(random: Any, places: int) -> None:
    content = bytearray(small().proto().SerializeToString())
    for _ in range(places):
        at = random.randrange(len(content))
        content[at : at + random.choice([0, 1, 1, 4])] = random.randbytes(random.choice([0, 1, 1, 3]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        path.write_bytes(content)
        try:
            open_network(path)
        except InputError as error:
            assert "\n" not in str(error)


def test_the_command_says_the_loss_and_writes_what_runs(tmp_path: Path) -> None:
    small().save(tmp_path / "m.onnx")
    x = np.random.default_rng(0).uniform(0, 1, (20, 1, 6, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", own_answers(small(), x).argmax(axis=1))
    base = ("import", "m.onnx", "--calibrate", "x.npy")
    ran = spikeport(*base, "--labels", "y.npy", "--steps", 16, "-o", "m.chip", "--json", "f.json", cwd=tmp_path)
    assert ran.returncode == 0 and "the ANN itself: 100.00% of 20 samples" in ran.stdout, ran.stderr
    figures = json.loads((tmp_path / "f.json").read_text())
    assert [loss["steps"] for loss in figures["losses"]] == [8, 16] and figures["as"] == "rate"
    np.save(tmp_path / "shown.npy", np.broadcast_to(x, (4, *x.shape)))
    assert spikeport("simulate", "m.chip", "--input", "shown.npy", "-o", "o.npz", cwd=tmp_path).returncode == 0
    # the contract's own command
    compiled = ("compile", "m.onnx", "--chip", "loihi2", "-o", "c.chip")
    assert spikeport(*compiled, "--calibrate", "x.npy", cwd=tmp_path).returncode == 0
    refused(spikeport(*compiled, cwd=tmp_path), "give it with --calibrate X.npy")
    refused(spikeport(*compiled, "--calibrate", "x.npy", "--dt", "1", cwd=tmp_path), "an ANN has no --dt")
    refused(spikeport(*base, "--as", "sigma-delta", "-o", "m.nir", cwd=tmp_path), "NIR has no sigma-delta neurons")
    np.save(tmp_path / "x.npy", x[:, :, :5])
    refused(spikeport(*base, "-o", "m.chip", cwd=tmp_path), "x.npy: has shape (20, 1, 5, 6)", "(N, 1, 6, 6)")


def test_the_command_ends_with_1_where_nothing_is_right(tmp_path: Path) -> None:
    small().save(tmp_path / "m.onnx")
    x = np.random.default_rng(0).uniform(0, 1, (20, 1, 6, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "large.npy", 1000 * x)
    np.save(tmp_path / "wrong.npy", (own_answers(small(), x).argmax(axis=1) + 1) % 4)
    base = ("import", "m.onnx", "--input", "x.npy", "--steps", 8, "-o", "m.chip")
    dead = spikeport(*base, "--calibrate", "large.npy", "--json", "f.json", cwd=tmp_path)
    assert dead.returncode == 1 and (tmp_path / "m.chip").exists()
    assert "the chip's output is the same for every sample" in dead.stderr and dead.stderr.count("\n") == 1
    assert json.loads((tmp_path / "f.json").read_text())["losses"][-1]["error"] > 0
    wrong = spikeport(*base, "--calibrate", "x.npy", "--labels", "wrong.npy", "--as", "sigma-delta", cwd=tmp_path)
    assert wrong.returncode == 1 and "the chip has the right class on no sample" in wrong.stderr
