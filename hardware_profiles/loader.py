"""Reading profile files: shipped ones by name, a user's own by path."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .errors import InputError, nearest, reason
from .schema import ChipCosts, ChipProfile, CostProfile, DeviceProfile, Quantity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA = Path(__file__).parent / "data"
_MODELS: dict[str, type[ChipProfile] | type[CostProfile] | type[DeviceProfile]] = {
    "chip": ChipProfile,
    "costs": CostProfile,
    "device": DeviceProfile,
}
_WHAT = {
    "chip": "a chip",
    "costs": "the costs of a chip alone",
    "device": "a device for the ANN",
}
_HINTS = {
    "string_type": "; write it in quotes",
    "string_pattern_mismatch": "; use lower-case letters, digits and _",
    "string_too_short": "; fill it in",
    "float_type": "; write a plain number",
}


def available() -> list[str]:
    """Names of the shipped profiles, chips, costs and devices, sorted."""
    return sorted(path.stem for path in DATA.glob("*.toml"))


def load_profile(name_or_path: str | Path) -> ChipProfile | CostProfile | DeviceProfile:
    """Read a shipped profile by name, or a user's own file by a path that ends in .toml.

    A file that says extends = "NAME" is that shipped profile with its own keys and tables put over it.
    Raises InputError in one sentence for an unknown name, an unreadable or truncated file, an unknown key,
    and a number without source, kind or date or out of order.
    """
    path = _locate(name_or_path)
    content = _content(path)
    model = _MODELS[_kind(path, content)]
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(_sentence(path, model, error.errors(include_url=False))) from error


def load_chip(name_or_path: str | Path) -> ChipProfile:
    """Read a chip's profile; raises InputError as `load_profile` does, and if it describes a device."""
    profile = load_profile(name_or_path)
    if isinstance(profile, ChipProfile):
        return profile
    raise InputError(f"{name_or_path} describes {_WHAT[profile.kind]}, not a chip; choose one of {_names('chip')}")


def load_costs(name_or_path: str | Path) -> ChipCosts:
    """Read the costs of a chip or a cost profile; raises InputError as `load_profile` does, and for a device."""
    profile = load_profile(name_or_path)
    if isinstance(profile, DeviceProfile):
        known = f"{_names('chip')}, {_names('costs')}"
        raise InputError(f"{name_or_path} describes {_WHAT['device']}, not a chip; choose one of {known}")
    return profile


def load_device(name_or_path: str | Path) -> DeviceProfile:
    """Read an ANN device's profile; raises InputError as `load_profile` does, and if it describes a chip."""
    profile = load_profile(name_or_path)
    if isinstance(profile, DeviceProfile):
        return profile
    said = _WHAT[profile.kind]
    raise InputError(f"{name_or_path} describes {said}, not a device for the ANN; choose one of {_names('device')}")


def _names(kind: str) -> str:
    return ", ".join(name for name in available() if _content(DATA / f"{name}.toml").get("kind") == kind)


def _content(path: Path) -> dict[str, Any]:
    """What a file says, over what the profile it extends says."""
    own = _read(path)
    if "extends" not in own:
        return own
    base = own.pop("extends")
    known = available()
    if base not in known or path == DATA / f"{base}.toml":
        hint = nearest(str(base), known)
        raise InputError(
            f"{path}: extends = {base!r} is no shipped profile{hint}; the known ones are {', '.join(known)}"
        )
    return _over(_content(DATA / f"{base}.toml"), own)


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key, numbers (tables with a value) and text replaced whole."""
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        inside = isinstance(value, dict) and "value" not in value
        merged[key] = _over(below, value) if inside and isinstance(below, dict) else value
    return merged


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith(".toml"):
        return Path(text)
    known = available()
    if text in known:
        return DATA / f"{text}.toml"
    raise InputError(
        f"there is no profile {text!r}{nearest(text, known)}; the known ones are {', '.join(known)}, "
        "and a file of your own is named by a path that ends in .toml"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = (error.strerror or reason(error)).lower()
        raise InputError(f"{path}: cannot be read ({why}); check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; a profile is a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not complete TOML ({reason(error)}); mend or complete the file there") from error


def _kind(path: Path, content: Mapping[str, Any]) -> str:
    kind = content.get("kind")
    if isinstance(kind, str) and kind in _MODELS:
        return kind
    said = "kind is missing" if kind is None else f"kind {kind!r} is unknown"
    raise InputError(f'{path}: {said}; write kind = "chip", kind = "costs" or kind = "device" at the top of the file')


def _sentence(path: Path, model: type[BaseModel], errors: list[ErrorDetails]) -> str:
    """One sentence on the error that explains most: a mistyped key, before the key it leaves missing."""
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    more = f" (and {len(errors) - 1} more to mend in this file)" if len(errors) > 1 else ""
    where = [str(part) for part in first["loc"]]
    return f"{path}: {_what(model, where, first)}{more}"


def _what(model: type[BaseModel], where: list[str], error: ErrorDetails) -> str:
    dotted, kind = ".".join(where), error["type"]
    if kind == "extra_forbidden":
        known = sorted(_model_at(model, where[:-1]).model_fields)
        return f"{dotted} is an unknown key{nearest(where[-1], known)}; the keys there are {', '.join(known)}"
    if kind == "missing":
        return _missing(_model_at(model, where[:-1]), where)
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return _bare(_model_at(model, where), dotted, error["input"])
    message = error["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{dotted}: {message}"
    hint = _HINTS.get(kind, "")
    return f"{dotted} = {error['input']!r} is refused: {message[:1].lower()}{message[1:]}{hint}"


def _missing(parent: type[BaseModel], where: list[str]) -> str:
    field = where[-1]
    if parent is Quantity:
        number = ".".join(where[:-1])
        return f"{number} has no {field}; a number needs value, unit, source, kind and date; add {field} = ..."
    if len(where) == 1 and _table_at(parent, field) is None:
        return f'{field} is missing; write {field} = "..." at the top of the file'
    return f"{'.'.join(where)} is missing; add the table [{'.'.join(where)}]"


def _bare(model: type[BaseModel], dotted: str, value: object) -> str:
    if model is Quantity:
        table = "write it as a table with value, unit, source, kind and date"
        return f"{dotted} = {value!r} is a bare number without a source; {table}"
    return f"{dotted} = {value!r} is no table; give it the keys {', '.join(model.model_fields)}"


def _model_at(model: type[BaseModel], where: Iterable[str]) -> type[BaseModel]:
    for part in where:
        model = _table_at(model, part) or model
    return model


def _table_at(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model that a field holds (or may hold, where it is optional); None for plain text and numbers."""
    annotation: Any = model.model_fields[field].annotation
    options = (annotation, *get_args(annotation))
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
