"""A network as a torch module: its forward pass gives the chip's spikes, its parameters are trained by any loop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork, Floats
from spikeport.exporter.program.chip_program import CubaLI
from spikeport.exporter.quantisation.payload import Payload, payload_shift
from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.trainer.neuron_step.surrogates import surrogate

from .float_answers import float_answers
from .groups import update_groups
from .layer import ChipLayer, RoundedLayer
from .plan import Plan, make_plan, scaled_rows, whole_sums
from .run import Clock, run_layers
from .write_graph import write_graph

Input = Tensor | Mapping[str, Tensor]


class ChipModule(nn.Module):
    """A network that computes with the chip's integers, in the forward pass exactly as the compiled network does.

    Parameters are the weights and biases in the chip's form: layers.NAME.synapses.N.weight and layers.NAME.bias. They
    are rounded in every pass on grids that were chosen when the module was made. reset_gradient: gradients flow through
    the reset of v as well.
    """

    def __init__(self, plan: Plan, spike: str = "atan", width: float = 0.5, *, reset_gradient: bool = False) -> None:
        super().__init__()
        self.plan = plan
        network, widths = plan.network, plan.chip.word_widths.fixed_point()
        starts = {**{port.name: 0 for port in network.inputs}, **{n: p.start for n, p in plan.layers.items()}}
        self._keys = _module_names(plan.layers)
        self.layers = nn.ModuleDict()
        for name, layer in plan.layers.items():
            lags = {n: c.delay + starts[c.source] - starts[name] for n, c in enumerate(layer.synapses)}
            self.layers[self._keys[name]] = ChipLayer(layer, lags, widths, surrogate(spike), width, reset_gradient)
        self._groups = update_groups(network, list(plan.layers))
        self.input_shapes = {port.name: port.shape for port in network.inputs}

    def layer(self, name: str) -> ChipLayer:
        """The layer of a population's name."""
        return cast(ChipLayer, self.layers[self._keys[name]])

    def rounded(self) -> dict[str, RoundedLayer]:
        """Every layer's integers, for the parameters as they are; raises InputError for ones that have none."""
        other = next((p.dtype for p in self.parameters() if p.dtype != torch.float32), None)
        if other is not None:
            raise InputError(
                f"the module's parameters are {other}, but the chip's integers need torch.float32; call .float() on "
                "it, and use torch.autocast for the layers around it, which leaves it as it is"
            )
        network = self.plan.network
        payloads = {name: Payload(1.0, largest, signed=False) for name, largest in network.payloads.items()}
        layers: dict[str, RoundedLayer] = {}
        for name in self.plan.layers:
            layer = self.layer(name)
            early = any(s.source in layers and layers[s.source].early for s in layer.sources())
            layers[name] = layer.rounded(payloads, early)
            if layer.population.sends == "voltage":
                layers[name] = self._with_shift(name, layers[name], payloads)
        return layers

    def run(self, x: Input) -> dict[str, Tensor]:
        """What every layer sends by name, (T, B, *shape), for input spikes (or payloads) of (T, B, *input shape).

        Step t of each is its answer to step t of the input: the chip's own step t + start of that layer.
        """
        return self._run(x, self.rounded())

    def run_in_units(self, x: Input) -> dict[str, Tensor]:
        """What `run` gives, voltages in the network's units."""
        rounded = self.rounded()
        units = {
            name: 2.0**layer.neurons.shift / layer.scale
            for name, layer in rounded.items()
            if layer.population.payload_shift is not None
        }
        sent = self._run(x, rounded)
        return {name: values * units[name] if name in units else values for name, values in sent.items()}

    def _run(self, x: Input, rounded: Mapping[str, RoundedLayer]) -> dict[str, Tensor]:
        inputs = self._inputs(x)
        length = len(next(iter(inputs.values())))
        starts = {name: layer.start for name, layer in self.plan.layers.items()}
        # a spike before the first step reaches the layer's readers, and resets the layer itself
        whole = any(layer.early for layer in rounded.values())
        longest = max(starts.values(), default=0) if whole else 0
        if whole:
            inputs = {name: torch.cat([v, v.new_zeros((longest, *v.shape[1:]))]) for name, v in inputs.items()}
        layers = {name: self.layer(name) for name in self.plan.layers}
        # sums of 16 bit would not be the chip's
        with torch.autocast(next(iter(inputs.values())).device.type, enabled=False):
            sent = run_layers(self._groups, layers, rounded, inputs, Clock(length + longest, whole))
        out = {}
        for name, layer in layers.items():
            values = sent[name][starts[name] : starts[name] + length] if whole else sent[name]
            out[name] = values.reshape(*values.shape[:2], *layer.population.shape)
        return out

    def forward(self, x: Input) -> Tensor | dict[str, Tensor]:
        """The chip's output, (T, B, *output shape): spikes, or voltages as the integers that the chip sends.

        Several outputs come by name.
        """
        sent = self.run(x)
        outputs = dict(zip(self.plan.output_names, self.plan.network.outputs, strict=True))
        if len(outputs) == 1:
            return sent[next(iter(outputs.values()))]
        return {name: sent[source] for name, source in outputs.items()}

    def eval_float(self, x: Input) -> Tensor | dict[str, Tensor]:
        """The output of the network in floating point, with the graph's own decays; no gradients."""
        return float_answers(self.exact_network(), self.plan.output_names, self._inputs(x))

    def float_network(self) -> FloatNetwork:
        """The network with the present parameters, not rounded, and the chip's decays."""
        network, layers = self.plan.network, {name: self.layer(name) for name in self.plan.layers}
        populations = tuple(layers[p.name].float_population() for p in network.populations)
        connections = tuple(
            replace(now, steps=planned.steps, hops=planned.hops)
            for p in network.populations
            for now, planned in zip(layers[p.name].float_connections(), self.plan.layers[p.name].synapses, strict=True)
        )
        return replace(network, populations=populations, connections=connections)

    def exact_network(self) -> FloatNetwork:
        """The network with the present parameters, without any rounding: decays are the graph's own."""
        network, plans = self.float_network(), self.plan.layers
        populations = []
        for p in network.populations:
            plan = plans[p.name]
            # a correction of the bias where voltages are sent (exporter/quantisation/compensation/leak.py)
            bias = p.bias / plan.rows * (plan.leak if p.sends == "voltage" else 1)
            populations.append(replace(plan.exact, bias=bias))
        charges = [factors for p in network.populations for factors in plans[p.name].charges]
        connections = tuple(scaled_rows(c, 1 / f) for c, f in zip(network.connections, charges, strict=True))
        return replace(network, populations=tuple(populations), connections=connections)

    def to_nir(self) -> nir.NIRGraph:
        """The network as a NIR graph; compiled with the same options, it has the integers of the forward pass."""
        network, rounded = self.float_network(), self.rounded()
        hints: dict[str, dict[str, object]] = {}
        populations, connections = [], []
        for population in network.populations:
            layer, whole = self.layer(population.name), rounded[population.name]
            word = whole.population.threshold_word
            hints[population.name] = _hints(whole)
            if population.weight_bits is not None:
                hints[population.name]["weight_bits"] = population.weight_bits
            bias = whole.population.bias / whole.scale
            threshold = population.threshold if word is None else word * (STATE_UNIT / whole.scale)
            again = self._corrected_again(population.name)
            populations.append(replace(population, bias=bias * again, threshold=threshold))
            present = [c for c in network.connections if c.target == population.name]
            for c, s, words, factor in zip(present, layer.sources(), whole.words, whole.factors, strict=True):
                connections.append(scaled_rows(replace(c, weights=s.values(words, factor)), again))
        chip = replace(network, populations=tuple(populations), connections=tuple(connections))
        return write_graph(chip, self.plan.discretize, self.plan.reset, self.plan.output_names, hints)

    def synapse_values(self) -> dict[str, dict[str, Floats]]:
        """Weights and biases by the graph's synapse, in its units; raises InputError where it has no such synapse."""
        values: dict[str, dict[str, Floats]] = {}
        for name in self.plan.layers:
            layer, fixed = self.layer(name), self.plan.layers[name].fixed
            trained = [s for s, is_fixed in zip(layer.sources(), fixed, strict=True) if not is_fixed]
            synapses = [s for s in trained if not s.carries_bias]
            for synapse in synapses:
                if not synapse.tied or synapse.synapse in values:
                    raise InputError(
                        f"the weights into {name!r} are not those of one synapse ({synapse.synapse!r}); take them from "
                        "to_nir()"
                    )
                values[synapse.synapse] = {"weight": synapse.weight.detach().cpu().double().numpy()}
            with_bias = [s for s in synapses if s.synapse in self.plan.biases]
            change = self._bias_change(name)
            if np.any(change) and with_bias:
                bias = self.plan.biases[with_bias[0].synapse]
                values[with_bias[0].synapse]["bias"] = bias + change.reshape(bias.size, -1).mean(axis=1)
        return values

    def _bias_change(self, name: str) -> Floats:
        """By how much training has changed what a population's neurons get in every step, (size,)."""
        layer, planned = self.layer(name), self.plan.layers[name]
        now = layer.float_bias().detach().cpu().double().numpy()
        change: NDArray[Any] = now - planned.population.bias.astype(np.float32)
        for synapse, before in zip(layer.sources(), planned.synapses, strict=True):
            if synapse.carries_bias:
                now = synapse.float_weights().detach().cpu().double().numpy().reshape(-1)
                change = change + now - before.dense.reshape(-1).astype(np.float32)
        return np.asarray(change / planned.rows, np.float64)

    def _corrected_again(self, name: str) -> Floats:
        """The correction that compiling applies to a population which the graph does not hold."""
        leak = self.plan.layers[name].leak
        return leak if name in self.plan.output_names else np.ones_like(leak)

    def _with_shift(self, name: str, layer: RoundedLayer, payloads: dict[str, Payload]) -> RoundedLayer:
        """The layer with the shift of the voltages that it sends; adds its payload for its readers."""
        plan, widths = self.plan, whole_sums(self.plan.chip)
        shift = plan.layers[name].shift
        if plan.options.calibration is None:
            reach = self.layer(name).reach(layer, payloads, plan.layers[name].weight_bits)
            shift = payload_shift(self.layer(name).population, plan.network, widths, reach * layer.scale)
        payloads[name] = Payload(2.0**shift / layer.scale, widths.state_max >> shift)
        constants = np.full(layer.population.size, shift, np.int32)
        population = replace(cast(CubaLI, layer.population), shift=constants)
        return replace(layer, population=population, neurons=replace(layer.neurons, shift=shift))

    def _inputs(self, x: Input) -> dict[str, Tensor]:
        """Every input, (T, B, size); raises InputError for one that does not fit."""
        shapes = self.input_shapes
        if isinstance(x, Tensor):
            if len(shapes) > 1:
                raise InputError(f"the network has the inputs {', '.join(shapes)}; give a dict with a tensor for each")
            x = {next(iter(shapes)): x}
        if not isinstance(x, Mapping) or not all(isinstance(value, Tensor) for value in x.values()):
            raise InputError("the input is no tensor; give torch.as_tensor(x) of shape (T, B, *input shape)")
        like = self.layer(next(iter(self.plan.layers))).keep_u
        arrays = {}
        for name, shape in shapes.items():
            if name not in x:
                raise InputError(f"input {name!r} is missing; the network has the inputs {', '.join(shapes)}")
            value = x[name]
            if value.dim() < 2 or tuple(value.shape[2:]) != shape:
                raise InputError(
                    f"input {name!r} has shape {tuple(value.shape)}, but the network takes (T, B, {_list(shape)})"
                )
            if not value.numel():
                raise InputError(f"input {name!r} has shape {tuple(value.shape)}, which holds no samples or time steps")
            check_whole(name, value)
            arrays[name] = value.to(device=like.device, dtype=torch.float32).reshape(*value.shape[:2], -1)
        return arrays


