"""Devices by name, and the sentences where one is missing or its memory runs out."""

from __future__ import annotations

import pytest
import torch

from spikeport.common import accelerator
from spikeport.common.accelerator import gpu_missing, is_out_of_memory, torch_device
from spikeport.common.errors import InputError


def test_the_cpu_is_always_there_and_auto_takes_it_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "gpu_missing", lambda: "torch finds no GPU")
    assert torch_device("cpu") == torch_device("auto") == "cpu"
    with pytest.raises(InputError, match=r"device is cuda, but torch finds no GPU; choose cpu or auto"):
        torch_device("cuda")


def test_each_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "gpu_missing", lambda: None)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert torch_device("cuda") == torch_device("auto") == "cuda:0" and torch_device("cpu") == "cpu"
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert torch_device("auto") == "cuda:3"


def test_another_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"--device must be cpu, cuda or auto, not 'tpu'"):
        torch_device("tpu", "--device")


def test_why_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert gpu_missing() == "torch finds no GPU"
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    assert gpu_missing() == "the installed torch is built for CPUs only"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert gpu_missing() is None


@pytest.mark.parametrize(
    ("error", "ran_out"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_that_ran_out(error: Exception, ran_out: bool) -> None:
    assert is_out_of_memory(error) is ran_out
