"""Seconds of a step: processor time on the CPU, which other work disturbs less; time until a GPU is done."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError

DEVICES = ("cpu", "cuda")


def compute_on(name: str) -> str:
    """Make new tensors on that device from here on; a name for tables, the GPU's own."""
    try:
        device = torch_device(name, "--device")
    except InputError as error:
        raise SystemExit(f"error: {error}") from error
    if device == "cpu":
        return "one thread of the CPU"
    torch.set_default_device(device)
    return torch.cuda.get_device_name(device)


def seconds_of(run: Callable[[], object]) -> float:
    """Of one call, on the device of new tensors."""
    if torch.get_default_device().type != "cuda":
        begun = time.process_time()
        run()
        return time.process_time() - begun
    torch.cuda.synchronize()
    begun = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - begun
