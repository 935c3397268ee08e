"""Reject a ChipProgram whose numbers the chip's registers cannot hold or whose parts do not fit together."""

from __future__ import annotations

import math
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.limits import LARGEST_LAYER
from spikeport.hardware_profiles.fixed_point import SIGN_MODES, WIDEST, WordWidths, weight_grid

from .chip_program import ChipProgram, Connection, ConvConnection, DenseConnection, Population, SparseConnection

# the emulator has a table of this many entries; a stride beyond the input is harmless and occurs in small networks
_LONGEST_STRIDE = 256


def validate(program: ChipProgram, context: str = "program") -> ChipProgram:
    """Return the program if every number is in range and every connection fits; raises InputError naming the part."""
    _check_widths(program.widths, context)
    names = [node.name for node in program.nodes]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{context}: two nodes are called {name!r}; rename one of them")
        if not name.strip("./") or "/" in name:
            raise InputError(f"{context}: a node is called {name!r}; a name has letters or digits and no '/'")
    for node in program.nodes:
        if node.size > LARGEST_LAYER:
            raise InputError(f"{context}: {node.name!r} has shape {node.shape}, more than {LARGEST_LAYER:,} elements")
    if not program.inputs or not program.populations or not program.outputs:
        raise InputError(f"{context}: needs at least one input, one population and one output")
    if not program.dt > 0 or not np.isfinite(program.dt):
        raise InputError(f"{context}: dt is {program.dt}, but a time step is a positive number of seconds")
    for name in program.outputs:
        if name not in {p.name for p in program.populations}:
            raise InputError(f"{context}: output {name!r} is not a population; outputs must name one")
    for port in program.inputs:
        if port.size < 1:
            raise InputError(f"{context}: input {port.name!r} has shape {port.shape}; it needs at least one axon")
        if port.scale is not None and not 0 < port.scale < 1 << 24:
            raise InputError(
                f"{context}: input {port.name!r} has scale {port.scale}; give a number above 0 and below 2**24"
            )
    for population in program.populations:
        if program.integers != population.INTEGERS:
            raise InputError(
                f"{context}: population {population.name!r} computes with the integers of {population.INTEGERS}, but "
                f"{program.populations[0].name!r} with those of {program.integers}; a chip has one kind"
            )
        _check_population(population, program.widths, context)
    for connection in program.connections:
        _check_connection(connection, program, context)
    return program


def _check_widths(widths: WordWidths, context: str) -> None:
    for item, value, limit in zip(fields(widths), astuple(widths), astuple(WIDEST), strict=True):
        low = limit if item.name == "weight_exp_min" else 0
        if not isinstance(value, int):
            raise InputError(f"{context}: word width {item.name} is {value!r}, but a width is a whole number")
        if not low <= value <= max(limit, 0):
            raise InputError(f"{context}: word width {item.name} is {value}, but {low} to {limit} can be simulated")


def _check_population(population: Population, widths: WordWidths, context: str) -> None:
    if population.size < 1:
        raise InputError(
            f"{context}: population {population.name!r} has shape {population.shape}; it needs a compartment"
        )
    for name, (low, high) in population.registers(widths).items():
        values: NDArray[np.int32] = getattr(population, name)
        subject = f"{context}: population {population.name!r}, {name}"
        if values.shape != (population.size,) or values.dtype != np.int32:
            raise InputError(
                f"{subject} is {values.dtype} of shape {values.shape}, but int32 of shape ({population.size},) is "
                "needed"
            )
        _check_range(subject, values, low, high)
    if population.GRADED and widths.message_bits == 0:
        raise InputError(
            f"{context}: population {population.name!r} is of kind {population.KIND} and sends payloads, "
            "but the chip's spikes carry none; compile for a chip with graded spikes"
        )
    contradiction = population.contradiction()
    if contradiction is not None:
        raise InputError(f"{context}: population {population.name!r} {contradiction}")


def _check_connection(connection: Connection, program: ChipProgram, context: str) -> None:
    subject = f"{context}: connection {connection.label}"
    sources = {node.name for node in program.nodes}
    targets = {p.name for p in program.populations}
    if connection.source not in sources or connection.target not in targets:
        missing = connection.source if connection.source not in sources else connection.target
        raise InputError(f"{subject} names {missing!r}, which does not exist")
    _check_whole(connection, subject)
    widths = program.widths
    ports = program.population(connection.target).PORTS
    if connection.port not in ports:
        raise InputError(f"{subject} arrives at {connection.port!r}, but {connection.target!r} has {', '.join(ports)}")
    _check_delays(connection, program, subject)
    if not widths.weight_exp_min <= connection.weight_exp <= widths.weight_exp_max:
        raise InputError(
            f"{subject} has weight_exp {connection.weight_exp}; the chip's is "
            f"{widths.weight_exp_min} to {widths.weight_exp_max}"
        )
    modes = SIGN_MODES if program.integers == "loihi" else (*SIGN_MODES, "twos_complement")
    if connection.sign_mode not in modes:
        raise InputError(f"{subject} has sign_mode {connection.sign_mode!r}; known are {', '.join(modes)}")
    if not 1 <= connection.weight_bits <= widths.weight_bits:
        raise InputError(
            f"{subject} has {connection.weight_bits}-bit weights; the chip's are 1 to {widths.weight_bits} bit"
        )
    grid = weight_grid(connection.sign_mode, connection.weight_bits)
    _check_range(f"{subject}, weights", connection.weights, grid.low, grid.high)
    if np.any(connection.weights % grid.step):
        raise InputError(
            f"{subject} has weights that are not multiples of {grid.step}, "
            f"the step of {connection.weight_bits}-bit {connection.sign_mode} weights"
        )
    expected = _expected_shape(connection, program, subject)
    if connection.weights.shape != expected:
        raise InputError(f"{subject} has weights of shape {connection.weights.shape}, but {expected} fits its ends")


