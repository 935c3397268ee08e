"""Backpropagation through time with surrogate gradients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Self

from .data import Dataset
from .encoding import encode
from .estimator import Method
from .loop import Batch, Task, make_checkpoint, shuffled_batches, train
from .network import SpikingNetwork


class Bptt(Method):
    """Surrogate-gradient BPTT: cross entropy of the output spike counts, errors sent back through every step.

    loss = -log softmax(n)[y] with n_k = sum over t of s_k[t] (counts), label smoothing if configured.
    Batch norm gathers statistics for the first `norm_epochs` of the epochs; then its running statistics are folded into
    the weights, which are rounded to the chip's from there on, so that the network ends trained as it will run (folding
    from the first epoch on starves it of normalisation; folding the batch's statistics would make weights depend on the
    batch). Without batch norm, weights are rounded from the first epoch.
    Source: Neftci, Mostafa & Zenke, Surrogate Gradient Learning in Spiking Neural Networks, IEEE Signal Processing
    Magazine 36(6), 2019.
    """

    name: ClassVar[str] = "bptt"

    def fit(
        self, dataset: Dataset, folder: str | Path | None = None, resume: bool = False, progress: bool = True
    ) -> Self:
        """Train; see Method.fit."""
        network = self._new_network(dataset)
        checkpoint = make_checkpoint(folder, "checkpoint.pt", resume, self.network_config, self.train_config, dataset)
        task = Task(
            model=network,
            begin_epoch=lambda epoch: self._begin_epoch(network, epoch),
            batches=lambda epoch: self._batches(dataset, epoch),
            loss=lambda x, y: self._loss(network, x, y),
        )
        train(task, self.train_config, checkpoint, progress, f"training {dataset.name} by {self.name}")
        self._adopt(network)
        return self

    def _begin_epoch(self, network: SpikingNetwork, epoch: int) -> None:
        network.train()
        if epoch >= self.train_config.norm_epochs * self.train_config.epochs:
            network.freeze_norms()

    def _batches(self, dataset: Dataset, epoch: int) -> Iterator[Batch]:
        config = self.train_config
        generator = np.random.default_rng([config.seed, epoch])
        for index in shuffled_batches(len(dataset.y_train), config.batch_size, generator):
            spikes = encode(config.encoding, dataset.x_train[index], config.steps, generator)
            yield torch.from_numpy(spikes).to(self.device), torch.from_numpy(dataset.y_train[index]).to(self.device)

    def _loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        counts = network(x).sum(0)
        return nn.functional.cross_entropy(counts, y, label_smoothing=self.train_config.label_smoothing)
