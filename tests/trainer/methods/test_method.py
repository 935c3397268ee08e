"""The contract of a method: learns, repeats itself, survives an interruption, refuses what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import NETWORK, TRAINING, assert_same_weights, fit, interrupt_after, made

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop import checkpoint
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.loop.training_loop import DivergedError
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, read_network, stored_network
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return made()


def test_it_learns_and_its_prediction_is_that_of_its_own_spikes(data: Dataset) -> None:
    method = Bptt(NETWORK, replace(TRAINING, epochs=15, learning_rate=0.02)).fit(data, progress=False)
    assert (method.predict(data.x_test) == data.y_test).mean() > 0.95
    counts = method.predict_counts(data.x_test)
    assert counts.shape == (30, 3) and counts.dtype == np.int64
    with torch.no_grad():
        spikes = method.spiking_network(torch.from_numpy(method.encode(data.x_test)))
    np.testing.assert_array_equal(spikes.sum(0).numpy(), counts)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(data: Dataset, tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    first = fit(data)
    assert torch.equal(torch.random.get_rng_state(), state), "fit must not touch torch's own seed"
    torch.manual_seed(99)
    first.save(tmp_path / "a.safetensors")
    fit(data).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    Bptt(NETWORK, replace(TRAINING, seed=4)).fit(data, progress=False).save(tmp_path / "c.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() != (tmp_path / "c.safetensors").read_bytes()


@pytest.mark.parametrize(("bits", "earlier"), [(None, "auto"), (8, "auto"), (4, "mixed")])
def test_a_file_without_sign_modes_was_rounded_as_earlier_versions_did(bits: int | None, earlier: str) -> None:
    assert read_network(stored_network(NetworkConfig(chip_aware=bits))).sign_modes == "auto"
    values = stored_network(NetworkConfig(chip_aware=bits))
    values.pop("sign_modes", None)
    assert read_network(values).sign_modes == earlier


def test_save_and_load_give_the_same_network(data: Dataset, tmp_path: Path) -> None:
    method = Bptt(NETWORK, TRAINING, dt=2e-3).fit(data, progress=False)
    method.save(tmp_path / "network.safetensors")
    loaded = load_trained(tmp_path / "network.safetensors")
    assert isinstance(loaded, Bptt)
    assert (loaded.network_config, loaded.train_config, loaded.dt) == (NETWORK, TRAINING, 2e-3)
    assert_same_weights(method, loaded)
    np.testing.assert_array_equal(loaded.predict_counts(data.x_test), method.predict_counts(data.x_test))


@pytest.mark.parametrize("batches", [0, 2, 4, 7, 15])
def test_an_interrupted_training_resumes_to_the_same_weights(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(batches, patch)
        fit(data, folder=tmp_path)
    content = read_tensors(tmp_path / "checkpoint.safetensors", "checkpoint")
    assert len(content["losses"]) == batches // 4
    assert_same_weights(fit(data, folder=tmp_path, resume=True), fit(data))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.csv", "checkpoint.safetensors"]


def test_an_interruption_while_writing_leaves_the_checkpoint_before(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, kind: str, content: dict[str, object]) -> None:
        if content["losses"]:
            monkeypatch.setattr(Path, "write_bytes", _half_written)
        write_tensors(path, kind, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "write_tensors", interrupted)
        fit(data, folder=tmp_path)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert read_tensors(tmp_path / "checkpoint.safetensors", "checkpoint")["losses"] == []


def _half_written(path: Path, content: bytes) -> int:
    path.open("wb").write(content[:100])
    raise KeyboardInterrupt


def test_resuming_a_finished_training_changes_nothing(data: Dataset, tmp_path: Path) -> None:
    finished = fit(data, folder=tmp_path)
    assert_same_weights(fit(data, folder=tmp_path, resume=True), finished)


def test_a_checkpoint_of_another_configuration_is_refused(data: Dataset, tmp_path: Path) -> None:
    fit(data, folder=tmp_path)
    for method, field in (
        (Bptt(NETWORK, replace(TRAINING, batch_size=8)), "training.batch_size was 16, now 8"),
        (Bptt(replace(NETWORK, dv=0.3), TRAINING), "network.dv was 0.1, now 0.3"),
        (Bptt(replace(NETWORK, layers=(LayerConfig(size=7),)), TRAINING), r"network.layers.0.size was \d+, now 7"),
    ):
        with pytest.raises(InputError, match=field):
            method.fit(data, folder=tmp_path, resume=True, progress=False)


def test_resuming_from_nothing_is_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint to resume"):
        fit(data, folder=tmp_path, resume=True)
    with pytest.raises(InputError, match="name the folder"):
        fit(data, resume=True)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(data: Dataset, tmp_path: Path, kept: float) -> None:
    method = fit(data, folder=tmp_path)
    method.save(tmp_path / "network.safetensors")
    for name in ("network.safetensors", "checkpoint.safetensors"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(kept * len(whole)) if kept < 1 else int(kept)])
    with pytest.raises(InputError, match=r"network\.safetensors: is truncated"):
        Bptt.load(tmp_path / "network.safetensors")
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: is truncated"):
        fit(data, folder=tmp_path, resume=True)


def test_a_file_that_holds_code_is_not_executed(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (tmp_path / "executed",)

    torch.save({"kind": "network", "version": 1, "state": Touch()}, tmp_path / "network.pt")
    with pytest.raises(InputError, match="could run code"):
        load_trained(tmp_path / "network.pt")
    assert not (tmp_path / "executed").exists()


def test_wrong_files_are_refused(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    with pytest.raises(InputError, match="no such file"):
        Bptt.load(path)
    fit(data).save(path)
    with pytest.raises(InputError, match="not a checkpoint file"):
        read_tensors(path, "checkpoint")
    content = read_tensors(path, "network")
    for change, message in (
        ({"method": "other"}, "method 'other'"),
        ({"classes": 4}, "size mismatch|not a usable"),
        ({"network": {"layers": ()}}, "not a usable"),
        ({"training": {"epochs": 0}}, "not a usable"),
        ({"state": {}}, "not a usable"),
    ):
        write_tensors(path, "network", {**content, **change})
        with pytest.raises(InputError, match=message):
            Bptt.load(path)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("layer", ["layer1", "layer2"])
def test_a_diverged_training_names_epoch_and_layer_and_keeps_the_checkpoint_before(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: str, batch_norm: bool, poison: float
) -> None:
    original, calls = Bptt.loss, [0]

    def loss(self: Bptt, network: SpikingNetwork, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        if calls[0] == 6:
            network.get_parameter(f"layers.{layer}.synapse.weight").data[0, 0] = poison
        return original(self, network, x, y)

    monkeypatch.setattr(Bptt, "loss", loss)
    with pytest.raises(
        DivergedError, match=f"diverged in epoch 2, step 2: {layer} is no longer finite.*holds the state before"
    ):
        Bptt(replace(NETWORK, batch_norm=batch_norm), TRAINING).fit(data, folder=tmp_path, progress=False)
    content = read_tensors(tmp_path / "checkpoint.safetensors", "checkpoint")
    assert len(content["losses"]) == 1
    assert all(bool(value.isfinite().all()) for value in content["model"].values())


def test_an_untrained_method_says_so(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="call fit or load"):
        Bptt(NETWORK, TRAINING).predict(data.x_test)
    with pytest.raises(InputError, match="call fit or load"):
        Bptt(NETWORK, TRAINING).save(tmp_path / "network.safetensors")
    assert not list(tmp_path.iterdir())


def test_methods_are_found_by_name() -> None:
    assert get_method("bptt") is Bptt
    with pytest.raises(InputError, match="did you mean 'bptt'"):
        get_method("bpttt")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"learning_rate": 0.0}, {"seed": -1}, {"norm_epochs": 1.5}])
def test_wrong_training_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
def test_digits_are_learned_on_the_chips_grid(neuron) -> None:  # type: ignore[no-untyped-def]
    digits = load_dataset("digits", 0)
    method = Bptt(NetworkConfig((LayerConfig(size=64),), neuron), TrainConfig(epochs=6, learning_rate=0.01))
    assert (method.fit(digits, progress=False).predict(digits.x_test) == digits.y_test).mean() > 0.93
