"""A network rounded for a Xylo chip, with the float network that it was made from, and its specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikeport.exporter.neurons.xylo.neurons import NO_ALIAS

from .layout import Layout
from .rounding import FloatBlock, RoundedBlock
from .specification import XyloSpecification


@dataclass(frozen=True)
class RoundedNetwork:
    """Hidden and output neurons (`hidden`, `outputs`) before and after rounding.

    basis: the sample that they were tried on, in words.
    """

    layout: Layout
    floats: Mapping[str, FloatBlock]
    rounded: Mapping[str, RoundedBlock]
    basis: str

    @property
    def specification(self) -> XyloSpecification:
        """The network as the chip holds it."""
        return specification(self.floats, self.rounded)


def specification(floats: Mapping[str, FloatBlock], rounded: Mapping[str, RoundedBlock]) -> XyloSpecification:
    """The network of both rounded blocks; the second synapses are left empty."""
    hidden, outputs = rounded["hidden"], rounded["outputs"]
    decays, decays_out = floats["hidden"].decays, floats["outputs"].decays
    one = {name: hidden.weights[name].T[..., None] for name in ("in", "rec")}
    return XyloSpecification(
        weights_in=np.concatenate([one["in"], np.zeros_like(one["in"])], axis=2),
        weights_rec=np.concatenate([one["rec"], np.zeros_like(one["rec"])], axis=2),
        weights_out=outputs.weights["out"].T,
        dash_mem=decays.dash_mem,
        dash_syn=decays.dash_syn,
        dash_syn_2=decays.dash_syn,
        threshold=hidden.threshold,
        bias=hidden.bias,
        aliases=np.full(len(hidden.threshold), NO_ALIAS, np.int32),
        dash_mem_out=decays_out.dash_mem,
        dash_syn_out=decays_out.dash_syn,
        threshold_out=outputs.threshold,
        bias_out=outputs.bias,
        weight_shift_in=_shift(hidden, "in"),
        weight_shift_rec=_shift(hidden, "rec"),
        weight_shift_out=_shift(outputs, "out"),
    )


def _shift(block: RoundedBlock, matrix: str) -> int:
    """The shift of a matrix; one without synapses has none."""
    return int(block.shifts[matrix]) if block.weights[matrix].any() else 0
