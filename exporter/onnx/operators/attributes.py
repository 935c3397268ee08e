"""Attributes that an ONNX operator declares and that are honoured; others are rejected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import AttributeProto, helper

from spikeport.common.errors import InputError

FLOAT, INT, STRING, TENSOR = AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING, AttributeProto.TENSOR
FLOATS, INTS, STRINGS = AttributeProto.FLOATS, AttributeProto.INTS, AttributeProto.STRINGS
SPARSE_TENSOR = AttributeProto.SPARSE_TENSOR
_LONGEST_VALUE = 60


@dataclass(frozen=True)
class Attribute:
    """A known attribute: its type, its default, and the values that can be converted.

    accepted: None for all; for INTS it applies to each element. fix: the remedy for any other value.
    """

    kind: int
    default: Any = None
    accepted: tuple[Any, ...] | None = None
    fix: str = "export the network again"


FLAG = Attribute(INT, 0, (0, 1))


def flag(default: int) -> Attribute:
    """An attribute that is 0 or 1; both are honoured."""
    return Attribute(INT, default, (0, 1))


def checked(proto: onnx.NodeProto, declared: Mapping[str, Attribute], label: str) -> dict[str, Any]:
    """The node's attributes by name, defaults filled in; raises InputError for one that cannot be honoured.

    Text as str, lists as tuples.
    """
    values = {name: attribute.default for name, attribute in declared.items()}
    seen = set[str]()
    for given in proto.attribute:
        name = str(given.name)
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise InputError(f"{label}: has the attribute {name!r}, known are {known}; export the network without it")
        if name in seen or given.ref_attr_name or given.type != declared[name].kind:
            raise InputError(
                f"{label}: has {name} twice, of another type or by reference; give it once, in its own type"
            )
        seen.add(name)
        values[name] = _checked(given, declared[name], label)
    return values


def _checked(given: onnx.AttributeProto, declared: Attribute, label: str) -> Any:
    value = helper.get_attribute_value(given)
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    elements = tuple(value) if declared.kind in (INTS, FLOATS, STRINGS) else (value,)
    finite = all(math.isfinite(element) for element in elements if isinstance(element, float))
    if not finite or (declared.accepted is not None and any(e not in declared.accepted for e in elements)):
        raise InputError(f"{label}: has {given.name}{_shown(value, declared.kind)}; {declared.fix}")
    return elements if declared.kind in (INTS, FLOATS, STRINGS) else value


def _shown(value: Any, kind: int) -> str:
    """The value in messages; tensors are not shown."""
    if kind in (TENSOR, SPARSE_TENSOR, STRINGS):
        return ""
    text = str(tuple(value) if kind in (INTS, FLOATS) else value)
    return " " + (text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ...")
