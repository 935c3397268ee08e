"""Plain feed-forward chains of layers, for methods with a forward pass of their own."""

from __future__ import annotations

from typing import cast

from spikeport.common.errors import InputError
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import Flatten, SpikingBlock, SpikingNetwork


def refuse_max_pooling(config: NetworkConfig, method: str) -> None:
    """Raises InputError for max pooling, in a method that trains rates or counts, which have no maximum of spikes."""
    if any(layer.pool_kind == "max" for layer in config.layers):
        raise InputError(
            f"method {method!r} trains rates, and a spike in any of several places is not the largest of their rates; "
            "leave pool_kind out, or use a method that trains spikes: bptt, surrogate_bn, sew_resnet or tssl_bp"
        )


def feed_forward_blocks(network: SpikingNetwork, method: str) -> list[SpikingBlock | Flatten]:
    """The blocks in order; raises InputError for joins, shortcuts, delays and layers that read several others."""
    blocks: list[SpikingBlock | Flatten] = []
    before = "input"
    for name, block in network.layers.items():
        if isinstance(block, SpikingBlock) and block.delays is not None:
            raise InputError(f"method {method!r} learns no delays; use bptt, surrogate_bn or sew_resnet for them")
        plain = isinstance(block, Flatten) or (isinstance(block, SpikingBlock) and block.shortcut is None)
        if not plain or network.reads[name] != (before,):
            raise InputError(f"method {method!r} trains layers one after another only, but {name} joins several")
        blocks.append(cast("SpikingBlock | Flatten", block))
        before = name
    return blocks
