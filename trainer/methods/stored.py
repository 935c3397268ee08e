"""What a file of a trained network holds beside its weights: the configurations, and a chip's own registers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.network_config import NetworkConfig, read_network
from spikeport.trainer.tensor_files.check_described import check_finite


def registers_as_tensors(registers: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, dict[str, Tensor]]:
    """Layers' registers (SpikingNetwork) as a file holds them."""
    return {
        layer: {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in given.items()}
        for layer, given in registers.items()
    }


def registers_as_arrays(registers: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, NDArray[Any]]]:
    """The inverse; raises ValueError for numbers that are not finite."""
    for given in registers.values():
        check_finite(given)
    return {layer: {name: values.numpy() for name, values in given.items()} for layer, given in registers.items()}


def read_configs(content: dict[str, Any]) -> tuple[NetworkConfig, TrainConfig]:
    """The configurations in a file's plain values; raises KeyError, TypeError or ValueError if they are wrong."""
    # as JSON, because strict validation accepts a JSON array as a tuple, but not a list
    training = TypeAdapter(TrainConfig).validate_json(json.dumps(content["training"]))
    return read_network(content["network"]), training
