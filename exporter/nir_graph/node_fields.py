"""The fields of NIR nodes in one form each, whatever form a file or a framework gave them.

Constants of neurons, Scale and Delay are float64 arrays that share one shape; sizes and strides are whole numbers. A
constant may be a Python number, a numpy number of any type, an array of one element or of one per neuron; files of NIR
0.1 and 0.2 lack v_reset, w_in, input_shape and biases that later ones have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.whole_numbers import whole_number, whole_numbers

Fields = dict[str, Any]

_CUBA = ("tau_syn", "tau_mem", "r", "v_leak")
_CONSTANTS: Mapping[str, tuple[str, ...]] = {
    "CubaLI": (*_CUBA, "w_in"),
    "CubaLIF": (*_CUBA, "v_threshold", "v_reset", "w_in"),
    "I": ("r",),
    "IF": ("r", "v_threshold", "v_reset"),
    "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "Threshold": ("threshold",),
    "Scale": ("scale",),
    "Delay": ("delay",),
}
_CONV = ("weight", "stride", "padding", "dilation", "groups")
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    **{kind: tuple(n for n in names if n not in ("v_reset", "w_in")) for kind, names in _CONSTANTS.items()},
    "Affine": ("weight",),
    "Linear": ("weight",),
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": (),
    "Input": ("shape",),
    "Output": ("shape",),
    "NIRGraph": ("nodes", "edges"),
    "Identity": (),
}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_CONSTANTS, ("v_reset", "w_in")),
    "Affine": ("bias",),
    "Conv1d": ("bias", "input_shape"),
    "Conv2d": ("bias", "input_shape"),
    "Flatten": ("start_dim", "end_dim", "input_type"),
    "Identity": ("shape",),
}
TIME_CONSTANTS = ("tau", "tau_syn", "tau_mem")
"""Constants that may be infinite: such a neuron does not leak."""
_GAINS_OF = {"r": "tau_mem", "w_in": "tau_syn"}
_DEFAULTS = {"v_reset": 0.0, "w_in": 1.0}


def known_kinds() -> tuple[str, ...]:
    """The types of nodes that can be read with this release of nir."""
    return tuple(kind for kind in _REQUIRED if hasattr(nir, kind))


def constant_names(kind: str) -> tuple[str, ...]:
    """The constants of a type of node that are one number per element, () if it has none."""
    return _CONSTANTS.get(kind, ())


def check_fields(kind: str, fields: Mapping[str, Any], subject: str) -> None:
    """Raise InputError for a type, a missing field or an additional one that cannot be read; subject: the node."""
    if kind not in known_kinds():
        raise InputError(
            f"{subject} is of type {kind!r}, which is not read; known are {', '.join(known_kinds())}: use those instead"
        )
    missing = [name for name in _REQUIRED[kind] if name not in fields]
    if missing:
        raise InputError(f"{subject} ({kind}) has no {missing[0]!r}; export the network again with all fields of NIR")
    known = {*_REQUIRED[kind], *_OPTIONAL.get(kind, ()), "type", "metadata"}
    additional = [name for name in fields if name not in known]
    if additional:
        raise InputError(
            f"{subject} ({kind}) has a field {additional[0]!r}, which NIR {nir.version} does not define; "
            "export the network without it"
        )


def normal_fields(kind: str, fields: Mapping[str, Any], subject: str) -> Fields:
    """The fields of one node in their normal form; raises InputError, beginning with `subject`, for what has none."""
    normal = dict(fields)
    if kind in _CONSTANTS:
        normal |= _constants(kind, fields, subject)
    elif kind in ("Conv1d", "Conv2d"):
        normal |= _convolution(fields, 1 if kind == "Conv1d" else 2, subject)
    elif kind in ("SumPool2d", "AvgPool2d"):
        for name in ("kernel_size", "stride", "padding"):
            normal[name] = np.array(_axes(fields[name], 2, f"{subject}, {name}"))
    elif kind in ("Affine", "Linear"):
        normal["weight"] = _finite(fields["weight"], f"{subject}, weight")
        if kind == "Affine":
            normal["bias"] = _bias(fields.get("bias"), normal["weight"].shape[-2:-1], f"{subject}, bias")
    elif kind == "Flatten":
        for name in ("start_dim", "end_dim"):
            if name in fields:
                normal[name] = whole_number(fields[name], f"{subject}, {name}")
    elif kind in ("Input", "Output") and "shape" in fields:
        normal["shape"] = checked_shape(fields["shape"], f"{subject}, shape")
    return normal


def checked_shape(value: Any, subject: str) -> NDArray[np.int32]:
    """A shape of whole numbers from 0, (rank,); raises InputError."""
    shape = whole_numbers(value, subject).reshape(-1)
    if np.any(shape < 0):
        raise InputError(f"{subject} is {shape.tolist()}, but a size is not negative; export the network again")
    return shape


def _constants(kind: str, fields: Mapping[str, Any], subject: str) -> Fields:
    given = [name for name in _CONSTANTS[kind] if name not in _DEFAULTS or fields.get(name) is not None]
    # at least one axis: HDF5 does not compress single numbers
    values = {
        name: np.atleast_1d(_numbers(fields.get(name), f"{subject}, {name}").astype(np.float64, copy=False))
        for name in given
    }
    shape = max((value.shape for value in values.values()), key=lambda s: (int(np.prod(s)), len(s)))
    values |= {name: np.full(1, default) for name, default in _DEFAULTS.items() if name in _CONSTANTS[kind]} | values
    values = {name: _broadcast(value, shape, f"{subject}, {name}") for name, value in values.items()}
    for gain, tau in _GAINS_OF.items():
        tau = tau if tau in values else "tau"
        if gain in values and tau in values:
            # an integrator: frameworks derive the gain from the time constant, and mean 1 per step
            values[gain] = np.where(np.isposinf(values[gain]) & np.isposinf(values[tau]), 1.0, values[gain])
    for name, value in values.items():
        _check(value, np.isposinf(value) if name in TIME_CONSTANTS else None, f"{subject}, {name}")
    return values


def _numbers(value: Any, subject: str) -> NDArray[Any]:
    # torch's tensors become arrays
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "biuf":
        raise InputError(f"{subject} holds {str(value)[:40]!r}, but real numbers are needed; export the network again")
    return numbers


def _finite(value: Any, subject: str) -> NDArray[Any]:
    numbers = _numbers(value, subject)
    _check(numbers, None, subject)
    return numbers


def _check(numbers: NDArray[Any], allowed: NDArray[np.bool_] | None, subject: str) -> None:
    """Raise InputError for NaN and infinity, other than the allowed places."""
    right = np.isfinite(numbers) if allowed is None else np.isfinite(numbers) | allowed
    if not np.all(right):
        index = tuple(int(i) for i in np.argwhere(~right)[0])
        raise InputError(f"{subject} holds {numbers[index]} at {list(index)}; train or export it again")


def _broadcast(value: NDArray[np.float64], shape: tuple[int, ...], subject: str) -> NDArray[np.float64]:
    if value.shape == shape:
        return value
    if value.size == 1:
        return np.full(shape, value.item())
    try:
        if value.size == np.prod(shape):
            return value.reshape(shape)
        return np.broadcast_to(value, shape).copy()
    except ValueError:
        raise InputError(
            f"{subject} has shape {value.shape}, but another constant has {shape}; give one number, or one per neuron"
        ) from None


def _convolution(fields: Mapping[str, Any], axes: int, subject: str) -> Fields:
    weight = _finite(fields["weight"], f"{subject}, weight")
    normal: Fields = {
        "weight": weight,
        "bias": _bias(fields.get("bias"), weight.shape[:1], f"{subject}, bias"),
        "groups": whole_number(fields["groups"], f"{subject}, groups"),
        "input_shape": None,
    }
    for name in ("input_shape", "stride", "padding", "dilation"):
        value = fields.get(name)
        if isinstance(value, bytes):
            value = value.decode()
        if name == "padding" and isinstance(value, str) and value in ("same", "valid"):
            normal[name] = value
        elif value is not None:
            numbers = _axes(value, axes, f"{subject}, {name}")
            normal[name] = numbers[0] if axes == 1 else numbers
    return normal


def _axes(value: Any, axes: int, subject: str) -> tuple[int, ...]:
    """One whole number per axis, from one for all or one each."""
    numbers = whole_numbers(value, subject).reshape(-1)
    if numbers.size not in (1, axes):
        raise InputError(f"{subject} is {numbers.tolist()}, but {axes} numbers are needed; export the network again")
    return tuple(int(n) for n in np.broadcast_to(numbers, (axes,)))


def _bias(value: Any, shape: tuple[int, ...], subject: str) -> NDArray[Any]:
    """One bias per output: zeros without one, a single number for all."""
    bias = np.zeros(shape) if value is None else _finite(value, subject)
    return np.full(shape, bias.item()) if bias.size == 1 and bias.shape != shape else bias
