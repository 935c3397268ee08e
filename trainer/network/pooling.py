"""Pooling of spike trains over windows of pool x pool places, without overlap."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

PoolKind = Literal["average", "max"]
POOL_KINDS: tuple[PoolKind, ...] = ("average", "max")


def pooled(spikes: Tensor, pool: int, kind: PoolKind) -> Tensor:
    """The average or the maximum of each window of (T, B, C, H, W); a remainder at the edge is left out.

    The maximum of spikes is 1 where any of them is; its gradient goes to the first of these, or of all if none is.
    """
    if pool == 1:
        return spikes
    images = (max_pool2d if kind == "max" else avg_pool2d)(spikes.flatten(0, 1), pool)
    return images.view(*spikes.shape[:2], *images.shape[1:])
