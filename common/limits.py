"""Upper bounds on what a file may hold; larger values are refused before memory is allocated.

They are absolute: how well an array compresses does not matter. Readers and writers of a format share them, so what
can be written can be read.
"""

from __future__ import annotations

LARGEST_COUNT = 1 << 32
"""Any count in a profile: of slots, axons, synapses, bits of a word."""
LARGEST_CORE_BITS = 1 << 40
"""Synapse memory of a core in a profile."""
MOST_CORES = 1 << 20
"""Cores of a chip, chips of a board and routers of a row in a profile: a position is made for each router of a chip."""
MOST_SLICES = 1 << 18
"""Slices that a layer is split into, one per core: 1.8 times the cores of a Hala Point."""
MOST_LAYERS = 1 << 12
"""Layers of a recipe, each repetition counted."""
LARGEST_SIDE = 1 << 13
"""Pixels of a kernel, a stride, a padding, a pooling window or an image in a recipe."""
LARGEST_WEIGHTS = 1 << 31
"""Weights of a recipe's network: 8 GiB, the most that a trained network's file may hold."""
MOST_STEPS = 1 << 20
"""Steps of a sample, epochs and samples of a batch in a recipe."""
MOST_THREADS = 1 << 10
"""Threads of a training."""
MOST_WORKERS = 1 << 10
"""Worker processes on one machine."""
MOST_POINTS = 1 << 14
"""Points of a sweep."""
MOST_TOML_BYTES = 1 << 22
"""A recipe, a profile or a manual mapping in TOML, which is read at about 1 MB per second."""
MOST_JSON_BYTES = 1 << 24
"""A manual mapping or a result in JSON."""
MOST_NESTED = 200
"""Arrays and tables within each other, in TOML and JSON."""
LARGEST_INTEGER = (1 << 63) - 1
"""An integer in TOML and JSON."""
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
