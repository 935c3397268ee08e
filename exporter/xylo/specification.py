"""A Xylo network as the chip holds it: one reservoir of hidden neurons and a readout, whatever layers it was made of.

The names are those of Rockpool's specification (rockpool.devices.xylo.syns61201.config_from_specification).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.neurons.xylo.neurons import XyloHidden, XyloOutput
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    DenseConnection,
    InputPort,
    Integers,
    SparseConnection,
)
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.schema import ChipProfile

_SHARED = ("dash_mem", "dash_syn", "threshold", "bias")
ENDS = {"in": ("inputs", "hidden"), "rec": ("hidden", "hidden"), "out": ("hidden", "outputs")}
"""The chip's three weight matrices, each with one shift, and what they connect."""
SYNAPSES = len(XyloHidden.PORTS)
"""Synapses of a hidden neuron."""
_SHAPES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("threshold", "bias", "dash_mem", "dash_syn", "dash_syn_2", "aliases"), ("hidden",)),
    **dict.fromkeys(("threshold_out", "bias_out", "dash_mem_out", "dash_syn_out"), ("outputs",)),
    "weights_in": ("inputs", "hidden", "synapses"),
    "weights_rec": ("hidden", "hidden", "synapses"),
    "weights_out": ("hidden", "outputs"),
}


@dataclass(frozen=True)
class XyloSpecification:
    """Weights before the shift, and registers of every neuron.

    weights_in (inputs, hidden, 2), weights_rec (hidden, hidden, 2): source, target, synapse; weights_out (hidden,
    outputs). dash_* are the shifts by which a state decays, weight_shift_* those of a whole matrix to the left.
    aliases: for each hidden neuron the one that sends its events as well, -1 for none.
    """

    weights_in: Integers
    weights_rec: Integers
    weights_out: Integers
    dash_mem: Integers
    dash_syn: Integers
    dash_syn_2: Integers
    threshold: Integers
    bias: Integers
    aliases: Integers
    dash_mem_out: Integers
    dash_syn_out: Integers
    threshold_out: Integers
    bias_out: Integers
    weight_shift_in: int = 0
    weight_shift_rec: int = 0
    weight_shift_out: int = 0

    def __post_init__(self) -> None:
        for name, ends in _SHAPES.items():
            values = getattr(self, name)
            if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
                kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
                raise InputError(f"{name} is {kind}, but a Xylo chip holds whole numbers; round it to an integer array")
            self._check_shape(name, values, ends)

    def _check_shape(self, name: str, values: Integers, ends: tuple[str, ...]) -> None:
        # the first axis of weights_in says how many inputs there are
        sizes = {"inputs": values.shape[0] if values.ndim else 0, "hidden": self.hidden, "outputs": self.outputs}
        expected = tuple(sizes.get(end, SYNAPSES) for end in ends)
        if values.shape != expected:
            two = "; give zeros for a second synapse that is not used" if ends[-1] == "synapses" else ""
            raise InputError(
                f"{name} has shape {values.shape}, but ({', '.join(ends)}) is {expected} in this network{two}"
            )

    @property
    def inputs(self) -> int:
        """Number of input channels."""
        return len(self.weights_in)

    @property
    def hidden(self) -> int:
        """Number of hidden neurons."""
        return int(self.threshold.size)

    @property
    def outputs(self) -> int:
        """Number of output neurons."""
        return int(self.threshold_out.size)


def specification_of(program: ChipProgram, context: str = "program") -> XyloSpecification:
    """The whole network on one reservoir and one readout; raises InputError for what a Xylo chip cannot connect."""
    hidden = [p for p in program.populations if isinstance(p, XyloHidden)]
    outputs = [p for p in program.populations if isinstance(p, XyloOutput) and not isinstance(p, XyloHidden)]
    places = {"inputs": places_of(program.inputs), "hidden": places_of(hidden), "outputs": places_of(outputs)}
    blocks = {kind: _Block.between(kind, places) for kind in ENDS}
    for connection in program.connections:
        _block_of(connection, blocks, context).add(connection, context)
    registers: dict[str, Any] = {name: _joined(hidden, name) for name in (*_SHARED, "dash_syn_2")}
    registers |= {f"{name}_out": _joined(outputs, name) for name in _SHARED}
    registers |= {f"weights_{kind}": block.chip_weights for kind, block in blocks.items()}
    registers |= {f"weight_shift_{kind}": block.shift or 0 for kind, block in blocks.items()}
    return XyloSpecification(**registers, aliases=_joined(hidden, "alias"))


