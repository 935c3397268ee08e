"""Hidden and output neurons of a Xylo chip, one time step:

    i <- saturated(i + each arriving event * weight * 2**shift), event after event;   i <- i - decay(i, dash_syn)
    v <- saturated(v + saturated(saturated(i_1 + i_2 - decay(v, dash_mem)) + bias))
    n <- how often the threshold can be subtracted from v while v >= threshold, up to the most events of a step

    decay(x, dash) = x >> dash, or the sign of x where that is 0

All states are int16. Events are counts: n of them arrive as n times the weight. Source: xylosim 0.1.3 (xylosim.v2),
which the tests hold this against. A step is one of the whole network, because saturation depends on the order of the
events (exporter/xylo/kernels.py); so these neurons have no step of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikeport.exporter.neurons.base import Integers, Limits, Population, signed, unsigned
from spikeport.hardware_profiles.fixed_point import WordWidths

NO_ALIAS = -1
MOST_INPUT_EVENTS = 15
"""Events of an input channel that are delivered in one step."""


@dataclass(frozen=True)
class XyloOutput(Population):
    """Output neurons of a Xylo chip: one synapse, one event per step."""

    dash_mem: Integers
    dash_syn: Integers
    threshold: Integers
    bias: Integers

    KIND: ClassVar[str] = "xylo_output"
    INTEGERS: ClassVar[str] = "xylo"
    STATES: ClassVar[tuple[str, ...]] = ("i", "v")
    MOST_EVENTS: ClassVar[int] = 1
    """Events of a neuron in one step."""

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        return {
            "dash_mem": unsigned(widths.dv_bits),
            "dash_syn": unsigned(widths.du_bits),
            "threshold": unsigned(widths.vth_bits),
            "bias": signed(widths.bias_mant_bits),
        }


@dataclass(frozen=True)
class XyloHidden(XyloOutput):
    """Hidden neurons of a Xylo chip: two synapses, several events per step.

    alias: the hidden neuron that sends this one's events as well, counted over all hidden populations in their order,
    -1 for none.
    """

    dash_syn_2: Integers
    alias: Integers

    KIND: ClassVar[str] = "xylo_hidden"
    STATES: ClassVar[tuple[str, ...]] = ("i", "i2", "v")
    PORTS: ClassVar[tuple[str, ...]] = ("a_in", "a2_in")
    GRADED: ClassVar[bool] = True
    MOST_EVENTS: ClassVar[int] = 31

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        further = {"dash_syn_2": unsigned(widths.du_bits), "alias": (NO_ALIAS, np.iinfo(np.int16).max)}
        return {**super().registers(widths), **further}
