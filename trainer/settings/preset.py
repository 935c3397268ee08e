"""Presets: published settings by name, each a file in trainer/settings/presets/ with a recipe's tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .lookup import lookup

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "presets"


def presets() -> dict[str, Path]:
    """The files of all presets by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def read_preset(name: str) -> dict[str, Any]:
    """A preset's `dataset` and its tables `network` and `training`; raises InputError for an unknown name."""
    return tomllib.loads(lookup("preset", name, presets()).read_text(encoding="utf-8"))


def apply_preset(content: dict[str, Any]) -> dict[str, Any]:
    """A recipe's tables, with missing keys taken from the preset it names; raises InputError as read_preset."""
    if not isinstance(content.get("preset"), str):
        return content
    own = {key: value for key, value in content.items() if key != "preset"}
    return _over(read_preset(content["preset"]), own)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for key, value in below.items():
        if isinstance(value, dict) and isinstance(above.get(key), dict):
            merged[key] = _over(value, above[key])
    return merged
