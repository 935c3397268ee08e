"""Long sequences in stretches: the same counts and gradients, in less memory; spikes that cost something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.gradient_checkpointing import count_spikes
from spikeport.trainer.loop.spike_penalty import Sparsity
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import SpikingNetwork

NETWORKS = {
    "cuba": NetworkConfig((LayerConfig(size=7),), "cuba_lif", batch_norm=False, chip_aware=None, train_decays=True),
    "chip": NetworkConfig((LayerConfig(size=7),), "cuba_lif", batch_norm=False, chip_aware=8),
    "recurrent": NetworkConfig((LayerConfig(size=7, recurrent=True),), "cuba_lif", batch_norm=False, chip_aware=None),
    "sew": NetworkConfig((LayerConfig("sew", 3, join="and"), LayerConfig(size=5)), batch_norm=False, chip_aware=None),
}


def made(name: str) -> tuple[SpikingNetwork, Tensor]:
    torch.manual_seed(0)
    shape = (3, 4, 4) if name == "sew" else (9,)
    network = build_network(NETWORKS[name], shape, 3)
    for parameter in network.parameters():
        parameter.data *= 2
    return network, (torch.rand(11, 4, *shape) < 0.5).to(torch.uint8)


def gradients(
    network: SpikingNetwork, x: Tensor, stretch: int, truncate: bool = False
) -> tuple[dict[str, Tensor], list[Tensor]]:
    counts = count_spikes(network, x, stretch, truncate)
    loss = sum((count * torch.linspace(-1, 1, count.numel()).view_as(count)).sum() for count in counts.values())
    return counts, list(torch.autograd.grad(loss, list(network.parameters()), allow_unused=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("stretch", [1, 3, 10])
def test_stretches_give_the_counts_and_gradients_of_the_whole(name: str, stretch: int) -> None:
    network, x = made(name)
    whole, slopes = gradients(network, x, 0)
    parts, part_slopes = gradients(network, x, stretch)
    assert whole.keys() == parts.keys() and sum(count.sum() for count in whole.values()) > 20
    for layer, count in whole.items():
        assert torch.equal(parts[layer], count)
    for mine, wanted in zip(part_slopes, slopes, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-5)


def test_truncation_changes_gradients_and_not_counts() -> None:
    network, x = made("cuba")
    (whole, slopes), (parts, part_slopes) = gradients(network, x, 3), gradients(network, x, 3, truncate=True)
    assert all(torch.equal(parts[layer], count) for layer, count in whole.items())
    assert any(not torch.allclose(a, b, rtol=1e-2) for a, b in zip(part_slopes, slopes, strict=True))
    # what a stretch sends to its own steps is left: with one stretch, truncation truncates nothing
    _, once = gradients(network, x, 11, truncate=True)
    assert all(torch.allclose(a, b) for a, b in zip(once, gradients(network, x, 0)[1], strict=True))


def test_a_network_starts_from_rest_after_stretches_and_after_an_error() -> None:
    network, x = made("cuba")
    before = network(x)
    count_spikes(network, x, 4)
    assert torch.equal(network(x), before)
    with pytest.raises(InputError, match="takes"):
        count_spikes(network, x[..., :-1], 4)
    assert torch.equal(network(x), before)


def test_stretches_are_refused_while_batch_norm_gathers_statistics() -> None:
    network = build_network(NetworkConfig((LayerConfig(size=4),)), (9,), 2).train()
    x = torch.zeros(8, 3, 9)
    with pytest.raises(InputError, match="batch_norm = false or norm_epochs = 0"):
        count_spikes(network, x, 4)
    network.freeze_norms()
    assert list(count_spikes(network, x, 4)) == ["layer1", "layer2"]


def test_spikes_cost_what_is_configured() -> None:
    counts = {"layer1": torch.tensor([[4.0, 0.0], [2.0, 2.0]]), "layer2": torch.tensor([[1.0], [3.0]])}
    assert Sparsity().cost(counts, 10) == 0
    assert torch.as_tensor(Sparsity(penalty=0.5).cost(counts, 10)).item() == pytest.approx(0.5 * (4 + 2))
    one, each = Sparsity(target=(0.1,), weight=2.0), Sparsity(target=(0.1, 0.3), weight=2.0)
    assert torch.as_tensor(one.cost(counts, 10)).item() == pytest.approx(2 * (0.1**2 + 0.1**2))
    assert torch.as_tensor(each.cost(counts, 10)).item() == pytest.approx(2 * (0.1**2 + 0.1**2))
    with pytest.raises(InputError, match="target has 3 rates, but the layers are layer1, layer2"):
        Sparsity(target=(0.1, 0.1, 0.1)).cost(counts, 10)
    for wrong in ({"penalty": -1.0}, {"target": (1.5,)}, {"weight": -1.0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Sparsity(**wrong)  # type: ignore[arg-type]


def test_a_penalty_saves_spikes_and_a_target_is_reached() -> None:
    digits = load_dataset("digits", 0)
    network = NetworkConfig((LayerConfig(size=32),))
    training = TrainConfig(epochs=6, learning_rate=0.01, steps=8)

    def spikes(sparsity: Sparsity) -> tuple[float, float]:
        method = Bptt(network, replace(training, sparsity=sparsity)).fit(digits, progress=False)
        with torch.no_grad():
            record = method.spiking_network.run(torch.from_numpy(method.encode(digits.x_test)))
        right = np.mean(method.predict(digits.x_test) == digits.y_test)
        assert right > 0.85
        return sum(s.sum().item() for s in record.values()) / 360, record["layer1"].mean().item()

    plain, _ = spikes(Sparsity())
    cheap, _ = spikes(Sparsity(penalty=0.01))
    assert cheap < 0.8 * plain
    _, rate = spikes(Sparsity(target=(0.05, 0.1), weight=100.0))
    assert abs(rate - 0.05) < 0.02
