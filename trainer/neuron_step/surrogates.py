"""Surrogate gradients: a spike is a step function in the forward pass and has a smooth slope in the backward pass.

Forward, for all of them: s = 1 if x > 0 else 0 with x = v - threshold (strict: x = 0 gives no spike).
Backward: ds/dx is replaced by g(x), a bump of width w around the threshold; x and w have the unit of v.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikeport.trainer.settings.lookup import lookup

Slope = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class Surrogate:
    """A spike function with the slope `height * slope(x, width)`; call it as `surrogate(v - threshold, width)`."""

    name: str
    slope: Slope
    height: float = 1.0

    def __call__(self, x: Tensor, width: float) -> Tensor:
        """Spikes (0. or 1.) of the shape and dtype of x = v - threshold."""
        spikes: Tensor = _Spike.apply(x, self.slope, width, self.height)
        return spikes


def atan(x: Tensor, width: float) -> Tensor:
    """Slope of an arc tangent.

    g(x) = 1 / (2 w) / (1 + (pi x / (2 w))**2), area 1; alpha of the paper is 1 / w (alpha = 2 there).
    Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021, section 4.1, after figure 5.
    """
    slope: Tensor = (0.5 / width) / (1 + (x * (0.5 * math.pi / width)).square())
    return slope


def fast_sigmoid(x: Tensor, width: float) -> Tensor:
    """Slope of a fast sigmoid x / (1 + |x|).

    g(x) = 1 / (1 + |x| / w)**2, peak 1; beta of the paper is 1 / w.
    Source: Zenke & Ganguli, SuperSpike, Neural Computation 30(6), 2018, section 3.
    """
    slope: Tensor = (1 + x.abs() / width).square().reciprocal()
    return slope


def triangle(x: Tensor, width: float) -> Tensor:
    """A triangle that is zero beyond one width.

    g(x) = max(0, 1 - |x| / w), peak 1; the papers have w = threshold, Bellec et al. also damp it by 0.3.
    Source: Esser et al., Convolutional networks for fast, energy-efficient neuromorphic computing, PNAS 113(41),
    2016; Bellec et al., Long short-term memory and learning-to-learn in networks of spiking neurons, NeurIPS 2018.
    """
    slope: Tensor = (1 - x.abs() / width).clamp_min(0)
    return slope


SURROGATES: dict[str, Surrogate] = {s.__name__: Surrogate(s.__name__, s) for s in (atan, fast_sigmoid, triangle)}


def surrogate(name: str) -> Surrogate:
    """The surrogate of that name; raises InputError for an unknown one."""
    return lookup("surrogate", name, SURROGATES)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Slope, width: float, height: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        ctx.width = width
        ctx.height = height
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        return gradients[0] * ctx.height * ctx.slope(x, ctx.width), None, None, None
