"""Base classes of summary.json: frozen, validated, unknown fields ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from spikeport.lava_runtime.cost_model.estimate import Estimate

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Model(BaseModel):
    """A part of a file."""

    # later versions may add fields to summary.json: older versions ignore them
    model_config = ConfigDict(extra="ignore", frozen=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the file."""
        return self.model_dump(mode="json")


class Bounds(Model):
    """An estimate: low, typical, high."""

    low: Amount
    typical: Amount
    high: Amount

    @classmethod
    def of(cls, value: Estimate) -> Bounds:
        """From an Estimate."""
        return cls(low=value.low, typical=value.typical, high=value.high)

    @property
    def range(self) -> Estimate:
        """As an Estimate."""
        return Estimate(self.low, self.typical, self.high)


class Energy(Model):
    """An energy in joules, as in the files."""

    energy_j: Amount
    energy_low_j: Amount
    energy_high_j: Amount

    @property
    def energy(self) -> Estimate:
        """Energy in joules."""
        return Estimate(self.energy_low_j, self.energy_j, self.energy_high_j)


class Cost(Energy):
    """Energy (total, dynamic, static) and latency of one inference."""

    dynamic_j: Bounds
    static_j: Bounds
    latency_s: Amount
    latency_low_s: Amount
    latency_high_s: Amount

    @property
    def latency(self) -> Estimate:
        """Latency in seconds."""
        return Estimate(self.latency_low_s, self.latency_s, self.latency_high_s)


def spread(name: str, unit: str, value: Estimate) -> dict[str, float]:
    """An estimate as three fields, NAME_UNIT, NAME_low_UNIT and NAME_high_UNIT."""
    return {f"{name}_{unit}": value.typical, f"{name}_low_{unit}": value.low, f"{name}_high_{unit}": value.high}
