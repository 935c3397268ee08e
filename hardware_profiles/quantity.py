"""A number with its source, and tables of such numbers with common rules.

Every number of a profile is a `Quantity`, which does not validate without source, kind and date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

SourceKind = Literal["measured", "vendor", "published", "simulated", "estimated"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Number = Annotated[float, Field(allow_inf_nan=False)]

_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


class Model(BaseModel):
    """Frozen, strict about types, and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Quantity(Model):
    """One number in SI units: typical value, optional range, and where it comes from.

    Raises pydantic's ValidationError unless low <= value <= high, if a number is not finite, or if
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
            raise ValueError(f'{date!r} is not a date; write the year of the source, or year-month, such as "2018-01"')
        return date

    @model_validator(mode="after")
    def _ordered(self) -> Quantity:
        if self.low is not None and self.low > self.value:
            raise ValueError(f"low {self.low:g} is above value {self.value:g}; order them low <= value <= high")
        if self.high is not None and self.high < self.value:
            raise ValueError(f"high {self.high:g} is below value {self.value:g}; order them low <= value <= high")
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


class Section(Model):
    """A table of quantities with common rules."""

    UNITS: ClassVar[dict[str, str]] = {}
    UNIT: ClassVar[str] = ""
    WHOLE: ClassVar[bool] = False
    RANGED: ClassVar[bool] = False
    SIGNED: ClassVar[frozenset[str]] = frozenset()
    POSITIVE: ClassVar[frozenset[str]] = frozenset()
    LEAST: ClassVar[Mapping[str, int]] = {}
    MOST: ClassVar[Mapping[str, int]] = {}

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
            raise ValueError("the range is missing; give low and high, because this number is uncertain")
        numbers = [n for n in (quantity.low, quantity.value, quantity.high) if n is not None]
        if name not in cls.SIGNED and min(numbers) < 0:
            raise ValueError(f"{min(numbers):g} is negative; give a number that is not below zero")
        if name in cls.POSITIVE and min(numbers) <= 0:
            raise ValueError("zero is not a rate; give a number above zero")
        if cls.WHOLE and any(n != int(n) for n in numbers):
            raise ValueError("a count or a width is a whole number; give value, low and high without a fraction")
        least, most = cls.LEAST.get(name), cls.MOST.get(name)
        if least is not None and min(numbers) < least:
            raise ValueError(f"{min(numbers):g} is too small; the least is {least}")
        if most is not None and max(numbers) > most:
            raise ValueError(f"{max(numbers):g} is too large; the most is {most:,}")
