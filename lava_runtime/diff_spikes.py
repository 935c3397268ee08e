"""Float against a chip whose integers are not Loihi's: where the spikes differ, layer by layer.

Each layer is compared from its first answer on: the float network has Loihi's timing, one step for each connection, a
chip of its own may be faster. A neuron that sends several events in a step counts as one that spikes. What rounding
causes the difference is known for Loihi's integers only (diff.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays

from .diff import diff, differs, first_divergence
from .diff_report import WINNER, Answer, DiffReport, LayerDifference, joined_reports
from .inputs import check_input, slice_samples, steps_and_samples
from .simulate import simulate

# values of both networks that are held at once
_GROUP = 1 << 24

Sent = dict[str, NDArray[np.bool_]]


def compare_networks(
    network: FloatNetwork,
    program: ChipProgram,
    x: InputArrays,
    context: str = "input",
    progress: Callable[[int, int], None] | None = None,
    answer: Answer = WINNER,
) -> DiffReport:
    """Compare a network with the program compiled from it, with causes where they are known; raises InputError.

    Arguments and result as those of diff.diff.
    """
    compare = diff if program.integers == "loihi" else diff_spikes
    return compare(network, program, x, context, progress, answer)


def diff_spikes(
    network: FloatNetwork,
    program: ChipProgram,
    x: InputArrays,
    context: str = "input",
    progress: Callable[[int, int], None] | None = None,
    answer: Answer = WINNER,
) -> DiffReport:
    """Compare a network with the program compiled from it on x (time, batch, *input shape); raises InputError.

    Arguments and result as those of diff.diff, without causes.
    """
    check_input(program, x, context)
    length, batch = steps_and_samples(x)
    size = max(1, _GROUP // (length * sum(p.size for p in network.populations)))
    reports = []
    for start in range(0, batch, size):
        reports.append(_diff_group(network, program, slice_samples(x, start, start + size), start, answer))
        if progress is not None:
            progress(min(batch, start + size), batch)
    report = reports[0]
    for other in reports[1:]:
        report = joined_reports(report, other)
    return report


def _diff_group(network: FloatNetwork, program: ChipProgram, x: InputArrays, start: int, answer: Answer) -> DiffReport:
    length, batch = steps_and_samples(x)
    chip, wanted = _on_chip(network, program, x), _in_float(network, program, x)
    layers = tuple(_layer(p, chip[p.name], wanted[p.name], start) for p in network.populations)
    outputs = [layer for layer in layers if layer.name in program.outputs]
    first = program.outputs[0]
    return DiffReport(
        chip=program.chip,
        samples=batch,
        steps=length,
        same_winners=int(answer.same(chip[first], wanted[first]).sum()),
        compared=sum(layer.compared for layer in outputs),
        differing=sum(layer.differing for layer in outputs),
        layers=layers,
        causes={},
        answer=answer.words,
    )


def _on_chip(network: FloatNetwork, program: ChipProgram, x: InputArrays) -> Sent:
    """Whether each neuron sends events in each step that answers the input, (steps, batch, size)."""
    length, _ = steps_and_samples(x)
    latest = max(program.latency.get(p.name, 0) for p in network.populations)
    run = simulate(program, x, steps=length + latest, record="layers")
    sent = {}
    for population in network.populations:
        first = program.latency.get(population.name, 0)
        values = run.states[f"s/{population.name}"][first : first + length]
        sent[population.name] = values.reshape(*values.shape[:2], population.size) != 0
    return sent


def _in_float(network: FloatNetwork, program: ChipProgram, x: InputArrays) -> Sent:
    """The same of the float network."""
    length, _ = steps_and_samples(x)
    inputs = {name: values.astype(np.int32) for name, values in check_input(program, x).items()}
    starts = network.starts
    spikes: dict[str, NDArray[Any]] = dict(simulate_float(network, inputs, length + max(starts.values())).spikes)
    return {name: values[starts[name] : starts[name] + length] for name, values in spikes.items()}


def _layer(
    population: FloatPopulation, ours: NDArray[np.bool_], theirs: NDArray[np.bool_], start: int
) -> LayerDifference:
    different = differs(ours, theirs)
    return LayerDifference(
        name=population.name,
        neurons=population.size,
        compared=different.size,
        first=first_divergence(ours, theirs, population.shape, start),
        differing=int(np.count_nonzero(different)),
        float_spikes=int(theirs.sum()),
        chip_spikes=int(ours.sum()),
        u_peak=0.0,
        u_beyond=0,
        v_limited=0,
        has_registers=False,
    )
