"""Training on in a chip's own integers, by a module that computes them (exporter/trainable/own_integers.py)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.checkpoint import make_checkpoint
from spikeport.trainer.loop.threads import torch_threads
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.loop.training_loop import Batch, Task, train

if TYPE_CHECKING:
    from .method import Method

CHECKPOINT = "checkpoint.integers.safetensors"


class LayersModule(nn.Module):
    """A network in a chip's own integers, whose parameters are trained."""

    @abstractmethod
    def run(self, x: Tensor) -> dict[str, Tensor]:
        """Events of the layers by name, the output last, each (T, B, *shape), for those of the input."""


def phases(training: TrainConfig) -> tuple[TrainConfig, TrainConfig]:
    """A recipe's training in floating point, for norm_epochs of the epochs, and then in integers.

    The second starts at the learning rate that the schedule has by then. Weights are pruned in the first. Raises
    InputError if no epoch is left for the second.
    """
    first = max(1, round(training.norm_epochs * training.epochs))
    if first >= training.epochs:
        raise InputError(
            f"norm_epochs = {training.norm_epochs:g} of {training.epochs} epochs train in floating point, which leaves "
            "none for the chip's integers; give more epochs, or lower norm_epochs"
        )
    rate = training.learning_rate * training.schedule.share(first, training.epochs)
    second = replace(training, epochs=training.epochs - first, learning_rate=rate, pruned=0.0)
    return replace(training, epochs=first), second


def train_in_integers(
    method: Method,
    module: LayersModule,
    dataset: Dataset,
    training: TrainConfig,
    *,
    folder: Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> None:
    """Train the module on by the method's loss and batches, those after the epochs that the method has trained.

    training: the settings of these epochs. folder, resume: as of Method.fit. Raises InputError, DivergedError.
    """
    trained_on, held_out = dataset.hold_out(training.held_out, training.seed)
    checkpoint = make_checkpoint(folder, CHECKPOINT, resume, method.network_config, training, dataset)
    before = method.train_config.epochs

    def held_out_loss(x: Tensor, y: Tensor) -> Tensor:
        return layers_loss(method, module.run(x.float()), y)

    task = Task(
        model=module,
        begin_epoch=lambda _: None,
        batches=lambda epoch: _on_cpu(method.batches(trained_on, before + epoch)),
        loss=lambda x, y: layers_loss(method, module.run(x), y),
        held_out=None if held_out is None else lambda: method.mean_loss(held_out, held_out_loss),
    )
    with torch_threads(training.threads):
        train(task, training, checkpoint, progress, f"training {dataset.name} in the chip's integers")


def layers_loss(method: Method, layers: dict[str, Tensor], y: Tensor) -> Tensor:
    """The loss of Method.loss for the events of the layers."""
    config, (*_, output) = method.train_config, layers.values()
    counts = {name: spikes.sum(0) for name, spikes in layers.items()}
    if method.objective.counts_spikes:
        loss = nn.functional.cross_entropy(output.sum(0), y, label_smoothing=config.label_smoothing)
    else:
        loss = method.objective.loss(output, y)
    return loss + config.sparsity.cost(counts, len(output))


def _on_cpu(batches: Iterator[Batch]) -> Iterator[Batch]:
    # the family's kernels run there
    return ((x.float(), y) for x, y in batches)
