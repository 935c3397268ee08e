"""TOML and JSON from anywhere: one kind of error whatever is wrong, and no number or nesting that breaks its reader."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .limits import LARGEST_INTEGER, MOST_JSON_BYTES, MOST_NESTED, MOST_TOML_BYTES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


_LARGE = "it holds an integer of more than 64 bits"


def read_toml_file(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file; raises OSError, or ValueError if it is damaged or beyond the limits."""
    return parse_toml(_text(path, MOST_TOML_BYTES))


def read_json_file(path: str | Path) -> Any:
    """The content of a JSON file; raises OSError, or ValueError if it is damaged or beyond the limits."""
    return parse_json(_text(path, MOST_JSON_BYTES))


def parse_toml(text: str) -> dict[str, Any]:
    """The content of TOML; raises ValueError if it is damaged or beyond the limits."""
    return _checked(tomllib.loads, text)  # type: ignore[no-any-return]


def parse_json(text: str | bytes) -> Any:
    """The content of JSON; raises ValueError if it is damaged or beyond the limits."""
    return _checked(json.loads, text)


def _checked(parse: Callable[..., Any], text: str | bytes) -> Any:
    try:
        content = parse(text)
    except RecursionError as error:
        raise ValueError(f"its values are nested more than {MOST_NESTED} deep") from error
    except ValueError as error:
        if "integer string conversion" in str(error):  # Python's own limit of digits
            raise ValueError(_LARGE) from error
        raise
    _check(content)
    return content


def _text(path: str | Path, most: int) -> str:
    with Path(path).open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise ValueError(f"it is larger than {most >> 20} MiB")
    return raw.decode("utf-8")


def _check(content: Any) -> None:
    """Raises ValueError for integers beyond 64 bits, texts that are not Unicode, and deep nesting."""
    below: list[Any] = [[content]]
    for _ in range(MOST_NESTED):
        values = [value for table in below for value in (table.values() if isinstance(table, dict) else table)]
        keys = [key for table in below if isinstance(table, dict) for key in table]
        for value in (*keys, *values):
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                raise ValueError(_LARGE)
            if isinstance(value, str) and not value.isascii():
                value.encode("utf-8")  # UnicodeEncodeError, a ValueError, for half of a surrogate pair
        below = [value for value in values if isinstance(value, (dict, list))]
        if not below:
            return
    raise ValueError(f"its values are nested more than {MOST_NESTED} deep")
