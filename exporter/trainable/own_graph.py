"""A NIR graph as a module in a chip's own integers, which is trained and written as a graph again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import nir
import numpy as np
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.chip_integers import trainer_of
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.lowering.dialects import apply_dialect
from spikeport.exporter.nir_graph.graph_checks import REGISTERS
from spikeport.hardware_profiles.schema import ChipProfile

from .family_module import events_of_layers, network_by
from .float_answers import float_answers
from .module import check_whole
from .plan import output_names
from .ties import Key, Tie, carries_bias, key, ties_of
from .write_graph import write_graph

Input = Tensor | Mapping[str, Tensor]


@dataclass(frozen=True)
class OwnLayer:
    """A layer of the graph; trainable: whether something leads to it."""

    population: FloatPopulation
    trainable: bool


class OwnGraph(nn.Module):
    """A NIR graph in a chip's own integers, with the calls of ChipModule. Raises InputError.

    own: the module of the chip's family (exporter/chip_integers.py), whose parameters are trained.
    """

    def __init__(
        self, graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions, context: str, spike: str = "atan",
        width: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        make = trainer_of(chip)
        _, self._meant = apply_dialect(graph, options, context)
        self.options, self._graph, self._chip = options, graph, chip
        self._network = lower_graph(graph, options, context)
        if len(self._network.inputs) > 1:
            raise InputError(f"{context}: has several inputs, but networks for {chip.name} are trained with one")
        self.own = make(self._network, chip, options, spike, width)

    def set_reset_gradient(self, wanted: bool | None) -> None:
        """Whether gradients flow through resets; None: as the family has it. Raises InputError if it has no choice."""
        if wanted is None:
            return
        if not hasattr(self.own, "reset_gradient"):
            raise InputError(f"the module of {self._chip.name}'s integers has no reset_gradient; leave it out")
        cast(Any, self.own).reset_gradient = wanted

    def run(self, x: Input) -> dict[str, Tensor]:
        """Events of every layer by name, (T, B, *shape), for those of the input, (T, B, *input shape).

        Step t of each is its answer to step t of the input. A family without `run` gives those of the output only.
        """
        return events_of_layers(self.own, self._entered(x), self._network)

    def run_in_units(self, x: Input) -> dict[str, Tensor]:
        """What `run` gives: events have no unit."""
        return self.run(x)

    def forward(self, x: Input) -> Tensor | dict[str, Tensor]:
        """The chip's output events, (T, B, *output shape); several outputs come by name."""
        sent, outputs = self.run(x), self._network.outputs
        if len(outputs) == 1:
            return sent[outputs[0]]
        return {
            name: sent[source]
            for name, source in zip(output_names(self._graph, self._network), outputs, strict=True)
            if source in sent
        }

    def eval_float(self, x: Input) -> Tensor | dict[str, Tensor]:
        """The output of the network in floating point, with the graph's own decays; no gradients.

        Raises InputError where the family cannot tell.
        """
        x = self._entered(x)
        check_whole(self._network.inputs[0].name, x)
        names, network = output_names(self._graph, self._network), self._floating("eval_float")
        return float_answers(network, names, {self._network.inputs[0].name: x.reshape(*x.shape[:2], -1)})

    def layer(self, name: str) -> OwnLayer:
        """The layer of a population's name."""
        population = next(p for p in self._network.populations if p.name == name)
        return OwnLayer(population, any(c.target == name for c in self._network.connections))

    def prunable(self) -> tuple[Tensor, ...]:
        """The matrices."""
        return tuple(parameter for parameter in self.parameters() if parameter.dim() > 1)

    def to_nir(self) -> nir.NIRGraph:
        """The network as a NIR graph; compiled with the same options, it has the integers of the forward pass.

        Raises InputError where the family cannot tell, or the network has what no graph would keep.
        """
        found = network_by(self.own, "trained", self._chip.name, "take the integers from compile()")
        hints = {p.name: {REGISTERS + name: v for name, v in p.registers.items()} for p in found.populations}
        plain = replace(found, populations=tuple(replace(p, registers={}) for p in found.populations))
        discretize, reset = self._meant.discretize or "euler", self._meant.reset or "zero"
        return write_graph(plain, discretize, reset, output_names(self._graph, self._network), hints)

    def synapse_values(self) -> dict[str, dict[str, Floats]]:
        """Weights and biases by the graph's synapse, in its units; raises InputError where it has no such synapse."""
        now, ties = self._floating("load_into"), self._ties()
        values: dict[str, dict[str, Floats]] = {}
        for before, connection in zip(self._network.connections, now.connections, strict=True):
            if carries_bias(connection.source):
                continue
            tie = ties.get(key(before))
            if tie is None or connection.synapse in values:
                raise InputError(
                    f"the weights into {connection.target!r} are not those of one dense synapse "
                    f"({connection.synapse!r}); take them from to_nir()"
                )
            values[connection.synapse] = {"weight": _shared(tie, connection.dense)}
        for name, bias in self._biases(now).items():
            values.setdefault(name, {})["bias"] = bias
        return values

    def _ties(self) -> dict[Key, Tie]:
        """How dense connections that are one synapse of the graph, and alone between their ends, follow from it."""
        network = self._network
        ties = ties_of(self._graph, network, lambda probe: lower_graph(probe, self.options, "network"))
        ends = [(c.source, c.target) for c in network.connections]
        whole = {k for k, tie in ties.items() if tie.positions.size == tie.shared.size}
        return {
            key(c): ties[key(c)]
            for c in network.connections
            if key(c) in whole and c.geometry is None and ends.count((c.source, c.target)) == 1
        }

    def _biases(self, now: FloatNetwork) -> dict[str, Floats]:
        """The biases of the graph's synapses whose neurons' training has changed theirs; raises InputError."""
        found: dict[str, Floats] = {}
        for population in self._network.populations:
            change = _bias(now, population.name) - _bias(self._network, population.name)
            # below what 32-bit parameters keep
            if not np.any(np.abs(change) > 1e-6 * population.threshold):
                continue
            incoming = [c.synapse for c in self._network.connections if c.target == population.name]
            synapse = next((n for n in incoming if hasattr(self._graph.nodes.get(n), "bias")), None)
            if synapse is None:
                raise InputError(
                    f"training has given {population.name!r} biases, for which no layer into it has a place; give one "
                    "a bias, keep them at 0 (leave the module's parameters called bias out of the optimizer), or use "
                    "to_nir()"
                )
            found[synapse] = np.asarray(self._graph.nodes[synapse].bias, np.float64) + change
        return found

    def _floating(self, asked: str) -> FloatNetwork:
        return network_by(self.own, "floating", self._chip.name, f"{asked} needs it; use to_nir()")

    def _entered(self, x: Input) -> Tensor:
        """The input, also of a dict with its name; raises InputError for what is neither."""
        name = self._network.inputs[0].name
        if isinstance(x, Mapping):
            if name not in x:
                raise InputError(f"input {name!r} is missing; the network has the inputs {name}")
            x = x[name]
        if not isinstance(x, Tensor):
            raise InputError("the input is no tensor; give torch.as_tensor(x) of shape (T, B, *input shape)")
        shape = self._network.inputs[0].shape
        if x.dim() < 2 or tuple(x.shape[2:]) != shape or not x.numel():
            wanted = ", ".join(map(str, shape))
            raise InputError(f"the network takes one tensor of shape (T, B, {wanted}), not {tuple(x.shape)}")
        return x


def _shared(tie: Tie, weights: Floats) -> Floats:
    """The graph's weights, from those of the compiled connection."""
    shared: Floats = tie.shared.copy().reshape(-1)
    used = tie.factors.reshape(-1) != 0
    shared[tie.positions.reshape(-1)[used]] = weights.reshape(-1)[used] / tie.factors.reshape(-1)[used]
    return shared.reshape(tie.shared.shape)


def _bias(network: FloatNetwork, name: str) -> Floats:
    """The bias of the synapse that gives a population's neurons what their own and those that carry it add up to.

    A neuron's own acts on v at once, a synapse's through the current, which keeps it for 1 / current_decay steps.
    """
    population = next(p for p in network.populations if p.name == name)
    axons: list[FloatConnection] = [c for c in network.connections if c.target == name and carries_bias(c.source)]
    return np.asarray(population.bias * population.current_decay + sum(c.dense[:, 0] for c in axons), np.float64)
