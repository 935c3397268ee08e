"""Views of a profile, its trace, and profiling what was recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest
from command import spikeport
from crowded_chip import crowded

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.profiling.profile import Profile, profile_run, profile_simulated
from spikeport.lava_runtime.profiling.trace import trace
from spikeport.lava_runtime.profiling.views import views
from spikeport.lava_runtime.result import load_result
from spikeport.lava_runtime.simulate import simulate

X = programs.spikes((10, 3, 6), 0.5, 1)


@pytest.fixture(scope="module")
def program() -> ChipProgram:
    return programs.dense((6, 40, 4), 3)


@pytest.fixture(scope="module")
def chip() -> ChipProfile:
    return crowded(9)


@pytest.fixture(scope="module")
def profile(program: ChipProgram, chip: ChipProfile) -> Profile:
    return profile_simulated(program, X, chip)


def test_views_add_up_to_the_profile(profile: Profile, chip: ChipProfile) -> None:
    found = json.loads(json.dumps(views(profile, chip)))
    steps = len(X) + 2
    assert (found["rows"], found["steps"], found["samples"], found["recorded"]) == (steps, steps, 3, True)
    held = [core["neurons"] for core in found["cores"]]
    assert sorted(sum(core.values()) for core in held) == [4, 8, 8, 8, 8, 8]
    assert held.count({"layer2": 4}) == 1
    names = {"spikes": "activity", "synops": "activity", "sent": "traffic", "hops": "traffic"}
    for what, view in names.items():
        called = {"sent": "messages"}.get(what, what)
        for layer in profile.layers:
            assert sum(found[view][what]["layers"][layer.name]) == pytest.approx(getattr(layer, called), rel=1e-4)
    on_cores = np.array(found["activity"]["synops"]["cores"])
    assert on_cores.shape == (steps, 6)
    assert on_cores.sum() == pytest.approx(profile.total("synops"), rel=1e-4)
    assert np.sum(found["traffic"]["received"]["cores"]) == pytest.approx(profile.total("messages"), rel=1e-4)
    time = found["time"]
    assert sum(time["step_s"]["typical"]) == pytest.approx(profile.latency.typical, rel=1e-4)
    assert sum(sum(v) for v in time["slowest_core_s"].values()) == pytest.approx(profile.latency.typical, rel=1e-4)
    assert (np.array(time["core_busy_s"]).max(axis=1) <= np.array(time["step_s"]["typical"])).all()
    assert sum(time["slowest_share"]) == pytest.approx(1, rel=1e-4)
    assert time["per_second"]["pipelined"]["typical"] > time["per_second"]["unpipelined"]["typical"]


def test_energy_and_power_stand_apart_by_cause(profile: Profile, chip: ChipProfile) -> None:
    found = views(profile, chip)
    for bound in ("low", "typical", "high"):
        dynamic = sum(part[bound] for part in found["energy"]["dynamic_j"].values())
        static = sum(part[bound] for part in found["energy"]["static_j"].values())
        assert dynamic == pytest.approx(getattr(profile.dynamic, bound))
        assert static == pytest.approx(getattr(profile.static, bound))
    assert set(found["power"]["static_w"]) == {"leakage", "host", "clock"}
    by_layer = {name: sum(rows) for name, rows in found["energy"]["layers_j"].items()}
    assert by_layer == pytest.approx({layer.name: layer.energy.typical for layer in profile.layers}, rel=1e-4)
    # watts of every step over its seconds are the joules of the run
    seconds, watts = found["time"]["step_s"]["typical"], found["power"]["dynamic_w"]["typical"]
    assert np.dot(seconds, watts) == pytest.approx(profile.dynamic.typical, rel=1e-4)
    mean = found["power"]["mean_w"]["typical"]
    assert mean == pytest.approx(profile.energy.typical / profile.latency.typical)


def valid(events: list[dict[str, Any]]) -> None:
    """What the Trace Event Format asks of names, complete events and counters."""
    last, ends = 0.0, {}
    for event in events:
        assert event["ph"] in ("M", "X", "C")
        assert isinstance(event["name"], str)
        assert event["name"]
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ts"] >= last
        last = event["ts"]
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
        if event["ph"] == "C":
            assert all(isinstance(value, float) for value in event["args"].values())
        if event["ph"] == "X":
            track = event["pid"], event["tid"]
            assert event["dur"] >= 0
            assert event["ts"] >= ends.get(track, 0.0) - 1e-9
            ends[track] = event["ts"] + event["dur"]


def test_the_trace_is_one_that_the_format_allows(profile: Profile, chip: ChipProfile) -> None:
    found = json.loads(json.dumps(trace(profile, chip), allow_nan=False))
    events = found["traceEvents"]
    valid(events)
    steps = [event for event in events if event.get("cat") == "step"]
    assert [event["name"] for event in steps] == [f"step {n}" for n in range(profile.steps)]
    assert sum(event["dur"] for event in steps) == pytest.approx(1e6 * profile.latency.typical)
    tracks = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert sum(track.endswith(": layer2") for track in tracks) == 1
    work = [event for event in events if event.get("cat") == "core"]
    assert len(work) == profile.steps * 6
    assert sum(event["args"]["synops"] for event in work) == pytest.approx(profile.total("synops"))
    ends = {event["ts"]: event["ts"] + event["dur"] for event in steps}
    assert all(event["ts"] + event["dur"] <= ends[event["ts"]] + 1e-9 for event in work)


def test_a_recorded_run_is_profiled_from_its_file(program: ChipProgram, tmp_path: Path) -> None:
    chip = load_chip("loihi2")
    steps = len(X) + program.pipeline_steps
    for record in ("spikes", "layers", "all"):
        result = simulate(program, X, steps=steps, record=record)  # type: ignore[arg-type]
        result.save(tmp_path / "out.npz")
        again = load_result(tmp_path / "out.npz", program)
        assert set(again.states) == set(result.states)
        one, other = profile_run(program, result, chip, X), profile_run(program, again, chip, X)
        assert views(one, chip) == views(other, chip)
        assert one.timeline.recorded == (record != "spikes")


def test_a_run_of_another_network_or_input_is_refused(program: ChipProgram, tmp_path: Path) -> None:
    other = programs.dense((6, 41, 4), 3)
    simulate(other, X, record="layers").save(tmp_path / "other.npz")
    with pytest.raises(InputError, match=r"neuron_counts/layer1.*\(41,\).*\(40,\)|layer1.* has shape"):
        load_result(tmp_path / "other.npz", program)
    np.savez(tmp_path / "x.npz", spikes=np.zeros(3))
    with pytest.raises(InputError, match="not a run of this network"):
        load_result(tmp_path / "x.npz", program)
    (tmp_path / "half.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"half.npz: is truncated"):
        load_result(tmp_path / "half.npz", program)
    result = simulate(program, X, record="layers")
    with pytest.raises(InputError, match="2 samples, but the run has 3"):
        profile_run(program, result, load_chip("loihi2"), X[:, :2])
    with pytest.raises(InputError, match="input 'input' takes"):
        profile_run(program, result, load_chip("loihi2"), X[..., :5])


def test_the_command_profiles_a_recorded_run_and_writes_views_and_trace(program: ChipProgram, tmp_path: Path) -> None:
    save_program(program, tmp_path / "model.chip")
    np.save(tmp_path / "x.npy", X)
    steps = str(len(X) + program.pipeline_steps)
    how = "--record", "layers", "--steps", steps, "-o", "out.npz"
    ran = spikeport("simulate", "model.chip", "--input", "x.npy", *how, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    common = "profile", "model.chip", "--input", "x.npy", "--chip", "loihi2"
    first = spikeport(*common, "--run", "out.npz", "--json", "a.json", "--trace", "t.json", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "pipelined" in first.stdout
    valid(json.loads((tmp_path / "t.json").read_text())["traceEvents"])
    second = spikeport(*common, "--json", "b.json", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_the_command_says_that_a_network_does_not_fit(program: ChipProgram, tmp_path: Path) -> None:
    save_program(replace(program, chip="tiny"), tmp_path / "model.chip")
    tiny = 'extends = "loihi2"\nname = "tiny"\ntitle = "Tiny"\nsummary = "Two small cores."\n'
    for limit, value in (("compartments_per_core", 20), ("cores_per_chip", 2)):
        unit = "compartment" if value == 20 else "core"
        tiny += f'[limits.{limit}]\nvalue = {value}\nunit = "{unit}"\nsource = "none"\n'
        tiny += 'kind = "estimated"\ndate = "2026-01"\n'
    (tmp_path / "tiny.toml").write_text(tiny)
    ran = spikeport("profile", "model.chip", "--input", "random:0.5", "--chip", "tiny.toml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    said = " ".join(ran.stdout.split())
    assert "it does not fit, so these assume as many cores and chips as needed: the network takes 3 cores" in said
    assert "make 'layer1' smaller: compartments fill 2 cores with it" in said
