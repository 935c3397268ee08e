"""The ANN twin: same sizes, folded as it computes, resumes, saves and loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.inference_layers import TwinLayer
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

CONV = (LayerConfig("conv", 4), LayerConfig("conv", 6, stride=2, groups=2))
TRAINING = TrainConfig(epochs=3, seed=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images() -> Dataset:
    data = load_dataset("digits_image", 0)
    return Dataset(data.x_train[:300], data.y_train[:300], data.x_test, data.y_test, data.input_shape, 10, "few digits")


def folded_pass(layers: list[TwinLayer], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logits from the folded layers alone."""
    value = torch.from_numpy(x).double()
    for layer in layers:
        weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
        if layer.kind == "dense":
            value = torch.nn.functional.linear(value.flatten(1), weight, bias)
        else:
            value = torch.nn.functional.conv2d(
                value, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
            )
        value = value.relu() if layer.relu else value
        assert value.shape[1:] == layer.output_shape
    return np.asarray(value.numpy())


@pytest.mark.parametrize("batch_norm", [True, False])
def test_folded_layers_compute_what_the_twin_does(images: Dataset, batch_norm: bool) -> None:
    twin = AnnTwin(NetworkConfig(CONV, batch_norm=batch_norm), TRAINING).fit(images, progress=False)
    logits = twin.predict_logits(images.x_test)
    np.testing.assert_allclose(folded_pass(twin.twin_layers(), images.x_test), logits, atol=1e-4)
    np.testing.assert_array_equal(twin.predict(images.x_test), logits.argmax(1))
    assert [layer.relu for layer in twin.twin_layers()] == [True, True, False]


def test_the_twin_has_the_sizes_of_the_spiking_network(images: Dataset) -> None:
    config = NetworkConfig(CONV)
    twin = AnnTwin(config, TRAINING).fit(images, progress=False)
    spiking = build_network(config, images.input_shape, 10).inference_layers()
    for ours, theirs in zip(twin.twin_layers(), spiking, strict=True):
        assert (ours.name, ours.kind, ours.output_shape) == (theirs.name, theirs.kind, theirs.output_shape)
        assert (ours.stride, ours.padding, ours.groups) == (theirs.stride, theirs.padding, theirs.groups)
        assert ours.weight.shape == theirs.weight.shape and ours.flatten_before == theirs.flatten_before


def test_it_learns_the_digits() -> None:
    digits = load_dataset("digits", 0)
    twin = AnnTwin(NetworkConfig(), TrainConfig(epochs=10)).fit(digits, progress=False)
    assert (twin.predict(digits.x_test) == digits.y_test).mean() > 0.96


def test_save_load_and_resume(images: Dataset, tmp_path: Path) -> None:
    config = NetworkConfig((LayerConfig(size=9),))
    twin = AnnTwin(config, TRAINING).fit(images, folder=tmp_path, progress=False)
    twin.save(tmp_path / "twin.safetensors")
    resumed = AnnTwin(config, TRAINING).fit(images, folder=tmp_path, resume=True, progress=False)
    for other in (AnnTwin.load(tmp_path / "twin.safetensors"), resumed):
        np.testing.assert_array_equal(other.predict_logits(images.x_test), twin.predict_logits(images.x_test))
    (tmp_path / "twin.safetensors").write_bytes((tmp_path / "twin.safetensors").read_bytes()[:500])
    with pytest.raises(InputError, match="truncated"):
        AnnTwin.load(tmp_path / "twin.safetensors")
    with pytest.raises(InputError, match=r"not an input of \(2, 64\)"):
        twin.predict(np.zeros((2, 64)))
    with pytest.raises(InputError, match="call fit or load"):
        AnnTwin(config, TRAINING).twin_layers()


def test_a_batch_of_one_sample_has_no_statistics(images: Dataset) -> None:
    with pytest.raises(InputError, match="two samples at least in a batch"):
        AnnTwin(NetworkConfig(), TrainConfig(epochs=1, batch_size=1)).fit(images, progress=False)
