"""A NIR graph as a module in a chip's own integers, which is tuned and written as a graph again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import nir
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.chip_integers import trainer_of
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatPopulation
from spikeport.exporter.lowering.dialects import apply_dialect
from spikeport.exporter.nir_graph.graph_checks import REGISTERS
from spikeport.hardware_profiles.schema import ChipProfile

from .own_integers import OwnIntegers
from .write_graph import write_graph

_WIDTH = 0.5


@dataclass(frozen=True)
class OwnLayer:
    """A layer of the graph; trainable: whether something leads to it."""

    population: FloatPopulation
    trainable: bool


class OwnGraph(nn.Module):
    """A NIR graph in a chip's own integers; parameters: those of the family's module. Raises InputError."""

    def __init__(self, graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions, context: str) -> None:
        super().__init__()
        make = trainer_of(chip)
        _, self._meant = apply_dialect(graph, options, context)
        self._network = lower_graph(graph, options, context)
        if len(self._network.inputs) > 1:
            raise InputError(f"{context}: has several inputs, but networks for {chip.name} are tuned with one")
        names = (name for name, node in graph.nodes.items() if isinstance(node, nir.Output))
        self._outputs = tuple(names) if len(self._network.outputs) == 1 else self._network.outputs
        self.own = OwnIntegers(make(self._network, chip, options, "atan", _WIDTH), self._network, chip)
        # what cannot be written is told before the tuning
        self.to_nir()

    def run_in_units(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Events of every layer by name, (T, B, *shape), for those of the input by its name."""
        (entered,) = x.values()
        return self.own.run(entered)

    def layer(self, name: str) -> OwnLayer:
        """The layer of a population's name."""
        population = next(p for p in self._network.populations if p.name == name)
        return OwnLayer(population, any(c.target == name for c in self._network.connections))

    def prunable(self) -> tuple[Tensor, ...]:
        """The matrices."""
        return tuple(parameter for parameter in self.parameters() if parameter.dim() > 1)

    def to_nir(self) -> nir.NIRGraph:
        """The network as a NIR graph; compiled with the same options, it has the integers of the forward pass."""
        found = self.own.trained()
        hints = {p.name: {REGISTERS + name: v for name, v in p.registers.items()} for p in found.populations}
        plain = replace(found, populations=tuple(replace(p, registers={}) for p in found.populations))
        discretize, reset = self._meant.discretize or "euler", self._meant.reset or "zero"
        return write_graph(plain, discretize, reset, self._outputs, hints)
