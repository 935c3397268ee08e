"""The interface of a neuron model: the constants of a population of compartments, and its time step.

A model is one file in this folder: a frozen dataclass whose fields are the chip's registers, with its step in NumPy
(`plain_step`). Most models add a kernel (numba, a batch of samples at once) and, where lava.proc has one, the process
that computes the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Self

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import WordWidths

Integers = NDArray[np.int32]
States = Mapping[str, Integers]
Limits = dict[str, tuple[int, int]]


Step = Callable[[int, States, tuple[Integers, ...], NDArray[Any]], None]
"""(step, states, arriving, sent): a block of time steps of a population for a batch of samples.

step is the block's first, from 0. `states`, (batch, size) each, advance by the input of each port, (steps, batch,
size), which is then set to 0. The output goes to `sent`, (steps, batch, size): uint8 0/1, or int32 payloads if the
model is GRADED. It runs sample by sample, so that the states of one stay in the L1 cache.
"""

SpikeStep = Callable[[int, States, tuple[Integers, ...], NDArray[np.uint64], Integers], None]
"""(step, states, arriving, words, total): the same for spikes without payloads, packed into words.

words: (steps, batch, words). Every bit is written: the first compartment's is the lowest of its word, those beyond the
last are 0. total: spikes per compartment, (batch, size), to which the block's are added.
"""


@dataclass(frozen=True)
class StockProcess:
    """The lava.proc process equivalent to a population: its module, its arguments, and its names of the states.

    arguments: arrays of one number per compartment are reshaped to the process' shape; others are passed unchanged.
    ports: Lava's in-port for each of the population's PORTS. variables: start values of Vars that the constructor would
    scale, or would reduce to one per process; the models compute elementwise. clocked_model: the process model whose
    time_step must count from a sample's start, "" for none.
    """

    module: str
    name: str
    arguments: Mapping[str, Any]
    states: Mapping[str, str]
    ports: Mapping[str, str]
    variables: Mapping[str, Any] = field(default_factory=dict)
    clocked_model: str = ""


HOOKS = ("plain_step", "stepper", "spike_stepper", "stock")
"""Methods that compute a model's step; a model never inherits them from another model (Population)."""


