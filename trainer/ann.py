"""The ANN twin: the same layers with ReLU instead of neurons, trained on the same data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import Self

from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError, reason
from spikeport.trainer.loop.augment import augment
from spikeport.trainer.loop.batches import on_device
from spikeport.trainer.loop.threads import torch_threads
from spikeport.trainer.loop.train_config import TrainConfig, stored_settings
from spikeport.trainer.loop.training_loop import Batch, Task, make_checkpoint, shuffled_batches, train
from spikeport.trainer.methods.method import PREDICT_BATCH
from spikeport.trainer.methods.stored import read_configs
from spikeport.trainer.network.blocks import connect
from spikeport.trainer.network.fold_batch_norm import BatchNorm, Synapse, fold_norm
from spikeport.trainer.network.inference_layers import InferenceSynapse, TwinLayer
from spikeport.trainer.network.layer_specs import PlannedLayer
from spikeport.trainer.network.network_config import NetworkConfig, make_norm, plan_layers, stored_network
from spikeport.trainer.network.pooling import pooled
from spikeport.trainer.network.topology import Wired, assemble
from spikeport.trainer.tasks.registry import objective_of
from spikeport.trainer.tensor_files.check_described import UNUSABLE, check_state
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors

from .data import Dataset, Samples

# checkpoints: of the training that finds the number of epochs, and of the twin's own
_SEARCH, _FINAL = "ann_search.safetensors", "ann_checkpoint.safetensors"


class TwinBlock(nn.Module):
    """y = BN(W x), or W x + bias without batch norm, plus BN'(R x') of a shortcut; then ReLU if `relu`.

    x: (1, N, *input), the shape of one time step; pooled over pool x pool first.
    """

    def __init__(self, part: PlannedLayer, batch_norm: bool, relu: bool) -> None:
        super().__init__()
        self.synapse = part.synapse
        self.shortcut = part.shortcut
        self.norm = make_norm(part.synapse) if batch_norm else None
        self.shortcut_norm = make_norm(part.shortcut) if part.shortcut and part.projects and batch_norm else None
        self.pool = 1 if part.flatten_before else part.pool
        self.pool_kind = part.pool_kind
        self.relu = relu
        self.bias = None if batch_norm else nn.Parameter(torch.zeros(part.synapse.weight.shape[0]))

    def folded(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Weights, bias and the shortcut's weights, with batch norm's running statistics folded in."""
        weight, bias = _folded(self.synapse.weight, self.norm)
        if self.bias is not None:
            bias = bias + self.bias
        if self.shortcut is None:
            return weight, bias, None
        second, more = _folded(self.shortcut.weight, self.shortcut_norm)
        return weight, bias + more, second

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """The layer's output, (1, N, *output)."""
        summed = _connected(self.synapse, self.norm, pooled(x, self.pool, self.pool_kind))
        if self.shortcut is not None and skip is not None:
            summed = summed + _connected(self.shortcut, self.shortcut_norm, skip)
        if self.bias is not None:
            summed = summed + self.bias.view(-1, *[1] * (summed.dim() - 3))
        return torch.relu(summed) if self.relu else summed


def _folded(weight: Tensor, norm: BatchNorm | None) -> tuple[Tensor, Tensor]:
    return (weight, torch.zeros_like(weight.flatten(1)[:, 0])) if norm is None else fold_norm(weight, norm)


def _connected(synapse: Synapse, norm: BatchNorm | None, x: Tensor) -> Tensor:
    summed = connect(synapse, synapse.weight, x)
    return summed if norm is None else norm(summed[0])[None]


