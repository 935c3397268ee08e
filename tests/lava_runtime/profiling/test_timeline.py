"""A run by step and core: counts are those of a naive walk over spikes and synapses, times follow from the counts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import naive
import numpy as np
import programs
import pytest
from crowded_chip import crowded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from strategies import chip_programs, inputs_for

from benchmarks.cost_model.validation import with_constants
from spikeport.exporter.mapping import encoding, is_list
from spikeport.exporter.mapping.board import compact_order
from spikeport.exporter.program.chip_program import ChipProgram, DenseConnection
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.kernels.counting import count_bytes, count_payloads
from spikeport.lava_runtime.kernels.step_times import pipelined_seconds
from spikeport.lava_runtime.profiling.counts import Runs
from spikeport.lava_runtime.profiling.placement import Placement
from spikeport.lava_runtime.profiling.profile import profile_run, profile_simulated
from spikeport.lava_runtime.profiling.timeline import Timeline
from spikeport.lava_runtime.profiling.views import views
from spikeport.lava_runtime.result import SimulationResult
from spikeport.lava_runtime.simulate import simulate

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Counted = dict[str, NDArray[np.float64]]


# chips of two by three routers
COLUMNS, ROWS = 2, 3
SMALL_CHIPS = {
    "cores_per_chip": COLUMNS * ROWS, "cores_per_router": 1, "mesh_columns": COLUMNS, "chips_per_board": 900,
}  # fmt: skip


def walk(program: ChipProgram, x: NDArray[Any], result: SimulationResult, placement: Placement) -> Counted:
    """Events by step, sample and part: every spike is followed along the list of all synapses."""
    shape = result.steps, result.batch, len(placement.parts)
    counted: Counted = defaultdict(lambda: np.zeros(shape))
    sent = {p.name: result.states[f"s/{p.name}"].reshape(*shape[:2], -1) for p in program.populations}
    entry = program.inputs[0]
    sent[entry.name] = np.zeros((*shape[:2], entry.size))
    sent[entry.name][: len(x)] = (x != 0).reshape(len(x), result.batch, -1)[: result.steps]
    for name, values in sent.items():
        for t, b, i in np.argwhere(values):
            counted["spikes"][t, b, placement.slots[name][i]] += 1
    for connection in program.connections:
        targets: dict[int, list[int]] = defaultdict(list)
        for source, target, weight in naive.synapse_list(connection):
            if weight or not is_list(connection, program):
                targets[source].append(int(placement.slots[connection.target][target]))
        for t, b, i in np.argwhere(sent[connection.source]):
            own = placement.slots[connection.source][i]
            for part in targets[i]:
                counted[f"synops_{encoding(connection, program)}"][t, b, part] += 1
            for part in set(targets[i]):
                counted["received"][t, b, part] += 1
                counted["messages"][t, b, own] += 1
                routers, chips = distance(placement, own, part)
                counted["hops"][t, b, own] += routers
                counted["chip_hops"][t, b, own] += chips
    return counted


def distance(placement: Placement, source: int, target: int) -> tuple[int, int]:
    """Rows and columns between two parts' cores, of routers and of chips; input enters at the first router."""

    (x, y, column, row), (other_x, other_y, other_column, other_row) = (
        place(placement, source),
        place(placement, target),
    )
    return abs(x - other_x) + abs(y - other_y), abs(column - other_column) + abs(row - other_row)


def place(placement: Placement, part: int) -> tuple[int, int, int, int]:
    """Router on the board's grid, and chip, of a part; input enters at the first router."""
    if placement.parts[part].core < 0:
        return 0, 0, 0, 0
    core = placement.placed[placement.parts[part].core]
    column, row = compact_order(30, 30)[core.chip]
    return column * placement.board.columns + core.x, row * placement.board.rows + core.y, column, row


