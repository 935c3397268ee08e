"""Neurons whose step is the chip's step: same order, same reset, same strict comparison."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError

from .chip_step import ChipRun, chip_fire, chip_fire_recurrent
from .dynamics import filter_current, integrate_and_fire_over, integrate_recurrent_from
from .quantise import ChipScale, LayerTensors
from .surrogates import Surrogate, surrogate


class Decay(nn.Module):
    """A fraction lost a step, 0..1: fixed, or trained as the sigmoid of a free parameter.

    value: a number (one for the layer) or a tensor that broadcasts over the layer's neurons.
    Raises InputError for a value outside 0..1 (fixed) or outside the open interval (trainable).
    """

    fixed: Tensor | None
    logit: nn.Parameter | None

    def __init__(self, value: float | Tensor, trainable: bool = False) -> None:
        super().__init__()
        fraction = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
        inside = (fraction > 0) & (fraction < 1) if trainable else (fraction >= 0) & (fraction <= 1)
        if not bool(inside.all()):
            interval = "between 0 and 1, both excluded, to be trained" if trainable else "between 0 and 1"
            raise InputError(f"a decay is a fraction {interval}, not {value}")
        self.register_buffer("fixed", None if trainable else fraction)
        self.logit = nn.Parameter(torch.logit(fraction)) if trainable else None

    def forward(self) -> Tensor:
        """The fraction as a tensor, differentiable if it is trained."""
        return torch.sigmoid(self.logit) if self.logit is not None else cast(Tensor, self.fixed)


class CubaLIF(nn.Module):
    """Leaky integrate-and-fire neuron with a synaptic filter (current based).

    u[t] = u[t-1] (1 - du) + a[t];  v[t] = v[t-1] (1 - dv) + u[t];  s[t] = v[t] > vth;  v[t] = 0 where s[t]

    du, dv: fractions lost a step; vth: threshold in units of v. Each is a number or a tensor that broadcasts over the
    neurons. trainable: train du and dv through a sigmoid. Input a and output s have shape (T, B, *neurons).
    Source of the step: lava-nc 0.10.0, lava/proc/lif/models.py, in fractions instead of integers.
    """

    vth: Tensor
    # state after the last sequence by name, where the next one shall go on from it (stretches.py); None: from rest
    carried: dict[str, Tensor] | None = None

    def __init__(
        self,
        du: float | Tensor,
        dv: float | Tensor,
        vth: float | Tensor = 1.0,
        spike: Surrogate | None = None,
        width: float = 0.5,
        trainable: bool = False,
    ) -> None:
        super().__init__()
        threshold = torch.as_tensor(vth, dtype=torch.get_default_dtype()).detach().clone()
        if not bool((threshold > 0).all()):
            raise InputError(f"a threshold must be above 0, not {vth}")
        self.current_decay = Decay(du, trainable)
        self.voltage_decay = Decay(dv, trainable)
        self.register_buffer("vth", threshold)
        self.spike = spike or surrogate("atan")
        self.width = width

    def current(self, synaptic_input: Tensor, du: Tensor) -> Tensor:
        """The neuron's current u for a whole sequence, with the decay `du` (its own, or that rounded to the chip)."""
        if self.carried is None:
            return filter_current(synaptic_input, du)
        current = filter_current(synaptic_input, du, self.carried.get("u"))
        # a copy: a view would keep the whole stretch in memory
        self.carried["u"] = current[-1].clone()
        return current

    def fire(self, current: Tensor, dv: Tensor, vth: Tensor, bias: Tensor | None = None) -> Tensor:
        """Spikes for what enters v over a whole sequence, with the given decay, threshold and bias (0 without).

        current: nothing else may read it, see dynamics.integrate_and_fire_over.
        """
        start = self.carried.get("v") if self.carried else None
        spikes, end = integrate_and_fire_over(start, current, dv, vth, self.spike, self.width, bias)
        if self.carried is not None:
            self.carried["v"] = end
        return spikes

    def fire_recurrent(self, current: Tensor, weights: Tensor, du: Tensor, dv: Tensor, vth: Tensor) -> Tensor:
        """The same where neurons also read each other's spikes through `weights`; see dynamics.integrate_recurrent."""
        start = None
        if self.carried and "s" in self.carried:
            start = self.carried["r"], self.carried["v"], self.carried["s"]
        spikes, end = integrate_recurrent_from(start, current, weights, du, dv, vth, self.spike, self.width)
        if self.carried is not None:
            self.carried["r"], self.carried["v"], self.carried["s"] = end
        return spikes

    def run_chip(self, arriving: Tensor, layer: LayerTensors, chip: ChipScale) -> ChipRun:
        """The same in the chip's integers, for what its synapses from other layers sum up to, whole numbers."""
        carried = self.carried or {}
        start = (carried["u"], carried["v"]) if carried else None
        if layer.recurrent is None:
            run = chip_fire(arriving, layer, chip, self.spike, self.width, start)
        else:
            run = chip_fire_recurrent(arriving, layer, chip, self.spike, self.width, start, carried.get("s"))
        if self.carried is not None:
            self.carried["u"], self.carried["v"] = run.u, run.v
            if layer.recurrent is not None:
                self.carried["s"] = run.spikes[-1].clone()
        return run

    def forward(self, synaptic_input: Tensor) -> Tensor:
        """Spikes for the synaptic input a, both (T, B, *neurons)."""
        current = self.current(synaptic_input.clone(), self.current_decay())
        return self.fire(current, self.voltage_decay(), self.vth)


class LIF(CubaLIF):
    """Leaky integrate-and-fire neuron without a synaptic filter: CubaLIF with du = 1, so u[t] = a[t].

    v[t] = v[t-1] (1 - dv) + a[t];  s[t] = v[t] > vth;  v[t] = 0 where s[t]
    """

    def __init__(
        self,
        dv: float | Tensor,
        vth: float | Tensor = 1.0,
        spike: Surrogate | None = None,
        width: float = 0.5,
        trainable: bool = False,
    ) -> None:
        super().__init__(1.0, dv, vth, spike, width)
        self.voltage_decay = Decay(dv, trainable)

    def current(self, synaptic_input: Tensor, du: Tensor) -> Tensor:  # noqa: ARG002
        """The synaptic input itself: nothing of u outlasts its step."""
        return synaptic_input
