"""Every task: it learns, the chip gives the trainer's output in every entry, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.run.measures import output_of
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import Dataset
from spikeport.trainer.data.own.targets import read_targets
from spikeport.trainer.data.targets import Targets
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.tasks.registry import TASKS

NETWORK = NetworkConfig((LayerConfig(size=16),))
TRAINING = TrainConfig(epochs=6, batch_size=20, steps=8, learning_rate=0.02, norm_epochs=0.5, encoding="spikes")
CHANNELS, OUTPUTS, STEPS = 10, 3, 8


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(targets: Targets, count: int = 120) -> Dataset:
    """Spike trains whose channels fire at rates that depend on the target."""
    generator = np.random.default_rng(0)
    level = generator.random((count, OUTPUTS))
    each = generator.integers(OUTPUTS, size=(count, STEPS))
    rates = 0.05 + 0.9 * np.repeat(level, 4, axis=1)[:, None, :CHANNELS].repeat(STEPS, axis=1)
    if targets in ("class_per_step", "series"):
        rates = np.where(np.arange(CHANNELS) % OUTPUTS == each[:, :, None], 0.9, 0.05)
    x = (generator.random(rates.shape) < rates).astype(np.uint8)
    y: dict[Targets, np.ndarray[Any, Any]] = {
        "class": level.argmax(axis=1), "class_per_step": each, "labels": (level > 0.5).astype(np.float32),
        "values": level.astype(np.float32), "series": np.eye(OUTPUTS, dtype=np.float32)[each],
    }  # fmt: skip
    cut = count * 3 // 4
    return Dataset(
        x[:cut], y[targets][:cut], x[cut:], y[targets][cut:], (CHANNELS,), OUTPUTS, "made", STEPS, targets=targets
    )


def chip_output(method: Bptt, data: Dataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What the chip sends: integers, and in the network's units, for the steps of the input."""
    program = compile_graph(network_to_nir(method.spiking_network), load_chip("loihi2"))
    result = simulate(program, method.encode(data.x_test))
    first = program.latency[program.outputs[0]]
    return result.output[first : first + STEPS], output_of(program, result, STEPS)


@pytest.mark.parametrize("name", TASKS)
def test_the_chip_sends_what_the_trainer_computes(name: str) -> None:
    task = TASKS[name]
    data = made(task.targets, 40)
    # the last loss, as the recipes use the first
    *_, loss = task.losses
    method = Bptt(NETWORK, replace(TRAINING, epochs=2, task=name, loss=loss)).fit(data, progress=False)
    *_, ours = method.run(method.encode(data.x_test)).values()
    sent, values = chip_output(method, data)
    np.testing.assert_array_equal(sent, ours)
    np.testing.assert_array_equal(task.answer(values), method.predict(data.x_test))


@pytest.mark.slow
def test_every_task_learns() -> None:
    floors = {
        "spike_count": 0.7, "first_spike": 0.6, "membrane": 0.7, "regression": 0.3, "series": 0.4, "per_step": 0.8,
        "multi_label": 0.75,
    }  # fmt: skip
    for name, task in TASKS.items():
        data = made(task.targets)
        metric = "r2" if "r2" in task.metrics else ""
        network = replace(NETWORK, dv=0.6) if task.each_step else NETWORK
        method = Bptt(network, replace(TRAINING, epochs=12, task=name, metric=metric)).fit(data, progress=False)
        value = method.objective.metric.measure(method.predict(data.x_test), data.y_test)
        assert value > floors[name], (name, value)


@pytest.mark.parametrize(
    "network",
    [
        NetworkConfig((LayerConfig(size=16),), "cuba_lif", du=0.3, dv=0.05, batch_norm=False),
        NetworkConfig((LayerConfig(size=16, recurrent=True),), dv=0.0),
        NetworkConfig((LayerConfig(size=12), LayerConfig(size=12)), chip_aware=4, train_decays=True, neuron="cuba_lif"),
    ],
)
def test_voltages_are_equal_for_other_neurons_and_word_lengths(network: NetworkConfig) -> None:
    data = made("values", 40)
    method = Bptt(network, replace(TRAINING, epochs=2, task="regression")).fit(data, progress=False)
    *_, ours = method.run(method.encode(data.x_test)).values()
    np.testing.assert_array_equal(chip_output(method, data)[0], ours)


