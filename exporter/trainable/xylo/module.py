"""A network as a torch module in a Xylo chip's integers: its forward pass gives the emulator's events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork, Floats
from spikeport.exporter.neurons.xylo.neurons import MOST_INPUT_EVENTS
from spikeport.exporter.program.chip_program import ChipProgram, Integers
from spikeport.exporter.program.validate import validate
from spikeport.exporter.trainable.ties import carries_bias
from spikeport.exporter.xylo.program import assemble
from spikeport.exporter.xylo.quantise import round_xylo, words_of
from spikeport.exporter.xylo.rounded_network import RoundedNetwork
from spikeport.exporter.xylo.rounding import FloatBlock, RoundedBlock, own_reset
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.trainer.neuron_step.surrogates import surrogate

from .step import Rounded, run_xylo
from .trained import trained_network, with_values


class XyloModule(nn.Module):
    """A network in a Xylo chip's integers. Parameters: `weights.in`, `.rec`, `.out`, and `bias.hidden`, `.outputs`.

    Weights are in the network's units, biases shares of what their register holds, which is little beside a threshold.
    They are rounded in every pass, with the shifts, scales and thresholds that were chosen when the module was made.
    Weights that are 0 then stay 0, so that no fan-out grows. reset_gradient: gradients flow through resets as well.
    """

    reset_gradient: bool = True

    def __init__(
        self, network: FloatNetwork, chip: ChipProfile, options: CompileOptions, spike: str = "atan", width: float = 0.5
    ) -> None:
        super().__init__()
        self.network, self.chip = network, chip
        self._plan = round_xylo(network, chip, options)
        self._words = words_of(chip, options)
        self._spike, self._width = surrogate(spike), width
        self.weights, self.bias = nn.ParameterDict(), nn.ParameterDict()
        for kind, block in self._plan.floats.items():
            resets = np.diag(block.subtracted * block.direct)
            for name, weights in block.weights.items():
                own = weights + resets if name == "rec" else weights
                self.weights[name] = nn.Parameter(torch.from_numpy(own.T.astype(np.float32)))
                self.register_buffer(f"_mask_{name}", torch.from_numpy((own.T != 0).astype(np.float32)))
            share = block.bias * self._plan.rounded[kind].scale / self._words.bias
            self.bias[kind] = nn.Parameter(torch.from_numpy(share.astype(np.float32)))
            # a bias would give a neuron whose synapse is its membrane a second one; what carries a bias keeps its own
            constant = np.concatenate(
                [np.full(p.size, carries_bias(p.name)) for p in getattr(self._plan.layout, kind)] or [block.direct]
            )
            self.register_buffer(f"_biased_{kind}", torch.from_numpy((~block.direct & ~constant).astype(np.float32)))
            kept = torch.from_numpy((share * constant).astype(np.float32))
            self.register_buffer(f"_constant_{kind}", kept, persistent=False)

    def rounded(self) -> RoundedNetwork:
        """The network's integers, for the parameters as they are; raises InputError for ones that are not finite."""
        broken = next((name for name, p in self.named_parameters() if not bool(p.detach().isfinite().all())), None)
        if broken is not None:
            raise InputError(
                f"the parameters {broken!r} are not finite: training has diverged; lower the learning rate or clip "
                "gradients, and go on from parameters kept before"
            )
        blocks = {}
        for kind, before in self._plan.rounded.items():
            present = {name: self._integers(name, kind).detach().numpy() for name in before.weights}
            weights = {name: _whole(values.T) for name, values in present.items()}
            blocks[kind] = replace(before, weights=weights, bias=_whole(self._whole_bias(kind).detach().numpy()))
        return replace(self._plan, rounded=blocks)

    def program(self) -> ChipProgram:
        """The compiled network; its integers are those of the forward pass."""
        return validate(assemble(self.network, self.rounded(), self.chip))

    def trained(self) -> FloatNetwork:
        """The network with the rounded weights and biases, and the registers with which it compiles to program().

        Raises InputError where neurons that the network does not have carry its biases.
        """
        rounded = self.rounded()
        self._check_biases()
        return trained_network(self.network, rounded, self._words)

    def floating(self) -> FloatNetwork:
        """The network with the present weights and biases, not rounded, and its own decays."""
        layout, gains = self._plan.layout, {kind: block.decays for kind, block in self._plan.floats.items()}
        matrices = {}
        for name in self.weights:
            kind = "outputs" if name == "out" else "hidden"
            values = (self.weights[name] * getattr(self, f"_mask_{name}")).detach().double().numpy().T
            matrices[name] = values / gains[kind].weight_gain[:, None]
        biases = {kind: self._float_bias(kind) / gains[kind].bias_gain for kind in gains}
        # neurons that carry a bias fire in every step; the current keeps what arrives for 1 / current_decay steps
        for population in self.network.populations:
            kind = "outputs" if population.name in layout.places["outputs"] else "hidden"
            own, matrix = layout.places[kind][population.name], matrices["out" if kind == "outputs" else "rec"]
            carried = sum(matrix[own, layout.places["hidden"][name]].sum(axis=1) for name in self._added())
            biases[kind][own] += carried / population.current_decay
        return with_values(self.network, layout, matrices, biases)

    def _float_bias(self, kind: str) -> Floats:
        share = self._share(kind).detach().double().numpy()
        return np.asarray(share * self._words.bias / self._plan.rounded[kind].scale, np.float64)

    def _added(self) -> list[str]:
        """Neurons that the network does not have, which carry biases."""
        own, layout = {p.name for p in self.network.populations}, self._plan.layout
        return [p.name for p in (*layout.hidden, *layout.outputs) if p.name not in own]

    def _check_biases(self) -> None:
        added = self._added()
        if added:
            raise InputError(
                f"{added[0].removesuffix('.bias')!r} has biases above a thirty-second of its threshold, or no synaptic "
                f"current and a bias, which {self.chip.title} has no register for; train it without biases, in a "
                "recipe with batch_norm = false and bias = false"
            )

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """Events of every layer by name, (T, B, *shape), for events of (T, B, *input shape).

        Step t of each is its answer to step t of the input.
        """
        rounded = self.rounded()
        latency = self._latency(rounded)
        late = max(latency.values(), default=0)
        entered = self._input(x)
        entered = torch.cat([entered, entered.new_zeros((late, *entered.shape[1:]))])
        w_in, w_rec, w_out = (self._matrix(name) for name in ("in", "rec", "out"))
        bias, bias_out = (self._whole_bias(kind) for kind in ("hidden", "outputs"))
        how = Rounded(rounded.specification, self._spike, self._width, self._resets(), self.reset_gradient)
        hidden, outputs = run_xylo(entered, w_in, w_rec, w_out, bias, bias_out, how)
        sent = {"hidden": hidden, "outputs": outputs}
        found = {}
        for kind, events in sent.items():
            for population in getattr(rounded.layout, kind):
                own = rounded.layout.places[kind][population.name]
                part = events[latency[population.name] :, :, own][: len(x)]
                found[population.name] = part.reshape(*part.shape[:2], *population.shape)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The events of the first output, (T, B, *output shape)."""
        return self.run(x)[self.network.outputs[0]]

    def _resets(self) -> Tensor:
        """The weights by which direct neurons reset themselves, shifted, (hidden,)."""
        block, before = self._block("hidden")
        return torch.from_numpy((own_reset(block, before) * 2.0 ** before.shifts["rec"]).astype(np.float32))

    def _latency(self, rounded: RoundedNetwork) -> dict[str, int]:
        known = assemble(self.network, rounded, self.chip).latency
        return {p.name: known.get(p.name, 0) for p in (*rounded.layout.hidden, *rounded.layout.outputs)}

    def _block(self, kind: str) -> tuple[FloatBlock, RoundedBlock]:
        return self._plan.floats[kind], self._plan.rounded[kind]

    def _integers(self, name: str, kind: str) -> Tensor:
        """A matrix (sources, targets) as whole numbers of its shift, those that reset direct neurons included."""
        block, before = self._block(kind)
        unit = torch.from_numpy((before.scale / 2.0 ** before.shifts[name]).astype(np.float32))
        values = self.weights[name] * getattr(self, f"_mask_{name}") * unit
        if name == "rec":
            values = values + torch.diag(torch.from_numpy(own_reset(block, before).astype(np.float32)))
        return _rounded(values, self._words.weight)

    def _matrix(self, name: str) -> Tensor:
        kind = "outputs" if name == "out" else "hidden"
        return self._integers(name, kind) * 2.0 ** self._plan.rounded[kind].shifts[name]

    def _whole_bias(self, kind: str) -> Tensor:
        return _rounded(self._share(kind) * self._words.bias, self._words.bias)

    def _share(self, kind: str) -> Tensor:
        """Biases as shares of what their register holds."""
        share: Tensor = self.bias[kind] * getattr(self, f"_biased_{kind}") + getattr(self, f"_constant_{kind}")
        return share

    def _input(self, x: Tensor) -> Tensor:
        shape = tuple(n for port in self.network.inputs for n in port.shape)
        if len(self.network.inputs) > 1 or not isinstance(x, Tensor) or tuple(x.shape[2:]) != shape or not x.numel():
            raise InputError(f"the network takes one tensor of shape (T, B, {', '.join(map(str, shape))})")
        x = x.to(torch.float32)
        given = x.detach()
        if float(given.min()) < 0 or float(given.max()) > MOST_INPUT_EVENTS or bool((given != given.round()).any()):
            raise InputError(f"a Xylo chip receives counts of events, 0 to {MOST_INPUT_EVENTS} per channel and step")
        return x.reshape(*x.shape[:2], -1)


def _rounded(values: Tensor, most: int) -> Tensor:
    """The nearest whole numbers from -most to most, with the gradient of the values between them."""
    # a neuron's largest weight is the most by the choice of its scale, give or take the last bit of a float
    inside = values.clamp(-most - 0.49, most + 0.49)
    return inside + (inside.round() - inside).detach()


def _whole(values: Any) -> Integers:
    return np.ascontiguousarray(np.rint(values), np.int32)
