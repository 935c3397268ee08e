"""FloatNetwork -> integers: one scale a population, weights on the chip's grid, thresholds exact where they can be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hardware_profiles.errors import InputError
from hardware_profiles.fixed_point import (
    STATE_UNIT,
    PopulationScale,
    WordWidths,
    decay_from_du,
    decay_from_dv,
    du_from_decay,
    dv_from_decay,
    sign_mode,
    split_bias,
    weight_grid,
)

from .float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from .program import (
    ChipProgram,
    Connection,
    ConvConnection,
    CubaLIF,
    DenseConnection,
    Integers,
    Population,
    Quantisation,
    arrival_steps,
)
from .rest import resting_voltage
from .scale import ScaleSearch, WeightMatrix
from .validate import validate


def quantise(network: FloatNetwork, chip: str, widths: WordWidths, weight_bits: int) -> ChipProgram:
    """Round a network to the chip's words; raises InputError for a network its registers cannot hold at all."""
    if not 2 <= weight_bits <= widths.weight_bits:
        raise InputError(f"weights of {weight_bits} bit: {chip} holds 2 to {widths.weight_bits} bit")
    steps = arrival_steps(network.inputs, network.connections)
    populations: list[Population] = []
    connections: list[Connection] = []
    reports: dict[str, Quantisation] = {}
    for population in network.populations:
        incoming = [c for c in network.connections if c.target == population.name]
        compiled, synapses, report = _quantise_population(
            population, incoming, steps.get(population.name, 0), widths, weight_bits
        )
        populations.append(compiled)
        connections += synapses
        reports[population.name] = report
    return validate(
        ChipProgram(
            chip=chip,
            widths=widths,
            dt=network.dt,
            inputs=network.inputs,
            populations=tuple(populations),
            connections=tuple(connections),
            outputs=network.outputs,
            quantisation=reports,
        )
    )


def _quantise_population(
    population: FloatPopulation,
    incoming: Sequence[FloatConnection],
    arrival: int,
    widths: WordWidths,
    weight_bits: int,
) -> tuple[CubaLIF, list[Connection], Quantisation]:
    du, dv = du_from_decay(population.current_decay), dv_from_decay(population.voltage_decay)
    # a rounded decay changes how much charge a spike leaves in all (weight / decay): the weights make up for it
    charge = float(np.mean(decay_from_du(du) / population.current_decay))
    wanted = [WeightMatrix(c.weights * charge, population.size // len(c.weights)) for c in incoming]
    search = ScaleSearch(population, wanted, decay_from_du(du), decay_from_dv(dv), widths, weight_bits)
    chosen, integers = search.find()
    vth = np.clip(np.rint(chosen.scale * population.threshold / STATE_UNIT), 1, widths.vth_max).astype(np.int32)
    bias_mant, bias_exp = split_bias(population.bias * chosen.scale, widths)
    rest, settled = resting_voltage(bias_mant << bias_exp, dv, vth, arrival, widths)
    compiled = CubaLIF(
        population.name, population.shape, du=du, dv=dv, vth=vth, bias_mant=bias_mant, bias_exp=bias_exp, v_initial=rest
    )
    synapses = [
        _connection(c, w, e, weight_bits) for c, w, e in zip(incoming, integers, chosen.weight_exps, strict=True)
    ]
    bound = search.current_bound(integers, chosen) / widths.state_max
    report = _report(population, compiled, [m.weights for m in wanted], integers, chosen, bound, settled)
    return compiled, synapses, report


def _connection(connection: FloatConnection, weights: Integers, weight_exp: int, weight_bits: int) -> Connection:
    mode = sign_mode(weights)
    if weights.size and weights.min() < weight_grid(mode, weight_bits).low:
        # rounding left one sign, but the lowest weight of a mixed grid is in no other
        mode = "mixed"
    common = (connection.source, connection.target, weights, weight_exp, mode, weight_bits, connection.delay)
    shape = connection.geometry
    if shape is None:
        return DenseConnection(*common)
    return ConvConnection(
        *common, shape.input_shape, shape.output_shape, shape.stride, shape.padding, shape.dilation, shape.groups
    )


def _report(
    population: FloatPopulation,
    compiled: CubaLIF,
    wanted: Sequence[Floats],
    integers: Sequence[Integers],
    chosen: PopulationScale,
    bound: float,
    settled: bool,
) -> Quantisation:
    errors = [
        (q * (STATE_UNIT * 2.0**e / chosen.scale) - w).reshape(-1)
        for w, q, e in zip(wanted, integers, chosen.weight_exps, strict=True)
    ]
    error = np.concatenate(errors) if errors else np.zeros(1)
    largest = max((float(np.abs(w).max(initial=0)) for w in wanted), default=0.0) or 1.0
    notes = []
    if chosen.weight_exps and max(int(np.abs(q).max(initial=0)) for q in integers) < 64:
        notes.append("weights fill less than a quarter of their range, because u could wrap at this fan-in")
    if not settled:
        notes.append("the negative bias acts before the first input can arrive and its start value would spike")
    return Quantisation(
        scale=chosen.scale,
        weight_error_rms=float(np.sqrt(np.mean(np.square(error)))) / largest,
        weight_error_max=float(np.abs(error).max()) / largest,
        du_error=_relative(decay_from_du(compiled.du), population.current_decay),
        dv_error=_relative(decay_from_dv(compiled.dv), population.voltage_decay),
        vth_error=_relative(compiled.vth * (STATE_UNIT / chosen.scale), population.threshold),
        bias_error=float(np.abs(compiled.bias / chosen.scale - population.bias).max() / population.threshold.max()),
        current_bound=bound,
        notes=tuple(notes),
    )


def _relative(actual: Floats, wanted: Floats) -> float:
    return float(np.max(np.abs(actual - wanted) / np.where(wanted == 0, 1, wanted)))
