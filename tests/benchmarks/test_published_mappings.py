"""Published core counts beside ours: within a quarter, the vendor's own networks within a core, the page up to date."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from places import ROOT, SHARED

from spikeport.exporter.mapping import map_program
from spikeport.exporter.netx.from_net import compile_net
from spikeport.hardware_profiles import load_chip

NETX = SHARED / "conformance" / "netx"


@cache
def benchmark() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import mapping

    return mapping


@cache
def found() -> tuple[object, ...]:
    return tuple(benchmark().compared())


def test_every_published_count_is_met_within_a_quarter_and_the_page_says_so() -> None:
    assert len(found()) >= 9
    for one in found():
        assert abs(one.difference) <= 0.25, one.case.title  # type: ignore[attr-defined]
        assert all(layer.fits for layer in one.mapping.layers), one.mapping.reasons()  # type: ignore[attr-defined]
        assert sum(one.case.layers) in (0, one.case.published)  # type: ignore[attr-defined]
    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    up_to_date = benchmark().written(text, benchmark().markdown(found()))
    assert up_to_date == text, "run python benchmarks/mapping.py --out docs/mapping.md"


@pytest.mark.parametrize(
    ("file", "theirs"), [("mnist/trained_mnist_network.net", (3, 1, 1)), ("oxford/network.net", (3, 2))]
)
def test_the_vendors_networks_take_what_the_vendors_compiler_gave_them(file: str, theirs: tuple[int, ...]) -> None:
    path: Path = NETX / file
    if not path.exists():
        pytest.skip(f"{path} is not here")
    chip = load_chip("loihi2")
    mapping = map_program(compile_net(path, chip), chip)
    assert abs(mapping.cores - sum(theirs)) <= 1
    assert all(abs(layer.cores - n) <= 1 for layer, n in zip(mapping.layers, theirs, strict=True))
