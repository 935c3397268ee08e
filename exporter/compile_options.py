"""Compile options as one value, which every step from the command line to rounding takes as a whole.

Allowed values, defaults and checks are only here. Nothing heavy is imported: `spikeport --help` reads this.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from spikeport.common.errors import InputError, check_choice

if TYPE_CHECKING:
    from spikeport.exporter.program.chip_program import InputArrays

Discretize = Literal["euler", "exponential"]
"""How time constants become decays per step (exporter/lowering/discretize.py)."""
Reset = Literal["zero", "subtract", "subtract_after_decay"]
"""v after a spike: 0; reduced by the threshold; or reduced by it in the next step, after v has decayed."""
Precision = Literal["normal", "fine", "high"]
"""How many synapses a weight may take: one, or two where needed (high); fine: also in forms that cost cores."""
Sums = Literal["synapses", "graded"]
"""How a synapse reads the sum of several layers: once for each of them, or once, from a relay of payloads."""

CHOICES: dict[str, tuple[str, ...]] = {
    "discretize": get_args(Discretize),
    "reset": get_args(Reset),
    "precision": get_args(Precision),
    "sums": get_args(Sums),
}
"""Option -> its allowed values."""


def _check_number(option: str, value: Any, kind: type, description: str) -> None:
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise InputError(f"{option} is {value!r}, but must be {description}")


@dataclass(frozen=True)
class CompileOptions:
    """The user's options for compiling a network. Raises InputError for a value that an option does not allow.

    dt: seconds per step, None: the graph's own. weight_bits: None: as many as the chip has. framework: the one that
    wrote the graph (exporter/lowering/dialects.py); it sets dt, discretize and reset where they are None. Without it
    they default to the graph's own, "euler" and "zero". calibration: sample input (time, batch, *input shape), one
    array per name for several inputs, whose spikes determine the scales; or a file of it, which spikeport reads before
    it compiles.
    """

    dt: float | None = None
    weight_bits: int | None = None
    framework: str | None = None
    discretize: Discretize | None = None
    reset: Reset | None = None
    precision: Precision = "normal"
    calibration: InputArrays | Path | str | None = None
    sums: Sums = "synapses"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in CHOICES and not (value is None and field.default is None):
                check_choice(field.name, value, CHOICES[field.name])
        _check_number("dt", self.dt, Real, "a number of seconds")
        _check_number("weight_bits", self.weight_bits, Integral, "a whole number")

    @property
    def sample(self) -> InputArrays | None:
        """The calibration as arrays; raises InputError if it is a file that was not read, or holds none."""
        if isinstance(self.calibration, (Path, str)):
            raise InputError(f"calibration {str(self.calibration)!r} is the name of a file; give the array it holds")
        if self.calibration is None:
            return None
        from spikeport.common.as_arrays import as_arrays  # numpy, which --help does without

        return as_arrays(self.calibration, "calibration")

    @property
    def sample_file(self) -> Path | None:
        """The calibration's file, if it is one."""
        return Path(self.calibration) if isinstance(self.calibration, (Path, str)) else None


DEFAULTS = CompileOptions()


@dataclass(frozen=True)
class LoweringOptions:
    """Decisions that NIR leaves open: dt in seconds, the others as in CompileOptions."""

    dt: float
    discretize: Discretize
    reset: Reset
    sums: Sums

    @classmethod
    def of(cls, options: CompileOptions, dt: float) -> LoweringOptions:
        """The options, with defaults for those that neither the user nor a framework sets."""
        return cls(dt, options.discretize or "euler", options.reset or "zero", options.sums)
