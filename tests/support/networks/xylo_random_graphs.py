"""Random graphs within a Xylo chip's sizes, as hypothesis draws them."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from hypothesis import strategies as st

from spikeport.exporter.compile_options import CompileOptions

from .xylo_graphs import chain, cuba, lif, random_weights


@st.composite
def random_graphs(draw: st.DrawFn) -> tuple[nir.NIRGraph, CompileOptions]:
    """Chains of LIF and CubaLIF layers of any time constants, with a sample for calibration in some."""
    seed, depth = draw(st.integers(0, 2**16)), draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 16)), *(draw(st.integers(1, 20)) for _ in range(depth - 1)), draw(st.integers(1, 8))]
    slow = st.floats(1, 200)
    neurons = [
        cuba(n, draw(slow), draw(slow)) if draw(st.booleans()) else lif(n, draw(slow), threshold=draw(slow))
        for n in sizes[1:]
    ]
    reset: Any = draw(st.sampled_from(["zero", "subtract", "subtract_after_decay"]))
    x = np.random.default_rng(1).binomial(1, 0.2, (50, 3, sizes[0])) if draw(st.booleans()) else None
    bits = draw(st.sampled_from([None, 2, 4]))
    graph = chain(neurons, random_weights(sizes, draw(st.floats(0.05, 20)), seed))
    return graph, CompileOptions(reset=reset, calibration=x, weight_bits=bits)
