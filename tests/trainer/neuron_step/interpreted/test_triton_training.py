"""Networks whose neurons run in Triton: the spikes of the compiled loops in every layer, gradients to rounding."""

from __future__ import annotations

import pytest
import torch

from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.network_config import LayerConfig, NetworkConfig
from spikeport.trainer.neuron_step import engine, fused, neurons

DENSE = (LayerConfig("dense", 20), LayerConfig("dense", 12, recurrent=True))
CONV = (LayerConfig("conv", 3, kernel=3), LayerConfig("conv", 4, kernel=3, stride=2))
SEW = (LayerConfig("conv", 3, kernel=3), LayerConfig("sew", 3))
STEPS = 5


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
@pytest.mark.parametrize("bits", [None, 8, 3])
@pytest.mark.parametrize(("method", "layers"), [("bptt", DENSE), ("surrogate_bn", CONV), ("sew_resnet", SEW)])
def test_a_step_of_training(
    method: str, layers: tuple[LayerConfig, ...], bits: int | None, neuron: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = layers is not DENSE and bits is None
    config = NetworkConfig(layers, neuron, vth=0.5, batch_norm=norm, chip_aware=bits)
    trained = get_method(method)(config, TrainConfig(method=method, steps=STEPS))
    torch.manual_seed(4)
    shape = (12,) if layers is DENSE else (1, 6, 6)
    network = trained.build(shape, 3)
    trained.begin_epoch(network, 0)
    x, y = (torch.rand((STEPS, 4, *shape)) < 0.5).to(torch.uint8), torch.randint(3, (4,))
    # on a GPU batch norm is torch's
    monkeypatch.setattr(neurons, "supports_norm", lambda *_: False)
    results = []
    for kernels in (engine.cpu_kernels, engine.triton_kernels):
        monkeypatch.setattr(fused, "kernels_for", lambda _, chosen=kernels: chosen())
        network.zero_grad()
        trained.loss(network, x, y).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            spikes = network.run(x)
        results.append((spikes, [value.grad.clone() for value in network.parameters() if value.grad is not None]))
    (wanted, slopes), (found, mine) = results
    assert sum(float(values.sum()) for values in wanted.values()) > 0
    for name, values in wanted.items():
        assert torch.equal(found[name], values), name
    for a, b in zip(mine, slopes, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * max(1e-3, float(b.abs().max())))
