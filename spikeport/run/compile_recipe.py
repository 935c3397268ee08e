"""How a recipe's network is compiled: one route for `run`, sweeps and finished runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nir

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_chip

if TYPE_CHECKING:
    from .recipe import Recipe


def options_of(recipe: Recipe) -> CompileOptions:
    """How a recipe's network is compiled; its NIR graph states the time step."""
    return CompileOptions(weight_bits=recipe.network.chip_aware, precision=recipe.precision, sums=recipe.sums)


def compile_recipe(recipe: Recipe, graph: nir.NIRGraph, where: str = "graph", **changed: Any) -> ChipProgram:
    """Compile the network that a recipe trained; changed: options that a sweep sets otherwise. Raises InputError."""
    return compile_graph(graph, load_chip(recipe.chip), replace(options_of(recipe), **changed), where)
