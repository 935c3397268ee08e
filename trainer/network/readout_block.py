"""An output layer of leaky integrators, whose voltages are the network's output."""

from __future__ import annotations

from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.trainer.neuron_step.neurons import CubaLIF
from spikeport.trainer.neuron_step.quantise import ChipAware, LayerTensors
from spikeport.trainer.neuron_step.readout import integrate, integrate_on_chip, round_readout

from .blocks import SpikingBlock


class ReadoutBlock(SpikingBlock):
    """Dense synapses and leaky integrators without threshold and batch norm (trainer/neuron_step/readout.py).

    neuron: its decays are used, its threshold is not. On the chip v is sent as it is, in units of 1 / `scale`.
    """

    def __init__(
        self,
        synapse: nn.Linear,
        neuron: CubaLIF,
        chip: ChipAware | None = None,
        *,
        chooses_bits: bool = False,
        biased: bool = True,
    ) -> None:
        super().__init__(synapse, neuron, None, chip, chooses_bits=chooses_bits, biased=biased)

    @property
    def scale(self) -> float | None:
        """The chip's units of v for one of the network's, None in floating point."""
        chip = self.tensors().chip
        return None if chip is None else chip.scale

    def folded(self) -> LayerTensors:
        """The parameters, not rounded."""
        neuron = self.neuron
        return LayerTensors(
            self.synapse.weight, self._bias(), neuron.current_decay(), neuron.voltage_decay(), neuron.threshold
        )

    def rounded(self, layer: LayerTensors, chip: ChipAware) -> LayerTensors:
        """The parameters on the chip's grid, at the finest scale that leaves room for u and v."""
        return round_readout(layer, chip)

    def _folded_pass(self, spikes: Tensor, skip: Tensor | None) -> Tensor:  # noqa: ARG002
        if self.neuron.carried is not None:
            raise InputError("stretch cannot be used with a readout of voltages; leave stretch out")
        layer = self.tensors()
        if layer.chip is None:
            return integrate(self._connected(layer.weight, spikes), layer)
        return integrate_on_chip(self.chip_input(spikes, layer, layer.chip), layer, layer.chip)
