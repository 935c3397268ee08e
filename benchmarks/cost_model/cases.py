"""Measured networks, rebuilt as counts: what a publication ran, what it measured, and what the model estimates.

    dynamic energy = events * constants + steps * step constant            (+ x86 power * time in a scope with x86)
    energy         = dynamic energy + (static power - baseline) * time
    power          = dynamic energy / time + static power - baseline
    step time      = barrier + slowest core + host                         (spikeport.lava_runtime.cost_model.timing)
                     + host_seconds / steps

time is steps * step time, as predicted. Only a power takes step_seconds instead, where something outside the chip sets
the pace (a tick, a sensor's window, a host that sends frames); an energy never takes a measured time. baseline: the
watts that the authors subtracted. host_seconds: work of processors outside the cores between two inferences, such as
resetting every neuron and loading the next input, where another publication measured it. supply_factor: (supply
voltage / the profile's)^2, on all of it.

A scope says what a measurement contains: a board or a chip, or the share of the cores in use (static_per_core alone);
with or without the x86 processors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import model_validator

from spikeport.hardware_profiles.quantity import Model, Name, Quantity, Section, Text
from spikeport.hardware_profiles.schema import ChipCosts
from spikeport.hardware_profiles.toml_files import read_toml, validated
from spikeport.lava_runtime.cost_model.energy import dynamic_energy, optional, static_power_by_source
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events
from spikeport.lava_runtime.cost_model.timing import CoreStep, core_time, step_time

Kind = Literal["dynamic energy", "energy", "power", "static power", "step time"]
UNITS: dict[Kind, str] = {
    "dynamic energy": "J",
    "energy": "J",
    "power": "W",
    "static power": "W",
    "step time": "s",
}
EQUAL_SHARE = Estimate(1.0, 1.0, 5.0)
"""Load of a busiest core that is not described, in shares of all cores; where it is described, it is 1.0 to 4.9."""


class Counts(Section):
    """Events of one inference, see `Events`; missing counts are zero."""

    UNIT = "1/inference"

    synops_dense: Quantity | None = None
    synops_sparse: Quantity | None = None
    synops_conv: Quantity | None = None
    updates_active: Quantity | None = None
    updates_inactive: Quantity | None = None
    spikes: Quantity | None = None
    messages: Quantity | None = None
    hops: Quantity | None = None
    chip_hops: Quantity | None = None
    host_messages: Quantity | None = None

    def events(self) -> Events:
        """The counts as ranges."""
        return Events(**{name: optional(getattr(self, name)) for name in Counts.model_fields})


class CoreCounts(Counts):
    """Events of the busiest core in one step, and the messages that it receives."""

    UNIT = "1/step"

    received: Quantity | None = None


class Setting(Section):
    """How it ran. clock: cycles per second of a clocked chip, instead of the profile's. host_processors: x86 processors
    that run, a share of one if copies of the network share it; else one a chip."""

    UNITS: ClassVar[dict[str, str]] = {
        "steps": "step/inference",
        "step_seconds": "s",
        "host_seconds": "s/inference",
        "chips": "chip",
        "cores": "core",
        "host_messages": "1/step",
        "host_processors": "1",
        "supply_factor": "1",
        "clock": "Hz",
    }

    steps: Quantity
    chips: Quantity
    cores: Quantity
    step_seconds: Quantity | None = None
    host_seconds: Quantity | None = None
    host_messages: Quantity | None = None
    host_processors: Quantity | None = None
    supply_factor: Quantity | None = None
    clock: Quantity | None = None


class Scope(Model):
    """What a measurement contains."""

    of: Literal["board", "chip", "cores"]
    x86: bool


class Point(Model):
    """One measured number; reason: why the estimate misses it, where it does.

    scope: where it is not the case's. identity: the chip's constants are this measurement, so that the estimate is no
    test of them.
    """

    kind: Kind
    measured: Quantity
    baseline: Quantity | None = None
    scope: Scope | None = None
    identity: bool = False
    reason: str = ""

    @model_validator(mode="after")
    def _unit(self) -> Point:
        if self.measured.unit != UNITS[self.kind]:
            raise ValueError(f"a measured {self.kind} has the unit {UNITS[self.kind]}, not {self.measured.unit}")
        return self


class Case(Model):
    """A network that ran on a chip, with the counts that its description gives.

    changed: what was changed in the description after its ratio had been seen; the case as it was before is then in
    before/NAME.toml, and the worse of the two ratios counts.
    """

    name: Name
    title: Text
    chip: Name
    publication: Text
    description: Text
    changed: str = ""
    scope: Scope
    setting: Setting
    counts: Counts = Counts()
    core: CoreCounts | None = None
    points: dict[str, Point]


@dataclass(frozen=True)
class Measurement:
    """One point of one case."""

    case: Case
    name: str

    @property
    def point(self) -> Point:
        """What was measured."""
        return self.case.points[self.name]

    @property
    def label(self) -> str:
        """CASE.POINT, as fits and tables name it."""
        return f"{self.case.name}.{self.name}"


def load_cases(folder: Path) -> list[Case]:
    """Every case of a folder, in the order of file names; raises InputError as `load_profile` does."""
    return [validated(path, Case, read_toml(path)) for path in sorted(folder.glob("*.toml"))]


def measurements(cases: Iterable[Case]) -> list[Measurement]:
    """Every point of every case."""
    return [Measurement(case, name) for case in cases for name in case.points]


def estimate(measurement: Measurement, chip: ChipCosts) -> Estimate:
    """The model's estimate of a measured point, in the point's unit, with a chip's constants."""
    case, point = measurement.case, measurement.point
    setting, scope = case.setting, point.scope or case.scope
    chip = chip if setting.clock is None else _with_clock(chip, setting.clock)
    factor = Estimate.exact(1.0) if setting.supply_factor is None else Estimate.of(setting.supply_factor)
    step = predicted_step(case, chip)
    if point.kind == "step time":
        return step
    if point.kind == "power" and setting.step_seconds is not None:
        step = Estimate.of(setting.step_seconds)
    time = step.times(Estimate.of(setting.steps))
    floor = optional(chip.energy.step) * setting.steps.value
    dynamic = dynamic_energy(case.counts.events(), chip.energy).times(factor) + floor
    host = _host_power(case, chip) if scope.x86 else Estimate.zero()
    if point.kind == "dynamic energy":
        return dynamic + host.times(time)
    static = (_static_power(case, chip, scope) + host).times(factor)
    if point.kind == "static power":
        return static
    net = static + optional(point.baseline) * -1
    if point.kind == "energy":
        return dynamic + net.times(time)
    return dynamic.over(time) + net


