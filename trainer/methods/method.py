"""Base class of all training methods: fit, predict, save, load, and the hooks that a method may override."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import Self

from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError, reason
from spikeport.trainer.data import Dataset, Samples
from spikeport.trainer.data.encoding import Spikes, encode
from spikeport.trainer.loop.augment import augment, drop_spikes
from spikeport.trainer.loop.batches import on_device
from spikeport.trainer.loop.gradient_checkpointing import count_spikes
from spikeport.trainer.loop.threads import torch_threads
from spikeport.trainer.loop.train_config import TrainConfig, stored_settings
from spikeport.trainer.loop.training_loop import Batch, Task, make_checkpoint, shuffled_batches, train
from spikeport.trainer.network.bit_allocation import choose_bits
from spikeport.trainer.network.delays import narrow_delays
from spikeport.trainer.network.network_config import NetworkConfig, build_network, stored_network
from spikeport.trainer.network.spiking_network import SpikingNetwork, sent_on_chip
from spikeport.trainer.settings.options import NoOptions, read_options
from spikeport.trainer.tasks.check import fitting_objective
from spikeport.trainer.tasks.registry import Objective
from spikeport.trainer.tensor_files.check_described import UNUSABLE, check_state, seconds_per_step
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors

from .in_integers import LayersModule
from .stored import read_configs, registers_as_arrays, registers_as_tensors

PREDICT_BATCH = 512
# pixels times steps of such a batch: the layers' outputs, and so the memory, grow with them
PREDICT_VALUES = 1 << 26
# differs from the epochs' generators, whose second number is the epoch
PREDICT_STREAM = 2**32 - 1


class Method:
    """A way of training a spiking network; a subclass has a `name` and is registered in registry.py.

    network, training: what to build and how to train it; dt: seconds per step; device: where torch computes, by default
    the training settings' device.
    After fit or load, `spiking_network` is the trained network in eval mode, ready for `inference_layers()`.
    in_integers: what computes its predictions where it was trained on in a chip's own integers (in_integers.py).

    A method may override, each with a default: `Options`, a frozen dataclass of its own settings, set by a recipe in
    [training.options] and available as `options`; `build` (the network), `prepare` (once, before the first epoch),
    `begin_epoch`, `loss` (with its own forward pass if needed), `finish` (once, after the last epoch). This class
    implements fitting, resuming, predicting, saving and loading with them. Everything a method trains must be a
    parameter of the network, and prediction must be the network's own forward pass in eval mode.
    """

    name: ClassVar[str]
    Options: ClassVar[type] = NoOptions

    def __init__(
        self, network: NetworkConfig, training: TrainConfig, dt: float = 1e-3, device: str | None = None
    ) -> None:
        self.options: Any = read_options(self.Options, training.options, self.name)
        self.objective = self.check_task(network, training)
        self.network_config = replace(network, readout=self.objective.task.readout)
        if network.mean_bits is not None and training.norm_epochs * training.epochs > training.epochs - 1:
            raise InputError(
                f"mean_bits chooses bits after norm_epochs = {training.norm_epochs:g} of the epochs, but none of the "
                f"{training.epochs} comes after; give more epochs, or lower norm_epochs"
            )
        # save and compare every option, also those left at their defaults
        self.train_config = replace(training, options=asdict(self.options))
        self.dt = dt
        self.device = torch.device(torch_device(training.device) if device is None else device)
        self._trained: SpikingNetwork | None = None
        self.in_integers: LayersModule | None = None

    @classmethod
    def check_task(cls, network: NetworkConfig, training: TrainConfig) -> Objective:
        """The task, loss and metric of these settings; raises InputError for those that do not fit the others."""
        return fitting_objective(cls.name, cls.loss is not Method.loss, network, training)

    def build(self, input_shape: tuple[int, ...], classes: int) -> SpikingNetwork:
        """A network with fresh weights from torch's generator; raises InputError for layers that do not fit."""
        return build_network(self.network_config, input_shape, classes, self.dt)

    def prepare(self, network: SpikingNetwork, dataset: Dataset) -> None:
        """Called once before the first epoch, and before a checkpoint is read; may set weights, add gradient hooks."""

    def begin_epoch(self, network: SpikingNetwork, epoch: int) -> None:
        """Set the network to the state for training this epoch.

        Batch norm gathers statistics for the first `norm_epochs` of the epochs; then its running statistics are folded
        into the weights, which are rounded to the chip's from then on, so that the network is finally trained as it
        will run (folding from the first epoch would lose the normalisation; folding the batch's statistics would make
        weights depend on the batch). Without batch norm, weights are rounded from the first epoch. Delays are narrowed
        over the same epochs and whole afterwards.
        """
        network.train()
        first = self.train_config.norm_epochs * self.train_config.epochs
        if epoch >= first:
            network.freeze_norms()
            if self.network_config.mean_bits is not None:
                choose_bits(network, self.network_config.mean_bits)
        narrow_delays(network, epoch / first if epoch < first else 1.0)

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        """The loss, a scalar, for input spikes (T, B, *input_shape) and targets (B, ...), by the task's name for it.

        By default the cross entropy of output counts. The spike penalty (sparsity) is added. Long sequences use
        gradient checkpointing if configured.
        """
        config = self.train_config
        if not self.objective.counts_spikes:
            return self._task_loss(network, x, y)
        name = network.geometry[-1].name
        layers = None if config.sparsity.active else {name}
        counts = count_spikes(network, x, config.stretch, config.truncate, layers)
        loss = nn.functional.cross_entropy(counts[name], y, label_smoothing=config.label_smoothing)
        return loss + config.sparsity.cost(counts, len(x))

    def _task_loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        layers, output = network.run(x), network.geometry[-1].name
        loss = self.objective.loss(layers[output], y)
        if not self.train_config.sparsity.active:
            return loss
        silent = {output} if network.readout is not None else set()
        counts = {name: spikes.sum(0) for name, spikes in layers.items() if name not in silent}
        return loss + self.train_config.sparsity.cost(counts, len(x))

    def finish(self, network: SpikingNetwork, dataset: Dataset) -> None:
        """Called once after the last epoch; may set weights."""

    def fit(
        self,
        dataset: Dataset,
        folder: str | Path | None = None,
        resume: bool = False,
        progress: bool = True,
        restored: Callable[[], None] | None = None,
    ) -> Self:
        """Train on the data set's training part.

        folder: write a checkpoint there as often as configured, replacing an existing one; resume: continue from it
        instead, to the same weights as without the interruption; progress: show a bar on a terminal;
        restored: called once the checkpoint has been read, before anything is written.
        Raises InputError (wrong data; no checkpoint, or another configuration's), DivergedError (loss not finite).
        """
        with torch_threads(self.train_config.threads):
            self._fit(dataset, folder, resume, progress, restored)
        return self

    def _fit(
        self,
        dataset: Dataset,
        folder: str | Path | None,
        resume: bool,
        progress: bool,
        restored: Callable[[], None] | None,
    ) -> None:
        self.objective.task.check(dataset)
        network = self.fresh(dataset)
        self.prepare(network, dataset)
        config = self.train_config
        trained_on, held_out = dataset.hold_out(config.held_out, config.seed)
        network_config, name = self.network_config, "checkpoint.safetensors"
        checkpoint = make_checkpoint(folder, name, resume, network_config, config, dataset, restored)
        has_phases = self.network_config.batch_norm or self.network_config.mean_bits is not None
        task = Task(
            model=network,
            begin_epoch=lambda epoch: self.begin_epoch(network, epoch),
            batches=lambda epoch: on_device(self.batches(trained_on, epoch), self.device),
            loss=lambda x, y: self.loss(network, x, y),
            held_out=None if held_out is None else lambda: self._held_out_loss(network, held_out),
            first_stop=math.ceil(config.norm_epochs * config.epochs) if has_phases else 0,
        )
        train(task, self.train_config, checkpoint, progress, f"training {dataset.name} by {self.name}")
        self.finish(network, dataset)
        self._adopt(network)

    @property
    def spiking_network(self) -> SpikingNetwork:
        """The trained network in eval mode; raises InputError before fit or load."""
        if self._trained is None:
            raise InputError("there is no trained network yet; call fit or load first")
        return self._trained

    def encode(self, x: Samples) -> Spikes:
        """The input spikes (steps, N, *input_shape), uint8, that `predict` sees for samples x (N, *input_shape)."""
        batches = list(self.encoded(x[:]))
        return batches[0] if len(batches) == 1 else np.concatenate(batches, axis=1)

    def run(self, spikes: Spikes) -> dict[str, NDArray[Any]]:
        """Spikes of every layer by name, (T, N, *shape), for input spikes as returned by `encode`.

        Of a readout, the chip's integers int32, or its voltages if it was not trained in those.
        """
        network = self.spiking_network
        with torch.no_grad(), torch_threads(self.train_config.threads):
            layers = self._layers(torch.from_numpy(spikes))
        voltages = {} if network.readout is None else dict([layers.popitem()])
        sent: dict[str, NDArray[Any]] = {name: fired.to(torch.uint8).cpu().numpy() for name, fired in layers.items()}
        return sent | {name: sent_on_chip(network, output)[0] for name, output in voltages.items()}

    def predict_output(self, x: Samples) -> NDArray[np.float64]:
        """The output (steps, N, outputs) for samples x: spikes, or voltages in the network's units."""
        network, outputs = self.spiking_network, []
        with torch.no_grad(), torch_threads(self.train_config.threads):
            for spikes in self.encoded(x):
                values, unit = sent_on_chip(network, self._output(torch.from_numpy(spikes)))
                outputs.append(values * unit)
        return np.concatenate(outputs, axis=1)

    def predict_counts(self, x: Samples) -> NDArray[np.int64]:
        """Output spike counts (N, classes) for samples x (N, *input_shape) in [0, 1]."""
        counts = []
        with torch.no_grad(), torch_threads(self.train_config.threads):
            for spikes in self.encoded(x):
                counts.append(self._output(torch.from_numpy(spikes)).sum(0).cpu().numpy().astype(np.int64))
        return np.concatenate(counts)

    def _layers(self, x: Tensor) -> dict[str, Tensor]:
        if self.in_integers is not None:
            return self.in_integers.run(x.float())
        return self.spiking_network.run(x.to(self.device))

    def _output(self, x: Tensor) -> Tensor:
        return list(self._layers(x).values())[-1]

    def predict(self, x: Samples) -> NDArray[Any]:
        """The task's answers (N, ...), by default labels (N,): the output that fires most often, the first if tied."""
        if self.objective.task.name != "spike_count":
            return self.objective.task.answer(self.predict_output(x))
        return np.asarray(self.predict_counts(x).argmax(axis=1), dtype=np.int64)

    def save(self, path: str | Path) -> None:
        """Write the trained network with its configuration: tensors and plain values, all or nothing."""
        network = self.spiking_network
        content = {
            "method": self.name,
            "network": stored_network(self.network_config),
            "training": stored_settings(self.train_config),
            "dt": self.dt,
            "input_shape": network.input_shape,
            "classes": network.geometry[-1].output_shape[0],
            "state": network.state_dict(),
        }
        if network.registers:
            content["registers"] = registers_as_tensors(network.registers)
        write_tensors(path, "network", content)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """Read what `save` wrote; raises InputError for a file that is missing, truncated, or another method's."""
        content = read_tensors(path, "network")
        if content.get("method") != cls.name:
            raise InputError(f"{path}: was trained by method {content.get('method')!r}, not {cls.name!r}")
        try:
            network, training = read_configs(content)
            method = cls(network, training, seconds_per_step(content["dt"]), device)
            shape, classes = tuple(content["input_shape"]), int(content["classes"])
            check_state(network, shape, classes, content["state"])
            method._adopt(method.build(shape, classes), content["state"])
            method.spiking_network.registers = registers_as_arrays(content.get("registers", {}))
        except UNUSABLE as error:
            raise InputError(f"{path}: is not a usable network file ({reason(error)}); train again") from error
        return method

    def _adopt(self, network: SpikingNetwork, state: dict[str, Tensor] | None = None) -> None:
        if state is not None:
            network.load_state_dict(state)
        self._trained = network.to(self.device).eval()

    def fresh(self, dataset: Dataset) -> SpikingNetwork:
        """A fresh network for the data, its weights drawn from the configured seed; torch's own seed is unchanged."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.train_config.seed)
            network = self.build(dataset.input_shape, dataset.classes)
        return network.to(self.device)

    def _held_out_loss(self, network: SpikingNetwork, dataset: Dataset) -> float:
        """Mean loss over all of these samples, by the network in eval mode."""
        network.eval()
        return self.mean_loss(dataset, lambda x, y: self.loss(network, x.to(self.device), y.to(self.device)))

    def mean_loss(self, dataset: Dataset, loss: Callable[[Tensor, Tensor], Tensor]) -> float:
        """Mean over the training part of a loss of input spikes and targets, without gradients."""
        total, done = 0.0, 0
        with torch.no_grad():
            for spikes in self.encoded(dataset.x_train):
                y = torch.from_numpy(dataset.y_train[done : done + spikes.shape[1]])
                total += loss(torch.from_numpy(spikes), y).item() * len(y)
                done += len(y)
        return total / done

    def encoded(self, x: Samples) -> Iterator[Spikes]:
        """Samples as spikes, batch by batch, always with the same random numbers."""
        config = self.train_config
        generator = np.random.default_rng([config.seed, PREDICT_STREAM])
        values = math.prod(x.shape[1:]) * (1 if config.encoding == "spikes" else config.steps)
        batch = max(1, min(PREDICT_BATCH, PREDICT_VALUES // max(1, values)))
        for start in range(0, max(1, len(x)), batch):
            samples = x[start : start + batch]
            yield encode(config.encoding, samples, config.steps, generator, self.network_config.payload)

    def batches(self, dataset: Dataset, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, always the same for the same epoch."""
        config = self.train_config
        generator = np.random.default_rng([config.seed, epoch])
        steps = config.inherit.steps_in(epoch, config.epochs, config.steps)
        for index in shuffled_batches(len(dataset.y_train), config.batch_size, generator):
            samples = augment(dataset.x_train[index], dataset.input_shape, config.augment, generator)
            spikes = encode(config.encoding, samples, steps, generator, self.network_config.payload)
            spikes = drop_spikes(spikes, config.augment, generator)
            yield torch.from_numpy(spikes), torch.from_numpy(dataset.y_train[index])
