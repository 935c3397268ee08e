"""Passes over NIR graphs, graph -> graph, each in a file of its own, applied in this order before lowering."""

from __future__ import annotations

from collections.abc import Callable

import nir

from .drop_flatten import drop_flatten
from .fold_pooling import fold_pooling
from .fold_scale import fold_scale
from .inline_subgraphs import inline_subgraphs
from .unit_synapse import unit_synapse

PASSES: dict[str, Callable[[nir.NIRGraph], nir.NIRGraph]] = {
    "inline_subgraphs": inline_subgraphs,
    "drop_flatten": drop_flatten,
    "fold_scale": fold_scale,
    "fold_pooling": fold_pooling,
    # scales that stood next to a pooling stand next to a synapse now
    "fold_scale_again": fold_scale,
    "unit_synapse": unit_synapse,
}
