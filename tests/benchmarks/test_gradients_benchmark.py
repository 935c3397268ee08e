"""The page on depth: its table of gradients is the script's, and what is read from it holds."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
from places import ROOT

PAGE = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """benchmarks/gradients.py, which imports its neighbours by name."""
    spec = importlib.util.spec_from_file_location("benchmark_gradients", ROOT / "benchmarks" / "gradients.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module


@pytest.fixture(scope="module")
def lines(script: ModuleType) -> dict[tuple[str, str, int], tuple[str, ...]]:
    """The page's cells behind the layers, by width, "1" or "tuned", and layers."""
    table = script.page.standing_table(PAGE, "gradients")
    return {(width, height.split(",")[0], int(layers)): rest for width, height, layers, *rest in table}


def ends(cell: str) -> tuple[float, float]:
    """The lowest and the highest of a cell."""
    low, _, high = cell.partition(" to ")
    return float(low), float(high or low)


def test_every_width_and_depth_stands_on_the_page(script: ModuleType, lines: dict[object, object]) -> None:
    expected = {(f"{w:g}", how, depth) for w in script.WIDTHS for how in ("1", "tuned") for depth in script.DEPTHS}
    assert set(lines) == expected


def test_what_the_page_says_of_bad_and_tuned_heights(lines: dict[tuple[str, str, int], tuple[str, ...]]) -> None:
    assert ends(lines["0.1", "1", 50][0])[0] > 1e16 and ends(lines["2", "1", 50][0])[1] < 1e-11
    tuned = [ends(cells[0]) for (_, how, _), cells in lines.items() if how == "tuned"]
    assert min(low for low, _ in tuned) >= 0.4 and max(high for _, high in tuned) <= 6.1
    assert max(ends(cells[2])[1] for (_, how, _), cells in lines.items() if how == "tuned") <= 17


@pytest.mark.parametrize("how", ["height 1", "tuned height"])
def test_the_page_s_figures_of_8_layers_are_the_script_s(
    how: str, script: ModuleType, lines: dict[tuple[str, str, int], tuple[str, ...]]
) -> None:
    data = script.load_dataset("digits_image", 0)
    for width in script.WIDTHS:
        runs = [script.measure("spiking_resnet", width, how, 8, data, seed) for seed in range(3)]
        assert [len(run.norms) for run in runs] == [8] * 3
        shown = lines[f"{width:g}", "1" if how == "height 1" else "tuned", 8]
        # a sum in another order can move a spike, so not to the last digit
        assert ends(script.cells(runs)[3]) == pytest.approx(ends(shown[0]), rel=0.15)
