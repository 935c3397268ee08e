"""The training loop of all methods and the ANN twin: epochs, schedule, checkpoints, several processes, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn

from spikeport.common.errors import InputError

from .checkpoint import Checkpoint, Progress, remove_unfinished, restore, store
from .checkpoint import make_checkpoint as make_checkpoint
from .logs import Logs
from .memory import batch_that_fits, keep_freed_memory
from .optimizers import clip_gradients, make_optimizer
from .parallel import Processes, Statistics, joined
from .pruning import Pruning, synapse_weights
from .train_config import TrainConfig

Batch = tuple[Tensor, Tensor]


class DivergedError(InputError):
    """The loss or a gradient is no longer finite: names epoch, step, layer and the last checkpoint."""


@dataclass(frozen=True)
class Task:
    """What is trained.

    begin_epoch(epoch): sets the model to the state for training that epoch, also when resuming in the middle of one;
    batches(epoch): its batches, always the same for the same epoch; loss(x, y): a scalar, the mean over the samples;
    batch_axis: the axis of x that indexes samples; held_out(): the loss on samples that are not trained on;
    first_stop: the first epoch whose weights early stopping may keep.
    """

    model: nn.Module
    begin_epoch: Callable[[int], None]
    batches: Callable[[int], Iterator[Batch]]
    loss: Callable[[Tensor, Tensor], Tensor]
    batch_axis: int = 1
    held_out: Callable[[], float] | None = None
    first_stop: int = 0


def train(
    task: Task,
    config: TrainConfig,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
    title: str = "training",
) -> Progress:
    """Train with the configured optimizer and schedule; returns the losses of every epoch.

    With a checkpoint, the state is written before the first epoch, at the end of each, and within one whenever
    config.checkpoint_seconds have passed; resuming from it gives bit-identical weights to an uninterrupted run. A table
    of the losses is written next to it. If torchrun started several processes, each trains on its part of every batch.
    torch's own random state is left unchanged; within a step it follows from seed, epoch and step. Freed memory stays
    with the process (memory.py).
    Raises InputError for a checkpoint of another configuration, DivergedError if the loss is not finite.
    """
    keep_freed_memory()
    device = next(task.model.parameters()).device
    group = joined(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        training = _Training(task, config, checkpoint, group)
        with _bar(progress and group.first, title, config.epochs, training.done.epoch) as advance:
            training.run(advance)
        return training.done


def shuffled_batches(samples: int, batch_size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Indices of all samples, in random order, cut into batches of at most that size."""
    # nearly equal batches: batch norm cannot train on a single last sample
    yield from np.array_split(generator.permutation(samples), math.ceil(samples / batch_size))


