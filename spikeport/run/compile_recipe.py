"""Compiles a recipe's network, for `run` and sweeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nir

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_chip
from spikeport.trainer.network.network_config import widest_bits

if TYPE_CHECKING:
    from .recipe import Recipe


def options_of(recipe: Recipe) -> CompileOptions:
    """The compile options of a recipe; its NIR graph states the time step."""
    return CompileOptions(weight_bits=widest_bits(recipe.network), precision=recipe.precision, sums=recipe.sums)


def compile_recipe(recipe: Recipe, graph: nir.NIRGraph, context: str = "graph", **changed: Any) -> ChipProgram:
    """Compile the network that a recipe trained; changed: options that a sweep overrides. Raises InputError."""
    return compile_graph(graph, load_chip(recipe.chip), replace(options_of(recipe), **changed), context)
