"""Tests of Triton's kernels in its interpreter; see tests/trainer/neuron_step/interpreted/conftest.py."""

from __future__ import annotations

from interpreter import left_out

collect_ignore_glob = left_out()
