"""Whole numbers from values of any type: wholeness and range are checked before the cast, which would cut or wrap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

_INT32 = np.iinfo(np.int32)


def whole_number(value: Any, subject: str) -> int:
    """One whole number, from a Python or numpy number or an array of one; raises InputError that begins with `subject`.

    It must fit in 32 bits, as every count, size and register of a chip does.
    """
    values = whole_numbers(value, subject)
    if values.size != 1:
        raise InputError(f"{subject} holds {values.size} numbers, but one is needed; make the file again")
    return int(values.reshape(-1)[0])


def whole_numbers(values: Any, subject: str) -> NDArray[np.int32]:
    """The values as int32, in their own shape; raises InputError for fractions, NaN, text and more than 32 bits."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{subject} holds {str(values)[:40]!r}, but whole numbers are needed; make the file again")
    outside = array.size > 0 and not (array.min() >= _INT32.min and array.max() <= _INT32.max)  # also NaN
    if outside or (array.dtype.kind == "f" and np.any(array != np.rint(array))):
        wrong = ~((array >= _INT32.min) & (array <= _INT32.max)) | (array != np.rint(array))
        culprit = array[wrong][0]
        raise InputError(f"{subject} holds {culprit}, but whole numbers of 32 bits are needed; make the file again")
    return array.astype(np.int32)
