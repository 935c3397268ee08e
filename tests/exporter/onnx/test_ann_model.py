"""The twin as ONNX: the same logits in float, nearly the same in int8, clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.ann_model import export_onnx, quantise_onnx, run_onnx
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

DENSE = (LayerConfig(size=32),)
CONV = (LayerConfig("conv", 4), LayerConfig("conv", 8, stride=2, dilation=2, padding=2, groups=2))


@pytest.mark.parametrize(("name", "layers"), [("digits", DENSE), ("digits_image", CONV)])
def test_float_and_int8_agree_with_the_twin(  # type: ignore[no-untyped-def]
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, name: str, layers
) -> None:
    torch.set_num_threads(1)
    data = load_dataset(name, 0)
    twin = AnnTwin(NetworkConfig(layers), TrainConfig(epochs=4)).fit(data, progress=False)
    float_path, int8_path = tmp_path / "twin.onnx", tmp_path / "twin_int8.onnx"
    export_onnx(twin.twin_layers(), data.input_shape, float_path)
    quantise_onnx(float_path, int8_path, data.x_train)
    wanted, measured = twin.predict_logits(data.x_test), run_onnx(float_path, data.x_test)
    assert measured.dtype == np.float32
    np.testing.assert_allclose(measured, wanted, atol=1e-4)
    rounded = run_onnx(int8_path, data.x_test)
    assert (rounded.argmax(1) == wanted.argmax(1)).mean() > 0.98 and not np.allclose(rounded, wanted, atol=1e-4)
    np.testing.assert_array_equal(rounded, run_onnx(int8_path, data.x_test))
    assert {path.name for path in tmp_path.iterdir()} == {"twin.onnx", "twin_int8.onnx"}
    assert capfd.readouterr() == ("", "") and not caplog.records
    _check_int8_weights(int8_path, len(twin.twin_layers()))


def test_int8_answers_do_not_depend_on_who_else_is_in_the_batch(tmp_path: Path) -> None:
    """onnxruntime 1.23's fused kernels fail here on processors with AMX tiles: rows of 32 and more, sums of others."""
    data = load_dataset("digits", 0)
    twin = AnnTwin(NetworkConfig((LayerConfig(size=24),)), TrainConfig(epochs=2)).fit(data, progress=False)
    export_onnx(twin.twin_layers(), data.input_shape, tmp_path / "twin.onnx")
    quantise_onnx(tmp_path / "twin.onnx", tmp_path / "int8.onnx", data.x_train[:256])
    x = data.x_test[:150]
    alone = np.concatenate([run_onnx(tmp_path / "int8.onnx", one[None]) for one in x])
    np.testing.assert_allclose(run_onnx(tmp_path / "int8.onnx", x), alone, atol=1e-4)


def _check_int8_weights(path: Path, layers: int) -> None:
    graph = onnx.load(path).graph
    scales = {node.input[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"}
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    weights = [tensor for name, tensor in tensors.items() if name in scales and len(tensor.dims) > 1]
    assert len(weights) == layers and all(tensor.data_type == onnx.TensorProto.INT8 for tensor in weights)
    for tensor in weights:
        assert list(tensors[scales[tensor.name]].dims) == [tensor.dims[0]], "one scale per output"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    data = load_dataset("digits", 0)
    twin = AnnTwin(NetworkConfig(DENSE), TrainConfig(epochs=1)).fit(data, progress=False)
    export_onnx(twin.twin_layers(), data.input_shape, tmp_path / "twin.onnx")
    return tmp_path / "twin.onnx"


def test_a_truncated_file_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for kept in (0, 1, 20, len(whole) // 2, len(whole) - 200, len(whole) - 1):
        small.write_bytes(whole[:kept])
        with pytest.raises(InputError, match=r"twin\.onnx: is truncated"):
            run_onnx(small, np.zeros((1, 64)))
        with pytest.raises(InputError, match=r"twin\.onnx: is truncated"):
            quantise_onnx(small, small.with_name("int8.onnx"), np.zeros((1, 64)))
    assert not small.with_name("int8.onnx").exists()


def test_wrong_calls_are_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        run_onnx(tmp_path / "none.onnx", np.zeros((1, 64)))
    with pytest.raises(InputError, match=r"samples of shape \(64,\), not \(8, 8\)"):
        run_onnx(small, np.zeros((1, 8, 8)))
    with pytest.raises(InputError, match="at least one sample"):
        quantise_onnx(small, tmp_path / "int8.onnx", np.zeros((0, 64)))
    with pytest.raises(InputError, match="finite"):
        quantise_onnx(small, tmp_path / "int8.onnx", np.full((2, 64), np.nan))
    with pytest.raises(InputError, match="at least one layer"):
        export_onnx([], (64,), tmp_path / "empty.onnx")
    assert run_onnx(small, np.zeros((0, 64))).shape == (0, 10)
