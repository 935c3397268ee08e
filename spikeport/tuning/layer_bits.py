"""Bits of each layer's weights: as few as the data allow, for a given number of bits per weight on average.

What fewer bits cost is measured: the loss of the network in the chip's integers with one layer at b bits and all others
at full width. From full width, the step of one layer that costs least per bit saved is taken, again and again, until
the average is reached (as the mixed precision of HAWQ-V2, Dong et al., arXiv:1911.03852, with the loss itself in place
of its second derivative).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.plan import make_plan
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.trainer.network.bit_allocation import FEWEST, allocate

from .fine_tune import Task, TuneSettings, score

# samples whose loss is measured
_SAMPLES = 128


def with_layer_bits(graph: nir.NIRGraph, bits: Mapping[str, int]) -> nir.NIRGraph:
    """The graph with the bits of each layer's weights in the metadata of its neurons."""
    nodes = dict(graph.nodes)
    for name, number in bits.items():
        nodes[name] = copy.copy(nodes[name])
        nodes[name].metadata = {**nodes[name].metadata, "weight_bits": number}
    return nir.NIRGraph(nodes=nodes, edges=list(graph.edges), metadata=dict(graph.metadata))


def choose_layer_bits(
    graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions, task: Task, settings: TuneSettings, mean: float,
    trained_on: NDArray[np.intp],
) -> dict[str, int]:  # fmt: skip
    """Bits of the weights into each layer, at most `mean` on average; raises InputError if nothing can be chosen.

    Layers that the graph does not hold (an Output that reads a synapse) keep all bits, and count.
    """
    module = ChipModule(make_plan(graph, chip, options, "graph"))
    sizes = {
        name: sum(s.weight.numel() for s in module.layer(name).sources() if not s.carries_bias)
        for name in module.plan.layers
    }
    full = {name: layer.weight_bits for name, layer in module.plan.layers.items() if sizes[name]}
    most = max(full.values())
    if mean > most:
        raise InputError(f"{mean:g} bits on average choose nothing, as a weight has at most {most}; ask for fewer")
    layers = [name for name in full if name in graph.nodes and not isinstance(graph.nodes[name], nir.Output)]
    few = trained_on[:_SAMPLES]
    # of the answers alone, for every number of bits
    answers = replace(settings, sparsity=0.0, target_rate=0.0)
    least = -score(module, task, few, answers)[1]

    def cost(name: str, bits: int) -> float:
        tried = make_plan(with_layer_bits(graph, {name: bits}), chip, options, "graph")
        return -score(ChipModule(tried), task, few, answers)[1] - least

    costs = {name: {bits: cost(name, bits) for bits in range(FEWEST, full[name])} for name in layers}
    chosen = allocate({**costs, **{name: {} for name in full if name not in costs}}, sizes, full, mean)
    return {name: chosen[name] for name in layers}