class _Training:
    def __init__(self, task: Task, config: TrainConfig, checkpoint: Checkpoint | None, group: Processes) -> None:
        self.task, self.config, self.checkpoint, self.group = task, config, checkpoint, group
        self.model = task.model
        self.device = next(task.model.parameters()).device
        self.optimizer = make_optimizer(self.model, config)
        self.pruning = Pruning(synapse_weights(self.model.named_parameters()), config.pruned, config.epochs)
        self.done = Progress()
        self.stored_at = time.monotonic()
        if checkpoint is None:
            return
        if checkpoint.resume:
            self.done = restore(checkpoint, self.model, self.optimizer)
            if checkpoint.restored is not None:
                checkpoint.restored()
        if group.first:
            remove_unfinished(checkpoint)
        if not checkpoint.resume:
            self._store()

    def run(self, advance: Callable[[float], None]) -> None:
        writes = self.checkpoint is not None and self.group.first
        logs = Logs(self.checkpoint, self.config, self.done.epoch) if writes and self.checkpoint else None
        while self.done.epoch < self.config.epochs and not self._stopped():
            self._epoch()
            if logs is not None:
                logs.write(self.done)
            advance(self.done.losses[-1])
        if logs is not None:
            logs.close()
        if self.config.patience and self.done.best_state:
            self.model.load_state_dict(self.done.best_state)

    def _stopped(self) -> bool:
        patience, done = self.config.patience, self.done
        return patience > 0 and done.best_epoch >= 0 and done.epoch - 1 - done.best_epoch >= patience

    def _epoch(self) -> None:
        epoch, done = self.done.epoch, self.done
        self.task.begin_epoch(epoch)
        self.pruning.start_epoch(epoch)
        for settings in self.optimizer.param_groups:
            settings["lr"] = self.config.learning_rate * self.config.schedule.share(epoch, self.config.epochs)
        for x, y in islice(self.task.batches(epoch), done.steps, None):
            with batch_that_fits(self.config.accumulate):
                loss = self._step(epoch, x, y)
            done.steps += 1
            done.total += loss * len(y)
            done.samples += len(y)
            if self.checkpoint is not None and time.monotonic() - self.stored_at >= self.config.checkpoint_seconds:
                self._check_weights(epoch)
                self._store()
        self._check_weights(epoch)
        self._finish(done.total / done.samples)
        self._store()

    def _finish(self, loss: float) -> None:
        done, epoch = self.done, self.done.epoch
        held_out = self.task.held_out() if self.task.held_out is not None else math.nan
        done.losses.append(loss)
        done.held_out.append(held_out)
        done.steps, done.total, done.samples = 0, 0.0, 0
        criterion = loss if math.isnan(held_out) else held_out
        may_stop = epoch >= self.task.first_stop and self.pruning.is_done(epoch)
        if self.config.patience and may_stop and criterion < done.best:
            done.best, done.best_epoch = criterion, epoch
            done.best_state = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def _step(self, epoch: int, x: Tensor, y: Tensor) -> float:
        """One optimizer step on a batch, of which this process computes its parts; returns the batch's loss."""
        self.optimizer.zero_grad(set_to_none=True)
        count = self.group.count * self.config.accumulate
        if len(y) < count:
            raise InputError(f"a batch of {len(y)} cannot be cut into {count} parts; set batch_size higher")
        parts = list(zip(x.tensor_split(count, self.task.batch_axis), y.tensor_split(count), strict=True))
        total = torch.zeros((), device=self.device)
        statistics = Statistics(self.model, self.group, count)
        for number in range(self.group.rank * self.config.accumulate, (self.group.rank + 1) * self.config.accumulate):
            part_x, part_y = parts[number]
            seeds = np.random.SeedSequence([self.config.seed, epoch, self.done.steps, number])
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            with self._precision():
                loss = self.task.loss(part_x, part_y)
            if count > 1:
                loss = loss * (len(part_y) / len(y))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
            statistics.add()
        self.group.sum_gradients(self.model.parameters())
        statistics.finish()
        self.group.total(total)
        norm = clip_gradients(self.model, self.config.gradient_norm, self.config.gradient_value)
        # one transfer: a GPU is waited for once a step
        values: list[float] = torch.stack([total, norm.to(total)]).tolist()
        # at v = NaN a network does not spike: its loss stays finite, only the gradients show it
        if not math.isfinite(sum(values)):
            raise self._diverged(epoch, _diverged_layer(self.model) or "the loss")
        self.optimizer.step()
        self.pruning.apply()
        return values[0]

    def _precision(self) -> torch.autocast | nullcontext[None]:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _store(self) -> None:
        if self.checkpoint is not None and self.group.first:
            store(self.checkpoint, self.model, self.optimizer, self.done)
        self.stored_at = time.monotonic()

    def _check_weights(self, epoch: int) -> None:
        # slopes of 0 can hide infinite weights, which must not reach a checkpoint
        layer = _diverged_layer(self.model)
        if layer is not None:
            raise self._diverged(epoch, layer)

    def _diverged(self, epoch: int, context: str) -> DivergedError:
        last = "" if self.checkpoint is None else f"; {self.checkpoint.path} holds the state before"
        return DivergedError(
            f"training diverged in epoch {epoch + 1}, step {self.done.steps + 1}: {context} is no longer finite; "
            f"lower learning_rate or check the data{last}"
        )


def _diverged_layer(model: nn.Module) -> str | None:
    """The first layer with a value that is not finite: among its weights and statistics, else among its gradients."""
    states = ((name, value) for name, value in model.state_dict().items() if value.is_floating_point())
    slopes = ((name, weight.grad) for name, weight in model.named_parameters() if weight.grad is not None)
    diverged = (name for name, value in (*states, *slopes) if not bool(value.isfinite().all()))
    name = next(diverged, None)
    # parameters are called "layers.<layer>.<...>"
    return None if name is None else name.split(".")[1]


@contextmanager
def _bar(show: bool, title: str, epochs: int, done: int) -> Iterator[Callable[[float], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    hidden = not (show and console.is_terminal)
    with Bar(*columns, TimeRemainingColumn(), console=console, disable=hidden) as bar:
        task = bar.add_task(title, total=epochs, completed=done, loss="")
        yield lambda loss: bar.update(task, advance=1, loss=f"loss {loss:.4f}")
