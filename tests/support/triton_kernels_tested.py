"""Triton's kernels without a GPU: tests in its interpreter, in a process of their own, and the code made for a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeport.common.accelerator import INTERPRETER

ROOT = Path(__file__).parents[2]
# they round otherwise than a CPU's multiplication, addition and division
_INEXACT = ("fma", "div.full", "div.approx", "rcp", "mad.rn")


def run_interpreted(folder: Path) -> str:
    """Run a folder's tests with Triton's interpreter, which reads its variable when it is imported; returns the end."""
    command = [sys.executable, "-m", "pytest", str(folder), "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = os.environ | {INTERPRETER: "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def inexact_instructions(
    kernel: Any, types: Mapping[str, str], constants: Mapping[str, Any], architecture: int
) -> set[str]:
    """Compile a kernel for a GPU (sm_80: 80), as it is launched; its floating-point instructions that are not exact."""
    from triton import compile as compiled
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    used = {name: value for name, value in constants.items() if name in kernel.arg_names}
    signature = {name: "constexpr" if name in used else types[name] for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=used)
    made = compiled(source, target=GPUTarget("cuda", architecture, 32), options={"enable_fp_fusion": False})
    assert len(made.asm["cubin"]) > 0
    operations = {line.split()[0] for line in made.asm["ptx"].splitlines() if line.startswith("\t")}
    return {operation for operation in operations if operation.startswith(_INEXACT)}
