"""What a chip with integers of its own has to know: how to choose them, and what does not fit.

Loihi's integers are this project's own form (exporter/quantisation, lava_runtime/emulator); others are found by the
name in the chip's profile (`integers = "NAME"`), in the entry points spikeport.integers of installed packages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from spikeport.common.errors import DoesNotFitError, InputError, all_of
from spikeport.common.plugins import Registry
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.program.validate import validate
from spikeport.exporter.xylo.family import XyloIntegers
from spikeport.hardware_profiles.schema import ChipProfile

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class ChipIntegers(Protocol):
    """A family of chips that compute with the same integers.

    A family may also have `emulate`, as lava_runtime/own_emulators.py describes; without it the emulator runs the
    `plain_step` of its neurons. With `module` (Trainer), sp.torch.module trains in its integers.
    """

    name: str

    def quantise(self, network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> ChipProgram:
        """Round a lowered network; raises InputError for what the chip does not have, and what to do instead."""

    def refusals(self, program: ChipProgram, chip: ChipProfile) -> tuple[str, ...]:
        """A sentence for each limit of the chip that the program breaks, and what would fit; none if it fits."""


class Trainer(Protocol):
    """Makes a torch module of a lowered network: forward the chip's events, and a method program() -> ChipProgram.

    More is offered by methods that it may have: run(x), events of all layers by name; trained(), the network that
    compiles to program(); floating(), the network without rounding, connections in the order of the given one.
    """

    def __call__(
        self, network: FloatNetwork, chip: ChipProfile, options: CompileOptions, surrogate: str, width: float
    ) -> nn.Module:
        """surrogate, width: the slope of a spike by name, and its width in thresholds."""


def trainer_of(chip: ChipProfile) -> Trainer:
    """The family's `module`; raises InputError if it has none."""
    make: Trainer | None = getattr(integers_of(chip), "module", None)
    if make is None:
        raise InputError(
            f"training does not round to the integers of {chip.name} yet; train in floating point and compile the "
            "network for it, or train for another chip"
        )
    return make


def integers_of(chip: ChipProfile) -> ChipIntegers:
    """The family of a chip whose integers are not Loihi's; raises InputError where none can choose them."""
    return family_of(chip.integers, chip.name)


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
    try:
        program = family.quantise(network, chip, options)
    except InputError as error:
        raise type(error)(f"{context}: {error}", error.all_sentences) from error
    check_limits(validate(program, context), chip, context)
    return program


def broken_limits(program: ChipProgram, chip: ChipProfile) -> tuple[str, ...]:
    """A sentence for each limit of a chip with integers of its own that a program breaks, and what would fit.

    None of Loihi's: its limits are those of cores, which the mapping checks (exporter/mapping).
    """
    return () if program.integers == "loihi" else family_of(program.integers, chip.name).refusals(program, chip)


def check_limits(program: ChipProgram, chip: ChipProfile, context: str) -> None:
    """Raises DoesNotFitError with the first limit that a program breaks (broken_limits)."""
    broken = broken_limits(program, chip)
    if broken:
        found = all_of([DoesNotFitError(sentence) for sentence in broken])
        raise DoesNotFitError(f"{context}: {found}", found.all_sentences)


def _as_integers(name: str, value: object) -> ChipIntegers:
    if not isinstance(value, ChipIntegers) or value.name != name:
        raise InputError(
            f"must be an object with name = {name!r} and the methods quantise and refusals "
            "(spikeport.exporter.chip_integers.ChipIntegers)"
        )
    return value


FAMILIES: Registry[ChipIntegers] = Registry("spikeport.integers", {"xylo": XyloIntegers()}, _as_integers)
"""This project's own and those of installed packages; Loihi's are apart (exporter/quantisation)."""
