"""The ANN twin: same sizes, folded as it computes, resumes, saves and loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
from spikeport.trainer.tensor_files.tensor_files import read_tensors
from spikeport.trainer.twin_training import twin_network, twin_training

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


@pytest.mark.slow
def test_by_its_own_settings_it_beats_the_spiking_network_of_the_same_layers() -> None:
    digits = load_dataset("digits", 0)
    # recipes/digits_membrane_bp.toml, whose spiking network answers 0.983 right
    layers = NetworkConfig((LayerConfig("dense", 128),), batch_norm=False)
    settings = twin_training(TrainConfig())
    twin = AnnTwin(twin_network(layers, len(digits.y_train)), settings).fit(digits, progress=False)
    assert (twin.predict(digits.x_test) == digits.y_test).mean() > 0.983


def test_its_settings_do_not_depend_on_the_spiking_network_s() -> None:
    training = TrainConfig(method="st_rsbp", epochs=1, learning_rate=1e-9, batch_size=2, seed=7, threads=1)
    assert twin_training(training) == twin_training(TrainConfig(epochs=99, seed=7, threads=1))
    assert twin_training(training).seed == 7


@pytest.mark.slow
def test_it_is_trained_for_numbers_as_long_as_their_error_falls() -> None:
    data, training = load_dataset("friedman", 0), TrainConfig(task="regression", threads=1)
    # recipes/friedman_regression.toml, whose spiking network has an error of 0.12
    layers = NetworkConfig((LayerConfig("dense", 96),))
    twin = AnnTwin(twin_network(layers, len(data.y_train)), twin_training(training)).fit(data, progress=False)
    assert np.sqrt(np.mean((twin.predict(data.x_test) - data.y_test) ** 2)) < 0.09


def test_a_held_out_part_chooses_the_epochs_and_is_then_trained_on(images: Dataset) -> None:
    # labels that mean nothing: the held-out loss soon rises
    noise = replace(images, x_train=images.x_train[:96], y_train=np.random.default_rng(0).integers(0, 10, 96))

    def trained(epochs: int, held_out: float = 0.0) -> NDArray[np.float32]:
        training = TrainConfig(epochs=epochs, held_out=held_out, patience=2 * bool(held_out), learning_rate=0.05)
        twin = AnnTwin(NetworkConfig((LayerConfig(size=9),)), training).fit(noise, progress=False)
        return twin.predict_logits(images.x_test)

    np.testing.assert_array_equal(trained(12, held_out=0.3), trained(1))


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


@pytest.mark.parametrize("last", ["search", "final"])
def test_an_interrupted_training_of_either_kind_goes_on(
    images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    config = NetworkConfig((LayerConfig(size=9),))
    training = replace(TRAINING, epochs=4, held_out=0.2, patience=4, batch_size=150, checkpoint_seconds=0)
    whole = AnnTwin(config, training).fit(images, tmp_path / "whole", progress=False)
    folder, compute, steps = tmp_path / "cut", AnnTwin._loss, 0

    def interrupted(twin: AnnTwin, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        # two batches in an epoch; 4 epochs of the search, then those of the twin
        if steps == (5 if last == "search" else 10):
            raise KeyboardInterrupt
        return compute(twin, *arguments)

    monkeypatch.setattr(AnnTwin, "_loss", interrupted)
    assert not AnnTwin.has_begun(folder)
    with pytest.raises(KeyboardInterrupt):
        AnnTwin(config, training).fit(images, folder, progress=False)
    assert AnnTwin.has_begun(folder)
    assert (folder / "ann_checkpoint.safetensors").exists() == (last == "final")
    resumed = AnnTwin(config, training).fit(images, folder, resume=True, progress=False)
    np.testing.assert_array_equal(resumed.predict_logits(images.x_test), whole.predict_logits(images.x_test))
    # all steps once, but for the one that was cut off
    monkeypatch.setattr(AnnTwin, "_loss", compute)
    epochs = len(read_tensors(folder / "ann_checkpoint.safetensors", "checkpoint")["losses"])
    assert steps == 8 + 2 * epochs + 1


def test_nothing_to_resume_is_said(images: Dataset, tmp_path: Path) -> None:
    for training in (TRAINING, replace(TRAINING, held_out=0.2)):
        with pytest.raises(InputError, match="no checkpoint to resume"):
            AnnTwin(NetworkConfig(), training).fit(images, tmp_path, resume=True, progress=False)


def test_a_recipe_bounds_its_epochs_and_sets_its_precision() -> None:
    assert twin_training(TrainConfig()).epochs == 40
    assert twin_training(TrainConfig(), 3).epochs == 3
    assert twin_training(TrainConfig(precision="bf16")).precision == "bf16"


def test_a_batch_of_one_sample_has_no_statistics(images: Dataset) -> None:
    with pytest.raises(InputError, match="two samples at least in a batch"):
        AnnTwin(NetworkConfig(), TrainConfig(epochs=1, batch_size=1)).fit(images, progress=False)
