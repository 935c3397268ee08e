"""The grid: keys, their values, and which keys need a training per value.

`chip`, `weight_bits` and `precision` only affect compilation: they share one training. Every other key is one of the
recipe's, by its name or with its tables as in the file (`training.options.margin`): each value needs a training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from spikeport.common.errors import InputError, nearest
from spikeport.common.limits import LARGEST_INTEGER, MOST_POINTS
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.network_config import NetworkConfig

Value = bool | int | float | str
Values = dict[str, Value]

COMPILED = ("chip", "weight_bits", "precision")
_TABLES: dict[str, type[Any]] = {"network": NetworkConfig, "training": TrainConfig}
# parts of a key: tables are at most two deep, options of a method may have tables of their own
_DEEPEST = 8
_TOP = ("dataset", "data", "dt", "preset")


@dataclass(frozen=True)
class Point:
    """One point of the grid: values of training keys and of compile keys."""

    trained: Values
    compiled: Values

    @property
    def values(self) -> Values:
        """All keys, as they were given."""
        return {**self.trained, **self.compiled}


@dataclass(frozen=True)
class Grid:
    """Keys and their values, in the order given."""

    axes: dict[str, tuple[Value, ...]]

    @classmethod
    def parse(cls, axes: Sequence[str], check: Callable[[str], None] | None = None) -> Grid:
        """From KEY=VALUE,VALUE as on the command line; raises InputError, naming the nearest key.

        check: raises InputError for a key that cannot be swept; default: for one that no recipe has.
        """
        parsed: dict[str, tuple[Value, ...]] = {}
        for axis in axes:
            if not axis.isprintable():
                raise InputError(f"--over {axis}: is not plain text; write for example --over weight_bits=4,6,8")
            key, equals, values = axis.partition("=")
            if not equals or not all(value.strip() for value in values.split(",")):
                raise InputError(f"--over {axis}: is not KEY=VALUE,VALUE; write for example --over weight_bits=4,6,8")
            if key in parsed:
                raise InputError(f"--over {axis}: {key} was given before; give all its values at once")
            (check or _check)(key)
            given = [_value(value.strip()) for value in values.split(",")]
            # Python takes true, 1 and 1.0 as equal
            parsed[key] = tuple({(type(value), value): value for value in given}.values())
        count = math.prod(map(len, parsed.values()))
        if count > MOST_POINTS:
            raise InputError(f"the grid has {count:,} points; at most {MOST_POINTS:,} are allowed: give fewer values")
        if not parsed:
            raise InputError("a sweep needs at least one key; write for example --over weight_bits=4,6,8")
        return cls(parsed)

    @property
    def points(self) -> list[Point]:
        """Every combination, the last key fastest."""
        points = []
        for values in product(*self.axes.values()):
            named = dict(zip(self.axes, values, strict=True))
            trained = {key: value for key, value in named.items() if key not in COMPILED}
            points.append(Point(trained, {key: value for key, value in named.items() if key in COMPILED}))
        return points

    @property
    def retrained(self) -> list[str]:
        """Keys that need a training per value."""
        return [key for key in self.axes if key not in COMPILED]


def with_values(content: dict[str, Any], values: Values) -> dict[str, Any]:
    """The content of a recipe with other values for some keys."""
    changed = dict(content)
    for key, value in values.items():
        *tables, name = path_of(key)
        inner = changed
        for table in tables:
            inner[table] = dict(inner.get(table, {}))
            inner = inner[table]
        inner[name] = value
    return changed


def path_of(key: str) -> tuple[str, ...]:
    """A key with its tables."""
    if "." in key or key in (*_TOP, "chip"):
        return tuple(key.split("."))
    return next((table, key) for table, config in _TABLES.items() if key in _names(config))


def _check(key: str) -> None:
    short = [*COMPILED, *_TOP, *(name for config in _TABLES.values() for name in _names(config))]
    table, dot, rest = key.partition(".")
    if key.count(".") > _DEEPEST:
        raise InputError(f"--over {key}: has too many parts; no table of a recipe is that deep")
    # keys of nested tables are checked with the recipe
    deeper = table in _TABLES and bool(rest) and rest.split(".")[0] in _names(_TABLES[table])
    if key not in short and not (dot and deeper):
        raise InputError(
            f"--over {key}: is not a key of a recipe{nearest(key.rpartition('.')[2], short)}; "
            f"known keys are {', '.join(short)}"
        )


def _names(config: type[Any]) -> list[str]:
    return [field.name for field in fields(config)]


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if abs(value) > LARGEST_INTEGER:
            raise InputError(f"--over: {text} is too large; give a number of at most 64 bits")
        return value
    return text
