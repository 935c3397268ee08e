"""Check a network file's configuration against its tensors before allocating memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikeport.trainer.network.layer_specs import PlannedLayer
from spikeport.trainer.network.network_config import NetworkConfig, plan_layers

UNUSABLE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What building a network from untrusted values may raise."""
# recurrent weights and delays, which the twin's file does not contain
_MOST_LEFT_OUT = 1 << 26


def check_state(config: NetworkConfig, input_shape: tuple[int, ...], classes: int, state: Mapping[str, Tensor]) -> None:
    """Raise ValueError if the configuration has more layers or weights than the state; builds nothing.

    Non-finite values are also refused.
    """
    check_finite(state)
    if sum(layer.repeat for layer in config.layers) > len(state):
        raise ValueError("it describes more layers than it holds")
    with torch.device("meta"):
        parts = [part for part in plan_layers(config, input_shape, classes) if isinstance(part, PlannedLayer)]
    weights = sum(_elements(part.synapse, part.shortcut) for part in parts)
    left_out = sum(_elements(part.recurrent, part.delays) for part in parts)
    stored = sum(value.numel() for value in state.values())
    if weights > stored or left_out > max(stored, _MOST_LEFT_OUT):
        raise ValueError("it describes more weights than it holds")


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Raise ValueError for values that are not finite."""
    for name, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} holds numbers that are not finite")


def seconds_per_step(value: Any) -> float:
    """A file's time step; raises TypeError or ValueError unless it is a positive, finite number."""
    if not 0 < value < math.inf:
        raise ValueError(f"its time step is {value}")
    return float(value)


def _elements(*modules: nn.Module | None) -> int:
    return sum(weight.numel() for module in modules if module is not None for weight in module.parameters())
