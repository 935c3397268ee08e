"""Tests of Triton's kernels in its interpreter, which must be asked for before Triton is imported.

`tests/trainer/neuron_step/test_triton.py` runs them; by hand:

    TRITON_INTERPRET=1 python -m pytest tests/trainer/neuron_step/interpreted
"""

from __future__ import annotations

from hypothesis import Phase, settings

from spikeport.common.accelerator import has_triton, interpreted

collect_ignore_glob = [] if interpreted() and has_triton() else ["test_*.py"]

# the interpreter is slow, and a smaller failing case tells little more
settings.register_profile("interpreted", settings.default, phases=[Phase.explicit, Phase.reuse, Phase.generate])
settings.load_profile("interpreted")
