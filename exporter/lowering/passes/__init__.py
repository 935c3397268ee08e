"""Passes over NIR graphs, graph -> graph, each in a file of its own, applied in this order before lowering."""

from __future__ import annotations

from spikeport.common.plugins import Registry

from .conv1d_as_conv2d import conv1d_as_conv2d
from .drop_dead import drop_dead
from .drop_flatten import drop_flatten
from .fold_constants import fold_constants
from .fold_gain import fold_gain
from .fold_pooling import fold_pooling
from .fold_scale import fold_scale
from .infer_shapes import infer_shapes
from .inline_subgraphs import inline_subgraphs
from .merge_synapses import merge_synapses
from .placed import Pass, as_pass, in_order, runs_after
from .shift_reset import shift_reset
from .unit_synapse import unit_synapse

__all__ = ["ALL_PASSES", "PASSES", "Pass", "all_passes", "runs_after"]

PASSES: dict[str, Pass] = {
    "inline_subgraphs": inline_subgraphs,
    "infer_shapes": infer_shapes,
    "conv1d_as_conv2d": conv1d_as_conv2d,
    "drop_flatten": drop_flatten,
    "drop_dead": drop_dead,
    "shift_reset": shift_reset,
    "fold_gain": fold_gain,
    "fold_scale": fold_scale,
    "merge_synapses": merge_synapses,
    "fold_pooling": fold_pooling,
    # scales and synapses next to a folded pooling are next to a synapse now
    "fold_scale_again": fold_scale,
    "merge_synapses_again": merge_synapses,
    "unit_synapse": unit_synapse,
    "fold_constants": fold_constants,
}
"""The passes of this project."""


ALL_PASSES: Registry[Pass] = Registry("spikeport.passes", PASSES, as_pass)
"""The passes of this project and of installed packages."""


def all_passes() -> dict[str, Pass]:
    """All passes in the order in which they run; raises InputError."""
    return in_order(ALL_PASSES)
