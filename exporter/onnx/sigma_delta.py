"""A ReLU network as sigma-delta neurons: each sends the change of its ReLU's output, and is otherwise silent.

In integers, with p the unit of a layer's payloads and q that of its sums:

    sum <- sum + W d;   a = max(sum + b, 0);   payload: a's change, in units of p = q 2**state_exp

W = weight p_before / q is rounded. Finer weights add digits to the payloads from layer to layer (state_exp removes up
to 7), and at some depth the sums on sample input no longer fit their register. So all layers have the same largest |W|:
the largest value up to 255 at which all of them fit, in a quantised layer the largest multiple of its own integers. The
answer to a still image is exact, except for that rounding, as
soon as it has passed all layers.

Source: lava-nc 0.10.0, lava/proc/sdn; O'Connor & Welling 2016, arXiv 1611.02024.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.netx.synapses import exact, one_to_one
from spikeport.exporter.neurons import Delta, Population, Sigma, SigmaDelta
from spikeport.exporter.neurons.graded.sigma_delta import RELU, UNIT
from spikeport.exporter.onnx.operators.values import READOUT
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    DenseConnection,
    Integers,
    SparseConnection,
)
from spikeport.exporter.program.validate import validate
from spikeport.exporter.quantisation.weight_units import largest_integer
from spikeport.hardware_profiles.fixed_point import SignMode, WordWidths
from spikeport.hardware_profiles.schema import ChipProfile

from .calibration_statistics import CalibrationStatistics
from .relu_network import ReluNetwork

INPUT_LEVELS = 255
# factor by which sums may exceed those on sample input
_MARGIN = 1.5
# most levels that payloads need; the next layer's sums have the rest of the register
_SENT_LEVELS = 1023
_LARGEST_SHIFT = 7
# values of every layer's largest weight, tried one after the other
_LARGEST_WEIGHTS = sorted({round(255 * 2.0 ** (-i / 4)) for i in range(32)}, reverse=True)


@dataclass(frozen=True)
class _Units:
    """The value of 1 in sums and in payloads; shift: additional binary places of the sums."""

    sums: float
    sent: float
    shift: int


def compile_sigma_delta(
    network: ReluNetwork, statistics: CalibrationStatistics, chip: ChipProfile, threshold: int = 0
) -> tuple[ChipProgram, float]:  # fmt: skip
    """The program, with real numbers as its input and the last layer's sums as its answer, and their unit.

    threshold: changes below this many units of a payload wait. Raises InputError for what sigma-delta neurons cannot
    compute, and for a chip whose spikes carry no payload.
    """
    for relu in network.relus:
        if math.isfinite(relu.ceiling) and relu.after not in network.saturated:
            raise InputError(
                f"{network.context}: {relu.after!r} is clipped at {relu.ceiling:g}, which sigma-delta neurons cannot "
                "do; convert it rate-coded, or train with ReLU"
            )
    lowered = lower_graph(network.to_nir({}), context=network.context)
    return _Builder(network, statistics, lowered, chip, threshold).program()


class _Builder:
    """Round one population after another, from the input on."""

    def __init__(
        self,
        network: ReluNetwork,
        statistics: CalibrationStatistics,
        lowered: FloatNetwork,
        chip: ChipProfile,
        threshold: int,
    ) -> None:
        self._network, self._statistics, self._lowered, self._chip = network, statistics, lowered, chip
        self._widths: WordWidths = chip.word_widths.fixed_point()
        self._threshold = threshold
        (self._port,) = lowered.inputs
        self._scale = INPUT_LEVELS / (statistics.largest_input or 1.0)
        self._encoder = f"{self._port.name}.delta"
        self._integers = {p.name: _integer(lowered, p.name) for p in lowered.populations}
        self._populations: list[Population] = []
        self._connections: list[Connection] = []

    def program(self) -> tuple[ChipProgram, float]:
        """The validated program, and the value of 1 in its answer."""
        port = self._port
        self._populations.append(Delta.of(self._encoder, port.shape, vth=0))
        self._connections.append(one_to_one(port.name, self._encoder, port.size))
        starts = self._lowered.starts
        populations = sorted(self._lowered.populations, key=lambda p: starts[p.name])
        units = self._plan(populations)
        for population in populations:
            self._add(population, units)
        answer = f"{READOUT}.sum"
        last = self._populations[-1]
        self._populations.append(Sigma(answer, last.shape))
        self._connections.append(one_to_one(last.name, answer, last.size))
        program_of_all = ChipProgram(
            self._chip.name, self._widths, self._lowered.dt,
            (type(port)(port.name, self._network.entry.sample_shape, scale=self._scale),),
            tuple(self._populations), tuple(self._connections), (answer,),
        )  # fmt: skip
        return validate(program_of_all, self._network.context), units[READOUT].sent

    def _plan(self, populations: Sequence[FloatPopulation]) -> dict[str, _Units]:
        """Each population's units, with weights as fine as all layers allow."""
        for largest in _LARGEST_WEIGHTS:
            units = {self._port.name: _Units(1.0, 1 / self._scale, 0)}
            fits = True
            for population in populations:
                units[population.name], room = self._units_of(population, units, largest)
                fits = fits and room
            if fits:
                break
        return units

    def _add(self, population: FloatPopulation, units: Mapping[str, _Units]) -> None:
        own = units[population.name]
        for connection in self._lowered.connections:
            if connection.target == population.name:
                self._connections += self._rounded(connection, own.sums / units[connection.source].sent)
        is_answer = population.sends == "voltage"
        bias = np.rint(population.bias / own.sums).astype(np.int64).reshape(population.shape)
        self._populations.append(
            SigmaDelta.of(
                population.name, population.shape, vth=self._threshold << own.shift, bias=bias, state_exp=own.shift,
                act_mode=UNIT if is_answer else RELU,
            )
        )  # fmt: skip

    def _units_of(
        self, population: FloatPopulation, units: Mapping[str, _Units], largest: int
    ) -> tuple[_Units, bool]:  # fmt: skip
        """Units at which the largest weight is `largest`, or less if sums need the room; and whether they do not."""
        incoming = [c for c in self._lowered.connections if c.target == population.name]
        sums, sent = self._ranges()[population.name]
        weights = max((_largest(c) * units[c.source].sent for c in incoming), default=0.0)
        integer = self._integers[population.name]
        weights /= largest // integer * integer or largest
        # the register holds sums and biases with a margin
        room = _MARGIN * max(sums, float(np.abs(population.bias).max())) / self._widths.state_max
        unit = max(weights, room, 1e-30)
        if population.sends == "voltage":
            return _Units(unit, unit, 0), weights >= room
        levels = max(sent, 1e-30) / unit
        shift = int(np.clip(math.floor(math.log2(max(levels / _SENT_LEVELS, 1))), 0, _LARGEST_SHIFT))
        return _Units(unit, unit * 2.0**shift, shift), weights >= room

    def _ranges(self) -> Mapping[str, tuple[float, float]]:
        """The largest |sum| and output of each population on sample input."""
        of_relus = {
            r.node: (self._statistics.sums[r.after], self._statistics.outputs[r.after]) for r in self._network.relus
        }
        return {**of_relus, READOUT: (self._statistics.largest_output, self._statistics.largest_output)}

    def _rounded(self, connection: FloatConnection, unit: float) -> list[Connection]:
        """The connection's weights in units of `unit`, as one connection or as one of each sign."""
        source = self._encoder if connection.source == self._port.name else connection.source
        others: dict[str, Any] = {"axonal_delays": connection.axonal_delays, "synapse": connection.synapse}
        ends, geometry = (source, connection.target), connection.geometry
        sparse = connection.weights if isinstance(connection.weights, csr_array) else None
        values = np.asarray(connection.weights if sparse is None else sparse.data)

        def make(weights: Integers, exponent: int, mode: SignMode) -> Connection:
            common = (*ends, weights, exponent, mode, 8, connection.delay)
            if geometry is not None:
                return ConvConnection(
                    *common, geometry.input_shape, geometry.output_shape, geometry.stride, geometry.padding,
                    geometry.dilation, geometry.groups, **others,
                )  # fmt: skip
            if sparse is not None:
                indices, indptr = sparse.indices.astype(np.int32), sparse.indptr.astype(np.int64)
                return SparseConnection(*common, indices, indptr, **others)
            return DenseConnection(*common, **others)

        integers = np.clip(np.rint(values / unit), -255, 255).astype(np.int32)
        return exact(f"{self._network.context}: {connection.target!r}", integers, make, shifts=False)


def _integer(network: FloatNetwork, name: str) -> int:
    """The largest integer of a quantised layer's weights, 1 for others and where several synapses lead to it."""
    incoming = [c for c in network.connections if c.target == name]
    return (largest_integer(_values(incoming[0])) or 1) if len(incoming) == 1 else 1


def _largest(connection: FloatConnection) -> float:
    return float(np.abs(_values(connection)).max(initial=0))


def _values(connection: FloatConnection) -> NDArray[Any]:
    weights = connection.weights
    return np.asarray(weights.data if isinstance(weights, csr_array) else weights)
