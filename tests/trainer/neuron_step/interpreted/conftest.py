"""Tests of Triton's kernels in its interpreter, which must be asked for before Triton is imported.

`tests/trainer/neuron_step/test_triton.py` runs them; by hand:

    TRITON_INTERPRET=1 python -m pytest tests/trainer/neuron_step/interpreted
"""

from __future__ import annotations

from interpreter import left_out

collect_ignore_glob = left_out()
