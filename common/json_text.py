"""JSON as its standard has it: numbers that are not finite become null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(values: Any, **options: Any) -> str:
    """`json.dumps`, with null for NaN and infinities, which JSON cannot hold and other readers refuse."""
    return json.dumps(_finite(values), allow_nan=False, **options)


def _finite(values: Any) -> Any:
    if isinstance(values, float):
        return values if math.isfinite(values) else None
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return values
