"""Residual learning in deep spiking networks by joining spike trains element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.initialisation.identity_init import start_as_identity
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.settings.options import RECIPE_RULES

from .method import Method


@dataclass(frozen=True)
class SewResnetOptions:
    """identity_start: the last batch norm of every block starts such that the block passes its input on unchanged."""

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    identity_start: bool = False


class SewResnet(Method):
    """Surrogate-gradient BPTT of networks of spike-element-wise (SEW) residual blocks.

    A block with input spikes S and branch spikes A = SN(BN(W ... SN(BN(W S)))), SN being neurons, gives

        O[t] = g(A[t], S[t])    (9)    with g one of    ADD  A + S      AND  A S      IAND  (1 - A) S    (table 1)

    Identity: A = 0 makes ADD and IAND, A = 1 makes AND give O = S; batch norm's weight 0 and a bias below (above) the
    threshold do that, for any input. The plain spiking ResNet, O[t] = SN(F(S)[t] + S[t]) (7), gives O = S only for
    neurons that fire for every single spike and for nothing else.
    Gradient: through k identity blocks dO/dS = 1 for all three (11), where the plain one has the product of k surrogate
    slopes at S - vth (8), which vanishes or explodes with k unless each of them is 1.
    Neurons v[t] = v[t-1] (1 - dv) + i[t], reset to 0 by a spike (3), are integrate-and-fire for dv = 0 (4), else leaky
    ones with dv = 1 / tau (5), where the paper divides i by tau, too, a factor of weights.
    Where the shape changes, the shortcut is a 1x1 convolution with batch norm and neurons. On the chip ADD is a
    synapse of its own from each of the layers that are summed; AND and IAND are neurons without memory.
    Weights start by Kaiming's rule for ReLU over the fan-out, as in the paper's public code.
    Source: Fang, Yu, Chen, Huang, Masquelier & Tian, Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021
    (arXiv:2102.04159), section 3, whose equation numbers these are; of its networks, 7B-Net is in section 4.2,
    ResNet-18 to 152 in its code, fangwei123456/Spike-Element-Wise-ResNet, imagenet/sew_resnet.py.
    """

    name: ClassVar[str] = "sew_resnet"
    Options: ClassVar[type] = SewResnetOptions

    def build(self, input_shape: tuple[int, ...], classes: int) -> SpikingNetwork:
        """As Method.build; raises InputError for a network without a SEW block."""
        if not any(layer.kind == "sew" for layer in self.network_config.layers):
            raise InputError('method sew_resnet trains networks with SEW blocks; give a layer kind = "sew"')
        network = super().build(input_shape, classes)
        for _, block in network.spiking_blocks():
            if isinstance(block.synapse, nn.Conv2d):
                nn.init.kaiming_normal_(block.synapse.weight, mode="fan_out", nonlinearity="relu")
        return network

    def prepare(self, network: SpikingNetwork, dataset: Dataset) -> None:  # noqa: ARG002
        """Make every block start as the identity, if the options say so."""
        if self.options.identity_start:
            start_as_identity(network)
