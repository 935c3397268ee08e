"""Work habits of the loop: kills, processes, precision, early stopping, schedules, logs."""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from places import SUPPORT
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.from_torch import network_to_nir
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.checkpoint import make_checkpoint
from spikeport.trainer.loop.schedule import Schedule
from spikeport.trainer.loop.train_config import TrainConfig, stored_settings
from spikeport.trainer.loop.training_loop import DivergedError, Task, train
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.tensor_files.tensor_files import read_tensors

NETWORK = NetworkConfig((LayerConfig(size=10),), "cuba_lif", batch_norm=False, chip_aware=None)
TRAINING = TrainConfig(epochs=3, batch_size=16, steps=6, encoding="bernoulli", seed=3, checkpoint_seconds=0)


def made(count: int = 64) -> Dataset:
    """Two classes of noisy prototypes, 12 features."""
    generator = np.random.default_rng(0)
    prototypes = generator.random((2, 12)) > 0.5
    y = np.arange(count) % 2
    x = np.clip(0.8 * prototypes[y] + 0.1 * generator.random((count, 12)), 0, 1).astype(np.float32)
    return Dataset(x, y, x[:10], y[:10], (12,), 2, "made")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def fit(
    training: TrainConfig, folder: Path | None = None, resume: bool = False, network: NetworkConfig = NETWORK
) -> Bptt:
    return Bptt(network, training).fit(made(), folder, resume, progress=False)


def weights(method: Bptt) -> dict[str, Tensor]:
    return method.spiking_network.state_dict()


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


class Noisy(Bptt):
    """Draws from torch's generator within the loss, as methods with noise do; may stop after some steps."""

    name = "noisy"
    left = 10**9

    def loss(self, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        Noisy.left -= 1
        if Noisy.left < 0:
            raise KeyboardInterrupt
        kept = torch.rand(x.shape) < 0.8
        return super().loss(network, x * kept, y)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_training_stopped_at_every_step_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_norm: bool
) -> None:
    network = replace(NETWORK, batch_norm=batch_norm)
    whole = Noisy(network, TRAINING).fit(made(), progress=False)
    steps = 0
    while True:
        monkeypatch.setattr(Noisy, "left", 1)
        try:
            stopped = Noisy(network, TRAINING).fit(made(), tmp_path, resume=steps > 0, progress=False)
            break
        except KeyboardInterrupt:
            steps += 1
            content = read_tensors(tmp_path / "checkpoint.safetensors", "checkpoint")
            assert (len(content["losses"]), content["steps"]) == divmod(steps, 4)
    assert steps == 11
    assert_equal(weights(stopped), weights(whole))