@dataclass(frozen=True)
class Population:
    """Compartments that share a neuron model; every constant is an int32 array of one integer per compartment.

    A model may be a subclass of another model, to share its constants and registers. The HOOKS are not inherited from
    it, because models differ in their step: hooks that a model does not define itself are those of this class.
    """

    name: str
    shape: tuple[int, ...]

    KIND: ClassVar[str] = ""
    """Name of the model in files."""
    STATES: ClassVar[tuple[str, ...]] = ()
    """State variables, int32 each; --record all records them."""
    PORTS: ClassVar[tuple[str, ...]] = ("a_in",)
    """Ports for synaptic input."""
    GRADED: ClassVar[bool] = False
    """Whether spikes carry integer payloads."""
    INTEGERS: ClassVar[str] = "loihi"
    """The integers that it computes with (ChipProfile.integers); those of a program are all the same."""
    TERNARY: ClassVar[bool] = False
    """Whether payloads are only -1, 0 and 1, so that synapses add and do not multiply."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for hook in HOOKS:
            source = next(base for base in cls.__mro__ if hook in base.__dict__)
            if source is not cls and "KIND" in source.__dict__ and "KIND" in cls.__dict__:
                setattr(cls, hook, Population.__dict__[hook])

    @property
    def payload_shift(self) -> Integers | None:
        """Bits by which the sent voltage is shifted right, (size,); None for spikes."""
        return None

    @property
    def size(self) -> int:
        """Number of compartments."""
        return math.prod(self.shape)

    DEFAULTS: ClassVar[Mapping[str, int]] = {}
    """Defaults of constants in `of`."""

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], **constants: ArrayLike) -> Self:
        """A population from numbers: each constant one integer for all compartments, or one each, (*shape).

        Raises InputError for a constant that is missing, unknown, not an integer or of another shape.
        """
        given = {**cls.DEFAULTS, **constants}
        for constant in (*cls.constants(), *given):
            if constant not in given or constant not in cls.constants():
                known = ", ".join(cls.constants()) or "none"
                problem = "missing" if constant not in given else "unknown"
                raise InputError(f"population {name!r}: {constant} is {problem}; {cls.KIND} has the constants {known}")
        arrays = {key: _integers(f"population {name!r}, {key}", value, shape) for key, value in given.items()}
        return cls(name, shape, **arrays)

    @classmethod
    def constants(cls) -> tuple[str, ...]:
        """Names of the constants."""
        return tuple(item.name for item in fields(cls) if item.name not in ("name", "shape"))

    @classmethod
    def registers(cls, widths: WordWidths) -> Limits:
        """The lowest and highest integer of every constant."""
        raise NotImplementedError

    def contradiction(self) -> str | None:
        """A contradiction between constants that are each in range, as half a sentence; None if there is none."""
        return None

    def start(self) -> dict[str, Integers]:
        """States that do not start at 0, (size,) each."""
        return {}

    def spike_stepper(self) -> SpikeStep | None:
        """The kernel, bound to this population's constants, if it packs and counts spikes itself, else None."""
        return None

    def stepper(self) -> Step:
        """The kernel, bound to this population's constants.

        Uses the kernel that packs spikes if there is one, else `plain_step`, which is slow.
        """
        packed = self.spike_stepper()
        if packed is None:
            return self._plain_stepper()

        def step(number: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            words = np.empty((*sent.shape[:2], -(-self.size // 64)), np.uint64)
            packed(number, states, arriving, words, np.zeros(sent.shape[1:], np.int32))
            sent[:] = unpacked(words, self.size)

        return step

    def _plain_stepper(self) -> Step:
        """`plain_step` for a block of steps and a batch of samples."""

        def step(number: int, states: States, arriving: tuple[Integers, ...], sent: NDArray[Any]) -> None:
            for sample in range(sent.shape[1]):
                sample_states = {name: values[sample].copy() for name, values in states.items()}
                for t in range(len(sent)):
                    sent[t, sample] = self.plain_step(
                        number + t, sample_states, tuple(a[t, sample].copy() for a in arriving)
                    )
                for name, values in sample_states.items():
                    states[name][sample] = values
            for a in arriving:
                a[:] = 0

        return step

    def stock(self) -> StockProcess | None:
        """The process of lava.proc that computes the same, None if there is none."""
        return None

    def plain_step(self, step: int, states: dict[str, Integers], arriving: tuple[Integers, ...]) -> Integers:
        """The step in NumPy for one sample, (size,) each: the kernel's reference, and the step without one.

        Replaces `states` and returns the output.
        """
        raise NotImplementedError(f"{type(self).__name__} has no plain_step; write the neuron's step in NumPy")


def _integers(context: str, values: ArrayLike, shape: tuple[int, ...]) -> Integers:
    array = np.asarray(values)
    if array.dtype.kind not in "biu":
        raise InputError(f"{context} is {array.dtype}, but a register holds integers; round it first")
    if array.shape not in ((), shape):
        raise InputError(f"{context} has shape {array.shape}; give one number, or one per compartment, {shape}")
    return np.broadcast_to(array, shape).reshape(-1).astype(np.int32)


def unpacked(words: NDArray[np.uint64], size: int) -> NDArray[np.uint8]:
    """The first `size` bits of every row of words as bytes, 0 or 1."""
    return np.unpackbits(words.view(np.uint8), axis=-1, count=size, bitorder="little")


def one_value(values: Integers) -> int | None:
    """The value that all compartments share, None if they differ."""
    return int(values[0]) if np.all(values == values[0]) else None


def signed(bits: int) -> tuple[int, int]:
    """Range of a signed register."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def unsigned(bits: int) -> tuple[int, int]:
    """Range of an unsigned register."""
    return 0, (1 << bits) - 1
