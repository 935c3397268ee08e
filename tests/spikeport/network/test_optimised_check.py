"""`check` with a goal: the mapping that the cost model chooses, written, read again, and faster when profiled."""

from __future__ import annotations

from pathlib import Path

import programs
import pytest
from crowded_chip import crowded

from spikeport.common.errors import InputError
from spikeport.lava_runtime.partition.optimise import mapping_for
from spikeport.network.network import Network
from spikeport.results.fit import Fit

X = programs.spikes((10, 2, 40), 0.3, 1)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(programs.dense((40, 300, 10), 3), "net.chip", "loihi2")


def test_a_mapping_for_time_is_one_that_profile_takes(network: Network, tmp_path: Path) -> None:
    fit = network.check(optimise="time", x=X)
    assert fit.fits
    optimised = fit.to_dict()["optimised"]
    assert (optimised["goal"], optimised["assumed_rate"]) == ("time", None)
    assert optimised["chosen"]["step_s"] < optimised["fewest_cores"]["step_s"] / 2
    assert "optimised for time, at measured rates" in str(fit)
    fit.write(tmp_path / "map.toml")
    few, best = network.profile(X), network.profile(X, by_hand=tmp_path / "map.toml")
    assert best.latency_s.typical < few.latency_s.typical / 2
    assert (best.spikes == few.spikes).all()
    assert network.check(by_hand=tmp_path / "map.toml").mapping == fit.mapping
    # or chosen where it is priced, with the same result
    run = network.simulate(X, record="layers")
    for again in (network.profile(X, optimise="time"), run.profile(optimise="time")):
        assert again.profile.mapping == fit.mapping
        assert again.latency_s == best.latency_s
    with pytest.raises(InputError, match="leave it out to have one optimised"):
        network.profile(X, by_hand=tmp_path / "map.toml", optimise="time")


def test_without_input_a_rate_is_assumed_and_said(network: Network) -> None:
    fit = network.check(optimise="energy")
    assert fit.to_dict()["optimised"]["assumed_rate"] == 0.1
    assert "0.1 spikes per neuron and step, an assumption" in " ".join(str(fit).split())


def test_what_contradicts_is_refused(network: Network) -> None:
    with pytest.raises(InputError, match="leave it out to have one optimised"):
        network.check(by_hand="map.toml", optimise="time")
    with pytest.raises(InputError, match="say what for: time, energy or cores"):
        network.check(x=X)
    shared = crowded(1024, layers_per_core=4)
    with pytest.raises(InputError, match="its layers share cores on loihi1"):
        Fit.for_goal("net", network.program, shared, "time")
    result = network.simulate(X).result
    with pytest.raises(InputError, match="optimise: layers share cores on loihi1"):
        mapping_for(network.program, shared, "time", result.neuron_counts, result.steps)
    assert mapping_for(network.program, shared, None, result.neuron_counts, result.steps) is None
    assert Fit.for_goal("net", network.program, shared, "cores").fits
