"""Profiles of chips and devices: word widths, limits and costs, each number with its source."""

from __future__ import annotations

from spikeport.common.errors import BackendError, InputError

from .loader import available, load_chip, load_costs, load_device, load_profile
from .schema import ChipProfile, CostProfile, DeviceProfile, Quantity, constants

__all__ = [
    "BackendError",
    "ChipProfile",
    "CostProfile",
    "DeviceProfile",
    "InputError",
    "Quantity",
    "available",
    "constants",
    "load_chip",
    "load_costs",
    "load_device",
    "load_profile",
]
