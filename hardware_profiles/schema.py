"""What a profile file may say: a number with its source, a chip, a device for the ANN side.

Every number is a `Quantity`. A number without source, kind and date does not validate, and there is no other
place in a profile where a number could stand.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from .fixed_point import WordWidths as FixedPointWidths

SourceKind = Literal["measured", "vendor", "simulated", "estimated"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Number = Annotated[float, Field(allow_inf_nan=False)]

_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Quantity(_Model):
    """One number in SI units: typical value, optional range, and where it comes from.

    Raises pydantic's ValidationError if low <= value <= high does not hold, if a number is not finite, or if
    source, kind or date is missing.
    """

    value: Number
    low: Number | None = None
    high: Number | None = None
    unit: Text
    source: Text
    kind: SourceKind
    date: str
    note: str = ""

    @field_validator("date")
    @classmethod
    def _date_of_source(cls, date: str) -> str:
        if not _DATE.fullmatch(date):
            raise ValueError(f'{date!r} is no date; write the year of the source, or year-month, such as "2018-01"')
        return date

    @model_validator(mode="after")
    def _ordered(self) -> Quantity:
        if self.low is not None and self.low > self.value:
            raise ValueError(f"low {self.low:g} lies above value {self.value:g}; order them low <= value <= high")
        if self.high is not None and self.high < self.value:
            raise ValueError(f"high {self.high:g} lies below value {self.value:g}; order them low <= value <= high")
        return self

    @property
    def bounds(self) -> tuple[float, float, float]:
        """(low, value, high) in `unit`; a missing bound equals the value."""
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return low, self.value, high

    def __int__(self) -> int:
        """The value as a whole number: widths, limits and counts."""
        return int(self.value)


class _Section(_Model):
    """A table of quantities with common rules."""

    UNITS: ClassVar[dict[str, str]] = {}
    UNIT: ClassVar[str] = ""
    WHOLE: ClassVar[bool] = False
    RANGED: ClassVar[bool] = False
    SIGNED: ClassVar[frozenset[str]] = frozenset()
    POSITIVE: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="after")
    @classmethod
    def _rules(cls, quantity: Quantity | None, info: ValidationInfo) -> Quantity | None:
        name = info.field_name or ""
        if quantity is not None:
            cls._check(name, quantity)
        return quantity

    @classmethod
    def _check(cls, name: str, quantity: Quantity) -> None:
        unit = cls.UNITS.get(name, cls.UNIT)
        if quantity.unit != unit:
            raise ValueError(f'unit {quantity.unit!r} is not {unit!r}; convert the numbers and write unit = "{unit}"')
        if cls.RANGED and (quantity.low is None or quantity.high is None):
            raise ValueError("the range is missing; give low and high, for this number carries an uncertainty")
        numbers = [n for n in (quantity.low, quantity.value, quantity.high) if n is not None]
        if name not in cls.SIGNED and min(numbers) < 0:
            raise ValueError(f"{min(numbers):g} is negative; give a number that is not below zero")
        if name in cls.POSITIVE and min(numbers) <= 0:
            raise ValueError("zero is no rate; give a number above zero")
        if cls.WHOLE and any(n != int(n) for n in numbers):
            raise ValueError("a count or a width is a whole number; give value, low and high without a fraction")


class WordWidths(_Section):
    """Widths of the chip's registers in bit, exponents, and the longest delay in steps."""

    UNITS = {"delay_max": "step", "weight_exp_min": "exponent", "weight_exp_max": "exponent"}
    UNIT = "bit"
    WHOLE = True
    SIGNED = frozenset({"weight_exp_min", "weight_exp_max"})

    weight_bits: Quantity
    du_bits: Quantity
    dv_bits: Quantity
    vth_bits: Quantity
    bias_mant_bits: Quantity
    bias_exp_bits: Quantity
    state_bits: Quantity
    weight_exp_min: Quantity
    weight_exp_max: Quantity
    message_bits: Quantity
    delay_max: Quantity

    def fixed_point(self) -> FixedPointWidths:
        """The same widths as the plain integers that the fixed-point functions take."""
        return FixedPointWidths(**{name: int(getattr(self, name)) for name in type(self).model_fields})


