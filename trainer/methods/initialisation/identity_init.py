"""Initialise residual blocks as the identity, so that they first pass their input spikes on unchanged."""

from __future__ import annotations

import torch

from spikeport.common.errors import InputError
from spikeport.trainer.network.spiking_network import Join, SpikingBlock, SpikingNetwork


def start_as_identity(network: SpikingNetwork) -> None:
    """Set the last batch norm of every residual block's branch so that the block passes its shortcut's spikes on.

    Weight 0 and bias 0 (the branch adds nothing: joins ADD and IAND, and shortcuts into the current), or bias
    2 * threshold (the branch spikes in every step: AND). One spike of a shortcut of unit weight into the current must
    exceed the neurons' threshold. Raises InputError for a network without batch norm or with such a threshold >= 1.
    Source: the zero-initialised last batch norm of Goyal et al., arXiv:1706.02677, section 5.1, and for SEW blocks Fang
    et al., arXiv:2102.04159, section 3.3.
    """
    for name, join in network.layers.items():
        if isinstance(join, Join):
            branch = network.layers[network.reads[name][0]]
            if isinstance(branch, SpikingBlock):
                _silence(name, branch, 2 * float(branch.neuron.threshold.max()) if join.kind == "and" else 0.0)
    for name, block in network.spiking_blocks():
        if block.shortcut is not None:
            if block.shortcut_norm is None and not bool((block.neuron.threshold < 1).all()):
                raise InputError(f"{name}: one spike of its shortcut, weight 1, does not pass vth; set vth below 1")
            _silence(name, block, 0.0)


def _silence(name: str, branch: SpikingBlock, bias: float) -> None:
    if branch.norm is None:
        raise InputError(f"{name}: its branch has no batch norm to start as the identity with; set batch_norm = true")
    with torch.no_grad():
        branch.norm.weight.zero_()
        branch.norm.bias.fill_(bias)
