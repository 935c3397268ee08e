"""Ranges of estimated quantities: low, typical, high."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles.schema import Quantity


@dataclass(frozen=True)
class Estimate:
    """An estimate with its range, in SI units."""

    low: float
    typical: float
    high: float

    @classmethod
    def of(cls, quantity: Quantity) -> Estimate:
        """A profile's number; a missing bound equals the value."""
        return cls(*quantity.bounds)

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A number without uncertainty, such as a count."""
        return cls(value, value, value)

    @classmethod
    def zero(cls) -> Estimate:
        """Nothing."""
        return cls(0.0, 0.0, 0.0)

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def __mul__(self, factor: float) -> Estimate:
        return Estimate(self.low * factor, self.typical * factor, self.high * factor)

    def times(self, other: Estimate) -> Estimate:
        """The product of two ranges of numbers that are not negative."""
        return Estimate(self.low * other.low, self.typical * other.typical, self.high * other.high)

    def largest(self, other: Estimate) -> Estimate:
        """The larger of two, bound by bound."""
        return Estimate(max(self.low, other.low), max(self.typical, other.typical), max(self.high, other.high))

    def over(self, other: Estimate) -> Estimate:
        """The quotient of two ranges of positive numbers."""
        return Estimate(self.low / other.high, self.typical / other.typical, self.high / other.low)