class Waiting(Noisy):
    """Waits to be killed where `Noisy` stops, so that it never ends by itself, however late the kill comes."""

    def loss(self, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if Noisy.left == 0:
            time.sleep(PATIENCE)
        return super().loss(network, x, y)


# seconds that the start of a process may take on a busy machine, or a kill
PATIENCE = 300
KILLS, EPOCHS = 10, 300
KILLED = """
import sys
sys.path[:0] = {tests!r}
from test_training_loop import *
torch.set_num_threads(1)
folder, Noisy.left = Path(sys.argv[1]), int(sys.argv[2])
method = Waiting(NETWORK, replace(TRAINING, epochs=EPOCHS))
method.fit(made(), folder, resume=(folder / "checkpoint.safetensors").exists(), progress=False)
method.save(folder / "network.safetensors")
"""


def progress(folder: Path) -> tuple[int, int]:
    """Epochs that a checkpoint has finished, and steps of the next one."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return 0, 0
    content = read_tensors(path, "checkpoint")
    return len(content["losses"]), content["steps"]


def kill_in_training(run: list[str], folder: Path, seconds: float) -> tuple[int, int]:
    """Start it and kill it that long after its first step has reached the checkpoint; returns how far it had come."""
    before, deadline = progress(folder), time.monotonic() + PATIENCE
    process = subprocess.Popen(run)
    try:
        # a kill during start-up would prove little
        while progress(folder) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(seconds)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
    after = progress(folder)
    assert after > before, f"no step within {PATIENCE} s"
    return after


@pytest.mark.slow
def test_a_run_killed_ten_times_at_random_moments_ends_with_the_same_weights(tmp_path: Path) -> None:
    run = [sys.executable, "-c", KILLED.format(tests=[str(Path(__file__).parent), *SUPPORT])]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    steps = EPOCHS * 4
    subprocess.run([*run, str(whole), str(steps)], check=True)
    moments = random.Random(0)
    # the steps that a process may take before it waits to be killed leave some for the last one
    share = str(steps // (KILLS + 1))
    reached = [kill_in_training([*run, str(killed), share], killed, 0.3 * moments.random()) for _ in range(KILLS)]
    assert len(set(reached)) == KILLS and reached[-1][0] < EPOCHS
    subprocess.run([*run, str(killed), str(steps)], check=True)
    for name in ("network.safetensors", "checkpoint.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert not [path for path in killed.iterdir() if path.name.startswith(".")]


PARALLEL = """
import sys
sys.path[:0] = {tests!r}
from test_training_loop import *
torch.set_num_threads(1)
# one training after the other, as a network's and its twin's
for norm in (False, True):
    folder = Path(sys.argv[1]) / str(norm)
    method = Noisy(replace(NETWORK, batch_norm=norm), TRAINING).fit(made(), folder, progress=False)
    method.save(folder / (os.environ["RANK"] + ".safetensors"))
"""


def test_two_processes_train_as_one_does_on_the_halves_of_each_batch(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import os\n" + PARALLEL.format(tests=[str(Path(__file__).parent), *SUPPORT]))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for norm in (False, True):
        (tmp_path / str(norm)).mkdir()
    subprocess.run([*torchrun, str(script), str(tmp_path)], check=True, timeout=300)
    for norm in (False, True):
        folder, network = tmp_path / str(norm), replace(NETWORK, batch_norm=norm)
        one = Noisy(network, replace(TRAINING, accumulate=2)).fit(made(), progress=False)
        for rank in (0, 1):
            assert_equal(read_tensors(folder / f"{rank}.safetensors", "network")["state"], weights(one))
        assert len(read_tensors(folder / "checkpoint.safetensors", "checkpoint")["losses"]) == 3


def test_parts_of_a_batch_give_the_gradient_of_the_whole() -> None:
    # a large threshold of change: rounding may move a spike
    whole, parts = (weights(fit(replace(TRAINING, epochs=1, accumulate=count))) for count in (1, 3))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError, match="cannot be cut into 20 parts; set batch_size higher"):
        fit(replace(TRAINING, accumulate=20))


def test_bf16_learns_and_differs_from_float32() -> None:
    training = replace(TRAINING, epochs=15, learning_rate=0.02)
    method = fit(replace(training, precision="bf16"))
    assert (method.predict(made().x_train) == made().y_train).mean() > 0.9
    assert all(value.dtype == torch.float32 for value in weights(method).values())
    assert any(
        not torch.equal(a, b) for a, b in zip(weights(method).values(), weights(fit(training)).values(), strict=True)
    )


def curve(
    values: list[float], config: TrainConfig, first_stop: int = 0, folder: Path | None = None
) -> tuple[nn.Linear, list[float]]:
    """Train a model whose weight is the number of epochs, with these losses on held-out samples."""
    model = nn.Linear(1, 1, bias=False)
    epoch = [0]

    def begin(number: int) -> None:
        epoch[0] = number

    def held_out() -> float:
        model.weight.data.fill_(epoch[0])
        return values[epoch[0]]

    x, y = torch.ones(4, 1), torch.zeros(4)
    task = Task(model, begin, lambda _: iter([(x, y)]), lambda x, y: model(x).square().mean(), 0, held_out, first_stop)
    checkpoint = folder and make_checkpoint(folder, "checkpoint.safetensors", False, NETWORK, config, made())
    return model, train(task, config, checkpoint or None, progress=False).losses


def test_early_stopping_keeps_the_weights_that_were_best() -> None:
    config = replace(TRAINING, epochs=9, patience=2)
    model, losses = curve([5, 3, 4, 2, 6, 7, 1, 1, 1], config)
    assert len(losses) == 6 and model.weight.item() == 3
    model, losses = curve([5, 3, 4, 2, 6, 7, 1, 1, 1], config, first_stop=4)
    assert len(losses) == 9 and model.weight.item() == 6
    model, losses = curve([5, 3, 4, 2, 6, 7, 1, 1, 1], replace(config, patience=0))
    assert len(losses) == 9 and model.weight.item() == 8


def test_held_out_samples_are_not_trained_on() -> None:
    data = made()
    rest, held = data.hold_out(0.25, 5)
    assert held is not None and (len(rest.y_train), len(held.y_train)) == (48, 16)
    both = np.concatenate([rest.x_train, held.x_train])
    assert {row.tobytes() for row in both} == {row.tobytes() for row in data.x_train}
    np.testing.assert_array_equal(held.x_train, data.hold_out(0.25, 5)[1].x_train)  # type: ignore[union-attr]
    assert data.hold_out(0.0, 5) == (data, None)
    with pytest.raises(InputError, match=r"held_out = 0\.999 leaves none of 64 samples to train on"):
        data.hold_out(0.999, 5)
    with pytest.raises(InputError, match="held_out is a share"):
        replace(TRAINING, held_out=1.0)


def test_early_stopping_survives_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = replace(TRAINING, epochs=6, held_out=0.25, patience=1, learning_rate=0.05)
    whole = Noisy(NETWORK, training).fit(made(), progress=False)
    monkeypatch.setattr(Noisy, "left", 8)
    with pytest.raises(KeyboardInterrupt):
        Noisy(NETWORK, training).fit(made(), tmp_path, progress=False)
    monkeypatch.setattr(Noisy, "left", 10**9)
    assert_equal(weights(Noisy(NETWORK, training).fit(made(), tmp_path, True, progress=False)), weights(whole))


def test_schedules() -> None:
    def shares(**settings: object) -> list[float]:
        schedule = Schedule(**settings)  # type: ignore[arg-type]
        return [schedule.share(epoch, 4) for epoch in range(4)]

    np.testing.assert_allclose(shares(), [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5])
    np.testing.assert_allclose(shares(kind="step", every=2, factor=0.5), [1, 1, 0.5, 0.5])
    np.testing.assert_allclose(shares(kind="constant", warmup=3), [0.25, 0.5, 0.75, 1])
    for wrong, message in (
        ({"kind": "cosin"}, "did you mean 'cosine'"),
        ({"every": 0}, "every"),
        ({"factor": 2.0}, "factor"),
    ):
        with pytest.raises(InputError, match=message):
            Schedule(**wrong)  # type: ignore[arg-type]


def test_the_table_of_losses_is_the_same_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, left in (("whole", 10**9), ("stopped", 6)):
        monkeypatch.setattr(Noisy, "left", left)
        try:
            Noisy(NETWORK, TRAINING).fit(made(), tmp_path / folder, progress=False)
        except KeyboardInterrupt:
            monkeypatch.setattr(Noisy, "left", 10**9)
            Noisy(NETWORK, TRAINING).fit(made(), tmp_path / folder, True, progress=False)
    whole, stopped = (tmp_path / folder / "checkpoint.csv" for folder in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
    rows = list(csv.DictReader(whole.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    losses = read_tensors(tmp_path / "whole" / "checkpoint.safetensors", "checkpoint")["losses"]
    assert [float(row["loss"]) for row in rows] == losses and float(rows[0]["learning_rate"]) == TRAINING.learning_rate


def test_tensorboard_files_hold_the_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    curve([3, 2, 1], replace(TRAINING, tensorboard=True), folder=tmp_path)
    events = accumulator.EventAccumulator(str(tmp_path / "checkpoint.board"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("held_out_loss")] == [(1, 3), (2, 2), (3, 1)]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(InputError, match=r"spikeport\[logs\]"):
        curve([3, 2, 1], replace(TRAINING, tensorboard=True), folder=tmp_path)


def test_divergence_within_an_epoch_leaves_a_checkpoint_of_finite_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [0]

    def loss(self: Bptt, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        calls[0] += 1
        return network(x).sum() * (float("nan") if calls[0] == 7 else 1)

    monkeypatch.setattr(Bptt, "loss", loss)
    wanted = r"epoch 2, step 3: layer\d is .*checkpoint\.safetensors holds the state before"
    with pytest.raises(DivergedError, match=wanted):
        fit(TRAINING, tmp_path)
    content = read_tensors(tmp_path / "checkpoint.safetensors", "checkpoint")
    assert (len(content["losses"]), content["steps"]) == (1, 2)
    assert all(bool(value.isfinite().all()) for value in content["model"].values())


PRUNED = replace(TRAINING, epochs=4, pruned=0.6)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_share_is_0_in_the_trained_network_and_in_the_exported_one(batch_norm: bool) -> None:
    network = replace(NETWORK, batch_norm=batch_norm, chip_aware=8)
    method = fit(PRUNED, network=network)
    synapses = [value for name, value in weights(method).items() if name.endswith("weight") and value.dim() > 1]
    assert [int((value == 0).sum()) for value in synapses] == [round(0.6 * value.numel()) for value in synapses]
    nodes = network_to_nir(method.spiking_network.eval()).nodes.values()
    written = [node.weight for node in nodes if hasattr(node, "weight")]
    assert len(written) == 2 and all(np.mean(value == 0) >= 0.6 for value in written)
    free = fit(replace(PRUNED, pruned=0.0), network=network)
    assert not any(int((value == 0).sum()) for name, value in weights(free).items() if name.endswith("weight"))


def test_a_pruned_training_that_is_interrupted_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Noisy(NETWORK, PRUNED).fit(made(), progress=False)
    monkeypatch.setattr(Noisy, "left", 10)
    with pytest.raises(KeyboardInterrupt):
        Noisy(NETWORK, PRUNED).fit(made(), tmp_path, progress=False)
    monkeypatch.setattr(Noisy, "left", 10**9)
    resumed = Noisy(NETWORK, PRUNED).fit(made(), tmp_path, resume=True, progress=False)
    assert_equal(weights(whole), weights(resumed))
    assert torch.any(weights(whole)["layers.layer1.synapse.weight"] == 0)


def test_only_pruned_weights_are_kept_by_early_stopping() -> None:
    method = fit(replace(PRUNED, patience=3))
    values = weights(method)["layers.layer1.synapse.weight"]
    assert float((values == 0).float().mean()) == pytest.approx(0.6, abs=0.01)


def test_the_setting_is_a_share_and_files_without_it_stay_the_same() -> None:
    assert "pruned" not in stored_settings(TRAINING) and stored_settings(PRUNED)["pruned"] == 0.6
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(InputError, match="pruned is a share"):
            TrainConfig(pruned=share)
