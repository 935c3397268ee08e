"""Reads summary.json; a file that is missing, truncated, too new or lacks a field is refused with one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spikeport.common.errors import InputError, nearest_file, reason
from spikeport.common.text_files import read_json_file

from .model import VERSION, Summary


def parse_summary(values: Any, context: str) -> Summary:
    """Check the values of a summary; raises InputError that names `context` and the field, or an unknown version."""
    if isinstance(values, Mapping):
        # runs before version 1 wrote no version
        values = {"version": 0, **values}
        if isinstance(values["version"], int) and values["version"] > VERSION:
            raise InputError(
                f"{context}: is of version {values['version']}, but this spikeport reads versions up to {VERSION}; "
                "update spikeport, or run the recipe again"
            )
    try:
        return Summary.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole file"
        fault = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        raise InputError(f"{context}: field {field}: {fault}; run the recipe again to rebuild it") from error


def read_summary(path: Path) -> Summary:
    """Read summary.json; raises InputError if it is missing, truncated, of an unknown version or lacks a field."""
    folder = path.parent
    if folder.is_file():
        raise InputError(f"{folder}: is a file; give the folder of a finished run, which `spikeport run` writes")
    if not folder.exists():
        raise InputError(f"{folder}: no such folder{nearest_file(folder)}; give one that `spikeport run` has written")
    try:
        values = read_json_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{folder}: holds no {path.name}; make one with `spikeport run`") from error
    except OSError as error:
        why = error.strerror or reason(error)
        raise InputError(f"{path}: cannot be read ({why}); the report needs the folder of a finished run") from error
    except ValueError as error:
        raise InputError(
            f"{path}: is truncated or not JSON ({reason(error)}); run the recipe again to rebuild it"
        ) from error
    return parse_summary(values, str(path))
