"""The recipes that come with the project reach their figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import ROOT, spikeport

from spikeport.recipe import load_recipe


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_is_valid_and_named_like_its_file(path: Path) -> None:
    assert load_recipe(path).name == path.stem


# the digits recipe itself is `make demo`; what the other recipes add is more of the same, and minutes
MORE = pytest.mark.recipe


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "accuracy"),
    [
        ("digits_cnn", 0.98),
        ("digits_sew_resnet", 0.98),
        ("digits_st_rsbp", 0.975),
        pytest.param("digits", 0.97, marks=MORE),
        pytest.param("digits_soft_lif", 0.96, marks=MORE),
        pytest.param("digits_surrogate_bn", 0.97, marks=MORE),
        pytest.param("digits_tssl_bp", 0.975, marks=MORE),
        pytest.param("digits_membrane_bp", 0.975, marks=MORE),
    ],
)
def test_recipes_hold_what_they_promise(name: str, accuracy: float, tmp_path: Path) -> None:
    result = spikeport("run", ROOT / "recipes" / f"{name}.toml", "--out", tmp_path / "run", limit=1200)
    assert result.returncode == 0, result.stderr
    command = [
        sys.executable,
        str(ROOT / ".ci" / "demo_holds.py"),
        str(tmp_path / "run" / "summary.json"),
        str(accuracy),
    ]
    held = subprocess.run(command, capture_output=True, text=True, check=False)
    assert held.returncode == 0, held.stdout