def program_of(specification: XyloSpecification, chip: ChipProfile, dt: float = 1e-3) -> ChipProgram:
    """A program of one input, one hidden and one output population; raises InputError for a number out of range."""
    given = specification
    hidden = XyloHidden.of(
        "hidden", (given.hidden,), **{name: getattr(given, name) for name in (*_SHARED, "dash_syn_2")},
        alias=given.aliases,
    )  # fmt: skip
    output = XyloOutput.of("output", (given.outputs,), **{name: getattr(given, f"{name}_out") for name in _SHARED})
    blocks = [
        ("input", "hidden", port, given.weights_in[..., n], given.weight_shift_in, 0)
        for n, port in enumerate(XyloHidden.PORTS)
    ]
    blocks += [
        ("hidden", "hidden", port, given.weights_rec[..., n], given.weight_shift_rec, 1)
        for n, port in enumerate(XyloHidden.PORTS)
    ]
    blocks.append(("hidden", "output", "a_in", given.weights_out, given.weight_shift_out, 1))
    connections = tuple(
        synapses(source, target, weights.T, shift, delay, port)
        for source, target, port, weights, shift, delay in blocks
        if weights.any()
    )
    return validate(
        ChipProgram(
            chip.name, chip.word_widths.fixed_point(), dt, (InputPort("input", (given.inputs,)),), (hidden, output),
            connections, ("output",),
        )
    )  # fmt: skip


def synapses(
    source: str,
    target: str,
    weights: NDArray[np.int32],
    shift: int,
    delay: int,
    port: str = "a_in",
    synapse: str = "",
) -> Connection:
    """A connection of these weights (target size, source size): a list of those that are not 0 where most are 0."""
    integers = np.ascontiguousarray(weights, dtype=np.int32)
    common: dict[str, Any] = {
        "source": source, "target": target, "weight_exp": shift, "sign_mode": "twos_complement", "weight_bits": 8,
        "delay": delay, "port": port, "synapse": synapse,
    }  # fmt: skip
    if 3 * np.count_nonzero(integers) > integers.size:
        return DenseConnection(**common, weights=integers)
    rows = csr_array(integers)
    indices, indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int64)
    return SparseConnection(**common, weights=rows.data.astype(np.int32), indices=indices, indptr=indptr)


Places = dict[str, slice]


class Node(Protocol):
    """What lies among others of its kind: an input or a population."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def size(self) -> int:
        """Its channels or neurons."""


@dataclass
class _Block:
    """One of the chip's weight matrices: (sources, targets, synapses), and its shift once a connection has one."""

    kind: str
    sources: Places
    targets: Places
    weights: Integers
    shift: int | None = None
    shifted_by: str = ""

    @classmethod
    def between(cls, kind: str, places: dict[str, Places]) -> _Block:
        """All zeros."""
        ends = [places[end] for end in ENDS[kind]]
        sizes = [max((part.stop for part in end.values()), default=0) for end in ends]
        return cls(kind, ends[0], ends[1], np.zeros((*sizes, SYNAPSES), np.int32))

    @property
    def chip_weights(self) -> Integers:
        """The matrix; that of the outputs has no second synapse."""
        return self.weights[..., 0] if self.kind == "out" else self.weights

    def add(self, connection: Connection, context: str) -> None:
        """Enter a connection's weights; raises InputError for another shift or delay than the matrix has."""
        subject = f"{context}: connection {connection.label}"
        steps = 0 if self.kind == "in" else 1
        if connection.delay != steps or connection.longest_delay != steps:
            raise InputError(f"{subject} takes {connection.longest_delay} steps, but on a Xylo chip it takes {steps}")
        if self.shift not in (None, connection.weight_exp):
            raise InputError(
                f"{subject} has a weight shift of {connection.weight_exp}, but {self.shifted_by} one of {self.shift}; "
                f"a Xylo chip has one for all its {NAMES[self.kind]} weights"
            )
        self.shift, self.shifted_by = connection.weight_exp, connection.label
        synapse = XyloHidden.PORTS.index(connection.port)
        target, source = self.targets[connection.target], self.sources[connection.source]
        self.weights[source, target, synapse] += _dense(connection, source.stop - source.start, subject)


NAMES = {"in": "input", "rec": "recurrent", "out": "output"}


def _block_of(connection: Connection, blocks: dict[str, _Block], context: str) -> _Block:
    for block in blocks.values():
        if connection.source in block.sources and connection.target in block.targets:
            return block
    raise InputError(
        f"{context}: connection {connection.label} is not one of a Xylo chip, whose inputs reach hidden neurons and "
        "whose hidden neurons reach hidden and output neurons; put a hidden layer between"
    )


def _dense(connection: Connection, sources: int, subject: str) -> Integers:
    """Weights (sources, targets)."""
    if isinstance(connection, DenseConnection):
        return connection.weights.T
    if not isinstance(connection, SparseConnection):
        raise InputError(f"{subject} is a convolution, which a Xylo chip does not have; write it as a matrix")
    rows = (connection.weights, connection.indices, connection.indptr)
    dense: Integers = csr_array(rows, shape=(len(connection.indptr) - 1, sources)).toarray().T
    return dense


def places_of(nodes: Iterable[Node]) -> Places:
    """Where each node lies among all of its kind."""
    places, start = {}, 0
    for node in nodes:
        places[node.name] = slice(start, start + node.size)
        start += node.size
    return places


def _joined(populations: Iterable[XyloOutput], name: str) -> Integers:
    """A register of all populations."""
    parts = [getattr(p, name) for p in populations]
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)
