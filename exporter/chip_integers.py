"""What a chip with integers of its own has to know: how to choose them, and what does not fit.

Loihi's integers are this project's own form (exporter/quantisation, lava_runtime/emulator); others are found by the
name in the chip's profile (`integers = "NAME"`), in the entry points spikeport.integers of installed packages.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.schema import ChipProfile


@runtime_checkable
class ChipIntegers(Protocol):
    """A family of chips that compute with the same integers.

    A family may also have `emulate`, as lava_runtime/own_emulators.py describes; without it the emulator runs the
    `plain_step` of its neurons.
    """

    name: str

    def quantise(self, network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> ChipProgram:
        """Round a lowered network; raises InputError for what the chip does not have, and what to do instead."""

    def refusals(self, program: ChipProgram, chip: ChipProfile) -> tuple[str, ...]:
        """A sentence for each limit of the chip that the program breaks, and what would fit; none if it fits."""


def integers_of(chip: ChipProfile) -> ChipIntegers:
    """The family of a chip whose integers are not Loihi's; raises InputError where none can choose them."""
    name = chip.integers
    if name == "xylo" and name not in FAMILIES:
        raise InputError(
            f"{chip.name} computes with integers of its own, and networks are not rounded to them yet; give the "
            "integers themselves (spikeport.exporter.xylo.specification, docs/xylo.md), or compile for another chip"
        )
    return family_of(name, chip.name)


def family_of(name: str, subject: str) -> ChipIntegers:
    """The family of an installed package; raises InputError if none defines it. subject: what computes with it."""
    if name in FAMILIES:
        return FAMILIES[name]
    raise InputError(
        f"{subject} computes with the integers {name!r}, which no installed package defines (entry points "
        "spikeport.integers); install the package of that chip"
    )


def quantise_by(
    family: ChipIntegers, network: FloatNetwork, chip: ChipProfile, options: CompileOptions, context: str
) -> ChipProgram:
    """Round a lowered network by the chip's family; raises InputError with the first limit that it breaks."""
    program = family.quantise(network, chip, options)
    broken = family.refusals(program, chip)
    if broken:
        more = f" (and {len(broken) - 1} more limits)" if len(broken) > 1 else ""
        raise InputError(f"{context}: {broken[0]}{more}")
    return validate(program, context)


def _as_integers(name: str, value: object) -> ChipIntegers:
    if not isinstance(value, ChipIntegers) or value.name != name:
        raise InputError(
            f"must be an object with name = {name!r} and the methods quantise and refusals "
            "(spikeport.exporter.chip_integers.ChipIntegers)"
        )
    return value


FAMILIES: Registry[ChipIntegers] = Registry("spikeport.integers", {}, _as_integers)
"""The families of installed packages."""
