"""Separate tensors from plain values, so that the values are strict JSON, and put them together again."""

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
# of values and tensors: an untrusted file that nests or repeats them without end is refused
_DEEPEST = 32
_MOST = 1 << 20
_INTEGERS = range(-(1 << 63), 1 << 64)
# types that JSON lacks, each an object of one key
_TENSOR, _TUPLE, _FLOAT, _DICT = "$tensor", "$tuple", "$float", "$dict"
_NOT_FINITE = ("nan", "inf", "-inf")


def take_apart(content: Mapping[str, Any]) -> tuple[Any, dict[str, Tensor]]:
    """Values for JSON with marks in place of tensors, and the tensors by name; raises TypeError or ValueError.

    A tensor's name is its path, as in "optimizer/state/0/step".
    """
    splitter = _Splitter()
    return splitter.value(dict(content), (), 0), splitter.tensors


def put_together(values: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `take_apart`; raises KeyError, TypeError or ValueError for values it would not produce."""
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
        return tuple(put_together(item, tensors) for item in value)
    if mark == _FLOAT and value in _NOT_FINITE:
        return float(value)
    if mark == _DICT and isinstance(value, list):
        items = {put_together(key, tensors): put_together(item, tensors) for key, item in value}
        if len(items) == len(value):
            return items
    raise ValueError(f"{mark} holds something else")


def dump(values: Any) -> str:
    """Strict JSON, the same text for the same values."""
    return json.dumps(values, allow_nan=False, separators=(",", ":"))


def parse(text: str | bytes) -> Any:
    """Parse strict JSON; raises ValueError or RecursionError, also for a duplicate key and a number out of range."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite, parse_int=_integer)


class _Splitter:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._seen = 0

    def value(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        self._seen += 1
        if depth > _DEEPEST or self._seen > _MOST:
            raise ValueError("it nests or repeats values without end")
        if isinstance(value, Tensor):
            return {_TENSOR: self._tensor(value, path)}
        if isinstance(value, str):
            return _checked_text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return {_FLOAT: str(float(value))}
        if isinstance(value, dict):
            return self._dict(value, path, depth)
        if isinstance(value, (list, tuple)):
            items = [self.value(item, (*path, str(number)), depth + 1) for number, item in enumerate(value)]
            return items if isinstance(value, list) else {_TUPLE: items}
        return _checked_number(value)

    def _dict(self, value: dict[Any, Any], path: tuple[str, ...], depth: int) -> Any:
        keys = [self.value(key, path, depth + 1) for key in value]
        if any(isinstance(key, (Tensor, tuple)) for key in value):
            raise TypeError("keys are texts and numbers")
        items = [self.value(item, (*path, str(key)), depth + 1) for key, item in value.items()]
        if all(isinstance(key, str) and key[:1] != "$" for key in keys):
            return dict(zip(keys, items, strict=True))
        return {_DICT: [list(pair) for pair in zip(keys, items, strict=True)]}

    def _tensor(self, value: Tensor, path: tuple[str, ...]) -> str:
        dense = type(value) in (Tensor, torch.nn.Parameter) and value.layout == torch.strided
        if not dense or value.dtype not in DTYPES:
            raise TypeError(f"a {type(value).__name__} of {value.dtype} and layout {value.layout} is not stored")
        name = base = "/".join(path)
        number = 1
        while name in self.tensors or name == "__metadata__":
            number += 1
            name = f"{base}~{number}"
        self.tensors[name] = value.detach()
        return name


def _checked_text(value: str) -> str:
    value.encode()  # a lone surrogate cannot be printed or written
    return value


def _checked_number(value: Any) -> Any:
    if value is None or isinstance(value, (bool, float)):
        return value
    if not isinstance(value, int):
        raise TypeError(f"a {type(value).__name__} is not a plain value")
    if value not in _INTEGERS:
        raise ValueError("an integer has more than 64 bits")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) != len(pairs):
        raise ValueError("a key occurs twice")
    return items


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