def carried(program: ChipProgram, counted: Counted, placement: Placement) -> dict[tuple[int, ...], NDArray[np.float64]]:
    """Messages (steps, samples) on every link (x, y, x, y), router by router, as a part's mean element sends them."""
    loads: dict[tuple[int, ...], NDArray[np.float64]] = defaultdict(lambda: np.zeros(counted["spikes"].shape[:2]))
    for connection in program.connections:
        slots = placement.slots[connection.source]
        reached: dict[int, set[int]] = defaultdict(set)
        for source, target, weight in naive.synapse_list(connection):
            if weight or not is_list(connection, program):
                reached[source].add(int(placement.slots[connection.target][target]))
        for element, targets in reached.items():
            own = slots[element]
            sent = counted["spikes"][:, :, own] / np.count_nonzero(slots == own)
            for part in targets:
                (x, y, _, _), (to_x, to_y, _, _) = place(placement, own), place(placement, part)
                while (x, y) != (to_x, to_y):
                    before = x, y
                    x, y = (x + np.sign(to_x - x), y) if x != to_x else (x, y + np.sign(to_y - y))
                    loads[(*before, int(x), int(y))] += sent
    return loads


def pairs(program: ChipProgram, placement: Placement) -> set[tuple[int, int]]:
    """Parts that exchange messages."""
    return {
        (int(placement.slots[c.source][source]), int(placement.slots[c.target][target]))
        for c in program.connections
        for source, target, weight in naive.synapse_list(c)
        if weight or not is_list(c, program)
    }


def parted(program: ChipProgram) -> ChipProgram:
    """The same network with every dense connection cut into an excitatory and an inhibitory part."""
    found = []
    for number, c in enumerate(program.connections):
        if isinstance(c, DenseConnection):
            up = replace(c, weights=np.maximum(c.weights, 0), sign_mode="excitatory", synapse=f"w{number}")
            found += [up, replace(c, weights=np.minimum(c.weights, 0), sign_mode="inhibitory", synapse=f"w{number}")]
        else:
            found.append(c)
    return replace(program, connections=tuple(found))


