"""How the ANN twin is trained: as well as its size allows, whatever the spiking network's settings are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spikeport.trainer.loop.schedule import Schedule
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.tasks.registry import get_task

# an epoch costs as much as one step of the spiking network's, so that many are affordable
_MOST_EPOCHS = 40
_HELD_OUT, _PATIENCE = 0.15, 8
# errors of numbers fall on where accuracy has long stopped rising
_VALUES: dict[str, Any] = {"epochs": 100, "batch_size": 64, "patience": 30}
_FEWEST_SAMPLES = 16


def twin_network(network: NetworkConfig, samples: int) -> NetworkConfig:
    """The twin's layers: the spiking network's, with batch norm, which is folded away and costs nothing later.

    samples: of the training part; too few for statistics leave batch norm as it is.
    """
    return replace(network, batch_norm=network.batch_norm or samples >= _FEWEST_SAMPLES, bias=True)


def twin_training(training: TrainConfig, most_epochs: int | None = None) -> TrainConfig:
    """The twin's own settings; from the recipe: seed, threads, device, precision, augmentation and task.

    AdamW with a cosine schedule. A held-out part tells after how many epochs it stops improving, at most `most_epochs`
    (by default 40); then all samples are trained on for as many (`AnnTwin.fit`). Chosen on held-out parts of
    scikit-learn's digits. For numbers smaller batches and up to 100 epochs, chosen on held-out parts of Friedman's
    problem.
    """
    classes = TrainConfig(
        epochs=_MOST_EPOCHS,
        batch_size=128,
        learning_rate=5e-3,
        weight_decay=0.05,
        label_smoothing=0.1,
        held_out=_HELD_OUT,
        patience=_PATIENCE,
        seed=training.seed,
        threads=training.threads,
        device=training.device,
        precision=training.precision,
        augment=training.augment,
        schedule=Schedule(warmup=2),
        checkpoint_seconds=training.checkpoint_seconds,
        task=training.task,
    )
    settings = replace(classes, **_VALUES) if get_task(training.task).targets in ("values", "series") else classes
    return settings if most_epochs is None else replace(settings, epochs=most_epochs)
