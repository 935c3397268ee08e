"""The answer of a rate-coded network: sums of one step, which accumulators without threshold add up.

An integrator of type CubaLI shifts its input by 6 bits, so v holds the sum of few steps only: each doubling of the
steps would cost a bit of weight. Here the last layer keeps no memory and sends its sum as a payload, which a Sigma
neuron adds up in a whole register:

    v <- u + bias;   payload: toward_zero(v / 2**shift);   sigma <- sigma + payload

The bias acts from the first step on; compartments that send once take back what it sent before the first input arrived.

Source: lava-nc 0.10.0, lava/proc/sdn, Sigma.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.netx.synapses import one_to_one
from spikeport.exporter.neurons import CubaLI, Sigma
from spikeport.exporter.onnx.operators.values import READOUT
from spikeport.exporter.program.chip_program import ChipProgram, Connection, Integers
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY

# factor by which an answer may exceed those on sample input
_MARGIN = 1.5
# largest payload that is sent once, and largest weight that multiplies it
_ONCE, _WEIGHT = 2047, 255


def without_memory(network: FloatNetwork) -> FloatNetwork:
    """The network whose readout has the last step's sum as its voltage, with its bias from the first step on."""
    populations = tuple(
        replace(p, voltage_decay=np.ones(p.size), start=0) if p.name == READOUT else p for p in network.populations
    )
    return replace(network, populations=populations)


def with_sums(program: ChipProgram, steps: int, largest: float, context: str) -> ChipProgram:
    """The program with accumulators after its readout, which hold `steps` steps of answers up to `largest`.

    Payloads lose only the binary places for which the accumulators' register has no room.
    """
    if READOUT not in program.latency:
        raise InputError(f"{context}: its output is the same for every input; train or export it again")
    readout, widths = _readout(program), program.widths
    room = widths.state_max / (_MARGIN * steps * max(largest, 1e-30) * program.quantisation[READOUT].scale)
    shift = max(0, math.ceil(-math.log2(room)), int(readout.shift.max(initial=0)))
    readout = replace(readout, shift=np.full(readout.size, shift, np.int32))
    sums = Sigma(f"{READOUT}.sum", readout.shape)
    populations = [readout if p.name == READOUT else p for p in program.populations]
    connections = [*program.connections, one_to_one(READOUT, sums.name, readout.size)]
    early = _sent_early(readout, program.latency[READOUT])
    if early.any():
        start, weights, exponent = _sent_once(readout.shape, -early)
        populations.append(start)
        connections.append(_one_to_one(start.name, sums.name, weights, exponent))
    complete = replace(
        program, populations=(*populations, sums), connections=tuple(connections), outputs=(sums.name,)
    )  # fmt: skip
    return validate(complete, context)


def unit_of(program: ChipProgram) -> float:
    """The answer that a sum of 1 in one step represents."""
    return float(2.0 ** int(_readout(program).shift.max(initial=0)) / program.quantisation[READOUT].scale)


def _readout(program: ChipProgram) -> CubaLI:
    readout = program.population(READOUT)
    assert isinstance(readout, CubaLI)  # quantise makes one of every population that sends its voltage
    return readout


def _sent_early(readout: CubaLI, start: int) -> Integers:
    """The sum of the payloads that the bias sends before the first input can arrive."""
    nothing: Integers = np.zeros(readout.size, np.int32)
    total, states = nothing.copy(), {"u": nothing, "v": readout.v_initial}
    for step in range(start):
        total += readout.plain_step(step, states, (nothing,))
    return total


def _sent_once(shape: tuple[int, ...], values: Integers) -> tuple[CubaLI, Integers, int]:
    """Compartments that send a payload in step 0 and nothing later, and weights and exponent by which it is `values`.

    v starts at 4096 times the payload, and a decay of 4095 leaves 1 / 4096 of it in the first step.
    """
    largest = int(np.abs(values).max())
    exponent = max(0, math.ceil(math.log2(largest / (_ONCE * _WEIGHT))))
    weights = np.clip(-(-np.abs(values) // (_ONCE << exponent)), 1, _WEIGHT)
    payloads = np.rint(values / (weights << exponent)).astype(np.int64)
    no_memory = {"du": DECAY_UNITY - 1, "dv": DECAY_UNITY - 1, "shift": 0}
    v_initial = (payloads * DECAY_UNITY).reshape(shape)
    return CubaLI.of(f"{READOUT}.start", shape, **no_memory, v_initial=v_initial), weights, exponent


def _one_to_one(source: str, target: str, weights: Integers, exponent: int) -> Connection:
    connection = one_to_one(source, target, len(weights))
    return replace(connection, weights=weights.astype(np.int32), weight_exp=exponent)
