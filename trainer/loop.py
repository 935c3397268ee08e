"""The training loop every method and the ANN twin share: epochs, schedule, checkpoints, progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from hardware_profiles.errors import InputError, reason

from .config import NetworkConfig, TrainConfig
from .data import Dataset
from .files import read_tensors, write_tensors

Batch = tuple[Tensor, Tensor]


class DivergedError(InputError):
    """The loss or a gradient is no longer a finite number: names the epoch and the layer."""


@dataclass(frozen=True)
class Task:
    """What is trained.

    begin_epoch(epoch): puts the model into the state that epoch trains in; batches(epoch): its batches, always the
    same for the same epoch; loss(x, y): a scalar.
    """

    model: nn.Module
    begin_epoch: Callable[[int], None]
    batches: Callable[[int], Iterator[Batch]]
    loss: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Where training's state is kept, and what it must have been made with to be taken up again."""

    path: Path
    identity: dict[str, Any]
    resume: bool


def make_checkpoint(
    folder: str | Path | None,
    file_name: str,
    resume: bool,
    network: NetworkConfig,
    training: TrainConfig,
    dataset: Dataset,
) -> Checkpoint | None:
    """The checkpoint in a folder, or None without one; raises InputError if there is nothing to resume from."""
    if folder is None:
        if resume:
            raise InputError("to resume a training, name the folder that holds its checkpoint")
        return None
    data = {"name": dataset.name, "input_shape": dataset.input_shape, "samples": len(dataset.y_train)}
    made_with = {"network": asdict(network), "training": asdict(training), "data": data}
    return Checkpoint(Path(folder) / file_name, made_with, resume)


def train(
    task: Task,
    config: TrainConfig,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
    title: str = "training",
) -> list[float]:
    """Train with AdamW, the learning rate falling to 0 along half a cosine; returns the mean loss of every epoch.

    With a checkpoint, the state is written before the first epoch and at the end of each; resuming it gives the same
    weights, bit by bit, as never having stopped.
    Raises InputError for a checkpoint of another configuration, DivergedError if the loss is not finite.
    Source: Loshchilov & Hutter, SGDR, ICLR 2017, eq. 5 (schedule); Decoupled Weight Decay, ICLR 2019 (AdamW).
    """
    optimizer = torch.optim.AdamW(task.model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    losses: list[float] = []
    if checkpoint is not None and checkpoint.resume:
        losses = _restore(checkpoint, task.model, optimizer)
    elif checkpoint is not None:
        _store(checkpoint, task.model, optimizer, losses)
    with _progress(progress, title, config.epochs, len(losses)) as advance:
        for epoch in range(len(losses), config.epochs):
            losses.append(_train_epoch(task, optimizer, config, epoch))
            if checkpoint is not None:
                _store(checkpoint, task.model, optimizer, losses)
            advance(losses[-1])
    return losses


def shuffled_batches(samples: int, batch_size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Indices of all samples, in random order, cut into batches of at most that size."""
    # nearly equal batches: batch norm cannot train on a lone last sample
    yield from np.array_split(generator.permutation(samples), math.ceil(samples / batch_size))


def _train_epoch(task: Task, optimizer: torch.optim.Optimizer, config: TrainConfig, epoch: int) -> float:
    task.begin_epoch(epoch)
    for group in optimizer.param_groups:
        group["lr"] = 0.5 * config.learning_rate * (1 + math.cos(math.pi * epoch / config.epochs))
    total = samples = 0.0
    for x, y in task.batches(epoch):
        optimizer.zero_grad(set_to_none=True)
        loss = task.loss(x, y)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(task.model.parameters(), config.gradient_norm)
        # a spiking network fires no spike at v = NaN: its loss stays finite and only the gradients tell
        if not math.isfinite(loss.item() + norm.item()):
            raise _diverged(epoch, _diverged_layer(task.model) or "the loss")
        optimizer.step()
        total += loss.item() * len(y)
        samples += len(y)
    # weights at infinity can hide behind slopes of 0; they must not reach a checkpoint
    layer = _diverged_layer(task.model)
    if layer is not None:
        raise _diverged(epoch, layer)
    return total / samples


def _diverged(epoch: int, what: str) -> DivergedError:
    return DivergedError(
        f"training diverged in epoch {epoch + 1}: {what} is no longer finite; lower learning_rate or check the data"
    )


def _diverged_layer(model: nn.Module) -> str | None:
    """The first layer with a number that is not finite: among its weights and statistics, else among its gradients."""
    states = ((name, value) for name, value in model.state_dict().items() if value.is_floating_point())
    slopes = ((name, weight.grad) for name, weight in model.named_parameters() if weight.grad is not None)
    wrong = (name for name, value in (*states, *slopes) if not bool(value.isfinite().all()))
    name = next(wrong, None)
    # parameters are called "layers.<layer>.<...>"
    return None if name is None else name.split(".")[1]


def _store(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]) -> None:
    content = {
        "identity": checkpoint.identity,
        "losses": losses,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    write_tensors(checkpoint.path, "checkpoint", content)


def _restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
    if not checkpoint.path.exists():
        raise InputError(f"{checkpoint.path}: there is no checkpoint to resume; train without --resume")
    content = read_tensors(checkpoint.path, "checkpoint")
    try:
        difference = _first_difference(content["identity"], checkpoint.identity)
        if difference is None:
            model.load_state_dict(content["model"])
            optimizer.load_state_dict(content["optimizer"])
            return [float(loss) for loss in content["losses"]]
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"{checkpoint.path}: is not a usable checkpoint ({reason(error)}); train again") from error
    raise InputError(f"{checkpoint.path}: was made with another configuration ({difference}); train without --resume")


def _first_difference(stored: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    for part, values in wanted.items():
        for field, value in values.items():
            if stored[part].get(field) != value:
                return f"{part}.{field} was {stored[part].get(field)!r}, now {value!r}"
    return None


@contextmanager
def _progress(wanted: bool, title: str, epochs: int, done: int) -> Iterator[Callable[[float], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    hidden = not (wanted and console.is_terminal)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden) as bar:
        shown = bar.add_task(title, total=epochs, completed=done, loss="")
        yield lambda loss: bar.update(shown, advance=1, loss=f"loss {loss:.4f}")
