"""Content of files of tensors, and how two are compared."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.trainer.tensor_files.tensor_files import read_tensors

CONTENT = {
    "settings": {
        "size": 3,
        "shape": (1, 2),
        "loss": [0.5, math.inf],
        "none": None,
        "yes": True,
        "deep": {0: ("é", [])},
    },
    "state": {"a.b": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7), "empty": torch.zeros(0, 3)},
}


def equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other) or (one != one and other != other)


def refused(path: Path, *words: str, kind: str = "network") -> None:
    with pytest.raises(InputError) as error:
        read_tensors(path, kind)
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 500
    for word in (path.name, *words):
        assert word in sentence
