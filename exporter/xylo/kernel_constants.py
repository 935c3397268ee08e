"""A Xylo network's constants and states as its kernel reads them (kernels.py), padded to whole vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.xylo.neurons import MOST_INPUT_EVENTS
from spikeport.exporter.program.chip_program import Integers

from .kernels import run
from .specification import XyloSpecification

Words = NDArray[np.int16]

# neurons of a whole number of vectors; few output neurons take one
_VECTORS, _ONE_VECTOR = 64, 16
_NEVER = 32767
# of the registers of a decay: 4 bit
_DASHES = 16
# hidden neurons of as many samples as are stepped in one loop
_TOGETHER = 1024
# share of the weights between hidden neurons from which adding whole rows is faster than a list of targets
_FULL = 1 / 12


@dataclass(frozen=True)
class Synapses:
    """Weights of one synapse, shifted: from inputs, and between hidden neurons as rows or, if few, as a list."""

    inputs: Words
    rows: Words
    listed: Words

    @classmethod
    def of(cls, given: Matrices, synapse: int, ends: tuple[Integers, Integers] | None, sizes: Sizes) -> Synapses:
        """ends: sources and targets of the list, None for rows, which are as wide as hidden and output neurons."""
        recurrent = given.recurrent[..., synapse]
        entering = _padded(given.inputs[..., synapse], sizes.inputs, sizes.padded)
        entering <<= given.shift_in
        if ends is None:
            rows = _padded(recurrent, sizes.hidden, sizes.width)
            rows <<= given.shift_rec
            return cls(entering, rows, np.zeros(0, np.int16))
        listed = (recurrent[ends] << given.shift_rec).astype(np.int16)
        return cls(entering, np.zeros((0, 0), np.int16), listed)

    @classmethod
    def none(cls) -> Synapses:
        """A synapse that no neuron uses."""
        return cls(np.zeros((0, 0), np.int16), np.zeros((0, 0), np.int16), np.zeros(0, np.int16))


@dataclass(frozen=True)
class Matrices:
    """Weights (sources, hidden neurons, synapses) from inputs and between hidden neurons, and their shifts."""

    inputs: Integers
    recurrent: Integers
    shift_in: int = 0
    shift_rec: int = 0

    @property
    def uses_second(self) -> bool:
        """Whether any neuron uses its second synapse."""
        return bool(self.inputs[..., 1:].any() or self.recurrent[..., 1:].any())

    def ends(self, second: bool) -> tuple[Integers, Integers] | None:
        """Sources and targets of the weights between hidden neurons that are not 0, by source, if they are few."""
        reached = self.recurrent[..., 0] != 0
        if second:
            reached |= self.recurrent[..., 1] != 0
        if np.count_nonzero(reached) >= _FULL * reached.size:
            return None
        sources, targets = np.nonzero(reached)
        return sources, targets


@dataclass(frozen=True)
class Sizes:
    """Inputs, hidden and output neurons, and both kinds of neurons when padded."""

    inputs: int
    hidden: int
    outputs: int
    padded: int
    padded_out: int

    @property
    def width(self) -> int:
        """Padded neurons of a sample."""
        return self.padded + self.padded_out


@dataclass(frozen=True)
class Kernel:
    """A network's constants as the kernel reads them; together: samples that are stepped in one loop."""

    first: Synapses
    second: Synapses
    starts: NDArray[np.int64]
    targets: NDArray[np.uint32]
    w_out: Words
    constants: Words
    constants_2: Words
    aliases: Integers
    most: tuple[int, int]
    sizes: Sizes
    together: int

    @classmethod
    def of(cls, network: XyloSpecification, most: tuple[int, int]) -> Kernel:
        """The constants of a network; most: events of a hidden and of an output neuron in a step."""
        given = Matrices(network.weights_in, network.weights_rec, network.weight_shift_in, network.weight_shift_rec)
        dashes = network.dash_syn, network.dash_syn_2, network.dash_mem
        output = constant_rows(
            (network.dash_syn_out, network.dash_mem_out), network.bias_out, network.threshold_out, _ONE_VECTOR
        )
        out = network.weights_out << network.weight_shift_out
        hidden = network.threshold, network.bias
        return cls.made(given, out, dashes, hidden, output, network.aliases, most)

    @classmethod
    def made(
        cls, given: Matrices, out: Integers, dashes: tuple[Integers, Integers, Integers],
        others: tuple[Integers, Integers], output: Words, aliases: Integers, most: tuple[int, int],
    ) -> Kernel:  # fmt: skip
        """From the dashes of both currents and v, and from thresholds and biases.

        out: shifted weights (hidden, outputs); output: the output neurons' constants, padded.
        """
        threshold, bias = others
        hidden = constant_rows((dashes[0], dashes[2]), bias, threshold, _VECTORS)
        sizes = Sizes(len(given.inputs), len(threshold), out.shape[1], hidden.shape[1], output.shape[1])
        together = max(1, _TOGETHER // max(1, sizes.padded))
        second = given.uses_second
        ends = given.ends(second)
        first = Synapses.of(given, 0, ends, sizes)
        if ends is None:
            first.rows[:, sizes.padded : sizes.padded + sizes.outputs] = out
        return cls(
            first,
            Synapses.of(given, 1, ends, sizes) if second else Synapses.none(),
            *_lists(ends, out, sizes),
            _repeated(np.concatenate([hidden, output], axis=1), together),
            _repeated(_padded(_DECAYS[:, dashes[1]], 3, sizes.width), together)
            if second
            else np.zeros((3, 0), np.int16),
            aliases.astype(np.int32) if (aliases >= 0).any() else np.zeros(0, np.int32),
            most,
            sizes,
            together,
        )

    def start(self, samples: int) -> States:
        """States of a batch, all 0."""
        sizes = self.sizes
        i_1, i_2, v = (np.zeros((samples, sizes.width), np.int16) for _ in range(3))
        hidden, outputs = sizes.padded, sizes.padded_out
        counts = (np.zeros((samples, size), np.int32) for size in (hidden, outputs))
        # one more than neurons: where the number of one that did not fire is written
        who, who_out = (np.zeros((samples, size + 1), np.uint32) for size in (hidden, outputs))
        events, events_out = (np.zeros((samples, size), np.int8) for size in (hidden, outputs))
        return States(i_1, i_2, v, who, np.zeros(samples, np.int64), events, who_out, events_out, *counts)

    def advance(self, x: NDArray[np.uint8], states: States, steps: int, block: Block) -> None:
        """Advance the states by some steps with events x (steps, samples, inputs), and write what is kept of them."""
        one, two = self.first, self.second
        run(
            x, MOST_INPUT_EVENTS, one.inputs, two.inputs, one.rows, two.rows, self.starts, self.targets, one.listed,
            two.listed, self.w_out, self.constants, self.constants_2, self.aliases, *self.most, self.together,
            states.i_1, states.i_2, states.v, states.who, states.count, states.events, states.who_out,
            states.events_out, steps, block.sent, block.sent_out, states.active, states.active_out, block.states,
            block.states_out,
        )  # fmt: skip


@dataclass(frozen=True)
class States:
    """Currents and voltages of all neurons, those of the hidden ones first, who sent events in the last step, and how
    many, and in how many steps there were any.

    Arrays (samples, padded size); who, events: of the hidden neurons; count: of those in `who`, (samples,).
    """

    i_1: Words
    i_2: Words
    v: Words
    who: NDArray[np.uint32]
    count: NDArray[np.int64]
    events: NDArray[np.int8]
    who_out: NDArray[np.uint32]
    events_out: NDArray[np.int8]
    active: Integers
    active_out: Integers


@dataclass(frozen=True)
class Block:
    """What a block of steps keeps: events (steps, samples, size), and states (3 or 2, steps, samples, size)."""

    sent: NDArray[np.uint8]
    sent_out: NDArray[np.uint8]
    states: Integers
    states_out: Integers

    @classmethod
    def empty(cls, kernel: Kernel, steps: int, samples: int, *, hidden: bool, states: bool) -> Block:
        """Of some steps; hidden, states: whether the events of the hidden neurons, and states, are kept."""
        own, outputs = kernel.sizes.hidden, kernel.sizes.outputs
        kept = steps if states else 0
        return cls(
            np.empty((steps if hidden else 0, samples, own), np.uint8),
            np.empty((steps, samples, outputs), np.uint8),
            np.empty((3, kept, samples, own), np.int32),
            np.empty((2, kept, samples, outputs), np.int32),
        )


def constant_rows(dashes: tuple[Integers, Integers], bias: Integers, threshold: Integers, multiple: int) -> Words:
    """The rows of a kernel's constants (_step in kernels.py), padded to a multiple of neurons."""
    own = len(threshold)
    padded = np.zeros((8, -(-own // multiple) * multiple), np.int16)
    padded[:3, :own], padded[3:6, :own] = _DECAYS[:, dashes[0]], _DECAYS[:, dashes[1]]
    padded[6, :own], padded[7, :own] = bias, threshold
    padded[7, own:] = _NEVER
    return padded


def _decay_rows() -> Words:
    """By dash: 2**(16 - dash) from dash 2 on, and masks of all bits at dash 1 and 0; (3, dashes)."""
    dash = np.arange(_DASHES)
    rows = np.where(dash >= 2, 1 << (16 - dash), 0), np.where(dash == 1, -1, 0), np.where(dash == 0, -1, 0)
    table: Words = np.stack(rows).astype(np.int16)
    return table


_DECAYS = _decay_rows()


def _lists(
    ends: tuple[Integers, Integers] | None, out: Integers, sizes: Sizes
) -> tuple[NDArray[np.int64], NDArray[np.uint32], Words]:
    """Where the list of each source starts, its targets, and the weights to outputs; empty if there are rows."""
    if ends is None:
        return np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros((0, 0), np.int16)
    sources, targets = ends
    starts = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=sizes.hidden))])
    return starts.astype(np.int64), targets.astype(np.uint32), _padded(out, sizes.hidden, sizes.padded_out)


def _repeated(rows: Words, times: int) -> Words:
    """Each row so many times, one behind the other."""
    shape = len(rows), times, rows.shape[1]
    return np.broadcast_to(rows[:, None], shape).reshape(len(rows), -1)


def _padded(weights: NDArray[Any], sources: int, targets: int) -> Words:
    padded = np.zeros((sources, targets), np.int16)
    padded[: weights.shape[0], : weights.shape[1]] = weights
    return padded
