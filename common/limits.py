"""Upper bounds on layer size; larger values in a file are rejected before allocating memory."""

from __future__ import annotations

LARGEST_LAYER = 1 << 26
"""Elements of an input or a layer: 64 times the neurons of a Loihi 2."""
