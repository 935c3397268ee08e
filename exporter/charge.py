"""The charge a spike leaves: what weights must make up for when a current decay is rounded."""

from __future__ import annotations

from hardware_profiles.fixed_point import decay_from_du

from .float_network import Floats
from .program import Integers


def charge_factors(du: Integers, current_decay: Floats, rows: int) -> Floats:
    """The factor for each row of weights, (rows,): a spike's charge in all is weight / decay.

    A row that several neurons share (a convolution's channel) takes their mean.
    """
    factors: Floats = (decay_from_du(du) / current_decay).reshape(rows, -1).mean(axis=1)
    return factors
