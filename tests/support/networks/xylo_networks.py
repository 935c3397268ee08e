"""Random Xylo networks within the chip's limits, at their edges, as hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram, Integers
from spikeport.exporter.xylo.specification import XyloSpecification, program_of
from spikeport.hardware_profiles import load_chip

STEPS = 100


@dataclass(frozen=True)
class XyloCase:
    """A network and its input (STEPS, samples, inputs)."""

    program: ChipProgram
    x: NDArray[np.uint8]


@st.composite
def xylo_cases(draw: st.DrawFn, samples: int = 2, most_hidden: int = 24) -> XyloCase:
    """Sizes, edges and densities drawn by hypothesis, the numbers between them from a seed that it draws."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs, hidden, outputs = (draw(st.integers(1, most)) for most in (16, most_hidden, 8))
    density = draw(st.sampled_from([0.1, 0.5, 1.0]))
    two, recurrent, biased, aliased = (draw(st.booleans()) for _ in range(4))
    threshold = draw(st.sampled_from([0, 1, 60, 2000, 32767]))
    dashes = draw(st.sampled_from([(0, 15), (1, 6), (0, 0), (15, 15)]))
    shifts = [draw(st.sampled_from([0, 1, 4, 7])) for _ in range(3)]

    def weights(*shape: int) -> Integers:
        extreme = random.choice([-128, -1, 1, 127], shape)
        drawn = np.where(random.random(shape) < 0.2, extreme, random.integers(-128, 128, shape))
        return np.where(random.random(shape) < density, drawn, 0).astype(np.int32)

    def register(low: int, high: int, size: int) -> Integers:
        return random.integers(low, high + 1, size).astype(np.int32)

    w_in, w_rec = weights(inputs, hidden, 2), weights(hidden, hidden, 2) * recurrent
    if not two:
        w_in[..., 1], w_rec[..., 1] = 0, 0
    alias = np.full(hidden, -1, np.int32)
    if aliased and hidden > 1:
        chosen = random.random(hidden) < 0.4
        alias[chosen] = ((np.arange(hidden) + random.integers(1, hidden, hidden)) % hidden)[chosen]
    bias = 128 * biased
    specification = XyloSpecification(
        w_in, w_rec, weights(hidden, outputs),
        *(register(*dashes, hidden) for _ in range(3)), register(threshold // 2, threshold, hidden),
        register(-bias, max(bias - 1, 0), hidden), alias,
        *(register(*dashes, outputs) for _ in range(2)), register(threshold // 2, threshold, outputs),
        register(-bias, max(bias - 1, 0), outputs), *shifts,
    )  # fmt: skip
    most, rate = draw(st.sampled_from([1, 15])), draw(st.sampled_from([0.02, 0.3, 1.0]))
    shape = (STEPS, samples, inputs)
    x = random.integers(1, most + 1, shape) * (random.random(shape) < rate)
    return XyloCase(program_of(specification, load_chip("xylo_audio2")), x.astype(np.uint8))
