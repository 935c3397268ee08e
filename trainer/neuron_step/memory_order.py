"""Channels last: sequences of images that lie in memory as (T, B, H, W, C), which a CPU's convolutions prefer.

Such a sequence still has the shape (T, B, C, H, W). Kernels run over neurons in memory order, so they move the channels
of everything that has the neurons' shape to the end; moving is a view and costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(sequence: Tensor) -> bool:
    """True for a sequence (T, B, C, H, W) whose channels are innermost in memory."""
    return sequence.dim() == 5 and sequence.movedim(2, -1).is_contiguous()


def move_channels_last(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in the memory order that convolutions prefer on their device; a copy only if needed."""
    if images.device.type != "cpu" or images.dtype not in (torch.float32, torch.bfloat16):
        return images
    # not contiguous(memory_format=...): with one channel both orders are the same memory, and torch takes the other
    return images.movedim(1, -1).contiguous().movedim(-1, 1)


def channels_to_end(constant: Tensor) -> Tensor:
    """A constant that broadcasts over neurons (C, H, W), so that it broadcasts over (H, W, C)."""
    if constant.dim() == 0:
        return constant
    return constant[(None,) * (3 - constant.dim())].movedim(0, -1)
