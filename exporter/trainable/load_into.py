"""Trained weights back into the framework's network that they came from."""

from __future__ import annotations

import re
from typing import Protocol

import numpy as np
import torch
from torch import nn

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import Floats


class HasSynapses(Protocol):
    """A module whose weights are those of a graph's synapses."""

    def synapse_values(self) -> dict[str, dict[str, Floats]]:
        """Weights and biases by the graph's synapse, in its units; raises InputError where it has no such synapse."""


def load_into(module: HasSynapses, network: nn.Module) -> None:
    """Copy weights and biases into the modules of the same names; raises InputError for the first that does not fit.

    Nothing is changed where one does not fit. A compiled synapse that is not one layer of the network, such as a
    pooling and the convolution after it, does not fit.
    """
    if not isinstance(network, nn.Module):
        raise InputError(f"network is a value of type {type(network).__name__}; give the torch.nn.Module to load into")
    by_name = {_letters(name): child for name, child in network.named_modules() if hasattr(child, "weight")}
    changes: list[tuple[torch.Tensor, Floats]] = []
    for name, values in module.synapse_values().items():
        child = by_name.get(_letters(name))
        if child is None:
            known = ", ".join(by_name) or "none"
            raise InputError(f"no layer of the network is called {name!r}; those with weights are {known}")
        for field, value in values.items():
            parameter = getattr(child, field)
            if parameter is None or parameter.numel() != value.size:
                shape = None if parameter is None else tuple(parameter.shape)
                raise InputError(f"{name!r} has a {field} of shape {shape}, but {value.shape} was trained")
            changes.append((parameter, value))
    with torch.no_grad():
        for parameter, value in changes:
            new = torch.from_numpy(np.ascontiguousarray(value)).to(parameter)
            parameter.copy_(new.reshape(parameter.shape))


def _letters(name: str) -> str:
    """A module's name as exporters write it; snnTorch's calls the recurrent layer w_rec."""
    return re.sub(r"\W", "_", name).lstrip("_").replace("w_rec", "recurrent")
