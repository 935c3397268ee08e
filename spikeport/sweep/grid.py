"""The grid: which keys take which values, and which of them are trained for.

`chip`, `weight_bits` and `precision` say how a trained network is compiled: one training serves them all. Every other
key is one of the recipe's, by its name or, as in the file, with its tables (`training.options.margin`): each of its
values is trained for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from spikeport.common.errors import InputError, nearest
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.network_config import NetworkConfig

Value = bool | int | float | str
Values = dict[str, Value]

COMPILED = ("chip", "weight_bits", "precision")
_TABLES: dict[str, type[Any]] = {"network": NetworkConfig, "training": TrainConfig}
_TOP = ("dataset", "data", "dt", "preset")


@dataclass(frozen=True)
class Point:
    """One place of the grid: what is trained for, with the tables' names, and how the network is compiled."""

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
    def parse(cls, axes: Sequence[str]) -> Grid:
        """From KEY=VALUE,VALUE as on the command line; raises InputError, naming the nearest key."""
        found: dict[str, tuple[Value, ...]] = {}
        for axis in axes:
            key, equals, values = axis.partition("=")
            if not equals or not all(value.strip() for value in values.split(",")):
                raise InputError(f"--over {axis}: is not KEY=VALUE,VALUE; write for example --over weight_bits=4,6,8")
            if key in found:
                raise InputError(f"--over {axis}: {key} was given before; give all its values at once")
            _check(key)
            found[key] = tuple(dict.fromkeys(_value(value.strip()) for value in values.split(",")))
        if not found:
            raise InputError("a sweep needs at least one key; write for example --over weight_bits=4,6,8")
        return cls(found)

    @property
    def points(self) -> list[Point]:
        """Every combination, the last key fastest."""
        found = []
        for values in product(*self.axes.values()):
            named = dict(zip(self.axes, values, strict=True))
            trained = {key: value for key, value in named.items() if key not in COMPILED}
            found.append(Point(trained, {key: value for key, value in named.items() if key in COMPILED}))
        return found

    @property
    def retrained(self) -> list[str]:
        """Keys whose every value is trained for."""
        return [key for key in self.axes if key not in COMPILED]


def with_values(content: dict[str, Any], values: Values) -> dict[str, Any]:
    """What a recipe says with other values for some keys."""
    found = dict(content)
    for key, value in values.items():
        *tables, name = path_of(key)
        place = found
        for table in tables:
            place[table] = dict(place.get(table, {}))
            place = place[table]
        place[name] = value
    return found


def path_of(key: str) -> tuple[str, ...]:
    """A key with its tables."""
    if "." in key or key in (*_TOP, "chip"):
        return tuple(key.split("."))
    return next((table, key) for table, config in _TABLES.items() if key in _names(config))


def _check(key: str) -> None:
    short = [*COMPILED, *_TOP, *(name for config in _TABLES.values() for name in _names(config))]
    table, dot, rest = key.partition(".")
    # what stands below a table of a table is checked with the recipe
    deeper = table in _TABLES and bool(rest) and rest.split(".")[0] in _names(_TABLES[table])
    if key not in short and not (dot and deeper):
        raise InputError(
            f"--over {key}: is no key of a recipe{nearest(key.rpartition('.')[2], short)}; known are {', '.join(short)}"
        )


def _names(config: type[Any]) -> list[str]:
    return [field.name for field in fields(config)]


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