def _check_whole(connection: Connection, subject: str) -> None:
    """Every number of a connection is a whole one: files store integers, and a cast would cut the rest."""
    for item in fields(connection):
        value = getattr(connection, item.name)
        if value is None or isinstance(value, str):
            continue
        numbers = value if isinstance(value, np.ndarray) else np.array(value)
        if numbers.dtype.kind not in "iu":
            raise InputError(f"{subject}, {item.name} is {numbers.dtype}, but whole numbers are needed; round it first")


def _check_delays(connection: Connection, program: ChipProgram, subject: str) -> None:
    longest = program.widths.delay_max + 1
    shapes = {"axonal_delays": (program.source_size(connection.source),), "synaptic_delays": connection.weights.shape}
    for name, shape in shapes.items():
        delays: NDArray[np.int32] | None = getattr(connection, name)
        if delays is not None and (delays.shape != shape or delays.min(initial=0) < 0):
            raise InputError(f"{subject}, {name} must have shape {shape} and be 0 or more, not {delays.shape}")
    # other chips may deliver input in the step in which it enters
    from_input = connection.source in {port.name for port in program.inputs}
    least = 0 if from_input and program.integers != "loihi" else 1
    if connection.delay < least or connection.longest_delay > longest:
        raise InputError(
            f"{subject} has delays of {connection.delay} to {connection.longest_delay} steps; "
            f"{program.chip} can do {least} to {longest} steps: {_remedy(connection)}"
        )


def _remedy(connection: Connection) -> str:
    if connection.delay < 1:
        return "give every connection at least one"
    return (
        "split a longer one by neurons between that pass every spike on (an IF each, its threshold below its weight), "
        "or compile with a larger --dt, in which it takes fewer steps"
    )


def _check_rows(connection: SparseConnection, size: tuple[int, int], subject: str) -> None:
    targets, sources = size
    indices, indptr = connection.indices, connection.indptr
    whole = indptr.shape == (targets + 1,) and indptr[0] == 0 and indptr[-1] == len(indices) == len(connection.weights)
    if not whole or np.any(np.diff(indptr) < 0):
        raise InputError(f"{subject} has row pointers that do not fit {targets} targets and {len(indices)} weights")
    _check_range(f"{subject}, indices", indices, 0, sources - 1)
    step = np.diff(indices) > 0
    step[indptr[1:-1][(indptr[1:-1] > 0) & (indptr[1:-1] < len(indices))] - 1] = True
    if not np.all(step):
        raise InputError(f"{subject} has a row whose indices are not ascending; sort them and sum duplicates")


def _expected_shape(connection: Connection, program: ChipProgram, subject: str) -> tuple[int, ...]:
    source, target = (program.source_size(n) for n in (connection.source, connection.target))
    if isinstance(connection, DenseConnection):
        return target, source
    if isinstance(connection, SparseConnection):
        _check_rows(connection, (target, source), subject)
        return (len(connection.indices),)
    if not isinstance(connection, ConvConnection):
        raise InputError(f"{subject} is of an unknown kind {type(connection).__name__}")
    pairs = (connection.stride, connection.padding, connection.dilation)
    if {len(connection.input_shape), len(connection.output_shape)} != {3} or {len(pair) for pair in pairs} != {2}:
        raise InputError(
            f"{subject} has shapes or strides of a wrong length; shapes have three numbers, the others two"
        )
    if min(*connection.stride, *connection.dilation) < 1 or min(*connection.padding) < 0:
        raise InputError(
            f"{subject} has stride {connection.stride}, padding {connection.padding}, dilation {connection.dilation}; "
            "only padding may be 0 and none negative"
        )
    padded = [n + 2 * p for n, p in zip(connection.input_shape[1:], connection.padding, strict=True)]
    if any(s > max(_LONGEST_STRIDE, n) for s, n in zip(connection.stride, padded, strict=True)):
        raise InputError(f"{subject} has stride {connection.stride}, beyond its input {tuple(padded)}; make it smaller")
    if math.prod(padded) * connection.input_shape[0] > LARGEST_LAYER:
        raise InputError(f"{subject} has padding {connection.padding}, which makes its input too large; pad less")
    if math.prod(connection.input_shape) != source or math.prod(connection.output_shape) != target:
        raise InputError(
            f"{subject} maps {connection.input_shape} to {connection.output_shape}, "
            f"but its ends have {source} and {target} elements"
        )
    if connection.weight_exp < 0:
        raise InputError(
            f"{subject} is a convolution with weight_exp {connection.weight_exp}; stock Lava's Conv has none below 0"
        )
    channels, height, width = connection.input_shape
    kernel = connection.weights.shape[2:] if connection.weights.ndim == 4 else (0, 0)
    geometry = zip((height, width), kernel, connection.stride, connection.padding, connection.dilation, strict=True)
    size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in geometry]
    if tuple(size) != connection.output_shape[1:] or min(kernel) < 1:
        raise InputError(
            f"{subject}: a {kernel} kernel over {connection.input_shape} gives {size}, "
            f"not {connection.output_shape[1:]}"
        )
    if connection.groups < 1 or channels % connection.groups or connection.output_shape[0] % connection.groups:
        raise InputError(f"{subject} has groups {connection.groups}, which must divide its channels")
    return connection.output_shape[0], channels // connection.groups, int(kernel[0]), int(kernel[1])


def _check_range(subject: str, values: NDArray[np.int32], low: int, high: int) -> None:
    if values.size and (values.min() < low or values.max() > high):
        raise InputError(f"{subject} spans {values.min()} to {values.max()}, but the register holds {low} to {high}")