def module_of(
    graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions = DEFAULTS, context: str = "graph",
    spike: str = "atan", width: float = 0.5,
) -> ChipModule:  # fmt: skip
    """A graph as a trainable module for a chip; raises InputError for what cannot be compiled.

    spike, width: the surrogate by name and its width in units of a layer's largest threshold.
    """
    return ChipModule(make_plan(graph, chip, options, context), spike, width)


def check_whole(name: str, value: Tensor) -> None:
    """Raise InputError for numbers that no spike can carry; on the CPU only, as a GPU would have to wait for it."""
    if not value.is_floating_point() or value.device.type != "cpu":
        return
    value = value.detach()
    wrong = value != value.round()
    if bool(wrong.any()) or not bool(value.isfinite().all()):
        first = value[wrong | ~value.isfinite()][0].item()
        raise InputError(
            f"input {name!r} holds {first:g}, but spikes are 0 or 1 and payloads whole numbers; encode it first"
        )


def _hints(layer: RoundedLayer) -> dict[str, object]:
    """Metadata from which compiling takes the same integers."""
    word = layer.population.threshold_word
    if word is not None:
        return {"vth": int(word.max())}
    return {"scale": np.float64(layer.scale), "shift": layer.neurons.shift}


def _module_names(names: Iterable[str]) -> dict[str, str]:
    """Population -> its name as torch allows it, without dots."""
    keys: dict[str, str] = {}
    for name in names:
        key = base = re.sub(r"\W", "_", name) or "layer"
        number = 1
        # names of ModuleDict's own attributes are refused by torch
        while key in keys.values() or hasattr(nn.ModuleDict, key):
            number += 1
            key = f"{base}_{number}"
        keys[name] = key
    return keys


def _list(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
