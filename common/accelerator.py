"""Where torch computes: on the CPU or on a GPU, by the names that recipes and --device take."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Literal, get_args

from .errors import InputError

DeviceName = Literal["cpu", "cuda", "auto"]
"""auto: a GPU if torch finds one, else the CPU."""
DEVICE_NAMES: tuple[DeviceName, ...] = get_args(DeviceName)

# Triton's own variable: kernels run in its interpreter, which takes the CPU's tensors
INTERPRETER = "TRITON_INTERPRET"


def torch_device(name: str, context: str = "device") -> str:
    """The device of that name as torch calls it; raises InputError for a GPU that torch does not find.

    Of several processes that torchrun started, each has its own GPU.
    """
    if name not in DEVICE_NAMES:
        raise InputError(f"{context} must be {', '.join(DEVICE_NAMES[:-1])} or {DEVICE_NAMES[-1]}, not {name!r}")
    if name == "cpu":
        return "cpu"
    missing = gpu_missing()
    if missing is None:
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if name == "cuda":
        raise InputError(f"{context} is cuda, but {missing}; choose cpu or auto, or ask `spikeport doctor`")
    return "cpu"


def gpu_missing() -> str | None:
    """Why nothing can be computed on a GPU, None if something can."""
    if find_spec("torch") is None:
        return "torch is not installed"
    import torch

    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        return "the installed torch is built for CPUs only"
    return "torch finds no GPU"


def interpreted() -> bool:
    """Whether Triton's kernels are asked for on the CPU, in its interpreter: slow, for tests."""
    return os.environ.get(INTERPRETER) == "1"


def has_triton() -> bool:
    """Whether Triton is installed: it comes with torch for GPUs, on Linux."""
    return find_spec("triton") is not None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the CPU or of a GPU ran out."""
    if isinstance(error, MemoryError):
        return True
    # torch has a type of its own on GPUs only
    return isinstance(error, RuntimeError) and ("allocate memory" in str(error) or "out of memory" in str(error))