@SETTINGS
@given(
    data=st.data(),
    density=st.sampled_from([0.0, 0.2, 1.0]),
    compartments=st.sampled_from([1, 3, 7, 1024]),
    parts=st.booleans(),
    small_chips=st.booleans(),
    slow_links=st.booleans(),
    serial=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_counts_by_step_and_core_are_those_of_a_walk_over_spikes_and_synapses(
    data: st.DataObject,
    density: float,
    compartments: int,
    parts: bool,
    small_chips: bool,
    slow_links: bool,
    serial: float,
) -> None:
    program = data.draw(chip_programs())
    program = parted(program) if parts else program
    x = data.draw(inputs_for(program, density))
    chip = crowded(compartments, **(SMALL_CHIPS if small_chips else {}))
    # links that take longer than cores
    chip = with_constants(chip, {"time.serial": serial, **({"time.link": 1e-6} if slow_links else {})})
    result = simulate(program, x, steps=len(x) + 2, record="layers")
    found = profile_run(program, result, chip, x).timeline
    counted = walk(program, x, result, found.placement)
    assert found.recorded
    for name, values in found.exact.items():
        assert values == pytest.approx(counted[name].mean(axis=1)), name
    assert {name for name in counted if counted[name].any()} <= set(found.exact)
    assert_times(found, counted, program, chip, len(x))
    streamed = profile_simulated(program, x, chip).timeline
    alone = profile_run(program, simulate(program, x, steps=streamed.steps, record="layers"), chip, x).timeline
    assert streamed.latency == alone.latency
    assert all(np.array_equal(streamed.exact[name], alone.exact[name]) for name in alone.exact)


def assert_times(found: Timeline, counted: Counted, program: ChipProgram, chip: ChipProfile, fed: int) -> None:
    """Typical seconds of every step and sample, one after the other and pipelined, worked out core by core."""
    time, placement = chip.time, found.placement
    assert time.spike and time.message and time.message_in and time.neuron_update_active and time.link
    constants = {
        "spikes": time.spike, "messages": time.message, "received": time.message_in,
        "synops_dense": time.synop, "synops_sparse": time.synop_sparse or time.synop,
        "synops_conv": time.synop_conv or time.synop,
    }  # fmt: skip
    steps, samples, _ = counted["spikes"].shape
    # memory, compute without updates, traffic
    events, updates = np.zeros((3, steps, samples, placement.cores)), np.zeros((steps, samples, placement.cores))
    load = {"spikes": 1, "messages": 2, "received": 2}
    for number, part in enumerate(placement.parts):
        if part.core < 0:
            continue
        for name, constant in constants.items():
            events[load.get(name, 0), :, :, part.core] += constant.value * counted[name][:, :, number]
        population = program.population(part.layer)
        own = any(np.any(getattr(population, name)) for name in ("bias", "v_initial"))
        sources = {part.layer, *(c.source for c in program.into(part.layer))}
        feeding = [n for n, p in enumerate(placement.parts) if p.layer in sources]
        moved = counted["spikes"][:, :, feeding].any(axis=(0, 2)) | own
        constant = np.where(moved, time.neuron_update_active.value, time.neuron_update.value)
        updates[:, :, part.core] += constant * part.size
    least = time.step_minimum.value
    loads = carried(program, counted, placement)
    mean = {tuple(ends): load for ends, load in zip(found.ends.tolist(), found.carried.T, strict=True)}
    assert mean.keys() == loads.keys()
    assert all(mean[link] == pytest.approx(load.mean(axis=1)) for link, load in loads.items())
    busiest = np.max([*loads.values(), np.zeros((steps, samples))], axis=0)
    routes = [0, *(distance(placement, *pair)[0] for pair in pairs(program, placement))]
    flight = max(routes) * time.hop.value
    cores = taken(events, updates, chip)
    work = np.maximum(cores.max(axis=2), busiest * time.link.value) + (busiest > 0) * flight
    step = least + work
    assert found.step[1] == pytest.approx(step.mean(axis=1))
    assert found.work[1] == pytest.approx(cores.mean(axis=1))
    assert found.latency.typical == pytest.approx(step.sum(axis=0).mean())
    assert sum(found.shares.values()) == pytest.approx(step.mean(axis=1))
    assert found.slowest.sum() + found.slowest_link.sum() == pytest.approx(1)
    # pipelined: sample b enters fed steps after sample b - 1, the first after the last, round and round
    answers = []
    for b in range(samples):
        total = 0.0
        for t in range(fed):
            busy, on_links = np.zeros((3, placement.cores)), dict.fromkeys(loads, 0.0)
            for back, late in enumerate(range(t, steps, fed)):
                busy += events[:, late, (b - back) % samples]
                on_links = {link: n + loads[link][late, (b - back) % samples] for link, n in on_links.items()}
            most = max(on_links.values(), default=0.0)
            core = float(taken(busy, _largest_update(updates, t, fed, b), chip).max())
            total += least + max(core, most * time.link.value) + (most > 0) * flight
        answers.append(total)
    assert found.period.typical == pytest.approx(np.mean(answers))


def taken(events: NDArray[np.float64], updates: NDArray[np.float64], chip: ChipProfile) -> NDArray[np.float64]:
    """Seconds of cores: the largest of memory, compute and traffic, events (3, ...); updates are part of compute."""
    assert chip.time.serial
    memory, compute, traffic = events
    loads = np.stack([memory, compute + updates, traffic])
    return loads.max(axis=0) + chip.time.serial.value * (loads.sum(axis=0) - loads.max(axis=0))


def _largest_update(updates: NDArray[np.float64], t: int, fed: int, b: int) -> NDArray[np.float64]:
    samples = updates.shape[1]
    at_once = [updates[late, (b - back) % samples] for back, late in enumerate(range(t, len(updates), fed))]
    return np.max(at_once, axis=0)


def test_a_spike_that_leaves_its_chip_is_counted_and_priced_by_the_chips_it_crosses() -> None:
    # 30 neurons on 5 chips of 6 cores that hold one each, one layer behind the other
    program, x = programs.dense((4, 20, 10), 3), programs.spikes((10, 2, 4), 0.5, 1)
    result = simulate(program, x, steps=14, record="layers")
    one, several = (profile_run(program, result, crowded(1, **limits), x) for limits in ({}, SMALL_CHIPS))
    assert (one.mapping.chips, several.mapping.chips) == (1, 5)
    assert "chip_hops" not in one.timeline.exact
    crossed = sum(layer.events.chip_hops.typical for layer in several.layers)
    assert crossed == pytest.approx(walk(program, x, result, several.timeline.placement)["chip_hops"].sum() / 2)
    assert crossed > 100
    link, free = load_chip("loihi2_kapoho_point").energy.chip_hop, crowded(1, **SMALL_CHIPS)
    assert link is not None
    chip = free.model_copy(update={"energy": free.energy.model_copy(update={"chip_hop": link})})
    priced = profile_run(program, result, chip, x)
    assert priced.dynamic.typical - several.dynamic.typical == pytest.approx(crossed * link.value)
    found = views(priced, chip)
    for rows in (found["traffic"]["chip_hops"]["layers"], found["energy"]["layers_j"]):
        assert rows.keys() == {"input", "layer1", "layer2"}
    assert np.sum(list(found["traffic"]["chip_hops"]["layers"].values())) == pytest.approx(crossed, rel=1e-4)
    assert np.sum(list(found["energy"]["layers_j"].values())) == pytest.approx(priced.dynamic.typical, rel=1e-4)


def test_the_profile_is_the_same_with_any_number_of_threads() -> None:
    program, x, chip = programs.dense((6, 40, 4), 3), programs.spikes((10, 200, 6), 0.5, 1), crowded(9)
    result = simulate(program, x, steps=12, record="layers")
    alone, together = (profile_run(program, result, chip, x, threads=threads) for threads in (1, 3))
    assert alone.workload == together.workload
    assert views(alone, chip) == views(together, chip)
    assert np.array_equal(alone.timeline.work, together.timeline.work)
    # 200 samples are three groups and a smaller one, and as if each had been profiled alone
    one_by_one = [
        profile_run(program, simulate(program, x[:, b : b + 1], steps=12, record="layers"), chip, x[:, b : b + 1])
        for b in range(0, 200, 40)
    ]
    some = x[:, ::40]
    every = profile_run(program, simulate(program, some, steps=12, record="layers"), chip, some)
    assert every.latency.typical == pytest.approx(np.mean([found.latency.typical for found in one_by_one]))


@pytest.mark.parametrize("kind", [np.uint8, np.bool_, np.int32])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 200])
def test_what_is_not_0_is_counted_run_by_run_in_every_type(kind: type, size: int) -> None:
    rng = np.random.default_rng(size)
    values = (rng.integers(0, 4, (3, 5, size)) // 2).astype(kind)
    slots = np.sort(rng.integers(0, 4, size))
    runs, counted = Runs.of(slots), np.zeros((3, 4, 2))
    count = count_bytes if values.itemsize == 1 else count_payloads
    # the last samples: behind them nothing may be read
    count(values, 3, runs.starts, runs.stops, runs.slots, counted)
    wanted = [[[np.count_nonzero(v[slots == p]) for v in row[3:]] for p in range(4)] for row in values]
    assert counted.tolist() == wanted


def test_without_steps_the_run_is_as_many_equal_steps() -> None:
    program = programs.dense((6, 40, 4), 3)
    x = programs.spikes((10, 2, 6), 0.5, 1)
    result = simulate(program, x, record="layers")
    chip = crowded(9)
    by_step, mean = profile_run(program, result, chip, x), profile_run(program, result, chip)
    assert (by_step.timeline.recorded, mean.timeline.recorded) == (True, False)
    for what in ("spikes", "synops", "messages", "hops"):
        one, other = ([getattr(layer, what) for layer in profile.layers] for profile in (by_step, mean))
        assert one == pytest.approx(other)
    # the slowest core of every step is at least as slow as that of the mean step
    assert mean.latency.typical <= by_step.latency.typical
    for profile in (by_step, mean):
        assert profile.pipelined.typical >= profile.unpipelined.typical * (1 - 1e-9)


def test_sparse_connections_reach_only_the_cores_of_their_synapses() -> None:
    program = programs.dense((3, 4), 3)
    # element 0 reaches neuron 3 alone, element 1 none, element 2 neurons 0 and 1
    matrix = csr_array(np.array([[0, 0, 5], [0, 0, 7], [0, 0, 0], [9, 0, 0]], np.int32))
    sparse = programs.sparse("input", "layer1", (4, 3), 0, np.random.default_rng(0))
    sparse = replace(sparse, weights=matrix.data, indices=matrix.indices, indptr=matrix.indptr.astype(np.int64))
    program = replace(program, connections=(sparse,))
    x = np.zeros((2, 1, 3), np.uint8)
    x[0] = 1
    found = profile_run(program, simulate(program, x, steps=2, record="layers"), crowded(2), x).timeline
    assert found.exact["synops_sparse"].tolist() == [[0, 2, 1], [0, 0, 0]]
    assert found.exact["received"].tolist() == [[0, 1, 1], [0, 0, 0]]
    assert found.exact["messages"].tolist() == [[2, 0, 0], [0, 0, 0]]


def test_pipelined_the_tail_of_a_sample_runs_beside_the_head_of_the_next() -> None:
    # two steps of input, one more until the answer: (5 + 6) + 1 for the first sample, (3 + 4) + 2 for the other
    first, second = [[5, 0], [1, 1], [0, 4]], [[0, 3], [2, 0], [6, 0]]
    memory = np.broadcast_to(np.array([first, second], float).transpose(1, 2, 0), (3, 3, 2, 2))
    events = np.stack([memory, np.zeros_like(memory), memory / 2])
    least, serial = np.array([0.0, 1.0, 2.0]), np.zeros(3)
    # the second step has nothing beside it: as it is by itself
    alone = np.broadcast_to([np.nan, 3.0, np.nan], (3, 3)) + 2 * least[:, None]
    quiet, free = np.zeros((3, 0, 2)), np.zeros(3)
    found = pipelined_seconds(events, np.zeros_like(memory), quiet, serial, 2, least, free, free, alone)
    assert found.tolist() == [21, 21 + 4, 21 + 8]
    # neurons are updated once in a step, however many samples are under way; their spikes come on top
    updates, spiking = np.full_like(memory, 10.0), np.stack([memory / 2, memory, memory / 2])
    assert pipelined_seconds(spiking, updates, quiet, serial, 2, least, free, free, alone + 20).tolist() == [61, 65, 69]
    # reading synapses and receiving messages take less time than that, at the same time
    found = pipelined_seconds(events, updates + 10, quiet, serial, 2, least, free, free, alone + 20)
    assert found.tolist() == [2 * 20 + 23, 2 * 21 + 25, 2 * 22 + 27]
    # or come on top of it, one after the other: (20 + 1.5 * 11) + 23 and (20 + 1.5 * 7) + 23, the alone step as given
    found = pipelined_seconds(events, updates + 10, quiet, serial + 1, 2, least, free, free, alone + 20)
    assert found[0] == 2 * 20 + 1.5 * (11 + 7) + 23
    # one link: messages of both samples add up on it, and take longer than any core; then the last one's flight
    loads, link = np.ones((3, 1, 2)), np.full(3, 20.0)
    found = pipelined_seconds(events, np.zeros_like(memory), loads, serial, 2, least, link, free + 5, alone + 20)
    assert found.tolist() == [2 * 45 + 23, 2 * 46 + 25, 2 * 47 + 27]
