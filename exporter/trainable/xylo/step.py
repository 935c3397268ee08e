"""A Xylo chip's time steps with gradients: forward by the emulator's kernel, backward through its recorded states.

Forward (exporter/neurons/xylo/neurons.py), with i after its decay, p what v comes to before the spikes and n events:

    i[t] = (i[t-1] + x[t] W_in + n[t-1] W_rec) (1 - 2**-dash_syn)
    p[t] = v[t-1] (1 - 2**-dash_mem) + i[t] + bias
    v[t] = p[t] - threshold * n[t]

Backward, this linear form without rounding; n[t] rises by one at each multiple of the threshold, and its slope there is
the surrogate's, with p in thresholds: dn/dp = g(p / threshold - k) / threshold at the nearest k, from 1 to the most
events of a step, which are fewer where v ends before as many thresholds. Where v ends at its upper limit, p is what it
would have come to, and v after the spikes does not depend on it: a threshold near that limit is a reset to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.exporter.neurons.xylo.neurons import XyloHidden, XyloOutput
from spikeport.exporter.xylo.kernel_constants import Block, Kernel
from spikeport.exporter.xylo.specification import XyloSpecification
from spikeport.trainer.neuron_step.surrogates import Surrogate

# of the chip's currents and voltages
_HIGHEST = 32767
# of a decay
_ROUNDING = 2


@dataclass(frozen=True)
class Neurons:
    """What the backward pass knows of a block: what its states keep per step, thresholds, the most events."""

    keep_i: Tensor
    keep_v: Tensor
    threshold: Tensor
    most: Tensor

    @classmethod
    def hidden(cls, network: XyloSpecification) -> Neurons:
        """The hidden neurons."""
        return cls._of(network.dash_syn, network.dash_mem, network.threshold, XyloHidden.MOST_EVENTS)

    @classmethod
    def outputs(cls, network: XyloSpecification) -> Neurons:
        """The output neurons."""
        return cls._of(network.dash_syn_out, network.dash_mem_out, network.threshold_out, XyloOutput.MOST_EVENTS)

    @classmethod
    def _of(cls, syn: NDArray[Any], mem: NDArray[Any], threshold: NDArray[Any], most: int) -> Neurons:
        keep_i, keep_v = (torch.from_numpy((1 - 2.0 ** -dash.astype(float)).astype(np.float32)) for dash in (syn, mem))
        reachable = np.clip(_HIGHEST // np.maximum(threshold, 1), 1, most)
        whole = (torch.from_numpy(values.astype(np.float32)) for values in (threshold, reachable))
        return cls(keep_i, keep_v, *whole)

    def before(self, v: Tensor, i: Tensor, sent: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """What v comes to before the spikes of every step, and whether it is within its range.

        v: after them; all (T, B, size).
        """
        reached = v + self.threshold * sent
        inside = reached < _HIGHEST
        kept = torch.cat([torch.zeros_like(v[:1]), v[:-1] * self.keep_v])
        return torch.where(inside, reached, (kept + i + bias).clamp_min(_HIGHEST)), inside

    def open(self, i: Tensor) -> Tensor:
        """Whether currents, after their decay, did not end at a limit of their register, where no more arrives."""
        return i.abs() < _HIGHEST * self.keep_i - _ROUNDING

    def slope(self, before: Tensor, how: Surrogate, width: float) -> Tensor:
        """The slope of the number of events at a voltage before its spikes."""
        relative = before / self.threshold.clamp_min(1)
        nearest = relative.round().clamp_min(1).minimum(self.most)
        slope: Tensor = how.height * how.slope(relative - nearest, width) / self.threshold.clamp_min(1)
        return slope


@dataclass(frozen=True)
class Rounded:
    """A network's integers, the surrogate and its width in thresholds.

    resets: weights by which neurons reset themselves, (hidden,). reset_gradient: gradients flow through resets as well.
    """

    network: XyloSpecification
    spike: Surrogate
    width: float
    resets: Tensor
    reset_gradient: bool = True


def run_xylo(
    x: Tensor, w_in: Tensor, w_rec: Tensor, w_out: Tensor, bias: Tensor, bias_out: Tensor, rounded: Rounded
) -> tuple[Tensor, Tensor]:
    """Events of the hidden and the output neurons, (T, B, size), for events x (T, B, inputs).

    w_*: the integers times their shift, (sources, targets), and the biases: those of `rounded`, with a gradient.
    """
    sent, sent_out = _Steps.apply(x, w_in, w_rec, w_out, bias, bias_out, rounded)
    return sent, sent_out


class _Steps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_in: Tensor, w_rec: Tensor, w_out: Tensor, bias: Tensor, bias_out: Tensor,
        rounded: Rounded,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        sent, sent_out, i, v, i_out, v_out = _emulated(x, rounded.network)
        hidden, outputs = Neurons.hidden(rounded.network), Neurons.outputs(rounded.network)
        ctx.rounded, ctx.hidden, ctx.outputs = rounded, hidden, outputs
        before, before_out = hidden.before(v, i, sent, bias), outputs.before(v_out, i_out, sent_out, bias_out)
        currents = hidden.open(i), outputs.open(i_out)
        ctx.save_for_backward(x, w_in, w_rec, w_out, sent, *currents, *before, *before_out)
        return sent, sent_out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, w_in, w_rec, w_out, sent, is_open, open_out, before, inside, before_out, inside_out = ctx.saved_tensors
        spike, width = ctx.rounded.spike, ctx.rounded.width
        through = ctx.rounded.reset_gradient
        hidden = _Backward(ctx.hidden, ctx.hidden.slope(before, spike, width), inside, is_open, through)
        outputs = _Backward(ctx.outputs, ctx.outputs.slope(before_out, spike, width), inside_out, open_out, through)
        passing = w_rec if through else w_rec - torch.diag(ctx.rounded.resets.to(w_rec))
        d_in, d_rec, d_out = torch.zeros_like(w_in), torch.zeros_like(w_rec), torch.zeros_like(w_out)
        d_bias, d_bias_out = torch.zeros_like(w_rec[0]), torch.zeros_like(w_out[0])
        d_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        # what the next step's arriving events say of this step's
        later = torch.zeros_like(sent[0])
        for t in range(len(x) - 1, -1, -1):
            arrived_out, before_o = outputs.step(gradients[1][t], t)
            arrived, before_h = hidden.step(gradients[0][t] + later, t)
            d_bias, d_bias_out = d_bias + before_h.sum(0), d_bias_out + before_o.sum(0)
            d_in += x[t].T @ arrived
            if t:
                d_rec += sent[t - 1].T @ arrived
                d_out += sent[t - 1].T @ arrived_out
            later = arrived @ passing.T + arrived_out @ w_out.T
            if d_x is not None:
                d_x[t] = arrived @ w_in.T
        return d_x, d_in, d_rec, d_out, d_bias, d_bias_out, None


class _Backward:
    """The gradients of a block's states, from the last step to the first; through: also through their resets."""

    def __init__(self, neurons: Neurons, slope: Tensor, inside: Tensor, is_open: Tensor, through: bool) -> None:
        self._neurons, self._slope, self._inside, self._open = neurons, slope, inside, is_open
        self._lost = neurons.threshold if through else torch.zeros_like(neurons.threshold)
        self._i, self._v = torch.zeros_like(slope[0]), torch.zeros_like(slope[0])

    def step(self, events: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Gradients of what arrives in a step and of p, from that of the events of this step."""
        neurons = self._neurons
        before = self._v * self._inside[t] + (events - self._lost * self._v) * self._slope[t]
        arrived = (self._i + before) * neurons.keep_i * self._open[t]
        self._v, self._i = before * neurons.keep_v, arrived
        return arrived, before


def _emulated(x: Tensor, network: XyloSpecification) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Events of the hidden and the output neurons, and i and v of both after them."""
    kernel = Kernel.of(network, (XyloHidden.MOST_EVENTS, XyloOutput.MOST_EVENTS))
    entered = np.ascontiguousarray(x.detach().cpu().numpy().astype(np.uint8))
    steps, samples, _ = entered.shape
    block = Block.empty(kernel, steps, samples, hidden=True, states=True)
    kernel.advance(entered, kernel.start(samples), steps, block)
    states, states_out = block.states, block.states_out
    arrays = block.sent, block.sent_out, states[0], states[2], states_out[0], states_out[1]
    sent, sent_out, i, v, i_out, v_out = (torch.from_numpy(a.astype(np.float32)).to(x.device) for a in arrays)
    return sent, sent_out, i, v, i_out, v_out
