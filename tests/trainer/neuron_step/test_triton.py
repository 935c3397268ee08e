"""Triton's kernels without a GPU: equal in the interpreter, compiled for GPUs, and chosen by device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeport.trainer.neuron_step import engine

HERE = Path(__file__).parent
FLOAT = ("filter_forward", "filter_backward", "fire_forward", "fire_backward")
CHIP = ("chip_forward", "chip_subtract", "chip_integrate", "chip_backward")
WHOLE = ("steps", "columns", "size", "last")
NUMBERS = ("height", "factor", "rate", "unit")
needs_triton = pytest.mark.skipif(not engine.has_triton(), reason="Triton comes with torch for GPUs, on Linux")


@needs_triton
@pytest.mark.slow
def test_every_kernel_equals_the_compiled_loops_in_the_interpreter() -> None:
    # Triton reads the variable when it is imported
    command = [sys.executable, "-m", "pytest", str(HERE / "interpreted"), "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = os.environ | {engine.INTERPRETER: "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parents[2], check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout, "nothing was collected"


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("kind", ["fp32", "fp64"])
def test_every_kernel_compiles_for_a_gpu_and_rounds_each_operation(architecture: int, kind: str) -> None:
    from triton import compile as compiled
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from spikeport.trainer.neuron_step import triton_chip_kernels, triton_kernels
    from spikeport.trainer.neuron_step.kernels import SLOPES

    named = [(getattr(triton_kernels, name), name) for name in FLOAT]
    named += [(getattr(triton_chip_kernels, name), name) for name in CHIP]
    for kernel, name in named:
        signature = {argument: type_of(argument, name, kind) for argument in kernel.arg_names}
        for slope in SLOPES if "SLOPE" in signature else ("",):
            given = {"BLOCK": 256, "SLOPE": slope}
            constants = {argument: given[argument] for argument in signature if argument in given}
            source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
            target = GPUTarget("cuda", architecture, 32)
            code: dict[str, Any] = compiled(source, target=target, options={"enable_fp_fusion": False}).asm
            operations = {line.split()[0] for line in code["ptx"].splitlines() if line.startswith("\t")}
            assert len(code["cubin"]) > 0
            unequal = {o for o in operations if o.startswith(("fma", "div.full", "div.approx", "rcp", "mad.rn"))}
            assert not unequal, f"{name} does not round as a CPU does"


def type_of(argument: str, kernel: str, kind: str) -> str:
    if argument in ("BLOCK", "SLOPE"):
        return "constexpr"
    if argument in WHOLE:
        return "i32"
    if argument in NUMBERS:
        return "fp64"
    integers = kernel in CHIP and argument in ("constants", "u_state", "v_state") and kernel != "chip_backward"
    return "*fp64" if integers or argument == "summed" else f"*{kind}"


def test_the_device_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.INTERPRETER, raising=False)
    here = torch.zeros(3, 2, 4)
    assert type(engine.kernels_for(here)).__name__ == "CpuKernels"
    assert engine.kernels_for(here.bfloat16()) is None and engine.kernels_for(here[0]) is None
    assert engine.kernels_for(here.to("meta")) is None
    monkeypatch.setattr(engine, "triton_kernels", lambda: "triton")
    assert type(engine.kernels_for(here)).__name__ == "CpuKernels"
    monkeypatch.setenv(engine.INTERPRETER, "1")
    assert engine.kernels_for(here) == "triton"