def test_a_readout_survives_its_file_and_its_twin_fits_the_task(tmp_path: Any) -> None:
    data = made("series", 40)
    training = replace(TRAINING, epochs=2, task="series")
    method = Bptt(NETWORK, training).fit(data, progress=False)
    method.save(tmp_path / "network.safetensors")
    loaded = load_trained(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(loaded.predict(data.x_test), method.predict(data.x_test))
    twin = AnnTwin(NETWORK, replace(training, epochs=20)).fit(data, progress=False)
    logits = twin.predict_logits(twin.task.twin_input(data, data.x_test))
    assert twin.task.twin_score(twin.task.metric("r2"), logits, data.y_test) > 0.5


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("bptt", {"task": "regresion"}, "unknown task 'regresion'; did you mean 'regression'"),
        ("bptt", {"loss": "mse_membrane"}, "unknown loss of task 'spike_count' 'mse_membrane'"),
        ("bptt", {"metric": "rmse"}, "unknown metric of task 'spike_count' 'rmse'"),
        ("tssl_bp", {"task": "regression"}, "method 'tssl_bp' has a loss of its own, for spike counts; use bptt"),
        ("bptt", {"task": "regression", "stretch": 4}, "stretch is for the loss ce_count, not for mse_membrane"),
        ("bptt", {"loss": "mse_count", "label_smoothing": 0.1}, "label_smoothing is for the loss ce_count"),
    ],
)
def test_settings_that_do_not_fit_are_refused(method: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        get_method(method)(NETWORK, replace(TRAINING, **settings))


def test_a_task_that_does_not_fit_the_targets_is_refused() -> None:
    with pytest.raises(InputError, match="task 'per_step' needs a class in each step, but data set 'made' has one cl"):
        Bptt(NETWORK, replace(TRAINING, task="per_step")).fit(made("class"), progress=False)
    with pytest.raises(InputError, match="readout = \"membrane\" and task 'spike_count', which reads spikes, do not"):
        Bptt(replace(NETWORK, readout="membrane"), TRAINING)


@pytest.mark.parametrize(
    ("targets", "change", "message"),
    [
        ("values", lambda y: y * np.where(np.arange(len(y)) == 5, np.nan, 1)[:, None], "target of sample 5 is NaN"),
        ("labels", lambda y: y + 0.5, "labels are 0 or 1 each, not"),
        ("class_per_step", lambda y: y + 1, "has labels outside 0 to 2"),
        ("class_per_step", lambda y: y * 1.0, "labels of type float64, but classes are whole numbers"),
        ("class_per_step", lambda y: y > 0, "labels of type bool"),
        ("class_per_step", lambda y: y.astype(str), "labels of type <U"),
        ("class_per_step", lambda y: y[:, :3], r"\(90, 3\), but the shape for a class in each step is \(samples, 8\)"),
        ("values", lambda y: y[:, :1], r"shape \(90, 1\), but the shape for real values per sample is \(samples, 3\)"),
    ],
)
def test_wrong_targets_are_refused(targets: Targets, change: Any, message: str) -> None:
    data = made(targets)
    with pytest.raises(InputError, match=message):
        replace(data, y_train=change(data.y_train))


@pytest.mark.parametrize(
    ("kind", "y", "message"),
    [
        ("values", np.zeros((4, 0)), "y: has shape \\(4, 0\\), which holds no values"),
        ("class_per_step", np.full((4, 3), 10**9), "y: holds class 1000000000; classes are numbered from 0"),
    ],
)
def test_targets_without_values_or_with_far_classes_are_refused(kind: Targets, y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_targets(y, kind, "y")
