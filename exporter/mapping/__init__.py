"""Mapping: which core of a chip holds which neurons of a program."""

from spikeport.exporter.mapping.resources.counts import core_of, per_core
from spikeport.exporter.mapping.resources.synapses import (
    encoding,
    fan_out,
    fan_outs,
    index_bits,
    is_list,
    synapse_count,
)

from .board import Board
from .build_mapping import core_count, cores_by_layer, fits, map_program
from .file import read_map, write_map
from .model import Core, Encoding, LimitName, Slice, Tile, laid_out, slices_of
from .result import LayerMapping, Mapping
from .routes import Routes, routes
from .traffic import Flow, flow, one_each

__all__ = [
    "Board",
    "Core",
    "Encoding",
    "Flow",
    "LayerMapping",
    "LimitName",
    "Mapping",
    "Routes",
    "Slice",
    "Tile",
    "core_count",
    "core_of",
    "cores_by_layer",
    "encoding",
    "fan_out",
    "fan_outs",
    "fits",
    "flow",
    "index_bits",
    "is_list",
    "laid_out",
    "map_program",
    "one_each",
    "per_core",
    "read_map",
    "routes",
    "slices_of",
    "synapse_count",
    "write_map",
]
