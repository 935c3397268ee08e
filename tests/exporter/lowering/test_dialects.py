"""Dialects: each cell as its framework steps it, here in NumPy; what is assumed or disagrees is said in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import nir
import numpy as np
import pytest

from benchmarks.nir_simulator import simulate_nir
from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.lowering.dialects import DIALECTS, get_dialect
from spikeport.exporter.nir_graph.nir_file import NirWarning
from spikeport.hardware_profiles import load_chip

SIZE, STEPS, BATCH = 5, 60, 8
RNG = np.random.default_rng(0)
X = (RNG.random((STEPS, BATCH, SIZE)) < 0.3).astype(float)
ALPHA, BETA, ONE = np.linspace(0.4, 0.8, SIZE), np.linspace(0.6, 0.95, SIZE), np.ones(SIZE)
LEAK = np.linspace(-0.1, 0.1, SIZE)


def graph(node: nir.NIRNode) -> nir.NIRGraph:
    nodes = {
        "in": nir.Input(np.array([SIZE])),
        "fc": nir.Linear(np.eye(SIZE)),
        "cell": node,
        "out": nir.Output(np.array([SIZE])),
    }
    return nir.NIRGraph(nodes, [("in", "fc"), ("fc", "cell"), ("cell", "out")], type_check=False)


def here(framework: str, node: nir.NIRNode, dt: float | None = None) -> Any:
    dialect = get_dialect(framework)
    changed, step = dialect.apply(graph(node), dt)
    ran = simulate_nir(changed, {"in": X}, step, discretize=dialect.discretize, reset=dialect.reset)
    return ran.outputs["out"]


def stepped(step: Callable[[Any, Any], tuple[Any, Any]], state: Any) -> Any:
    out = []
    for x in X:
        sent, state = step(x, state)
        out.append(sent)
    return np.array(out, float)


def test_norse_lif_cell() -> None:
    # lif_feed_forward_step, norse 1.1.0; 1 - ALPHA and 1 - BETA are dt tau_inv
    def step(x: Any, state: Any) -> tuple[Any, Any]:
        v, i = state
        i = i + x
        v = v + (1 - BETA) * (LEAK - v + i)
        spikes = v > 0.4
        return spikes, (np.where(spikes, 0, v), i - (1 - ALPHA) * i)

    dt = 1e-3
    node = nir.CubaLIF(
        tau_syn=dt * dt / (1 - ALPHA), tau_mem=dt * dt / (1 - BETA), r=ONE, v_leak=LEAK, v_threshold=0.4 * ONE
    )
    expected = stepped(step, (LEAK, np.zeros(SIZE)))
    assert expected.mean() > 0.1
    np.testing.assert_array_equal(here("norse", node, dt), expected)


def test_spikingjelly_starts_at_v_reset() -> None:
    def step(x: Any, v: Any) -> tuple[Any, Any]:
        v = v + x
        spikes = v > 1.5
        return spikes, np.where(spikes, -0.5, v)

    node = nir.IF(r=1e4 * ONE, v_threshold=1.5 * ONE, v_reset=-0.5 * ONE)
    np.testing.assert_array_equal(here("spikingjelly", node), stepped(step, np.full(SIZE, -0.5)))


def test_sinabs_exp_leak_and_rockpool_exp_syn() -> None:
    tau = -1 / np.log(BETA)

    def step(x: Any, v: Any) -> tuple[Any, Any]:
        v = BETA * v + x
        return v, v

    leak = nir.LI(tau=tau, r=ONE, v_leak=0 * ONE)
    np.testing.assert_allclose(here("sinabs", leak), stepped(step, np.zeros(SIZE)))

    def decays_first(x: Any, v: Any) -> tuple[Any, Any]:
        v = BETA * (v + x)
        return v, v

    synapse = nir.LI(tau=1e-3 * tau, r=tau * BETA, v_leak=0 * ONE)
    np.testing.assert_allclose(here("rockpool", synapse, 1e-3), stepped(decays_first, np.zeros(SIZE)))
    # the file tells its dt
    np.testing.assert_allclose(here("rockpool", synapse), stepped(decays_first, np.zeros(SIZE)))


def test_snntorch_leaky_with_beta_1_is_an_integrator() -> None:
    beta = np.where(np.arange(SIZE) < 3, 1.0, 0.8)

    def step(x: Any, v: Any) -> tuple[Any, Any]:
        v = beta * v + x - (v > 2.0) * 2.0
        return v > 2.0, v

    with np.errstate(divide="ignore"):
        node = nir.LIF(tau=1e-4 / (1 - beta), r=1 / (1 - beta), v_leak=0 * ONE, v_threshold=2 * ONE)
    assert np.isinf(node.tau[0])
    np.testing.assert_array_equal(here("snntorch", node), stepped(step, np.zeros(SIZE)))
    compiled = compile_graph(graph(node), load_chip("loihi2"), CompileOptions(framework="snntorch"))
    np.testing.assert_array_equal(compiled.populations[0].dv == 0, beta == 1)


@pytest.mark.parametrize("without", [False, True])
def test_spyx_recurrent_input_does_not_pass_the_recurrent_weights(without: bool) -> None:
    weight = RNG.normal(0, 0.5, (SIZE, SIZE))

    def step(x: Any, state: Any) -> tuple[Any, Any]:
        v, s = state
        v = BETA * v + x + s @ weight.T - s
        s = (v > 1).astype(float)
        return s, (v, s)

    inner = nir.NIRGraph(
        {"input": nir.Input(np.array([SIZE])), "w": nir.Linear(weight), "output": nir.Output(np.array([SIZE])),
         "lif": nir.LIF(tau=1 / (1 - BETA), r=BETA, v_leak=0 * ONE, v_threshold=ONE)},
        [("input", "lif" if without else "w"), ("w", "lif"), ("lif", "w"), ("lif", "output")], type_check=False,
    )  # fmt: skip
    np.testing.assert_array_equal(here("spyx", inner), stepped(step, (np.zeros(SIZE), np.zeros(SIZE))))


LIF = nir.LIF(tau=1e-4 / (1 - BETA), r=1 / (1 - BETA), v_leak=0 * ONE, v_threshold=ONE)
SCALED = replace(LIF, r=ONE)
SPYX = replace(LIF, tau=1 / (1 - BETA), r=BETA)
WITHOUT_TAU = nir.IF(r=ONE, v_threshold=ONE)


@pytest.mark.parametrize(
    ("framework", "node", "options", "words"),
    [
        (
            "snntorch",
            LIF,
            {"dt": 1e-3, "reset": "zero"},
            ["0.0001 s, --dt 0.001 is used", "up to 1 of", "instead of 0.4", "leave out"],
        ),
        ("snntorch", LIF, {}, ["--reset zero", "--reset subtract"]),
        ("snntorch", LIF, {"dt": 1e-4, "reset": "zero"}, None),
        ("sinabs", SCALED, {"dt": 1e-3, "reset": "subtract"}, ["1 s, --dt 0.001 is used"]),
        ("sinabs", WITHOUT_TAU, {}, ["MembraneReset"]),
        ("norse", SCALED, {"reset": "zero"}, ["0.001 s, the default", "--dt SECONDS"]),
        ("norse", SCALED, {"reset": "zero", "dt": 2e-3}, None),
        ("spikingjelly", LIF, {}, None),
        ("spikingjelly", SCALED, {}, ["0.0001 s, the default"]),
        ("spikingjelly", LIF, {"dt": 1e-3}, ["--dt 0.001 is used"]),
        ("spyx", SPYX, {"dt": 0.5, "reset": "zero"}, ["1 s, --dt 0.5 is used"]),
        (None, LIF, {"dt": 1e-3}, ["the file states a time step of 0.0001 s, --dt 0.001 is used"]),
        (None, LIF, {"dt": 1e-4}, None),
        (None, LIF, {}, None),
    ],
)
def test_what_is_assumed_or_disagrees_is_said(
    framework: str | None, node: nir.NIRNode, options: dict[str, Any], words: list[str] | None
) -> None:
    stated = graph(node)
    stated.metadata["dt"] = 1e-4
    chosen = CompileOptions(framework=framework, **options)
    notes = lower_graph(stated, chosen).notes
    assert len(notes) == (0 if words is None else 1), notes
    if words is not None:
        assert all(word in notes[0] for word in words), notes
        with pytest.warns(NirWarning, match=words[0].replace("(", r"\(")):
            compile_graph(stated, load_chip("loihi2"), chosen, "m.nir")


def test_a_file_of_another_step_is_read_with_it() -> None:
    other = replace(LIF, tau=20 * LIF.tau)
    assert lower_graph(graph(other), CompileOptions(framework="snntorch")).dt == pytest.approx(2e-3)
    same = lower_graph(graph(LIF), CompileOptions(framework="snntorch")).populations[0].voltage_decay
    changed = lower_graph(graph(other), CompileOptions(framework="snntorch")).populations[0].voltage_decay
    np.testing.assert_allclose(changed, same)


def test_every_dialect_has_bounds_of_versions() -> None:
    for dialect in DIALECTS.values():
        assert dialect.since and dialect.version


def test_an_unknown_step_is_asked_for() -> None:
    with pytest.raises(InputError, match="--dt SECONDS"):
        lower_graph(graph(WITHOUT_TAU), CompileOptions(framework="rockpool"))
