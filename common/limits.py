"""Upper bounds on what a file may hold; larger values are refused before memory is allocated.

They are absolute: how well an array compresses does not matter. Readers and writers of a format share them, so what
can be written can be read.
"""

from __future__ import annotations

LARGEST_LAYER = 1 << 26
"""Elements of an input or a layer: 64 times the neurons of a Loihi 2."""
LARGEST_BYTES = 1 << 31
"""All arrays of an HDF5 file in memory, as numbers of at least 8 bytes each: 268 million numbers."""
MOST_CHUNKS = 1 << 18
"""Chunks of all arrays of an HDF5 file: HDF5 takes about 5 microseconds for each, written or not."""
MOST_OBJECTS = 1 << 17
"""Arrays, groups and attributes of an HDF5 file: h5py takes about 100 microseconds for each."""
LARGEST_TEXT_BYTES = 1 << 29
"""Texts of an HDF5 file in memory. One text may stand in many places of an array, so each counts as the longest."""
