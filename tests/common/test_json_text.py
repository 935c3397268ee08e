"""JSON that other readers take: no NaN, no Infinity, anywhere in the values."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT

from spikeport.common.json_text import json_text
from spikeport.console.output import Output

numbers = st.floats() | st.integers() | st.booleans() | st.text() | st.none()
values = st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def refuse(name: str) -> None:
    raise AssertionError(name)


def same(read: Any, written: Any) -> bool:
    if isinstance(written, float) and not math.isfinite(written):
        return read is None
    if isinstance(written, dict):
        return list(read) == list(written) and all(same(read[key], written[key]) for key in written)
    if isinstance(written, list):
        return len(read) == len(written) and all(map(same, read, written))
    return bool(read == written)


@settings(max_examples=50)
@given(values)
def test_numbers_that_are_not_finite_become_null(written: Any) -> None:
    assert same(json.loads(json_text(written), parse_constant=refuse), written)


def test_figures_hold_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=Path("-")).write_json({"break_even": math.inf, "rates": (math.nan, 1.5)})
    assert json.loads(capsys.readouterr().out, parse_constant=refuse) == {"break_even": None, "rates": [None, 1.5]}


def test_every_file_of_figures_is_written_by_it() -> None:
    """json.dumps is for files of one's own, whose values are no figures: recipes, notes, headers, names."""
    own = {
        "common/json_text.py", "common/locks.py", "exporter/mapping/file.py", "exporter/program/chip_file.py",
        "lava_runtime/lava_backend/job.py", "lava_runtime/lava_backend/worker.py", "lava_runtime/run_store.py",
        "spikeport/run/recipe.py", "spikeport/sweep/point.py", "trainer/methods/stored.py",
        "trainer/settings/options.py", "trainer/tensor_files/plain_values.py",
    }  # fmt: skip
    packages = ("common", "trainer", "exporter", "lava_runtime", "hardware_profiles", "spikeport")
    files = {
        file.relative_to(ROOT).as_posix()
        for package in packages
        for file in (ROOT / package).rglob("*.py")
        if not any(parent.is_symlink() for parent in file.parents) and re.search(r"json\.dumps?\(", file.read_text())
    }
    assert files <= own, files - own
