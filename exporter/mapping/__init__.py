"""Which core of a chip holds which neurons of a program."""

from .counts import core_of, per_core
from .model import Core, Encoding, Order, Slice, laid_out, slices_of
from .split import LayerMapping, LimitName, Mapping, map_program
from .synapses import encoding, fan_out, fan_outs, index_bits, is_list, synapse_count

__all__ = [
    "Core",
    "Encoding",
    "LayerMapping",
    "LimitName",
    "Mapping",
    "Order",
    "Slice",
    "core_of",
    "encoding",
    "fan_out",
    "fan_outs",
    "index_bits",
    "is_list",
    "laid_out",
    "map_program",
    "per_core",
    "slices_of",
    "synapse_count",
]