class Limits(_Section):
    """What one core and one chip can hold; None where no figure is published."""

    UNITS = {
        "compartments_per_core": "compartment",
        "input_axons_per_core": "axon",
        "output_axons_per_core": "axon",
        "synapse_memory_bits_per_core": "bit",
        "cores_per_chip": "core",
        "compartment_configs_per_core": "config",
        "threshold_configs_per_core": "config",
        "synapse_configs_per_core": "config",
    }
    WHOLE = True
    POSITIVE = frozenset(UNITS)

    compartments_per_core: Quantity
    input_axons_per_core: Quantity | None = None
    output_axons_per_core: Quantity | None = None
    synapse_memory_bits_per_core: Quantity
    cores_per_chip: Quantity
    compartment_configs_per_core: Quantity | None = None
    threshold_configs_per_core: Quantity | None = None
    synapse_configs_per_core: Quantity | None = None


class ChipEnergy(_Section):
    """Joules per event."""

    UNIT = "J"
    RANGED = True

    synop: Quantity
    neuron_update_inactive: Quantity
    neuron_update_active: Quantity
    spike: Quantity
    hop: Quantity


class ChipPower(_Section):
    """Watts drawn whatever the activity: static_per_chip + cores in use * static_per_core."""

    UNIT = "W"
    RANGED = True

    static_per_core: Quantity
    static_per_chip: Quantity


class ChipTime(_Section):
    """Seconds: the shortest step, and the serial work of one core per event."""

    UNIT = "s"
    RANGED = True

    step_minimum: Quantity
    synop: Quantity
    neuron_update: Quantity
    hop: Quantity


class DeviceEnergy(_Section):
    """Joules per multiply-accumulate and per byte moved, over and above the device's power draw."""

    UNIT = "J"
    RANGED = True

    mac_float32: Quantity
    mac_int8: Quantity
    memory_byte: Quantity


class DevicePower(_Section):
    """Watts: `idle` always; `active` on top while an inference is in flight, beside operations."""

    UNIT = "W"
    RANGED = True

    idle: Quantity
    active: Quantity


class DeviceTime(_Section):
    """Sustained rates at batch 1 (operations or bytes a second), and seconds of overhead per call."""

    UNITS = {
        "macs_per_second_float32": "MAC/s",
        "macs_per_second_int8": "MAC/s",
        "bytes_per_second": "byte/s",
    }
    UNIT = "s"
    RANGED = True
    POSITIVE = frozenset(UNITS)

    macs_per_second_float32: Quantity
    macs_per_second_int8: Quantity
    bytes_per_second: Quantity
    overhead: Quantity


class ChipProfile(_Model):
    """A neuromorphic chip: word widths, limits, energy, power and time, each number with its source."""

    kind: Literal["chip"]
    name: Name
    title: Text
    summary: Text
    word_widths: WordWidths
    limits: Limits
    energy: ChipEnergy
    power: ChipPower
    time: ChipTime


class DeviceProfile(_Model):
    """A conventional device for the ANN: energy, power and time at batch 1, each number with its source.

    One inference takes overhead + max(macs / macs_per_second, bytes / bytes_per_second) and costs
    macs * mac + bytes * memory_byte + time * active, and time * idle beside it as the static share.
    """

    kind: Literal["device"]
    name: Name
    title: Text
    summary: Text
    energy: DeviceEnergy
    power: DevicePower
    time: DeviceTime


def constants(profile: ChipProfile | DeviceProfile) -> list[tuple[str, Quantity]]:
    """Every quantity of a profile with its dotted name, in the order of the schema."""
    return list(_walk(profile, ""))


def _walk(model: BaseModel, prefix: str) -> list[tuple[str, Quantity]]:
    found: list[tuple[str, Quantity]] = []
    for field in type(model).model_fields:
        value: Any = getattr(model, field)
        if isinstance(value, Quantity):
            found.append((prefix + field, value))
        elif isinstance(value, BaseModel):
            found.extend(_walk(value, f"{prefix}{field}."))
    return found
