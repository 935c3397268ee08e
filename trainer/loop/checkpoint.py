"""Checkpoints: the training state needed to resume as if never interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikeport.common import files
from spikeport.common.errors import InputError, reason
from spikeport.trainer.data import Dataset
from spikeport.trainer.network.network_config import EARLIER, NetworkConfig, stored_network
from spikeport.trainer.tensor_files.check_described import UNUSABLE, check_finite
from spikeport.trainer.tensor_files.file_names import drop_old, existing_path
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors

from .optimizers import state_shapes
from .train_config import TrainConfig, stored_settings

# settings that change no weight: how often state and logs are written
WRITING = ("checkpoint_seconds", "tensorboard")


@dataclass(frozen=True)
class Checkpoint:
    """Path of the training state, and the configuration that it must match to be resumed.

    restored: called once the state has been read.
    """

    path: Path
    identity: dict[str, Any]
    resume: bool
    restored: Callable[[], None] | None = None


@dataclass
class Progress:
    """Progress of training: finished epochs with their losses, and steps and sums of the current one.

    losses, held_out: mean over the samples, per finished epoch (held_out: NaN without any); steps, total, samples:
    steps done in the current epoch, the sum of their samples' losses and the number of samples; best, best_epoch,
    best_state: the lowest loss seen by early stopping, its epoch and its weights.
    """

    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    steps: int = 0
    total: float = 0.0
    samples: int = 0
    best: float = float("inf")
    best_epoch: int = -1
    best_state: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The current epoch, counted from 0."""
        return len(self.losses)

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.steps}"


def make_checkpoint(
    folder: str | Path | None,
    file_name: str,
    resume: bool,
    network: NetworkConfig,
    training: TrainConfig,
    dataset: Dataset,
    restored: Callable[[], None] | None = None,
) -> Checkpoint | None:
    """The checkpoint in a folder, or None without a folder; raises InputError if there is nothing to resume from."""
    if folder is None:
        if resume:
            raise InputError("to resume a training, name the folder that holds its checkpoint")
        return None
    data = {"name": dataset.name, "input_shape": dataset.input_shape, "samples": len(dataset.y_train)}
    settings = {name: value for name, value in stored_settings(training).items() if name not in WRITING}
    # a number that is left to the machine may change, and older checkpoints have none
    if not training.threads:
        del settings["threads"]
    identity = {"network": stored_network(network), "training": settings, "data": data}
    return Checkpoint(Path(folder) / file_name, identity, resume, restored)


def store(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write the state, all or nothing."""
    content = {
        "identity": checkpoint.identity,
        **vars(progress),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    write_tensors(checkpoint.path, "checkpoint", content)
    drop_old(checkpoint.path)


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Read the state into model and optimizer; raises InputError if missing, broken or of another configuration."""
    path = existing_path(checkpoint.path)
    if not path.exists():
        raise InputError(f"{path}: there is no checkpoint to resume; train without --resume")
    content = read_tensors(path, "checkpoint")
    try:
        difference = _first_difference(_spelled_out(content["identity"]), _spelled_out(checkpoint.identity))
        if difference is None:
            progress = Progress(**{name: content[name] for name in vars(Progress())})
            _check_progress(progress, model)
            state = {**optimizer.state_dict(), "state": content["optimizer"]["state"]}
            _check_moments(state["state"], optimizer)
            check_finite(content["model"])
            model.load_state_dict(content["model"])
            # the optimizer's settings come from the configuration, which is the same
            optimizer.load_state_dict(state)
            return progress
    except UNUSABLE as error:
        raise InputError(f"{path}: is not a usable checkpoint ({reason(error)}); train again") from error
    raise InputError(
        f"{path}: was made with another configuration ({difference}); set it back, or train without --resume"
    )


def _check_progress(progress: Progress, model: nn.Module) -> None:
    kinds = {name: type(value) for name, value in vars(Progress()).items()}
    if any(type(value) is not kinds[name] for name, value in vars(progress).items()):
        raise TypeError("its progress is incomplete")
    losses = [*progress.losses, *progress.held_out]
    if any(type(loss) is not float for loss in losses) or len(progress.losses) != len(progress.held_out):
        raise TypeError("the losses are not numbers")
    if min(progress.steps, progress.samples) < 0 or (progress.steps > 0) != (progress.samples > 0):
        raise ValueError(f"it counts {progress.samples} samples in {progress.steps} steps")
    shapes = {name: value.shape for name, value in progress.best_state.items()}
    if shapes and shapes != {name: value.shape for name, value in model.state_dict().items()}:
        raise ValueError("the best weights do not fit the network")
    check_finite(progress.best_state)


def _check_moments(state: dict[int, dict[str, Tensor]], optimizer: torch.optim.Optimizer) -> None:
    shapes = dict(enumerate(weight.shape for group in optimizer.param_groups for weight in group["params"]))
    for number, moments in state.items():
        if {name: value.shape for name, value in moments.items()} != state_shapes(optimizer, shapes[number]):
            raise ValueError("the optimizer's state does not fit the network")
        if not all(value.is_floating_point() for value in moments.values()) or moments.get("step", 0) < 0:
            raise ValueError("the optimizer's state is not one of its own")
        check_finite(moments)


def remove_unfinished(checkpoint: Checkpoint) -> None:
    """Remove temporary files that a killed process left while writing a checkpoint or table."""
    for written in (checkpoint.path, checkpoint.path.with_suffix(".csv")):
        files.remove_unfinished(written)


def _spelled_out(identity: dict[str, Any]) -> dict[str, Any]:
    """An identity with the settings that networks of earlier versions have without storing them."""
    return {**identity, "network": {**EARLIER, **identity["network"]}}


def _first_difference(stored: Any, current: Any, key: str = "") -> str | None:
    """The first setting that differs, by its key as in a recipe; None if none does."""
    if stored == current:
        return None
    pairs = _pairs(stored, current)
    if pairs is None:
        return f"{key} was {stored!r}, now {current!r}"
    differences = (_first_difference(was, now, f"{key}.{name}" if key else str(name)) for name, was, now in pairs)
    return next(difference for difference in differences if difference is not None)


def _pairs(stored: Any, current: Any) -> list[tuple[Any, Any, Any]] | None:
    """Entries to compare: of tables by key, of lists of equal length by index; None for other values."""
    if isinstance(stored, dict) and isinstance(current, dict):
        return [(name, stored.get(name), current.get(name)) for name in {**current, **stored}]
    if isinstance(stored, (list, tuple)) and isinstance(current, (list, tuple)) and len(stored) == len(current):
        return [(index, was, now) for index, (was, now) in enumerate(zip(stored, current, strict=True))]
    return None
