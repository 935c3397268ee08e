"""Which constants of the profiles are based on which measurements: benchmarks/fitted.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from spikeport.hardware_profiles.quantity import Model, Name, Quantity, Text
from spikeport.hardware_profiles.schema import ChipPower
from spikeport.hardware_profiles.toml_files import read_toml, validated

Bounds = Annotated[list[float], Field(min_length=3, max_length=3)]


class Fit(Model):
    """Constants of one chip (dotted names) that are fitted to measured points (CASE.POINT) together.

    without: low, typical and high of each where too few points of other publications remain; else there are none.
    """

    chip: Name
    constants: list[Text]
    points: list[Text]
    without: list[Bounds] = Field(default_factory=list)
    reason: Text


class Board(Model):
    """What one board draws; cores, processors: contained in that, and subtracted with the chip's constants."""

    publication: Text
    power: Quantity
    cores: float = 0
    processors: float = 0

    def net(self, power: ChipPower) -> float:
        """Watts of the kind that the constant counts."""
        host = 0.0 if power.host_per_chip is None else power.host_per_chip.value
        return self.power.value - self.cores * power.static_per_core.value - self.processors * host


class Median(Model):
    """A constant of one chip that is the median of boards; its range: their extremes, but at least 1.5 either way."""

    chip: Name
    constant: Text
    boards: list[Board]


class Choice(Model):
    """Constants of one chip that a publication decided between: without it they would be `scale` times as large.

    Their ranges then contain both alternatives.
    """

    chip: Name
    constants: list[Text]
    publication: Text
    scale: float
    reason: Text


class Origin(Model):
    """Constants of one chip that were measured in a publication; without: low, typical, high without it, else none."""

    chip: Name
    constants: list[Text]
    publication: Text
    without: list[Bounds] = Field(default_factory=list)
    reason: Text


class Fitted(Model):
    """All constants that are based on a publication with measured points."""

    fits: list[Fit] = Field(default_factory=list)
    medians: list[Median] = Field(default_factory=list)
    choices: list[Choice] = Field(default_factory=list)
    origins: list[Origin] = Field(default_factory=list)

    def of(self, chip: str) -> Fitted:
        """What applies to a chip or a board of it: a board's own medians replace the chip's."""
        own = {m.constant for m in self.medians if m.chip == chip}
        medians = [m for m in self.medians if m.chip == chip or (_applies(m.chip, chip) and m.constant not in own)]
        return Fitted(
            fits=[one for one in self.fits if _applies(one.chip, chip)],
            medians=medians,
            choices=[one for one in self.choices if _applies(one.chip, chip)],
            origins=[one for one in self.origins if _applies(one.chip, chip)],
        )


def load_fitted(path: Path) -> Fitted:
    """Which constants are based on what; raises InputError as `load_profile` does."""
    return validated(path, Fitted, read_toml(path))


def _applies(chip: str, board: str) -> bool:
    return board == chip or board.startswith(f"{chip}_")
