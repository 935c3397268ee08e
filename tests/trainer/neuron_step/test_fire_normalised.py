"""Batch norm and neuron in one pass give what torch's batch norm and the stepwise neuron give, in any memory order."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.trainer.network.network_config import LayerConfig, NetworkConfig, build_network
from spikeport.trainer.neuron_step import cpu_arrays, memory_order
from spikeport.trainer.neuron_step.chip_step import chip_fire
from spikeport.trainer.neuron_step.dynamics import fire_stepwise, integrate_and_fire_from
from spikeport.trainer.neuron_step.fire_normalised import fire_normalised, normalise, supports_norm
from spikeport.trainer.neuron_step.quantise import ChipScale, LayerTensors
from spikeport.trainer.neuron_step.surrogates import SURROGATES, Surrogate, surrogate

SHAPES = st.sampled_from([(1, 2, 3), (5, 3, 40), (4, 3, 5, 3, 7), (3, 2, 1, 4, 4), (2, 2, 33, 8, 8), (2, 2, 7, 1, 1)])


def last(sequence: Tensor) -> Tensor:
    """The same values with channels last in memory."""
    moved = sequence.movedim(2, -1).contiguous() if sequence.dim() == 5 else sequence
    return moved.movedim(-1, 2) if sequence.dim() == 5 else sequence


def norm_of(shape: tuple[int, ...], generator: torch.Generator, kind: torch.dtype) -> nn.BatchNorm1d | nn.BatchNorm2d:
    norm = (nn.BatchNorm1d if len(shape) == 3 else nn.BatchNorm2d)(shape[2]).to(kind)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(shape[2], generator=generator) + 0.5)
        norm.bias.copy_(torch.rand(shape[2], generator=generator) + 0.2)
    return norm


@settings(max_examples=30)
@given(SHAPES, st.integers(0, 2**31), st.sampled_from(sorted(SURROGATES)), st.booleans())
def test_it_is_torch_s_batch_norm_and_the_stepwise_neuron(
    shape: tuple[int, ...], seed: int, name: str, threads: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # a mean far from 0: what is lost there would show
    x = (torch.randn(shape, generator=generator, dtype=torch.float64) + 20).requires_grad_()
    norm = norm_of(shape, generator, x.dtype)
    twin, weights = copy.deepcopy(norm), torch.randn(shape, generator=generator, dtype=x.dtype)
    keep, threshold = (torch.tensor(value, dtype=x.dtype) for value in (0.8, 0.9))
    spike = Surrogate(name, SURROGATES[name].slope, height=0.7)
    with pytest.MonkeyPatch.context() as patch:
        if threads:
            patch.setattr(cpu_arrays, "ONE_THREAD", 0)
            patch.setattr(torch, "get_num_threads", lambda: 3)
        spikes = fire_normalised(last(x), norm, keep, threshold, spike, 0.4)
        mine = torch.autograd.grad((spikes * weights).sum(), [x, norm.weight, norm.bias])
    wanted, _ = fire_stepwise(normalise(x, twin), keep, threshold, spike, 0.4)
    assert torch.equal(spikes, wanted)
    theirs = torch.autograd.grad((wanted * weights).sum(), [x, twin.weight, twin.bias])
    for ours, others in zip(mine, theirs, strict=True):
        torch.testing.assert_close(ours, others, rtol=1e-8, atol=1e-9)
    for (key, ours), others in zip(norm.state_dict().items(), twin.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, others, rtol=1e-9, atol=1e-9, msg=key)


def test_what_the_kernels_cannot_run_is_left_to_torch() -> None:
    x, one, atan = torch.rand(4, 2, 3), torch.tensor(1.0), surrogate("atan")
    norm = nn.BatchNorm1d(3)
    assert supports_norm(x, norm, atan, one)
    assert not supports_norm(x, norm, atan, one.clone().requires_grad_()), "its slope is not computed"
    assert not supports_norm(x, norm, atan, torch.ones(3)), "one per neuron"
    assert not supports_norm(x, norm, Surrogate("own", torch.exp), one)  # type: ignore[arg-type]
    assert not supports_norm(x[:1, :1], norm, atan, one), "no statistics of one value"
    assert not supports_norm(x, nn.BatchNorm1d(3).eval(), atan, one)
    images = torch.rand(4, 2, 3, 5, 5)
    assert supports_norm(last(images), nn.BatchNorm2d(3), atan, one)
    assert not supports_norm(images, nn.BatchNorm2d(3), atan, one)


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.25]), st.booleans())
def test_the_memory_order_changes_nothing(seed: int, keep_u: float, scalar: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randint(-40, 80, (4, 2, 3, 5, 6), generator=generator).float().requires_grad_()
    state = torch.zeros(()) if scalar else torch.rand(3, 5, 6, generator=generator)
    bias, chip = torch.rand(3, generator=generator, requires_grad=True), ChipScale(4096.0, 64, {"weight": 0})
    layer = LayerTensors(bias, bias, 1 - keep_u + 0 * state, 0.1 + 0.2 * state, 1 + state, chip=chip)
    weights = torch.randn(a.shape, generator=generator)
    runs, rest = [], torch.zeros(a.shape[1:])
    for ordered in (a, last(a)):
        run = chip_fire(ordered, layer, chip, surrogate("triangle"), 0.5, (rest, rest))
        assert run.state is not None
        runs.append((run.spikes, run.over, *run.state, *torch.autograd.grad((run.spikes * weights).sum(), [a, bias])))
        current = (ordered / 64).detach()
        spikes, v = integrate_and_fire_from(None, current, 0.1 + 0.2 * state, 1 + state, surrogate("atan"), 0.5)
        runs[-1] += (spikes, v)
    for plain, moved in zip(*runs, strict=True):
        # sums for the bias are in another order
        torch.testing.assert_close(plain, moved, rtol=0, atol=1e-5 if plain.dim() == 1 else 0)


def test_a_chip_exact_network_sends_the_same_spikes_in_any_memory_order(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = LayerConfig("conv", 4), LayerConfig("sew", 8, stride=2), LayerConfig("spiking_resnet", 8, pool=1)
    network = build_network(NetworkConfig(layers, output_pool=2), (1, 8, 8), 5)
    x = (torch.rand(4, 3, 1, 8, 8) < 0.4).float()
    for _ in range(30):
        network(x)
    network.eval()
    moved = network.run(x)
    assert memory_order.channels_last(moved["layer2"]) and moved["layer2"].sum() > 0
    monkeypatch.setattr("spikeport.trainer.network.fold_batch_norm.move_channels_last", lambda images: images)
    plain = network.run(x)
    assert not memory_order.channels_last(plain["layer2"])
    for name, spikes in plain.items():
        assert torch.equal(spikes, moved[name]), name
