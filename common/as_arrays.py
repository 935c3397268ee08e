"""Arrays that a caller of the Python interface gives: numpy's, or what numpy turns into one without loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, reason


def as_arrays(x: object, context: str) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """One array, or one per name from a mapping; numpy arrays are not copied.

    Tensors on the CPU and nested lists of numbers are taken as numpy reads them. Raises InputError for anything else.
    """
    if isinstance(x, Mapping):
        return {str(name): as_array(values, f"{context}: {name}") for name, values in x.items()}
    return as_array(x, context)


def as_array(x: object, context: str) -> NDArray[Any]:
    """x as a numpy array in the byte order of this machine; raises InputError if it is not one."""
    kind = type(x).__name__
    if x is None or isinstance(x, (str, bytes, set)) or not (hasattr(x, "__array__") or isinstance(x, (list, tuple))):
        raise InputError(f"{context}: is a value of type {kind}; give a numpy array, or one per input in a dictionary")
    try:
        values = np.asarray(x)
    except Exception as error:  # torch raises RuntimeError and TypeError, numpy ValueError
        raise InputError(f"{context}: {kind} cannot be read as an array ({reason(error)})") from error
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def check_whole(option: str, value: object) -> None:
    """Raise InputError if a count is not a whole number (None: not given)."""
    if value is not None and (isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer))):
        raise InputError(f"{option} is {value!r}, but must be a whole number")
