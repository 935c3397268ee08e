"""Tensors and plain values taken apart, so that the values are strict JSON, and put together again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

DTYPES = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64,
)  # fmt: skip
# of values and tensors: what a stranger's file nests or repeats without end is refused
_DEEPEST = 32
_MOST = 1 << 20
_INTEGERS = range(-(1 << 63), 1 << 64)
# what JSON has no word for, each an object of one key
_TENSOR, _TUPLE, _FLOAT, _DICT = "$tensor", "$tuple", "$float", "$dict"
_NOT_FINITE = ("nan", "inf", "-inf")


def take_apart(content: Mapping[str, Any]) -> tuple[Any, dict[str, Tensor]]:
    """Values for JSON with marks in the places of tensors, and the tensors by name; raises TypeError or ValueError.

    A tensor's name is its place, as in "optimizer/state/0/step".
    """
    taken = _Apart()
    return taken.value(dict(content), (), 0), taken.tensors


def put_together(values: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `take_apart` took; raises KeyError, TypeError or ValueError for values that it does not make."""
    if isinstance(values, str):
        return _checked_text(values)
    if isinstance(values, list):
        return [put_together(value, tensors) for value in values]
    if not isinstance(values, dict):
        return _checked_number(values)
    if len(values) != 1 or next(iter(values))[:1] != "$":
        if any(key[:1] == "$" for key in values):
            raise ValueError("a mark is not alone")
        return {_checked_text(key): put_together(value, tensors) for key, value in values.items()}
    ((mark, value),) = values.items()
    if mark == _TENSOR:
        return tensors[value]
    if mark == _TUPLE and isinstance(value, list):
        return tuple(put_together(part, tensors) for part in value)
    if mark == _FLOAT and value in _NOT_FINITE:
        return float(value)
    if mark == _DICT and isinstance(value, list):
        found = {put_together(key, tensors): put_together(part, tensors) for key, part in value}
        if len(found) == len(value):
            return found
    raise ValueError(f"{mark} holds something else")


def dump(values: Any) -> str:
    """Strict JSON, the same text for the same values."""
    return json.dumps(values, allow_nan=False, separators=(",", ":"))


def parse(text: str | bytes) -> Any:
    """Strict JSON; raises ValueError or RecursionError, also for a key that stands twice and a number out of range."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite, parse_int=_integer)


class _Apart:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._seen = 0

    def value(self, value: Any, place: tuple[str, ...], depth: int) -> Any:
        self._seen += 1
        if depth > _DEEPEST or self._seen > _MOST:
            raise ValueError("it nests or repeats values without end")
        if isinstance(value, Tensor):
            return {_TENSOR: self._tensor(value, place)}
        if isinstance(value, str):
            return _checked_text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return {_FLOAT: str(float(value))}
        if isinstance(value, dict):
            return self._dict(value, place, depth)
        if isinstance(value, (list, tuple)):
            parts = [self.value(part, (*place, str(number)), depth + 1) for number, part in enumerate(value)]
            return parts if isinstance(value, list) else {_TUPLE: parts}
        return _checked_number(value)

    def _dict(self, value: dict[Any, Any], place: tuple[str, ...], depth: int) -> Any:
        keys = [self.value(key, place, depth + 1) for key in value]
        if any(isinstance(key, (Tensor, tuple)) for key in value):
            raise TypeError("keys are texts and numbers")
        parts = [self.value(part, (*place, str(key)), depth + 1) for key, part in value.items()]
        if all(isinstance(key, str) and key[:1] != "$" for key in keys):
            return dict(zip(keys, parts, strict=True))
        return {_DICT: [list(pair) for pair in zip(keys, parts, strict=True)]}

    def _tensor(self, value: Tensor, place: tuple[str, ...]) -> str:
        dense = type(value) in (Tensor, torch.nn.Parameter) and value.layout == torch.strided
        if not dense or value.dtype not in DTYPES:
            raise TypeError(f"a {type(value).__name__} of {value.dtype} and layout {value.layout} is not stored")
        name = wanted = "/".join(place)
        number = 1
        while name in self.tensors or name == "__metadata__":
            number += 1
            name = f"{wanted}~{number}"
        self.tensors[name] = value.detach()
        return name


def _checked_text(value: str) -> str:
    value.encode()  # half of a pair of surrogates cannot be shown or written
    return value


def _checked_number(value: Any) -> Any:
    if value is None or isinstance(value, (bool, float)):
        return value
    if not isinstance(value, int):
        raise TypeError(f"a {type(value).__name__} is no plain value")
    if value not in _INTEGERS:
        raise ValueError("an integer has more than 64 bits")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("an integer has more than 64 bits")
    return int(digits)
