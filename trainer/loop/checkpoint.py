"""Training's state in a file: what it takes to go on as if never stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError, reason
from spikeport.trainer.data import Dataset
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.tensor_files.check_described import UNUSABLE, check_finite
from spikeport.trainer.tensor_files.file_names import drop_old, found
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors

from .train_config import TrainConfig

# settings that change no weight: how often state and logs are written
WRITING = ("checkpoint_seconds", "tensorboard")


@dataclass(frozen=True)
class Checkpoint:
    """Where training's state is kept, and what it must have been made with to be taken up again.

    restored: called once the state has been read.
    """

    path: Path
    identity: dict[str, Any]
    resume: bool
    restored: Callable[[], None] | None = None


@dataclass
class Progress:
    """How far training is: finished epochs with their losses, and steps and sums of the one under way.

    losses, held_out: of every finished epoch, mean over the samples (held_out: NaN without any); steps, total, samples:
    steps done in the next epoch, the sum of their samples' losses and how many; best: the lowest loss that early
    stopping saw and the weights of then.
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
        """The epoch under way, counted from 0."""
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
    """The checkpoint in a folder, or None without one; raises InputError if there is nothing to resume from."""
    if folder is None:
        if resume:
            raise InputError("to resume a training, name the folder that holds its checkpoint")
        return None
    data = {"name": dataset.name, "input_shape": dataset.input_shape, "samples": len(dataset.y_train)}
    settings = {name: value for name, value in asdict(training).items() if name not in WRITING}
    made_with = {"network": asdict(network), "training": settings, "data": data}
    return Checkpoint(Path(folder) / file_name, made_with, resume, restored)


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
    """Read the state into model and optimizer; raises InputError for none, a broken or another configuration's."""
    path = found(checkpoint.path)
    if not path.exists():
        raise InputError(f"{path}: there is no checkpoint to resume; train without --resume")
    content = read_tensors(path, "checkpoint")
    try:
        difference = _first_difference(content["identity"], checkpoint.identity)
        if difference is None:
            progress = Progress(**{name: content[name] for name in vars(Progress())})
            _check_progress(progress, model)
            state = {**optimizer.state_dict(), "state": content["optimizer"]["state"]}
            _check_moments(state["state"], optimizer)
            check_finite(content["model"])
            model.load_state_dict(content["model"])
            # its settings are the configuration's, which is the same
            optimizer.load_state_dict(state)
            return progress
    except UNUSABLE as error:
        raise InputError(f"{path}: is not a usable checkpoint ({reason(error)}); train again") from error
    raise InputError(f"{path}: was made with another configuration ({difference}); train without --resume")


def _check_progress(progress: Progress, model: nn.Module) -> None:
    kinds = {name: type(value) for name, value in vars(Progress()).items()}
    if any(type(value) is not kinds[name] for name, value in vars(progress).items()):
        raise TypeError("how far training was is not said")
    losses = [*progress.losses, *progress.held_out]
    if any(type(loss) is not float for loss in losses) or len(progress.losses) != len(progress.held_out):
        raise TypeError("the losses are not numbers")
    if min(progress.steps, progress.samples) < 0 or (progress.steps > 0) != (progress.samples > 0):
        raise ValueError(f"it counts {progress.samples} samples in {progress.steps} steps")
    kept = {name: value.shape for name, value in progress.best_state.items()}
    if kept and kept != {name: value.shape for name, value in model.state_dict().items()}:
        raise ValueError("the best weights do not fit the network")
    check_finite(progress.best_state)


def _check_moments(state: dict[int, dict[str, Tensor]], optimizer: torch.optim.Optimizer) -> None:
    shapes = dict(enumerate(weight.shape for group in optimizer.param_groups for weight in group["params"]))
    for number, moments in state.items():
        wanted = {"step": torch.Size(), "exp_avg": shapes[number], "exp_avg_sq": shapes[number]}
        if {name: value.shape for name, value in moments.items()} != wanted:
            raise ValueError("the optimizer's state does not fit the network")
        if not all(value.is_floating_point() for value in moments.values()) or moments["step"] < 0:
            raise ValueError("the optimizer's state is not one of its own")
        check_finite(moments)


def remove_unfinished(checkpoint: Checkpoint) -> None:
    """Remove what a killed process left of a checkpoint or table it was writing."""
    for left in checkpoint.path.parent.glob(f".{checkpoint.path.stem}.*"):
        left.unlink(missing_ok=True)


def _first_difference(stored: Any, wanted: Any, place: str = "") -> str | None:
    """The first setting, by its place as a recipe writes it, that differs; None if none does."""
    if stored == wanted:
        return None
    pairs = _parts(stored, wanted)
    if pairs is None:
        return f"{place} was {stored!r}, now {wanted!r}"
    parts = (_first_difference(was, now, f"{place}.{name}" if place else str(name)) for name, was, now in pairs)
    return next(difference for difference in parts if difference is not None)


def _parts(stored: Any, wanted: Any) -> list[tuple[Any, Any, Any]] | None:
    """Tables key by key, lists of one length entry by entry; None for what has no parts in common."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        return [(name, stored.get(name), wanted.get(name)) for name in {**wanted, **stored}]
    if isinstance(stored, (list, tuple)) and isinstance(wanted, (list, tuple)) and len(stored) == len(wanted):
        return [(place, was, now) for place, (was, now) in enumerate(zip(stored, wanted, strict=True))]
    return None
