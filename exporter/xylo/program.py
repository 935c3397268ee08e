"""A rounded network as a ChipProgram: one population and one connection for each of the float network's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.neurons.xylo.neurons import NO_ALIAS, XyloHidden, XyloOutput
from spikeport.exporter.program.chip_program import ChipProgram, Connection, Quantisation
from spikeport.hardware_profiles.schema import ChipProfile

from .rounded_network import RoundedNetwork
from .rounding import FloatBlock, RoundedBlock
from .specification import ENDS, synapses

# a response that is off by more than this gets a note
_HIGHEST = 32767
_OFF = 0.02


def assemble(network: FloatNetwork, rounded: RoundedNetwork, chip: ChipProfile) -> ChipProgram:
    """The program of a rounded network."""
    placed = [(kind, p) for kind in ("hidden", "outputs") for p in getattr(rounded.layout, kind)]
    return ChipProgram(
        chip=chip.name,
        widths=chip.word_widths.fixed_point(),
        dt=network.dt,
        inputs=network.inputs,
        populations=tuple(_population(p, rounded, kind) for kind, p in placed),
        connections=tuple(_connections(rounded, network)),
        outputs=network.outputs,
        quantisation={p.name: _report(p, rounded, kind, network.outputs) for kind, p in placed},
    )


def _population(population: FloatPopulation, rounded: RoundedNetwork, kind: str) -> XyloOutput:
    own = rounded.layout.places[kind][population.name]
    block, decays = rounded.rounded[kind], rounded.floats[kind].decays
    constants = {
        "dash_mem": decays.dash_mem[own],
        "dash_syn": decays.dash_syn[own],
        "threshold": block.threshold[own],
        "bias": block.bias[own],
    }
    if kind == "outputs":
        return XyloOutput(population.name, population.shape, **constants)
    return XyloHidden(
        population.name, population.shape, **constants, dash_syn_2=decays.dash_syn[own],
        alias=np.full(population.size, NO_ALIAS, np.int32),
    )  # fmt: skip


def _connections(rounded: RoundedNetwork, network: FloatNetwork) -> Iterator[Connection]:
    """A connection for each pair of nodes with weights between them, in the order of the targets."""
    names = {(c.source, c.target): c.synapse for c in reversed(network.connections)}
    for kind, (source_kind, target_kind) in ENDS.items():
        block = rounded.rounded["outputs" if kind == "out" else "hidden"]
        places = rounded.layout.places
        for target, rows in places[target_kind].items():
            for source, columns in places[source_kind].items():
                weights = block.weights[kind][rows, columns]
                if weights.any():
                    delay = 0 if kind == "in" else 1
                    name = names.get((source, target)) or f"{target}.{'reset' if source == target else 'bias'}"
                    yield synapses(source, target, weights, block.shifts[kind], delay, synapse=name)


def _report(population: FloatPopulation, rounded: RoundedNetwork, kind: str, outputs: tuple[str, ...]) -> Quantisation:
    own = rounded.layout.places[kind][population.name]
    block, given = rounded.rounded[kind], rounded.floats[kind]
    scale = block.scale[own]
    errors = np.concatenate([_weight_errors(block, given, name, own) for name in given.weights], axis=1)
    largest = max((float(np.abs(w[own]).max(initial=0)) for w in given.weights.values()), default=0.0) or 1.0
    current, voltage = _lost(given, own)
    bias_error = np.abs(block.bias[own] / scale - given.bias[own])
    return Quantisation(
        scale=float(np.median(scale)),
        weight_error_rms=float(np.sqrt(np.mean(errors**2))) / largest if errors.size else 0.0,
        weight_error_max=float(np.abs(errors).max(initial=0)) / largest,
        du_error=_relative(current, population.current_decay),
        dv_error=_relative(voltage, population.voltage_decay),
        vth_error=_relative((block.threshold[own] - 0.5) / scale, population.threshold),
        bias_error=float(bias_error.max() / population.threshold.max()),
        current_bound=0.0,
        notes=tuple(_notes(population, rounded, kind, outputs)),
        bound_basis=rounded.basis,
    )


def _weight_errors(block: RoundedBlock, given: FloatBlock, name: str, own: slice) -> Floats:
    stored = block.weights[name][own] * 2.0 ** block.shifts[name] / block.scale[own, None]
    errors: Floats = stored - given.weights[name][own]
    return errors


def _lost(given: FloatBlock, own: slice) -> tuple[Floats, Floats]:
    """What current and voltage lose in a step; a direct neuron's synapse is its membrane."""
    syn, mem = (2.0 ** -d[own].astype(np.float64) for d in (given.decays.dash_syn, given.decays.dash_mem))
    direct = given.direct[own]
    return np.where(direct, 1, syn), np.where(direct, syn, mem)


def _relative(actual: Floats, target: Floats) -> float:
    return float(np.max(np.abs(actual - target) / np.where(target == 0, 1, target)))


def _notes(population: FloatPopulation, rounded: RoundedNetwork, kind: str, outputs: tuple[str, ...]) -> Iterator[str]:
    own = rounded.layout.places[kind][population.name]
    off = float(rounded.floats[kind].decays.error[own].max())
    driven = any(weights[own].any() for weights in rounded.floats[kind].weights.values())
    if not driven:
        yield "it fires in every step and carries the biases of others"
        return
    if off > _OFF:
        yield f"what a spike does to v is up to {off:.0%} off, because the chip's decays are powers of two"
    # v ends at the largest threshold, so that subtracting it leaves 0
    subtracts = int(rounded.rounded[kind].threshold[own].min()) < _HIGHEST
    if population.reset != "subtract" and subtracts:
        several = ", and several may be sent in one step" if kind == "hidden" else ""
        yield f"a spike subtracts the threshold from v on this chip{several}"
    if kind == "hidden" and population.name in outputs:
        yield "its spikes are read from hidden neurons, because output neurons listen to hidden neurons alone"
