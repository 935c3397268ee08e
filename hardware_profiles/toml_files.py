"""Reads and validates TOML files of sourced numbers; each error is one message that states the fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from spikeport.common.errors import InputError, nearest, nearest_file, reason
from spikeport.common.text_files import read_toml_file

from .quantity import Quantity

_HINTS = {
    "string_type": "; write it in quotes",
    "string_pattern_mismatch": "; use lower-case letters, digits and _",
    "string_too_short": "; fill it in",
    "float_type": "; write a plain number",
}

M = TypeVar("M", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """The file's content; raises InputError if it cannot be read or is not complete TOML."""
    try:
        return read_toml_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file{nearest_file(path)}; check the path") from error
    except OSError as error:
        why = (error.strerror or reason(error)).lower()
        raise InputError(f"{path}: cannot be read ({why}); check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; a profile is a TOML file") from error
    except ValueError as error:
        raise InputError(f"{path}: is not complete TOML ({reason(error)}); mend or complete the file there") from error


def validated(path: Path, model: type[M], content: Mapping[str, Any]) -> M:
    """Content as a model; raises InputError in one sentence for an unknown key, a missing or an unsourced number."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(_sentence(path, model, error.errors(include_url=False))) from error


def _sentence(path: Path, model: type[BaseModel], errors: list[ErrorDetails]) -> str:
    """One message on the most telling error: a mistyped key, before the key that it leaves missing."""
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    more = f" (and {len(errors) - 1} more to mend in this file)" if len(errors) > 1 else ""
    keys = [str(key) for key in first["loc"]]
    return f"{path}: {_problem(model, keys, first)}{more}"


def _problem(model: type[BaseModel], keys: list[str], error: ErrorDetails) -> str:
    dotted, kind = ".".join(keys), error["type"]
    if kind == "extra_forbidden":
        known = sorted(_model_at(model, keys[:-1]).model_fields)
        return f"{dotted} is an unknown key{nearest(keys[-1], known)}; the keys there are {', '.join(known)}"
    if kind == "missing":
        return _missing(_model_at(model, keys[:-1]), keys)
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return _bare(_model_at(model, keys), dotted, error["input"])
    message = error["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{dotted}: {message}"
    hint = _HINTS.get(kind, "")
    return f"{dotted} = {error['input']!r} is refused: {message[:1].lower()}{message[1:]}{hint}"


def _missing(parent: type[BaseModel], keys: list[str]) -> str:
    field = keys[-1]
    if parent is Quantity:
        number = ".".join(keys[:-1])
        return f"{number} has no {field}; a number needs value, unit, source, kind and date; add {field} = ..."
    if len(keys) == 1 and _table_at(parent, field) is None:
        return f'{field} is missing; write {field} = "..." at the top of the file'
    return f"{'.'.join(keys)} is missing; add the table [{'.'.join(keys)}]"


def _bare(model: type[BaseModel], dotted: str, value: object) -> str:
    if model is Quantity:
        table = "write it as a table with value, unit, source, kind and date"
        return f"{dotted} = {value!r} is a bare number without a source; {table}"
    return f"{dotted} = {value!r} is not a table; give it the keys {', '.join(model.model_fields)}"


def _model_at(model: type[BaseModel], keys: Iterable[str]) -> type[BaseModel]:
    for key in keys:
        model = _table_at(model, key) or model
    return model


def _table_at(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model that a field holds (or may hold, where it is optional); None for plain text and numbers."""
    if field not in model.model_fields:
        # a name that the file chose, in a table of quantities
        return None
    annotation: Any = model.model_fields[field].annotation
    options = (annotation, *get_args(annotation))
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
