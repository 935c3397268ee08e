"""Whether the emulator on torch's device gives the same arrays as the emulator."""

from __future__ import annotations

from typing import Any

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.emulator.emulator import emulate
from spikeport.lava_runtime.inputs import check_input
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.torch_emulator.emulate import emulate_on


def assert_same(program: ChipProgram, x: Any, steps: int) -> None:
    """Every spike, count, u and v; and the spikes alone without recording states."""
    inputs = check_input(program, x)
    wanted = emulate(program, inputs, steps, "all", threads=1)
    found = emulate_on("cpu", program, inputs, steps, "all")
    assert set(found.arrays()) == set(wanted.arrays())
    assert differences(found, wanted) == []
    assert differences(emulate_on("cpu", program, inputs, steps), wanted) == []
