"""What the models of a run's files share: frozen values, checked, unknown fields left out."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lava_runtime.costs import Range

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Model(BaseModel):
    """A part of a file."""

    # later versions may add fields to summary.json: an older page leaves them out
    model_config = ConfigDict(extra="ignore", frozen=True)


class Energy(Model):
    """An energy in joules as the files keep it."""

    energy_j: Amount
    energy_low_j: Amount
    energy_high_j: Amount

    @property
    def energy(self) -> Range:
        """Energy in joules."""
        return Range(self.energy_low_j, self.energy_j, self.energy_high_j)
