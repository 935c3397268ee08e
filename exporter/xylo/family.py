"""The integers of Xylo chips, as exporter/chip_integers.py asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .limits import refusals
from .quantise import quantise_xylo

if TYPE_CHECKING:
    from torch import nn


class XyloIntegers:
    """Rounds networks to the integers of Xylo chips and knows their limits."""

    name = "xylo"

    def quantise(self, network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> ChipProgram:
        """Round a lowered network; raises InputError."""
        return quantise_xylo(network, chip, options)

    def refusals(self, program: ChipProgram, chip: ChipProfile) -> tuple[str, ...]:
        """A sentence for each limit of the chip that the program breaks."""
        return refusals(program, chip)

    def module(
        self, network: FloatNetwork, chip: ChipProfile, options: CompileOptions, surrogate: str, width: float
    ) -> nn.Module:
        """The network as a torch module in these integers."""
        # torch is not needed for anything else here
        from spikeport.exporter.trainable.xylo.module import XyloModule

        return XyloModule(network, chip, options, surrogate, width)
