"""Optimizers by name, and the state that each of them keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spikeport.trainer.network.delays import Delays

from .train_config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The configured optimizer over all parameters of a model.

    adamw: weight decay apart from the gradient (Loshchilov & Hutter, ICLR 2019); adam: weight decay as a term of the
    gradient, wd * w (Kingma & Ba, ICLR 2015); sgd: m <- momentum m + g, w <- w - lr m, with the same term.
    """
    groups, rate, decay = _groups(model), config.learning_rate, config.weight_decay
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, rate, weight_decay=decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, momentum=config.momentum, weight_decay=decay)
    return torch.optim.AdamW(groups, rate, weight_decay=decay)


def state_shapes(optimizer: torch.optim.Optimizer, shape: torch.Size) -> Mapping[str, torch.Size]:
    """What the optimizer keeps for a parameter of this shape, once it has taken a step, by name."""
    if isinstance(optimizer, torch.optim.SGD):
        return {"momentum_buffer": shape}
    return {"step": torch.Size(), "exp_avg": shape, "exp_avg_sq": shape}


def clip_gradients(model: nn.Module, norm: float, value: float) -> Tensor:
    """Scale all gradients down to a common norm, then clip each entry; 0: not. Returns the norm before.

    Source: Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, ICML 2013 (norm).
    """
    before = nn.utils.clip_grad_norm_(model.parameters(), norm or float("inf"))
    if value:
        nn.utils.clip_grad_value_(model.parameters(), value)
    return before


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    """Parameter groups; positions of delays, if any, without weight decay, which would favour some delays."""
    positions = [module.position for module in model.modules() if isinstance(module, Delays)]
    others = [p for p in model.parameters() if not any(p is position for position in positions)]
    return [{"params": others}, *([{"params": positions, "weight_decay": 0.0}] if positions else [])]
