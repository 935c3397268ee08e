"""A mapping by hand: written and read back, and refused in a sentence where it is none, or breaks a limit."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import naive_mapping
import programs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_chips import chips, small_chip
from strategies import chip_programs

from spikeport.exporter.mapping import map_program, read_map, write_map
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import ChipProfile, InputError

SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(program=chip_programs(), chip=chips, ending=st.sampled_from([".toml", ".json"]))
def test_what_is_written_is_read_back(tmp_path: Path, program: ChipProgram, chip: ChipProfile, ending: str) -> None:
    mapping = map_program(program, chip)
    if mapping.cores > mapping.board.capacity:
        return
    path = tmp_path / f"map{ending}"
    write_map(mapping, path)
    found = read_map(path, program, chip)
    assert (found.layers, found.placed, found.fills, found.fits) == (
        mapping.layers, mapping.placed, mapping.fills, mapping.fits
    )  # fmt: skip
    written = path.read_bytes()
    write_map(found, path)
    assert path.read_bytes() == written


@SETTINGS
@given(data=st.data(), program=chip_programs(), chip=chips)
def test_a_mapping_by_hand_is_accepted_if_it_breaks_no_limit(
    tmp_path: Path, data: st.DataObject, program: ChipProgram, chip: ChipProfile
) -> None:
    layers: dict[str, Any] = {}
    for population in program.populations:
        cuts = sorted(data.draw(st.sets(st.integers(1, max(1, population.size - 1)), max_size=3)))
        edges = [0, *(cut for cut in cuts if cut < population.size), population.size]
        on = data.draw(st.permutations(range(6)))
        layers[population.name] = {"slices": [[a, b - 1, on[n]] for n, (a, b) in enumerate(pairwise(edges))]}
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"layers": layers}))
    mapping = read_map(path, program, chip)
    limits: Any = chip.limits
    for core, needed, shares in zip(
        mapping.placed, naive_mapping.needs(program, chip, mapping.placed), mapping.fills, strict=True
    ):
        over = {n for n, amount in needed.items() if amount > getattr(limits, naive_mapping.LIMITS[n]).value}
        # a range of an image is charged for every place that its bounding box hears
        assert over <= {name for name, share in shares.items() if share > 1}
        if over or len(core.slices) > limits.layers_per_core.value:
            assert any(f"core {core.number} " in reason for reason in mapping.reasons())
    assert mapping.fits == (not mapping.reasons())


PROGRAM = programs.dense((6, 10, 4), 0)
WHOLE = "[layers.layer1]\nslices = [[0, 4, 0], [5, 9, 1]]\n[layers.layer2]\nslices = [[0, 3, 2]]\n"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[5, 9, 1]", "[4, 9, 1]", "layer 'layer1': neuron 4 is on core 0 and on core 1"),
        ("[5, 9, 1]", "[2, 9, 1]", "neurons 2 to 4 are on core 0 and on core 1"),
        ("[5, 9, 1]", "[6, 9, 1]", "layer 'layer1': neuron 5 is on no core"),
        ("[0, 3, 2]", "[0, 1, 2]", "layer 'layer2': neurons 2 to 3 are on no core"),
        ("[0, 3, 2]", "[1, 3, 2]", "layer 'layer2': neuron 0 is on no core"),
        ("[5, 9, 1]", "[5, 10, 1]", "there are no neurons 5 to 10; the layer has 0 to 9"),
        ("[5, 9, 1]", "[9, 5, 1]", "there are no neurons 9 to 5"),
        ("[5, 9, 1]", "[5, 9, 128]", "is on core 128; the board has cores 0 to 127"),
        ("[5, 9, 1]", "[5, 9, 0]", "layer 'layer1' has two slices on core 0"),
        ("[5, 9, 1]", "[5, 9]", "[5, 9] is not a slice; give three whole numbers"),
        ("[5, 9, 1]", "[5, 9, 1.0]", "[5, 9, 1.0] is not a slice"),
        ("[[0, 3, 2]]", "3", "3 is not a slice"),
        ("[layers.layer2]\nslices = [[0, 3, 2]]\n", "", "layer 'layer2' is missing"),
        ("layers.layer2", "layers.layer3", "'layer3' is not a layer of the network; did you mean 'layer"),
        ("slices = [[0, 3, 2]]", "slice = [[0, 3, 2]]", "has other keys than tile and slices"),
        ("slices = [[0, 3, 2]]", "tile = [1, 1, 1]\nslices = [[0, 3, 2]]", "is not a tile of its shape (4,)"),
        ("layers.", "layer.", "holds no mapping"),
        ("[[0, 3, 2]]", "[[0, 3, 2]", "is not complete TOML"),
    ],
)
def test_what_is_no_mapping_is_refused_in_a_sentence(tmp_path: Path, before: str, after: str, words: str) -> None:
    path = tmp_path / "hand.toml"
    path.write_text(WHOLE)
    assert read_map(path, PROGRAM, small_chip()).fits
    assert before in WHOLE
    path.write_text(WHOLE.replace(before, after))
    with pytest.raises(InputError) as caught:
        read_map(path, PROGRAM, small_chip())
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "words"), [("map.txt", "a .toml or a .json"), ("none.json", "cannot be read")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_map(tmp_path / name, PROGRAM, small_chip())
    (tmp_path / "half.json").write_text('{"layers":')
    with pytest.raises(InputError, match="not complete JSON"):
        read_map(tmp_path / "half.json", PROGRAM, small_chip())
    with pytest.raises(InputError, match=r"a \.toml or a \.json"):
        write_map(map_program(PROGRAM, small_chip()), tmp_path / "map.txt")


def test_a_limit_that_a_core_breaks_is_named_with_the_core_and_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "hand.toml"
    path.write_text(WHOLE)
    refused = read_map(path, PROGRAM, small_chip(compartments_per_core=4))
    assert not refused.fits
    assert refused.reasons() == [
        f"core {core} breaks the limit of compartments (1.25 x) with 'layer1' {first} to {last}; "
        "give it fewer neurons, about 4"
        for core, first, last in ((0, 0, 4), (1, 5, 9))
    ]
    path.write_text(WHOLE.replace("[0, 3, 2]", "[0, 3, 1]"))
    shared = read_map(path, PROGRAM, small_chip())
    assert "core 1 holds 'layer1' 5 to 9, 'layer2' 0 to 3: more than 1" in shared.reasons()[0]
    assert read_map(path, PROGRAM, small_chip(layers_per_core=2)).fits
