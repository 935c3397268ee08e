"""The answers of a network in floating point, in the steps of a trainable module."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.float_network.simulator import simulate_float


def float_answers(
    network: FloatNetwork, output_names: tuple[str, ...], inputs: Mapping[str, Tensor]
) -> Tensor | dict[str, Tensor]:
    """The output for inputs (T, B, size) by name, step t for step t of the input; several outputs by their names."""
    values = {name: np.asarray(value.detach().cpu().numpy(), np.int32) for name, value in inputs.items()}
    length = len(next(iter(values.values())))
    starts = network.starts
    steps = length + max((starts[name] for name in network.outputs), default=0)
    sent = simulate_float(network, values, steps).spikes
    shapes = {p.name: p.shape for p in network.populations}
    outputs = {
        name: _tensor(sent[source][starts[source] : starts[source] + length], shapes[source])
        for name, source in zip(output_names, network.outputs, strict=True)
    }
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def _tensor(values: NDArray[np.generic], shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).reshape(*values.shape[:2], *shape)
