"""Heat maps of the cores and the time of the steps: each core where it lies, as strong as it is full."""

from __future__ import annotations

import re
from typing import Any

import pytest
from report_runs import Json, Page, make_summary, page_of

from spikeport.report.pictures.core_map import core_meshes, in_order, limit_meshes, strength
from spikeport.report.pictures.time_picture import time_picture, time_rows
from spikeport.summary import CoreMap, parse_summary


@pytest.fixture
def summary() -> Json:
    return make_summary()


def heats(picture: Any) -> list[dict[str, str | None]]:
    return [a for a in Page(str(picture)).attributes("rect") if a.get("class") == "heat"]


def test_a_core_lies_at_its_place_and_is_as_strong_as_its_nearest_limit(summary: Json) -> None:
    found = parse_summary(summary, "s")
    assert found.mapping is not None
    (mesh,) = core_meshes(found.mapping, found.core_map)
    assert [(a["x"], a["y"], a["fill-opacity"]) for a in heats(mesh.picture)] == [
        ("91.5", "61.5", strength(0.083)), ("121.5", "61.5", strength(0.031)),
    ]  # fmt: skip
    assert len(re.findall("core free", str(mesh.picture))) == 16 * 8
    assert ">1</text>" in mesh.picture and ">2</text>" in mesh.picture


def test_limits_are_drawn_from_the_fullest_on_and_busy_time_last(summary: Json) -> None:
    found = parse_summary(summary, "s").core_map
    assert found is not None
    meshes = limit_meshes(found)
    assert [m.title for m in meshes] == ["Synapse memory", "Input axons", "Compartments", "Busy time"]
    assert [a["fill-opacity"] for a in heats(meshes[1].picture)] == [strength(0.02), strength(0.031)]
    busiest = 0.8 * sum(1 + t % 3 for t in range(18))
    assert [a["fill-opacity"] for a in heats(meshes[3].picture)] == [strength(1.0), strength(0.3 * 18 / busiest)]


def test_cores_of_one_router_lie_side_by_side(summary: Json) -> None:
    core = {"chip": 0, "x": 1, "y": 0, "layers": {"hidden": 5}, "fill": {"compartments": 0.5}}
    found = CoreMap.model_validate({"columns": 2, "rows": 1, "cores_per_router": 4, "cores": [core] * 4})
    mapping = parse_summary(summary, "s").mapping
    assert mapping is not None
    (mesh,) = core_meshes(mapping, found)
    assert [(a["x"], a["y"]) for a in heats(mesh.picture)] == [
        ("61.5", "1.5"), ("91.5", "1.5"), ("61.5", "31.5"), ("91.5", "31.5"),
    ]  # fmt: skip


def test_without_places_cores_stand_in_the_order_of_layers_and_the_page_says_so(summary: Json) -> None:
    summary["core_map"] = None
    summary["mapping"].update(cores=1500, chips=12)
    summary["mapping"]["layers"][0]["cores"] = 1500
    found = parse_summary(summary, "s").mapping
    assert found is not None
    cores = in_order(found).cores
    assert {core.chip for core in cores} == set(range(6))
    assert (cores[17].x, cores[17].y) == (1, 1)
    assert "no positions on the mesh were chosen" in page_of(summary)


def test_steps_that_were_not_told_apart_have_no_time_picture(summary: Json) -> None:
    found = parse_summary(summary, "s").core_map
    assert found is not None
    drawn = Page(str(time_picture(found)))
    assert sum(a.get("class") == "bar chip" for a in drawn.attributes("rect")) == 18
    marks = [a["d"] or "" for a in drawn.attributes("path") if a.get("class") == "busy"]
    assert sum(d.count("h.94") for d in marks) == 2 * 18
    rows = [[cell.replace("\u202f", " ") for cell in row] for row in time_rows(found)]
    assert rows[:2] == [["0", "1.00 µs", "0.50–3.0 µs", "0"], ["1", "2.00 µs", "1.0–6.0 µs", "0"]]
    assert len(rows) == 18
    assert time_picture(found.model_copy(update={"recorded": False})) is None


def test_programs_on_several_chips_are_said_to_be(summary: Json) -> None:
    summary["mapping"].update(cores=300, chips=3)
    text = Page(page_of(summary)).text
    assert "The network fits Intel Loihi 2 on 300 cores of 3 chips" in text
    assert "on 3 chips" in text
