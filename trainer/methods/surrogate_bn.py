"""Deep spiking networks with a tuned surrogate and batch norm on the input currents."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.initialisation.gradient_growth import gradient_growth_per_layer, gradient_norms
from spikeport.trainer.methods.initialisation.identity_init import start_as_identity
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.settings.checks import above_zero
from spikeport.trainer.settings.options import RECIPE_RULES

from .method import Method

ROUNDS = 6
# of the height's logarithm, per round
LARGEST_CHANGE = 1.5


@dataclass(frozen=True)
class SurrogateBnOptions:
    """Options of surrogate_bn.

    height: scale of the surrogate's slope; None: tuned on the first batch before training; identity_start: residual
    blocks initially pass their input on (needs vth below 1), see identity_init.py.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    height: float | None = None
    identity_start: bool = False

    def __post_init__(self) -> None:
        if self.height is not None:
            above_zero("height", self.height)


class SurrogateBn(Method):
    """Surrogate-gradient BPTT for deep networks after Ledinauskas (2020); equations and tuning rule are this project's.

    The surrogate's height is tuned to the depth.

    Forward: i[t] = BN(W s_in[t]), with statistics over time and batch; v[t] = v[t-1] (1 - voltage_decay) + i[t];
    s[t] = v[t] > threshold; v[t] = 0 where s[t]. Backward: ds/dv = h g(v - threshold, w), width w (surrogate_width),
    height h.

    A feed-forward spiking layer is recurrent in time through its membrane. Backwards through L layers and T steps,

        dL/ds_l = sum over paths of the product of (h g w_ij) per layer and (1 - voltage_decay) per step,

    which grows or shrinks with depth as a power of h: h decides whether it explodes or vanishes. The paper tunes the
    surrogate by hand; here h is chosen on the first batch such that the norm of dL/ds is the same in the first layer
    as in the last (`tuned_height`), for the recipe's width.
    Batch norm is folded into W and bias at export (trainer/network/fold_batch_norm.py).
    Source: Ledinauskas, Ruseckas, Jursenas & Buracas, Training Deep Spiking Neural Networks, arXiv:2006.04436, 2020.
    Residual blocks add the shortcut's spikes to the current of their last neurons ("spiking_resnet" layers).
    Only the paper's abstract and introduction were available, without its equations or code: the equations above and
    the tuning rule are this project's.
    """

    name: ClassVar[str] = "surrogate_bn"
    Options: ClassVar[type] = SurrogateBnOptions

    def prepare(self, network: SpikingNetwork, dataset: Dataset) -> None:
        """Set the height of every layer's surrogate, tuned on the first batch of the first epoch if it is not given."""
        if self.options.identity_start:
            start_as_identity(network)
        height = self.options.height
        if height is None:
            x, y = next(self.batches(dataset, 0))
            network.train()
            height = tuned_height(self, network, x, y)
        set_height(network, height)


def set_height(network: SpikingNetwork, height: float) -> None:
    """Set the height of every layer's surrogate."""
    for _, block in network.spiking_blocks():
        block.neuron.spike = replace(block.neuron.spike, height=height)


def tuned_height(method: Method, network: SpikingNetwork, x: Tensor, y: Tensor) -> float:
    """The height at which the gradient neither grows nor shrinks with depth, by fixed-point iteration from 1.

    In a chain the norm l layers back is proportional to h**l, so one round, h <- h exp(-growth), is exact. Where paths
    of several lengths join, it takes up to ROUNDS rounds, until the growth is below 0.1%.
    Sets the height of the network's surrogates to the result.
    """
    height = 1.0
    for _ in range(ROUNDS):
        set_height(network, height)
        rate = gradient_growth_per_layer(gradient_norms(network, method.loss, x, y))
        if abs(rate) < 1e-3:
            break
        # also clips minus infinity, the result of a layer without gradient
        height *= math.exp(-min(max(rate, -LARGEST_CHANGE), LARGEST_CHANGE))
    set_height(network, height)
    return height