class TwinNetwork(Wired):
    """The twin's layers "layer1", "layer2", ..., wired as the spiking network's; all joins are sums.

    It sees a sample once, without recurrent synapses. Real-valued input (N, *input_shape), output logits.
    """

    def __init__(self, config: NetworkConfig, input_shape: tuple[int, ...], classes: int) -> None:
        planned = plan_layers(config, input_shape, classes)
        last = planned[-1]
        blocks, reads = assemble(
            planned, lambda part: TwinBlock(part, config.batch_norm, relu=part is not last), joins_add=True
        )
        super().__init__(input_shape, blocks, reads)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return list(self.evaluate(x[None]).values())[-1][0]

    def twin_layers(self) -> list[TwinLayer]:
        """The parameters of the eval-mode forward pass, batch norm folded, as float64."""
        layers = []
        for geometry in self.geometry:
            block = cast(TwinBlock, self.layers[geometry.name])
            weight, bias, second = (None if t is None else t.detach().cpu().double().numpy() for t in block.folded())
            read = self.shortcut_geometry(geometry.name)
            shortcut = None if read is None or second is None else InferenceSynapse(**vars(read), weight=second)
            assert weight is not None
            assert bias is not None
            layers.append(TwinLayer(**vars(geometry), weight=weight, bias=bias, relu=block.relu, shortcut=shortcut))
        return layers


