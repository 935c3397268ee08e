"""What a network is tuned to: labels, or what its float network sends; and the loss of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.float_network.simulator import simulate_float

from .tunable import Tunable

# samples that the float network runs at once
_GROUP = 64
# steps over which output spikes are smoothed before they are compared
_SMOOTHING = 8.0


@dataclass(frozen=True)
class Teacher:
    """What the float network sent, in the module's steps.

    rates: spikes per step of every layer, (N, size); output: the output's spikes, (T, N, size).
    """

    rates: Mapping[str, NDArray[np.float32]]
    output: NDArray[Any]

    @property
    def winners(self) -> NDArray[np.intp]:
        """The output neuron with the most spikes of each sample."""
        return np.asarray(self.output.sum(axis=0, dtype=np.float64).argmax(axis=1))


def teach(network: FloatNetwork, inputs: Mapping[str, NDArray[Any]], output: str) -> Teacher:
    """Run the float network; inputs: (T, N, size) by name."""
    length, samples = next(iter(inputs.values())).shape[:2]
    starts = network.starts
    steps = length + max(starts.values())
    rates: dict[str, list[NDArray[Any]]] = {}
    out: list[NDArray[Any]] = []
    for first in range(0, samples, _GROUP):
        group = {name: values[:, first : first + _GROUP].astype(np.int32) for name, values in inputs.items()}
        sent = simulate_float(network, group, steps).spikes
        for name, values in sent.items():
            own = values[starts[name] : starts[name] + length]
            rates.setdefault(name, []).append(own.mean(axis=0, dtype=np.float32))
            if name == output:
                out.append(own)
    return Teacher({name: np.concatenate(parts) for name, parts in rates.items()}, np.concatenate(out, axis=1))


def label_loss(counts: Tensor, labels: Tensor, steps: int) -> Tensor:
    """Cross entropy of spike counts, (N, classes); a count of a tenth of the steps is one logit."""
    return cross_entropy(counts * (10.0 / steps), labels)


def voltage_loss(sums: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of summed voltages, (N, classes); a third of their spread is one logit, as they have no unit."""
    return cross_entropy(sums * (3.0 / (_spread(sums.detach()) + 1e-9)), labels)


def in_units_of(values: Tensor, wanted: Tensor) -> Tensor:
    """Voltages as the chip sends them, times the number that brings them nearest to the wanted ones."""
    own = values.detach()
    return values * ((own * wanted).sum() / (own.square().sum() + 1e-9)).clamp(min=1e-9)


def teacher_loss(
    module: Tunable, sent: Mapping[str, Tensor], teacher: Teacher, selected: NDArray[np.intp], output: str
) -> Tensor:
    """How far the chip's spikes are from the float network's, for the selected samples.

    Output spikes smoothed over 8 steps, and counts of every neuron per layer, each as a mean square over that of the
    float network; and the divergence of the outputs' shares, which decides the winner.
    """
    total = torch.zeros(())
    wanted = torch.from_numpy(np.ascontiguousarray(teacher.output[:, selected])).float()
    own = sent[output].flatten(2)
    if module.layer(output).population.sends == "voltage":
        own = in_units_of(own, wanted.to(own))
    difference = _smoothed(own - wanted.to(own))
    total = total.to(own) + difference.square().mean() / (_smoothed(wanted).square().mean() + 1e-3)
    counts, wanted_counts = own.sum(0), wanted.sum(0).to(own)
    total = total + (counts - wanted_counts).square().mean() / (wanted_counts.square().mean() + 1.0)
    # a third of the spread of the float network's counts is one logit
    logit = 3.0 / (_spread(wanted_counts, 1).mean() + 1e-3)
    total = total + kl_div(
        log_softmax(counts * logit, 1), log_softmax(wanted_counts * logit, 1), log_target=True, reduction="batchmean"
    )
    for name, values in sent.items():
        if name == output or not module.layer(name).trainable:
            continue
        rate = torch.from_numpy(teacher.rates[name][selected]).to(values)
        mean = values.flatten(2).mean(0)
        if module.layer(name).population.sends == "voltage":
            mean = in_units_of(mean, rate)
        error = (mean - rate).square().mean()
        total = total + error / (rate.square().mean() + 1e-4)
    return total


def _spread(values: Tensor, dim: int | None = None) -> Tensor:
    """Standard deviation; 0 of a single value, as a network with one output has."""
    count = values.numel() if dim is None else values.shape[dim]
    return values.std(dim, correction=min(1, count - 1))


def _smoothed(spikes: Tensor) -> Tensor:
    """A running sum that loses an eighth per step, (T, ...)."""
    state, out = torch.zeros_like(spikes[0]), []
    for step in spikes.unbind(0):
        state = state * (1 - 1 / _SMOOTHING) + step
        out.append(state)
    return torch.stack(out)


def check_labels(labels: NDArray[Any], samples: int, classes: int, context: str) -> NDArray[np.int64]:
    """The labels as whole numbers; raises InputError for those that do not fit."""
    if labels.shape != (samples,):
        raise InputError(
            f"{context}: labels have shape {labels.shape}, but the data hold {samples} samples; give one each"
        )
    if labels.dtype.kind not in "iub":
        raise InputError(
            f"{context}: labels are {labels.dtype}, but classes are whole numbers; give those, or the task of "
            "these numbers (--task)"
        )
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise InputError(
            f"{context}: labels go from {labels.min()} to {labels.max()}, but the network has the outputs "
            f"0 to {classes - 1}"
        )
    return labels.astype(np.int64)
