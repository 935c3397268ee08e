"""Checks of settings, each with its error message."""

from __future__ import annotations

from spikeport.common.errors import InputError

from .lookup import lookup


def known(name: str, value: str, names: tuple[str, ...]) -> None:
    """Raise InputError, suggesting the nearest name, unless the value is one of the names."""
    lookup(name, value, dict.fromkeys(names))


def at_least(name: str, value: float, least: int) -> None:
    """Raise InputError unless the value is at least `least`."""
    if not value >= least:
        raise InputError(f"{name} must be at least {least}, not {value}")


def within(name: str, value: float, least: int, most: int) -> None:
    """Raise InputError unless the value is `least` to `most`."""
    at_least(name, value, least)
    if not value <= most:
        raise InputError(f"{name} must be at most {most:,}, not {value}")


def above_zero(name: str, value: float) -> None:
    """Raise InputError unless the value is above 0."""
    if not value > 0:
        raise InputError(f"{name} must be above 0, not {value}")
