"""Layers that read each other: their order in a step, and the compiled loop against one step after another."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
import torch

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.trainable import run
from spikeport.exporter.trainable.module import ChipModule, module_of
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate

CHIP = load_chip("loihi2")
STEPS, BATCH, INPUTS = 12, 5, 6


def loop(second: str = "spikes") -> nir.NIRGraph:
    """Two layers in a loop, the reader of a step first in the list; `second` sends spikes or voltages."""
    rng, dt = np.random.default_rng(0), 1e-3

    def linear(targets: int, sources: int) -> nir.Linear:
        return nir.Linear(rng.normal(0.2, 0.5, (targets, sources)))

    common = {"tau": np.full(4, 6 * dt), "r": np.full(4, 6.0), "v_leak": np.zeros(4)}
    nodes = {
        "input": nir.Input({"input": np.array([INPUTS])}),
        "b": nir.LI(**common) if second == "voltage" else nir.LIF(**common, v_threshold=np.ones(4)),
        "a": nir.CubaLIF(
            tau_mem=np.full(7, 6 * dt), tau_syn=np.full(7, 3 * dt), r=np.full(7, 6.0), v_leak=np.full(7, 0.02),
            v_threshold=np.ones(7), w_in=np.full(7, 3.0),
        ),
        "in": linear(7, INPUTS), "a_to_a": linear(7, 7), "a_to_b": linear(4, 7), "b_to_a": linear(7, 4),
        "wait": nir.Delay(np.full(4, 2 * dt)),
        "output": nir.Output({"output": np.array([4])}),
    }  # fmt: skip
    edges = [("input", "in"), ("in", "a"), ("a", "a_to_a"), ("a_to_a", "a"), ("a", "a_to_b"), ("a_to_b", "b")]
    edges += [("b", "wait"), ("wait", "b_to_a"), ("b_to_a", "a"), ("b", "output")]
    return nir.NIRGraph(nodes, edges, metadata={"dt": dt}, type_check=False)


def spikes() -> np.ndarray:
    """Random input."""
    return (np.random.default_rng(1).random((STEPS, BATCH, INPUTS)) < 0.4).astype(np.uint8)


def ran(module: ChipModule, fused: bool, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[torch.Tensor]]:
    """What every layer sends, and the gradients of a loss that differs from step to step."""
    if not fused:
        patch.setattr(run, "_can_be_fused", lambda *_: False)
    module.zero_grad()
    sent = module.run(torch.from_numpy(spikes()))
    weights = torch.linspace(0.5, 2, STEPS)[:, None, None]
    sum(((s * weights).sum(0) / (1 + s.detach().abs().max()) - 1).square().sum() for s in sent.values()).backward()
    return sent, [p.grad.clone() for p in module.parameters() if p.grad is not None]


@pytest.mark.parametrize("second", ["spikes", "voltage"])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_a_fused_loop_equals_the_chip_and_the_steps_one_by_one(
    second: str, reset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = CompileOptions(weight_bits=4, reset=reset)
    module = module_of(loop(second), CHIP, options)
    fused, gradients = ran(module, True, monkeypatch)
    one_by_one, wanted = ran(module, False, monkeypatch)
    program = compile_graph(module.to_nir(), CHIP, options)
    chip = simulate(program, spikes(), steps=STEPS + 2, record="layers").states
    starts = module.plan.network.starts
    for name in ("a", "b"):
        assert fused[name].any()
        assert torch.equal(fused[name], one_by_one[name])
        np.testing.assert_array_equal(fused[name].detach(), chip[f"s/{name}"][starts[name] : starts[name] + STEPS])
    for own, other in zip(gradients, wanted, strict=True):
        assert other.any()
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))
