"""Ranges of estimated quantities: low, typical, high."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles.schema import Quantity


@dataclass(frozen=True)
class Range:
    """An estimate with its range, in SI units."""

    low: float
    typical: float
    high: float

    @classmethod
    def of(cls, quantity: Quantity) -> Range:
        """A profile's number; a missing bound equals the value."""
        return cls(*quantity.bounds)

    @classmethod
    def exact(cls, value: float) -> Range:
        """A number without uncertainty, such as a count."""
        return cls(value, value, value)

    @classmethod
    def zero(cls) -> Range:
        """Nothing."""
        return cls(0.0, 0.0, 0.0)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.typical * factor, self.high * factor)

    def times(self, other: Range) -> Range:
        """The product of two ranges of numbers that are not negative."""
        return Range(self.low * other.low, self.typical * other.typical, self.high * other.high)

    def largest(self, other: Range) -> Range:
        """The larger of two, bound by bound."""
        return Range(max(self.low, other.low), max(self.typical, other.typical), max(self.high, other.high))

    def over(self, other: Range) -> Range:
        """The quotient of two ranges of positive numbers."""
        return Range(self.low / other.high, self.typical / other.typical, self.high / other.low)
