"""What `report` and `compare` take for a model of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spikeport.common.errors import InputError

if TYPE_CHECKING:
    # --help stays quick
    from spikeport.lava_runtime.partition.optimise import Goal


@dataclass(frozen=True)
class ModelData:
    """What a model is run on and compared with; x: None where a run's folder is reported."""

    x: Path | None = None
    labels: Path | None = None
    teacher: Path | None = None
    teacher_accuracy: float | None = None
    devices: str | None = None
    task: str | None = None
    optimise: Goal | None = None

    def refuse_for_a_run(self, folder: Path) -> None:
        """Raises InputError if there are options that a finished run has answered already."""
        self._refuse(f"{folder} is a run, which has its own; leave it out, or give a model file")

    def refuse_for_a_recipe(self, recipe: Path) -> None:
        """Raises InputError if there are options that are for a model."""
        self._refuse(f"{recipe} is a recipe, which names its data; leave it out, or give a .nir file")

    def _refuse(self, reason: str) -> None:
        for option, value in (
            ("--input", self.x),
            ("--labels", self.labels),
            ("--teacher", self.teacher),
            ("--task", self.task),
            ("--optimise", self.optimise),
        ):
            if value is not None:
                raise InputError(f"{option}: {reason}")


def names(listed: str) -> tuple[str, ...]:
    """The names in a list separated by commas."""
    return tuple(name.strip() for name in listed.split(",") if name.strip())
