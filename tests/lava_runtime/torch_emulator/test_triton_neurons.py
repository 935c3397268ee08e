"""The emulator's kernels in Triton without a GPU: equal in the interpreter, and compiled for GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest
from triton_kernels_tested import inexact_instructions, run_interpreted

from spikeport.common.accelerator import has_triton

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_triton(), reason="Triton comes with torch for GPUs, on Linux"),
]


def test_the_neurons_equal_the_emulator_s_in_the_interpreter() -> None:
    run_interpreted(Path(__file__).parent / "interpreted")


@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("record", [True, False])
def test_the_kernels_compile_for_a_gpu(architecture: int, record: bool) -> None:
    from spikeport.lava_runtime.torch_emulator import triton_neurons

    for kernel, sent in ((triton_neurons.spiking, "*u8"), (triton_neurons.integrating, "*i32")):
        types = dict.fromkeys(("first", "steps", "columns", "size"), "i32")
        types |= dict.fromkeys(("a", "rows", "u_state", "v_state", "us", "vs"), "*i32") | {"sent": sent}
        assert not inexact_instructions(kernel, types, {"RECORD": record, "BLOCK": 256}, architecture)
