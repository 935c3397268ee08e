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
    """identity_start: initialise the last batch norm of every block so that it passes its input on unchanged."""

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    identity_start: bool = False


class SewResnet(Method):
    """Surrogate-gradient BPTT of networks of spike-element-wise (SEW) residual blocks.

    A block with input spikes S and branch spikes A = SN(BN(W ... SN(BN(W S)))), where SN are neurons, outputs

        O[t] = g(A[t], S[t])    (9)    with g one of    ADD  A + S      AND  A S      IAND  (1 - A) S    (table 1)

    Identity: O = S follows from A = 0 for ADD and IAND, and from A = 1 for AND; a batch norm with weight 0 and a bias
    below (above) the threshold has that effect for any input. The plain spiking ResNet, O[t] = SN(F(S)[t] + S[t]) (7),
    has O = S only for neurons that fire exactly once per input spike.
    Gradient: through k identity blocks dO/dS = 1 for all three (11); the plain one has the product of k surrogate
    slopes at S - threshold (8), which vanishes or explodes with k unless each of them is 1.
    Neurons v[t] = v[t-1] (1 - voltage_decay) + i[t], reset to 0 by a spike (3), are integrate-and-fire for a decay of 0
    (4), else leaky with voltage_decay = 1 / tau (5); the paper also divides i by tau, which the weights absorb here.
    Where the shape changes, the shortcut is a 1x1 convolution with batch norm and neurons. On the chip, ADD is a
    separate synapse from each of the summed layers; AND and IAND are neurons without memory.
    Weights start by Kaiming's rule for ReLU over the fan-out, as in the paper's public code.
    Source: Fang, Yu, Chen, Huang, Masquelier & Tian, Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021
    (arXiv:2102.04159), section 3 (equation numbers); its networks: 7B-Net in section 4.2, ResNet-18 to 152 in its code,
    fangwei123456/Spike-Element-Wise-ResNet, imagenet/sew_resnet.py.
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
        """Make every block start as the identity, if the options ask for it."""
        if self.options.identity_start:
            start_as_identity(network)
