"""Compile options that a user set, by their names on the command line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from spikeport.exporter.compile_options import CompileOptions

_FLAGS = {"framework": "from", "calibration": "calibrate"}


def given(options: CompileOptions) -> list[str]:
    """The options that differ from the defaults, by their names on the command line."""
    return [
        f"--{_FLAGS.get(field.name, field.name).replace('_', '-')}"
        for field in fields(options)
        if _differs(getattr(options, field.name), field.default)
    ]


def late(options: CompileOptions) -> list[str]:
    """The options set by the user that have no effect on a network already in integers."""
    return [name for name in given(options) if name != "--dt"]


def _differs(value: Any, default: Any) -> bool:
    # an array has no single truth value
    return value is not None and (default is None or value != default)
