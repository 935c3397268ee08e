"""Triton's kernels without a GPU: equal in the interpreter, compiled for GPUs, and chosen by device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from triton_kernels_tested import inexact_instructions, launches_compiled, run_interpreted

from spikeport.common.accelerator import INTERPRETER, has_triton
from spikeport.trainer.neuron_step import engine
from spikeport.trainer.neuron_step.kernels import SLOPES
from spikeport.trainer.neuron_step.surrogates import surrogate

FLOAT = ("filter_forward", "filter_backward", "fire_forward", "fire_backward")
CHIP = ("chip_forward", "chip_subtract", "chip_integrate", "chip_backward")
WHOLE = ("steps", "columns", "size", "last")
NUMBERS = ("height", "factor", "rate", "unit")
needs_triton = pytest.mark.skipif(not has_triton(), reason="Triton comes with torch for GPUs, on Linux")


@needs_triton
@pytest.mark.slow
def test_every_kernel_equals_the_compiled_loops_in_the_interpreter() -> None:
    run_interpreted(Path(__file__).parent / "interpreted")


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("kind", ["fp32", "fp64"])
def test_every_kernel_compiles_for_a_gpu_and_rounds_each_operation(architecture: int, kind: str) -> None:
    from spikeport.trainer.neuron_step import triton_chip_kernels, triton_kernels

    named = [(getattr(triton_kernels, name), name) for name in FLOAT]
    named += [(getattr(triton_chip_kernels, name), name) for name in CHIP]
    for kernel, name in named:
        types = {argument: type_of(argument, name, kind) for argument in kernel.arg_names}
        for slope in SLOPES if "SLOPE" in types else ("",):
            inexact = inexact_instructions(kernel, types, {"BLOCK": 256, "SLOPE": slope}, architecture)
            assert not inexact, f"{name} does not round as a CPU does"


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4, 3, 33), (1, 1, 1), (16, 16, 256)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_every_launch_compiles_with_its_arguments(shape: tuple[int, int, int], kind: torch.dtype) -> None:
    from spikeport.trainer.neuron_step.triton_launch import TritonKernels

    run, a, state = TritonKernels(), torch.zeros(shape, dtype=kind), torch.zeros(shape[1:], dtype=kind)
    one, double = torch.ones(shape[2:], dtype=kind), torch.ones((), dtype=torch.float64)
    constants, states = (double,) * 4, (state.double(), state.double())
    with launches_compiled() as compiled:
        run.filter_forward(a, one, None)
        run.filter_backward(a, one, state)
        run.fire_forward(a, one, one, one, state)
        for start in (states, None):
            run.chip_forward(a, constants, 0.1, start)
        run.chip_subtract(a, constants, double, 0.1, *states)
        run.chip_integrate(a, *constants[:3], 0.1, *states)
        for name in SLOPES:
            run.fire_backward(a, a.clone(), one, one, surrogate(name), 0.5, state)
            run.chip_backward(a, a, one, one, surrogate(name), 0.5, 0.1, shape[2])
    assert {name for name, _ in compiled} == {*FLOAT, *CHIP} and not any(fused for _, fused in compiled)


def type_of(argument: str, kernel: str, kind: str) -> str:
    if argument in WHOLE:
        return "i32"
    if argument in NUMBERS:
        return "fp64"
    integers = kernel in CHIP and argument in ("constants", "u_state", "v_state") and kernel != "chip_backward"
    return "*fp64" if integers or argument == "summed" else f"*{kind}"


def test_the_device_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INTERPRETER, raising=False)
    here = torch.zeros(3, 2, 4)
    assert type(engine.kernels_for(here)).__name__ == "CpuKernels"
    assert engine.kernels_for(here.bfloat16()) is None and engine.kernels_for(here[0]) is None
    assert engine.kernels_for(here.to("meta")) is None
    monkeypatch.setattr(engine, "triton_kernels", lambda: "triton")
    assert type(engine.kernels_for(here)).__name__ == "CpuKernels"
    monkeypatch.setenv(INTERPRETER, "1")
    assert engine.kernels_for(here) == "triton"