class AnnTwin:
    """Trains the twin of a spiking network: same sizes, same split, the task's loss of the logits.

    network, training: see twin_training.py for those of a run; settings of neurons, spikes and the chip are not used.
    After fit or load, `network` is the trained twin in eval mode.
    """

    def __init__(self, network: NetworkConfig, training: TrainConfig, device: str | None = None) -> None:
        self.network_config = network
        self.train_config = training
        self.task = objective_of(training).task
        self.device = torch.device(torch_device(training.device) if device is None else device)
        self._trained: TwinNetwork | None = None

    @property
    def network(self) -> TwinNetwork:
        """The trained twin in eval mode; raises InputError before fit or load."""
        if self._trained is None:
            raise InputError("there is no trained ANN twin yet; call fit or load first")
        return self._trained

    def fit(
        self, dataset: Dataset, folder: str | Path | None = None, resume: bool = False, progress: bool = True
    ) -> Self:
        """Train on the data set's training part; arguments and errors as Method.fit.

        With held_out, first without that part, to find the number of epochs with its lowest loss; then a new network on
        all samples for as many epochs. Each has a checkpoint, and resuming goes on with the one that was interrupted.
        Source: Goodfellow, Bengio, Courville 2016, Deep Learning, algorithm 7.2.
        """
        config = self.train_config
        with torch_threads(config.threads):
            if config.held_out:
                epochs = self._best_epochs(dataset, folder, resume, progress)
                config = replace(config, epochs=epochs, held_out=0.0, patience=0)
                # the first training may be all that there is to resume
                resume = resume and folder is not None and (Path(folder) / _FINAL).exists()
            network = self._new_network(dataset)
            checkpoint = make_checkpoint(folder, _FINAL, resume, self.network_config, config, dataset)
            train(
                self._task(network, dataset), config, checkpoint, progress, f"training the ANN twin on {dataset.name}"
            )
        self._trained = network.eval()
        return self

    def _new_network(self, dataset: Dataset) -> TwinNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.train_config.seed)
            return TwinNetwork(self.network_config, dataset.input_shape, dataset.classes).to(self.device)

    def _task(self, network: TwinNetwork, dataset: Dataset, held_out: Callable[[], float] | None = None) -> Task:
        return Task(
            model=network,
            begin_epoch=lambda _: _set_training(network),
            batch_axis=0,
            batches=lambda epoch: on_device(self._batches(dataset, epoch), self.device),
            loss=lambda x, y: self._loss(network, x, y),
            held_out=held_out,
        )

    def _best_epochs(self, dataset: Dataset, folder: str | Path | None, resume: bool, progress: bool) -> int:
        """The number of epochs after which the held-out part has its lowest loss; all of them without such a part."""
        config = self.train_config
        rest, held_out = dataset.hold_out(config.held_out, config.seed)
        if held_out is None:
            return config.epochs
        network = self._new_network(dataset)
        task = self._task(network, rest, lambda: self._held_out_loss(network, held_out))
        checkpoint = make_checkpoint(folder, _SEARCH, resume, self.network_config, config, dataset)
        done = train(task, config, checkpoint, progress, f"epochs of the ANN twin on {dataset.name}")
        return int(np.argmin(done.held_out)) + 1

    def _held_out_loss(self, network: TwinNetwork, dataset: Dataset) -> float:
        network.eval()
        total = 0.0
        with torch.no_grad():
            for start in range(0, len(dataset.y_train), PREDICT_BATCH):
                part = slice(start, start + PREDICT_BATCH)
                targets = dataset.y_train[part]
                x = torch.from_numpy(self.task.twin_input(dataset, dataset.x_train[part])).to(self.device)
                y = torch.from_numpy(self.task.twin_targets(targets)).to(self.device)
                if self.task.targets == "class":
                    total += nn.functional.cross_entropy(network(x), y, reduction="sum").item()
                else:
                    total += self.task.twin_loss(network(x), y).item() * len(targets)
        return total / len(dataset.y_train)

    def predict_logits(self, x: Samples) -> NDArray[np.float32]:
        """Logits (N, classes) for samples x (N, *input_shape); raises InputError for none or another shape."""
        if len(x) == 0 or x.shape[1:] != self.network.input_shape:
            raise InputError(f"the ANN twin takes samples (N, *{self.network.input_shape}), not an input of {x.shape}")
        with torch.no_grad():
            logits = [
                self.network(torch.from_numpy(np.asarray(x[start : start + PREDICT_BATCH], np.float32)).to(self.device))
                for start in range(0, len(x), PREDICT_BATCH)
            ]
        return np.asarray(torch.cat(logits).cpu().numpy(), dtype=np.float32)

    def predict(self, x: Samples) -> NDArray[Any]:
        """The task's answers (N, ...), by default labels (N,): the largest logit."""
        return self.task.twin_answer(self.predict_logits(x))

    @staticmethod
    def has_begun(folder: Path) -> bool:
        """Whether there is a training in the folder that can be resumed."""
        return any((folder / name).exists() for name in (_SEARCH, _FINAL))

    def twin_layers(self) -> list[TwinLayer]:
        """The trained twin's folded layers, for ONNX."""
        return self.network.twin_layers()

    def save(self, path: str | Path) -> None:
        """Write the trained twin with its configuration: tensors and plain values, all or nothing."""
        layers = self.network.twin_layers()
        content = {
            "network": stored_network(self.network_config),
            "training": stored_settings(self.train_config),
            "input_shape": self.network.input_shape,
            "classes": layers[-1].output_shape[0],
            "state": self.network.state_dict(),
        }
        write_tensors(path, "ann_twin", content)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """Read what `save` wrote; raises InputError for a file that is missing, truncated or of another kind."""
        content = read_tensors(path, "ann_twin")
        try:
            twin = cls(*read_configs(content), device)
            shape, classes = tuple(content["input_shape"]), int(content["classes"])
            check_state(twin.network_config, shape, classes, content["state"])
            network = TwinNetwork(twin.network_config, shape, classes)
            network.load_state_dict(content["state"])
        except UNUSABLE as error:
            raise InputError(f"{path}: is not a usable file of an ANN twin ({reason(error)}); train again") from error
        twin._trained = network.to(twin.device).eval()
        return twin

    def _loss(self, network: TwinNetwork, x: Tensor, y: Tensor) -> Tensor:
        if len(y) == 1 and self.network_config.batch_norm:
            raise InputError(
                "the ANN twin's batch norm needs two samples at least in a batch, and in each part of it; "
                "set batch_size higher, or batch_norm = false"
            )
        if self.task.targets != "class":
            return self.task.twin_loss(network(x), y)
        return nn.functional.cross_entropy(network(x), y, label_smoothing=self.train_config.label_smoothing)

    def _batches(self, dataset: Dataset, epoch: int) -> Iterator[Batch]:
        generator = np.random.default_rng([self.train_config.seed, epoch])
        for index in shuffled_batches(len(dataset.y_train), self.train_config.batch_size, generator):
            samples = augment(dataset.x_train[index], dataset.input_shape, self.train_config.augment, generator)
            x = torch.from_numpy(self.task.twin_input(dataset, samples))
            yield x, torch.from_numpy(self.task.twin_targets(dataset.y_train[index]))


def _set_training(network: TwinNetwork) -> None:
    network.train()