def predicted_step(case: Case, chip: ChipCosts) -> Estimate:
    """Seconds of a step by the model, whether or not the source gives them."""
    setting = case.setting
    between = optional(setting.host_seconds) * (1 / setting.steps.value)
    slowest = core_time(_busiest_core(case), chip.time)
    return step_time(slowest, optional(setting.host_messages), chip.time) + between


def _busiest_core(case: Case) -> CoreStep:
    """What the busiest core does in a step: as the case describes it, else an equal share, the least that it can be."""
    if case.core is not None:
        return CoreStep(case.core.events(), optional(case.core.received))
    share = EQUAL_SHARE * (1 / case.setting.cores.value)
    counts = case.counts.events() * (1 / case.setting.steps.value)
    events = Events(**{f.name: getattr(counts, f.name).times(share) for f in fields(counts)})
    return CoreStep(events, (counts.messages + optional(case.setting.host_messages)).times(share))


def _static_power(case: Case, chip: ChipCosts, scope: Scope) -> Estimate:
    """Watts without the x86 processors."""
    chips = 0.0 if scope.of == "cores" else case.setting.chips.value
    power = static_power_by_source(chip, chips, case.setting.cores.value)
    return power["leakage"] + power["clock"]


def _host_power(case: Case, chip: ChipCosts) -> Estimate:
    """Watts of the x86 processors that run."""
    return optional(chip.power.host_per_chip) * (case.setting.host_processors or case.setting.chips).value


def _with_clock(chip: ChipCosts, clock: Quantity) -> ChipCosts:
    return chip.model_copy(update={"time": chip.time.model_copy(update={"clock": clock})})
