"""A convolution whose sums are exact and whose gradients are of 16 bit, for the chip's integers in a bf16 training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

Pair = tuple[int, int]
Convolve = Callable[..., Tensor]
"""nn.functional.conv2d or the same by other means: images, weight, no bias, stride, padding, dilation, groups."""


def exact_convolution(device: str) -> Convolve:
    """The convolution for whole numbers: in 32 bit, its gradients in the type that autocast multiplies in, if it is on.

    16 bit would round the sums. Of its gradients' factors, spikes and weights of 8 bit are exact in bfloat16.
    """
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return nn.functional.conv2d
    return partial(_convolved, torch.get_autocast_dtype(device))


def _convolved(half: torch.dtype, *arguments: Any) -> Tensor:
    summed: Tensor = _ExactConvolution.apply(half, *arguments)
    return summed


class _ExactConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        half: torch.dtype,
        images: Tensor,
        weight: Tensor,
        bias: None,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(images.to(half), weight.to(half))
        ctx.geometry = stride, padding, dilation, groups
        return nn.functional.conv2d(images, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        needed = ctx.needs_input_grad
        to_images, to_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].to(images.dtype), images, weight, None, stride, padding, dilation, False, (0, 0), groups,
            (needed[1], needed[2], False),
        )  # fmt: skip
        kind = gradients[0].dtype
        return (
            None, to_images.to(kind) if needed[1] else None, to_weight.to(kind) if needed[2] else None,
            None, None, None, None, None,
        )  # fmt: skip
