"""Neurons with the chip's step: same order, same reset, same strict comparison."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError

from .chip_step import ChipRun, chip_fire, chip_fire_recurrent, slopes_through_reset, slopes_without_reset
from .dynamics import (
    filter_current,
    fire_stepwise,
    integrate_and_fire_over,
    integrate_recurrent_from,
    reset_apart,
    reset_through,
)
from .fire_normalised import fire_normalised, normalise, supports_norm
from .quantise import ChipScale, LayerTensors
from .surrogates import Surrogate, surrogate


class Decay(nn.Module):
    """A fraction lost per step, 0..1: fixed, or trained as the sigmoid of a free parameter.

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

    u[t] = u[t-1] (1 - current_decay) + a[t];  v[t] = v[t-1] (1 - voltage_decay) + u[t]
    s[t] = v[t] > threshold;  v[t] = 0 where s[t]

    current_decay, voltage_decay: fractions of u and v lost per step; threshold: in units of v. Each is a number or a
    tensor that broadcasts over the neurons. trainable: train both decays through a sigmoid. reset_gradient: gradients
    flow through the reset as well, which takes a pass in torch operations. Input a and output s have shape
    (T, B, *neurons).
    Source of the step: lava-nc 0.10.0, lava/proc/lif/models.py, in fractions instead of integers.
    """

    # the threshold, under the name that saved networks use
    vth: Tensor
    # state by name after the last segment of a sequence, for the next one (gradient_checkpointing.py); None: from rest
    carried: dict[str, Tensor] | None = None

    def __init__(
        self,
        current_decay: float | Tensor,
        voltage_decay: float | Tensor,
        threshold: float | Tensor = 1.0,
        spike: Surrogate | None = None,
        width: float = 0.5,
        trainable: bool = False,
        reset_gradient: bool = False,
    ) -> None:
        super().__init__()
        value = torch.as_tensor(threshold, dtype=torch.get_default_dtype()).detach().clone()
        if not bool((value > 0).all()):
            raise InputError(f"a threshold must be above 0, not {threshold}")
        self.current_decay = Decay(current_decay, trainable)
        self.voltage_decay = Decay(voltage_decay, trainable)
        self.register_buffer("vth", value)
        self.spike = spike or surrogate("atan")
        self.width = width
        self.reset_gradient = reset_gradient

    @property
    def threshold(self) -> Tensor:
        """The threshold in units of v; saved as "vth"."""
        return self.vth

    def current(self, synaptic_input: Tensor, current_decay: Tensor) -> Tensor:
        """The neuron's current u for a whole sequence, with the given decay (its own, or as rounded to the chip)."""
        if self.carried is None:
            return filter_current(synaptic_input, current_decay)
        current = filter_current(synaptic_input, current_decay, self.carried.get("u"))
        # a copy: a view would keep the whole segment in memory
        self.carried["u"] = current[-1].clone()
        return current

    def fire(self, current: Tensor, voltage_decay: Tensor, threshold: Tensor, bias: Tensor | None = None) -> Tensor:
        """Spikes for the current into v over a whole sequence, with the given decay, threshold and bias (default 0).

        current: is overwritten, see dynamics.integrate_and_fire_over.
        """
        start = self.carried.get("v") if self.carried else None
        if self.reset_gradient:
            entered = current if bias is None else current + bias
            keep = 1 - voltage_decay
            spikes, voltage = fire_stepwise(entered, keep, threshold, self.spike, self.width, start, reset_through)
        else:
            spikes, voltage = integrate_and_fire_over(
                start, current, voltage_decay, threshold, self.spike, self.width, bias
            )
        if self.carried is not None:
            self.carried["v"] = voltage
        return spikes

    def fire_normalised(self, current: Tensor, norm: nn.BatchNorm1d | nn.BatchNorm2d, voltage_decay: Tensor) -> Tensor:
        """Spikes for a current that batch norm, gathering statistics, takes on its way into v."""
        keep, threshold = 1 - voltage_decay, self.threshold
        apart = self.carried is None and not self.reset_gradient
        if apart and supports_norm(current, norm, self.spike, keep, threshold):
            return fire_normalised(current, norm, keep, threshold, self.spike, self.width)
        return self.fire(normalise(current, norm), voltage_decay, threshold)

    def fire_recurrent(
        self, current: Tensor, weights: Tensor, current_decay: Tensor, voltage_decay: Tensor, threshold: Tensor
    ) -> Tensor:
        """As `fire`, for neurons that read each other's spikes through `weights`; see dynamics.integrate_recurrent."""
        start = None
        if self.carried and "s" in self.carried:
            start = self.carried["r"], self.carried["v"], self.carried["s"]
        spikes, states = integrate_recurrent_from(
            start, current, weights, current_decay, voltage_decay, threshold, self.spike, self.width,
            reset_through if self.reset_gradient else reset_apart,
        )  # fmt: skip
        if self.carried is not None:
            self.carried["r"], self.carried["v"], self.carried["s"] = states
        return spikes

    def run_chip(self, synaptic_input: Tensor, layer: LayerTensors, chip: ChipScale) -> ChipRun:
        """Run in the chip's integers; synaptic_input: summed over the synapses from other layers, whole numbers."""
        carried, start = self.carried or {}, None
        if carried:
            start = carried["u"], carried["v"]
        elif self.carried is not None:
            rest = torch.zeros_like(synaptic_input[0])
            start = rest, rest
        slopes = slopes_through_reset if self.reset_gradient else slopes_without_reset
        if layer.recurrent is None:
            run = chip_fire(synaptic_input, layer, chip, self.spike, self.width, start, slopes)
        else:
            run = chip_fire_recurrent(
                synaptic_input, layer, chip, self.spike, self.width, start, carried.get("s"), slopes
            )
        if self.carried is not None and run.state is not None:
            self.carried["u"], self.carried["v"] = run.state
            if layer.recurrent is not None:
                self.carried["s"] = run.spikes[-1].clone()
        return run

    def forward(self, synaptic_input: Tensor) -> Tensor:
        """Spikes for the synaptic input a, both (T, B, *neurons)."""
        current = self.current(synaptic_input.clone(), self.current_decay())
        return self.fire(current, self.voltage_decay(), self.threshold)


class LIF(CubaLIF):
    """Leaky integrate-and-fire neuron without a synaptic filter: CubaLIF with current_decay = 1, so u[t] = a[t].

    v[t] = v[t-1] (1 - voltage_decay) + a[t];  s[t] = v[t] > threshold;  v[t] = 0 where s[t]
    """

    def __init__(
        self,
        voltage_decay: float | Tensor,
        threshold: float | Tensor = 1.0,
        spike: Surrogate | None = None,
        width: float = 0.5,
        trainable: bool = False,
        reset_gradient: bool = False,
    ) -> None:
        super().__init__(1.0, voltage_decay, threshold, spike, width, reset_gradient=reset_gradient)
        self.voltage_decay = Decay(voltage_decay, trainable)

    def current(self, synaptic_input: Tensor, current_decay: Tensor) -> Tensor:  # noqa: ARG002
        """The synaptic input itself: u has no memory."""
        return synaptic_input
