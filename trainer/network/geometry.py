"""Output shapes of connections."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from spikeport.common.errors import InputError

from .fold_batch_norm import Synapse
from .inference_layers import Geometry, LayerKind
from .pooling import PoolKind

Shape = tuple[int, ...]


def synapse_geometry(
    name: str,
    synapse: Synapse,
    input_shape: Shape,
    flatten_before: bool,
    sources: tuple[str, ...] = ("input",),
    pool: int = 1,
    pool_kind: PoolKind = "average",
) -> Geometry:
    """The connection's geometry on an input of that shape (after pooling); raises InputError if the two do not fit."""
    read: dict[str, Any] = {"sources": sources, "pool": pool, "pool_kind": pool_kind}
    if isinstance(synapse, nn.Linear):
        if input_shape != (synapse.in_features,):
            raise InputError(f"{name} takes {synapse.in_features} features, but its input has shape {input_shape}")
        shape: Shape = (synapse.out_features,)
        return Geometry(name, "dense", (1, 1), (0, 0), (1, 1), 1, flatten_before, shape, **read)
    if len(input_shape) != 3 or input_shape[0] != synapse.in_channels:
        raise InputError(f"{name} takes {synapse.in_channels} channels, but its input has shape {input_shape}")
    stride, padding, dilation, kernel = (
        _pair(pair) for pair in (synapse.stride, synapse.padding, synapse.dilation, synapse.kernel_size)
    )
    size = tuple(
        (n + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d, n in enumerate(input_shape[1:])
    )
    if min(size) < 1:
        raise InputError(f"{name} has a kernel larger than its input of shape {input_shape}")
    kind: LayerKind = "conv"
    shape = (synapse.out_channels, *size)
    groups = synapse.groups
    return Geometry(name, kind, stride, padding, dilation, groups, flatten_before, shape, **read)


def pooled_shape(name: str, shape: Shape, pool: int) -> Shape:
    """Shape after pooling of pool x pool; raises InputError if there is no image to pool or none left."""
    if pool == 1:
        return shape
    if len(shape) != 3:
        raise InputError(f"{name} pools an input of shape {shape}, but pooling takes images (C, H, W)")
    if min(shape[1:]) < pool:
        raise InputError(f"{name} pools {pool} x {pool} of an input of shape {shape}; take a smaller pool")
    return (shape[0], shape[1] // pool, shape[2] // pool)


def _pair(value: object) -> tuple[int, int]:
    height, width = cast("tuple[int, int]", value)
    return int(height), int(width)
