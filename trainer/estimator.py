"""The one contract of every training method: fit, predict, save, load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import Self

from hardware_profiles.errors import InputError, reason

from .config import LayerConfig, NetworkConfig, TrainConfig, build_network
from .data import Dataset
from .encoding import Images, Spikes, encode
from .files import read_tensors, write_tensors
from .network import SpikingNetwork

PREDICT_BATCH = 512
# told apart from the epochs' generators, whose second number is the epoch
PREDICT_STREAM = 2**32 - 1


class Method(ABC):
    """A way of training a spiking network; a subclass adds `name` and `fit`, and is registered in methods.py.

    network, training: what to build and how to train it; dt: seconds per step; device: where torch computes.
    After fit or load, `spiking_network` is the trained network in eval mode, ready for `effective_layers()`.
    """

    name: ClassVar[str]

    def __init__(self, network: NetworkConfig, training: TrainConfig, dt: float = 1e-3, device: str = "cpu") -> None:
        self.network_config = network
        self.train_config = training
        self.dt = dt
        self.device = torch.device(device)
        self._trained: SpikingNetwork | None = None

    @abstractmethod
    def fit(
        self, dataset: Dataset, folder: str | Path | None = None, resume: bool = False, progress: bool = True
    ) -> Self:
        """Train on the data set's training part.

        folder: keep a checkpoint there, written at the end of every epoch (one that is there is replaced); resume: go
        on from it instead, to the same weights as without the interruption; progress: show a bar on a terminal.
        Raises InputError (wrong data, no or another configuration's checkpoint), DivergedError (loss not finite).
        """

    @property
    def spiking_network(self) -> SpikingNetwork:
        """The trained network in eval mode; raises InputError before fit or load."""
        if self._trained is None:
            raise InputError("there is no trained network yet; call fit or load first")
        return self._trained

    def encode(self, x: Images) -> Spikes:
        """The input spikes (steps, N, *input_shape), uint8, that `predict` sees for samples x (N, *input_shape)."""
        generator = np.random.default_rng([self.train_config.seed, PREDICT_STREAM])
        return encode(self.train_config.encoding, x, self.train_config.steps, generator)

    def predict_counts(self, x: Images) -> NDArray[np.int64]:
        """Output spike counts (N, classes) for samples x (N, *input_shape) in [0, 1]."""
        network, spikes = self.spiking_network, self.encode(x)
        counts = []
        with torch.no_grad():
            for start in range(0, spikes.shape[1], PREDICT_BATCH):
                batch = torch.from_numpy(spikes[:, start : start + PREDICT_BATCH]).to(self.device)
                counts.append(network(batch).sum(0).cpu().numpy().astype(np.int64))
        return np.concatenate(counts)

    def predict(self, x: Images) -> NDArray[np.int64]:
        """Labels (N,): the output that fires most, the first of equals."""
        return np.asarray(self.predict_counts(x).argmax(axis=1), dtype=np.int64)

    def save(self, path: str | Path) -> None:
        """Write the trained network with its configuration: tensors and plain values, all or nothing."""
        network = self.spiking_network
        content = {
            "method": self.name,
            "network": asdict(self.network_config),
            "training": asdict(self.train_config),
            "dt": self.dt,
            "input_shape": network.input_shape,
            "classes": network.geometry[-1].output_shape[0],
            "state": network.state_dict(),
        }
        write_tensors(path, "network", content)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """Read what `save` wrote; raises InputError for a file that is missing, truncated, or another method's."""
        content = read_tensors(path, "network")
        if content.get("method") != cls.name:
            raise InputError(f"{path}: was trained by method {content.get('method')!r}, not {cls.name!r}")
        try:
            network, training = read_configs(content)
            method = cls(network, training, float(content["dt"]), device)
            shape = tuple(content["input_shape"])
            method._adopt(build_network(network, shape, int(content["classes"]), method.dt), content["state"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise InputError(f"{path}: is not a usable network file ({reason(error)}); train again") from error
        return method

    def _adopt(self, network: SpikingNetwork, state: dict[str, Tensor] | None = None) -> None:
        if state is not None:
            network.load_state_dict(state)
        self._trained = network.to(self.device).eval()

    def _new_network(self, dataset: Dataset) -> SpikingNetwork:
        """A fresh network for the data, its weights drawn from the configured seed; torch's own seed stays."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.train_config.seed)
            network = build_network(self.network_config, dataset.input_shape, dataset.classes, self.dt)
        return network.to(self.device)


def read_configs(content: dict[str, Any]) -> tuple[NetworkConfig, TrainConfig]:
    """The configurations in a file's plain values; raises KeyError, TypeError or ValueError if they are wrong."""
    network = dict(content["network"])
    layers = tuple(LayerConfig(**layer) for layer in network.pop("layers"))
    return NetworkConfig(layers=layers, **network), TrainConfig(**content["training"])
