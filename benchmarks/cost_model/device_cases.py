"""Networks measured on the ANN's devices, and what the profiles estimate for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spikeport.hardware_profiles.loader import load_device
from spikeport.hardware_profiles.quantity import Model, Name, SourceKind, Text
from spikeport.hardware_profiles.toml_files import read_toml, validated
from spikeport.lava_runtime.cost_model.ann_cost import Precision, device_cost
from spikeport.lava_runtime.cost_model.estimate import Estimate

from .ann_networks import sizes_of

FOLDER = Path(__file__).resolve().parent.parent / "measured_devices"
BOUNDS = {"server_cpu": 1.5}
"""The factor within which estimates lie; of every other device 2."""


class DeviceCase(Model):
    """One network on one device: seconds until the answers of a call, joules of one inference, if they were measured.

    network: its name in ann_networks.py; note: what is particular about this one.
    """

    network: Name
    precision: Precision
    batch: int = 1
    shortcuts: bool = True
    latency_s: float | None = None
    latency_low_s: float | None = None
    latency_high_s: float | None = None
    energy_j: float | None = None
    note: str = ""


class DeviceCases(Model):
    """The measurements of one source; scope: what the watts and seconds contain."""

    device: Name
    source: Text
    kind: SourceKind
    date: str
    scope: Text
    case: list[DeviceCase]


@dataclass(frozen=True)
class Compared:
    """A measured number and its estimate."""

    origin: DeviceCases
    case: DeviceCase
    quantity: Literal["latency", "energy"]
    measured: float
    estimate: Estimate

    @property
    def ratio(self) -> float:
        """Estimate divided by measurement."""
        return self.estimate.typical / self.measured

    @property
    def factor(self) -> float:
        """The ratio or its inverse, whichever is above 1."""
        return max(self.ratio, 1 / self.ratio)

    @property
    def inside(self) -> bool:
        """Whether the measurement lies in the estimate's range."""
        return self.estimate.low <= self.measured <= self.estimate.high

    @property
    def kept(self) -> bool:
        """Whether the estimate is as good as docs/devices.md states."""
        return self.inside and self.factor <= BOUNDS.get(self.origin.device, 2.0)


def load_device_cases(folder: Path = FOLDER) -> list[DeviceCases]:
    """Every file of the folder; raises InputError for one that is not complete."""
    return [validated(path, DeviceCases, read_toml(path)) for path in sorted(folder.glob("*.toml"))]


def compared(origin: DeviceCases) -> Iterator[Compared]:
    """Every number of a source next to its estimate."""
    device = load_device(origin.device)
    for case in origin.case:
        cost = device_cost(sizes_of(case.network, case.shortcuts), device, case.precision, case.batch)
        if case.latency_s is not None:
            yield Compared(origin, case, "latency", case.latency_s, cost.latency)
        if case.energy_j is not None:
            yield Compared(origin, case, "energy", case.energy_j, cost.energy)
