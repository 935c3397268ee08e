"""The float network's answers, at the steps that answer the input."""

from __future__ import annotations

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays
from spikeport.lava_runtime.inputs import check_input, steps_and_samples

# values of the float network that are held at once
_GROUP = 1 << 24


def float_output(
    graph: nir.NIRGraph, options: CompileOptions, program: ChipProgram, x: InputArrays, name: str
) -> NDArray[np.float64]:
    """The float network's first output, (steps of x, N, outputs); program: compiled from the graph, which is `name`.

    The float network has Loihi's timing, one step for each connection, whatever the chip.
    """
    lowered = lower_graph(graph, options, name)
    inputs = check_input(program, x)
    fed, samples = steps_and_samples(x)
    output = program.outputs[0]
    first = program.latency.get(output, 0) if program.integers == "loihi" else lowered.starts[output]
    steps = fed + max(first, program.pipeline_steps)
    size = max(1, _GROUP // (steps * sum(p.size for p in lowered.populations)))
    parts = []
    for start in range(0, samples, size):
        part = {port: values[:, start : start + size].astype(np.int32) for port, values in inputs.items()}
        sent = simulate_float(lowered, part, steps).spikes[output]
        window = sent[first : first + fed]
        parts.append(window.reshape(*window.shape[:2], -1).astype(np.float64))
    return np.concatenate(parts, axis=1)
