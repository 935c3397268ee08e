"""Triton's kernels in its interpreter, which must be asked for before Triton is imported."""

from __future__ import annotations

from hypothesis import Phase, settings

from spikeport.common.accelerator import has_triton, interpreted


def left_out() -> list[str]:
    """Patterns of the test files that need the interpreter, where it was not asked for; sets hypothesis for it."""
    if not (interpreted() and has_triton()):
        return ["test_*.py"]
    # the interpreter is slow, and a smaller failing case tells little more
    settings.register_profile("interpreted", settings.default, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    settings.load_profile("interpreted")
    return []
