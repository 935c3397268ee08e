"""A Xylo network's constants and states as its kernel reads them (kernels.py), padded to whole vectors."""

from __future__ import annotations

from collections.abc import Sequence
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
# share of the weights between hidden neurons from which adding whole rows is faster than a list of targets
_FULL = 1 / 12


@dataclass(frozen=True)
class Synapses:
    """Weights of one synapse of the hidden neurons: from inputs, and between them as rows or, if few, as lists."""

    inputs: Words
    rows: Words
    listed: Words

    @classmethod
    def of(cls, given: Matrices, synapse: int, ends: tuple[Integers, Integers] | None, size: int) -> Synapses:
        """ends: sources and targets of the lists, None for rows; size: of the padded hidden neurons."""
        inputs, recurrent = given.inputs[..., synapse], given.recurrent[..., synapse]
        entering = _padded(inputs << given.shift_in, len(inputs), size)
        if ends is None:
            return cls(entering, _padded(recurrent << given.shift_rec, size, size), np.zeros(0, np.int16))
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

    def ends(self, second: bool) -> tuple[Integers, Integers]:
        """Sources and targets of the weights between hidden neurons that are not 0, by source."""
        reached = self.recurrent[..., 0] != 0
        if second:
            reached |= self.recurrent[..., 1] != 0
        sources, targets = np.nonzero(reached)
        return sources, targets


@dataclass(frozen=True)
class Kernel:
    """A network's constants as the kernel reads them; sizes: of the hidden and the output neurons, without padding."""

    first: Synapses
    second: Synapses
    starts: NDArray[np.int64]
    targets: NDArray[np.uint32]
    w_out: Words
    hidden: Words
    hidden_2: Words
    output: Words
    aliases: Integers
    most: tuple[int, int]
    sizes: tuple[int, int]

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
        second, size = given.uses_second, hidden.shape[1]
        sources, targets = given.ends(second)
        ends = (sources, targets) if len(sources) < _FULL * len(threshold) ** 2 else None
        return cls(
            Synapses.of(given, 0, ends, size),
            Synapses.of(given, 1, ends, size) if second else Synapses.none(),
            np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=len(threshold)))]).astype(np.int64),
            targets.astype(np.uint32),
            _padded(out, size, output.shape[1]),
            hidden,
            constant_rows((dashes[1], dashes[2]), bias, threshold, _VECTORS)[:3],
            output,
            aliases.astype(np.int32) if (aliases >= 0).any() else np.zeros(0, np.int32),
            most,
            (len(threshold), out.shape[1]),
        )

    def start(self, samples: int) -> States:
        """States of a batch, all 0."""
        hidden, outputs = self.hidden.shape[1], self.output.shape[1]
        i_1, i_2, v = (np.zeros((samples, hidden), np.int16) for _ in range(3))
        i_out, v_out = (np.zeros((samples, outputs), np.int16) for _ in range(2))
        counts = (np.zeros((samples, size), np.int32) for size in (hidden, outputs))
        # one more than neurons: where the number of one that did not fire is written
        who, who_out = (np.zeros((samples, size + 1), np.uint32) for size in (hidden, outputs))
        events, events_out = (np.zeros((samples, size), np.int8) for size in (hidden, outputs))
        number = np.zeros(samples, np.int64)
        return States(i_1, i_2, v, who, number, events, i_out, v_out, who_out, events_out, *counts)

    def advance(self, x: NDArray[np.uint8], states: States, steps: int, block: Block) -> None:
        """Advance the states by some steps with events x (steps, samples, inputs), and write what is kept of them."""
        one, two = self.first, self.second
        run(
            x, MOST_INPUT_EVENTS, one.inputs, two.inputs, one.rows, two.rows, self.starts, self.targets, one.listed,
            two.listed, self.w_out, self.hidden, self.hidden_2, self.output, self.aliases, *self.most, states.i_1,
            states.i_2, states.v, states.who, states.count, states.events, states.i_out, states.v_out, states.who_out,
            states.events_out, steps, block.sent, block.sent_out, states.active, states.active_out, block.states,
            block.states_out,
        )  # fmt: skip


@dataclass(frozen=True)
class States:
    """Currents and voltages, who sent events in the last step and how many, and in how many steps there were any.

    Arrays (samples, padded size); count: of the neurons in `who`, (samples,).
    """

    i_1: Words
    i_2: Words
    v: Words
    who: NDArray[np.uint32]
    count: NDArray[np.int64]
    events: NDArray[np.int8]
    i_out: Words
    v_out: Words
    who_out: NDArray[np.uint32]
    events_out: NDArray[np.int8]
    active: Integers
    active_out: Integers


@dataclass(frozen=True)
class Block:
    """What a block of steps keeps: events (steps, samples, size), and states (3 or 2, steps, samples, size)."""

    sent: Integers
    sent_out: Integers
    states: Integers
    states_out: Integers

    @classmethod
    def empty(cls, kernel: Kernel, steps: int, samples: int, *, hidden: bool, states: bool) -> Block:
        """Of some steps; hidden, states: whether the events of the hidden neurons, and states, are kept."""
        own, outputs = kernel.sizes
        kept = steps if states else 0
        return cls(
            np.empty((steps if hidden else 0, samples, own), np.int32),
            np.empty((steps, samples, outputs), np.int32),
            np.empty((3, kept, samples, own), np.int32),
            np.empty((2, kept, samples, outputs), np.int32),
        )


def constant_rows(dashes: tuple[Integers, Integers], bias: Integers, threshold: Integers, multiple: int) -> Words:
    """The rows of a kernel's constants (_step in kernels.py), padded to a multiple of neurons."""
    rows: Sequence[NDArray[Any]] = [*_decay_rows(dashes[0]), *_decay_rows(dashes[1]), bias, threshold]
    size = -(-len(threshold) // multiple) * multiple
    padded = np.zeros((len(rows), size), np.int16)
    padded[-1] = _NEVER
    padded[:, : len(threshold)] = np.stack(rows)
    return padded


def _decay_rows(dash: Integers) -> list[NDArray[Any]]:
    """2**(16 - dash) from dash 2 on, and masks of all bits at dash 1 and 0."""
    factor = np.where(dash >= 2, 1 << np.maximum(16 - dash, 0), 0)
    return [factor, np.where(dash == 1, -1, 0), np.where(dash == 0, -1, 0)]


def _padded(weights: Integers, sources: int, targets: int) -> Words:
    padded = np.zeros((sources, targets), np.int16)
    padded[: weights.shape[0], : weights.shape[1]] = weights
    return padded
