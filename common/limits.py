"""What is too large to be meant: a file that says so is refused before memory is asked for."""

from __future__ import annotations

LARGEST_LAYER = 1 << 26
"""Elements of an input or a layer: 64 times the neurons of a Loihi 2."""
