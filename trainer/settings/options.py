"""A method's own options: a frozen dataclass, read from plain values with the messages of a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from spikeport.common.errors import InputError, nearest

# pydantic rules for the dataclasses that a recipe fills: no unknown keys, no conversions
RECIPE_RULES = {"extra": "forbid", "strict": True}

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class NoOptions:
    """Options of a method without any."""

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES


def read_options(kind: type[Settings], values: Mapping[str, Any], method: str) -> Settings:
    """The options dataclass `kind` filled with plain values; raises InputError that names the wrong option.

    The types of its fields are checked without conversion; its own __post_init__ may raise InputError for the rest.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"method {method!r} has no option {name!r}{nearest(name, known)}; {has}")
    try:
        # as JSON, because strict validation accepts a JSON array as a tuple, but not a list
        return TypeAdapter(kind).validate_json(json.dumps(dict(values), default=str))
    except ValidationError as error:
        raise InputError(f"method {method!r}: {_sentence(error.errors(include_url=False)[0])}") from error


def _sentence(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    context = ".".join(str(part) for part in error["loc"])
    return f"option {context!r}: {message[0].lower()}{message[1:]}, not {error['input']!r}"
