"""One population of a trainable network with its synapses: parameters, and their integers in every pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatPopulation, Floats
from spikeport.exporter.program.chip_program import Cuba
from spikeport.exporter.quantisation.compensation.start_voltage import bias_spikes_early
from spikeport.exporter.quantisation.layer import FloatLayer, registers_of, worst_case_of
from spikeport.exporter.quantisation.payload import SPIKE, Payload
from spikeport.exporter.quantisation.scale import threshold_words
from spikeport.hardware_profiles.fixed_point import (
    DECAY_UNITY,
    STATE_UNIT,
    WordWidths,
    du_from_decay,
    dv_from_decay,
)
from spikeport.trainer.neuron_step.chip_populations import ChipNeurons
from spikeport.trainer.neuron_step.surrogates import Surrogate

from .plan import LayerPlan
from .synapse import ChipSynapse
from .ties import by_channel


@dataclass(frozen=True)
class RoundedLayer:
    """A layer's integers in one pass.

    words: of every synapse; factors: units of a for one of the network's, for each; bias: (size,) in units of v;
    early: whether it sends something before its first step.
    """

    population: Cuba
    neurons: ChipNeurons
    words: tuple[Tensor, ...]
    factors: tuple[float, ...]
    bias: Tensor
    scale: float
    early: bool


class ChipLayer(nn.Module):
    """Neurons and the synapses into them.

    bias: one value per neuron, or per channel where all of a channel are equal; None where it is 0. scale: the chip's
    units of u and v for one of the network's. It only changes where weights have grown so much that u could wrap.
    """

    scale: Tensor
    keep_u: Tensor
    keep_v: Tensor
    bias: nn.Parameter | None

    def __init__(
        self, plan: LayerPlan, lags: Mapping[int, int], widths: WordWidths, spike: Surrogate, width: float,
        reset_gradient: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        population = plan.population
        self.population, self.start, self.widths = population, plan.start, widths
        self.spike, self.width, self.reset_gradient = spike, width, reset_gradient
        self.du, self.dv = du_from_decay(population.current_decay), dv_from_decay(population.voltage_decay)
        self.synapses = nn.ModuleList(
            ChipSynapse(connection, grid, tie, lags[n])
            for n, (connection, grid, tie) in enumerate(zip(plan.synapses, plan.grids, plan.ties, strict=True))
        )
        for synapse, fixed in zip(self.sources(), plan.fixed, strict=True):
            synapse.weight.requires_grad_(not fixed)
        self.trainable = bool(plan.synapses)
        self.repeat, bias = _shared(population)
        has_bias = self.trainable and bool(np.any(bias))
        self.bias = nn.Parameter(torch.from_numpy(bias).float()) if has_bias else None
        self.register_buffer("scale", torch.tensor(plan.scale, dtype=torch.float64))
        keep = (DECAY_UNITY - 1 - self.du) / DECAY_UNITY, (DECAY_UNITY - self.dv) / DECAY_UNITY
        self.register_buffer("keep_u", torch.from_numpy(keep[0]), persistent=False)
        self.register_buffer("keep_v", torch.from_numpy(keep[1]), persistent=False)
        self._known: tuple[tuple[float, bool], Cuba, bool] | None = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ChipLayer:
        """Move the layer; its scale and decays keep their precision, whatever type the parameters are asked to have."""
        exact = {name: self._buffers[name] for name in ("scale", "keep_u", "keep_v")}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in exact.items():
            after = self._buffers[name]
            if after is not None and before is not None and after.dtype != before.dtype:
                self._buffers[name] = before.to(after.device)
        return self

    def sources(self) -> list[ChipSynapse]:
        """The synapses, typed."""
        return list(self.synapses)  # type: ignore[arg-type]

    def float_bias(self) -> Tensor:
        """The bias of every neuron, (size,), in the network's units."""
        if self.bias is None:
            return torch.from_numpy(self.population.bias).float().to(self.scale.device)
        return self.bias if self.repeat == 1 else self.bias.repeat_interleave(self.repeat)

    def rounded(self, payloads: Mapping[str, Payload], early: bool) -> RoundedLayer:
        """The layer's integers; payloads: of sources that send voltages; early: whether a source sends too early."""
        words, factors = self._words(payloads)
        scale, bias = float(self.scale), self.float_bias()
        population, early = self._registers(scale, bias, early)
        whole = torch.from_numpy(population.bias.astype(np.float32)).to(bias)
        return RoundedLayer(
            population, self._neurons(population), words, factors, whole + (bias - bias.detach()) * scale, scale, early
        )

    def reach(self, layer: RoundedLayer, payloads: Mapping[str, Payload], weight_bits: int) -> float:
        """The largest |v| that any input can cause, in the network's units."""
        population = replace(self.population, bias=layer.population.bias / layer.scale)
        incoming = tuple(
            replace(c, weights=s.values(words, factor))
            for c, s, words, factor in zip(
                self.float_connections(), self.sources(), layer.words, layer.factors, strict=True
            )
        )
        bounds = worst_case_of(FloatLayer(population, incoming, self.start), payloads, weight_bits)
        return max(bounds.lowest, bounds.highest)

    def _registers(self, scale: float, bias: Tensor, early: bool) -> tuple[Cuba, bool]:
        """The chip's registers, and whether the layer may send something before its first step."""
        if self.bias is None and self._known is not None and self._known[0] == (scale, early):
            return self._known[1:]
        values: Floats = bias.detach().cpu().double().numpy()
        if not np.all(np.isfinite(values)):
            raise _not_finite("biases", self.population.name)
        limit = self.widths.bias_max / scale
        population = replace(self.population, bias=np.clip(values, -limit, limit))
        if population.sends == "spikes":
            words = threshold_words(population.threshold, scale, self.widths)
            population = replace(population, threshold=words * (STATE_UNIT / scale))
        registers, _ = registers_of(FloatLayer(population, (), self.start, early), self.du, self.dv, scale, self.widths)
        own = registers.bias, registers.dv, registers.threshold_word, registers.v_initial, self.start
        self._known = (scale, early), registers, early or bias_spikes_early(*own)
        return self._known[1:]

    def _words(self, payloads: Mapping[str, Payload]) -> tuple[tuple[Tensor, ...], tuple[float, ...]]:
        """Every synapse's words; lowers the scale as long as the largest input could wrap u."""
        while True:
            scale = float(self.scale)
            sent = [payloads.get(synapse.source, SPIKE) for synapse in self.sources()]
            factors = tuple(scale * payload.unit / STATE_UNIT for payload in sent)
            words = tuple(synapse.words(factor) for synapse, factor in zip(self.sources(), factors, strict=True))
            largest, room = self._largest_current(words, sent), self.widths.state_max - STATE_UNIT
            if not math.isfinite(largest):
                raise _not_finite("weights", self.population.name)
            if largest <= room:
                return words, factors
            self._lower(min(0.999, room / largest))

    def _largest_current(self, words: tuple[Tensor, ...], sent: list[Payload]) -> float:
        """The largest |u| that any input can cause, in the chip's units."""
        if not words:
            return 0.0
        up, down = torch.zeros_like(self.keep_u), torch.zeros_like(self.keep_u)
        for synapse, values, payload in zip(self.sources(), words, sent, strict=True):
            positive, negative = (part.double() * payload.largest for part in synapse.largest(values))
            if payload.signed:
                positive = negative = positive + negative
            repeat = len(up) // len(positive)
            up += positive.repeat_interleave(repeat) if repeat > 1 else positive
            down += negative.repeat_interleave(repeat) if repeat > 1 else negative
        return float((torch.maximum(up, down) / (1 - self.keep_u)).max()) * STATE_UNIT

    def _lower(self, factor: float) -> None:
        """Multiply the scale by the factor or a little less: the largest threshold stays a whole number."""
        if self.population.sends == "spikes":
            threshold = float(self.population.threshold.max()) * float(self.scale) / STATE_UNIT
            factor = max(1.0, math.floor(threshold * factor)) / threshold if threshold > 1 else factor
        self.scale.mul_(factor)

    def _neurons(self, population: Cuba) -> ChipNeurons:
        word, subtracted, shift = population.threshold_word, population.subtracted, population.payload_shift
        threshold = None if word is None else torch.from_numpy(word.astype(np.float64) * STATE_UNIT)
        lost = None if subtracted is None else torch.from_numpy(subtracted.astype(np.float64))
        device = self.keep_u.device
        return ChipNeurons(
            self.keep_u, self.keep_v,
            None if threshold is None else threshold.to(device), None if lost is None else lost.to(device),
            0 if shift is None else int(shift[0]), self.spike, self.width,
            1.0 if word is None else float(word.max()) * STATE_UNIT, self.reset_gradient,
        )  # fmt: skip

    def float_population(self) -> FloatPopulation:
        """The population with the present bias, not rounded."""
        return replace(self.population, bias=self.float_bias().detach().cpu().double().numpy())

    def float_connections(self) -> list[FloatConnection]:
        """The synapses with the present weights, not rounded."""
        return [
            FloatConnection(
                s.source, s.target, s.values(s.float_weights(), 1.0), s.geometry, s.delay, synapse=s.synapse,
                axonal_delays=None if s.delays is None else s.delays.cpu().numpy().astype(np.int32),
            )
            for s in self.sources()
        ]  # fmt: skip


def _not_finite(what: str, layer: str) -> InputError:
    return InputError(
        f"the {what} of layer {layer!r} are not finite: training has diverged; lower the learning rate or clip "
        "gradients, and go on from parameters kept before"
    )


def _shared(population: FloatPopulation) -> tuple[int, Floats]:
    """How many neurons share each value of the bias, and the values: those of a channel, if they are equal."""
    bias = population.bias
    if len(population.shape) > 1:
        shared = by_channel(bias, population.shape[0])
        if shared is not None:
            return bias.size // shared.size, shared
    return 1, bias.copy()
