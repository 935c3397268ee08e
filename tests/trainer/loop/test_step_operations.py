"""What one training step asks of a device: as many operations for any number of steps, and nothing is waited for.

Tensors on torch's device "meta" have no values: an operation that needs one (item, bool, a copy to the host) fails.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from spikeport.common.accelerator import has_triton
from spikeport.trainer.loop.optimizers import clip_gradients, make_optimizer
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network import blocks
from spikeport.trainer.network.network_config import LayerConfig, NetworkConfig
from spikeport.trainer.neuron_step import engine, fused, quantise
from spikeport.trainer.neuron_step.quantise import ChipAware, ChipScale, LayerTensors

DENSE = (LayerConfig("dense", 12), LayerConfig("dense", 9))
CONV = (LayerConfig("conv", 4, kernel=3), LayerConfig("conv", 6, kernel=3, stride=2))
SEW = (LayerConfig("conv", 4, kernel=3), LayerConfig("sew", 4))
pytestmark = pytest.mark.skipif(not has_triton(), reason="Triton comes with torch for GPUs, on Linux")


@dataclass
class Counted(TorchDispatchMode):
    """Counts operations, views left out: they ask nothing of a device."""

    operations: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not function.is_view:
            self.operations[str(function)] = self.operations.get(str(function), 0) + 1
        return function(*args, **(kwargs or {}))


def rounded(layer: LayerTensors, chip: ChipAware) -> LayerTensors:
    """Any scale: a layer's is chosen on the host, which waits for its weights (docs/training.md)."""
    exponents = {"weight": 0, "shortcut": 0, "recurrent": 0}
    return quantise._straight_through(layer, LayerTensors(**{**vars(layer), "chip": ChipScale(4096.0, 64, exponents)}))


def operations(
    method: str, layers: tuple[LayerConfig, ...], neuron: str, norm: bool, steps: int, monkeypatch: pytest.MonkeyPatch
) -> dict[str, int]:
    """Operations and launches of one step of training."""
    from spikeport.trainer.neuron_step import triton_launch

    launches: dict[str, int] = {}

    def launch(kernel: Any, *_: object, **__: object) -> None:
        launches[kernel.__name__] = launches.get(kernel.__name__, 0) + 1

    monkeypatch.setattr(triton_launch, "_launch", launch)
    monkeypatch.setattr(fused, "kernels_for", lambda _: engine.triton_kernels())
    monkeypatch.setattr(quantise, "_rounded", lambda *_: None)
    monkeypatch.setattr(quantise.RememberedRounding, "__call__", lambda _, layer, chip: rounded(layer, chip))
    # torch has none for meta
    monkeypatch.setattr(blocks, "autocast", lambda *_, **__: nullcontext())
    shape = (12,) if layers is DENSE else (2, 8, 8)
    training = TrainConfig(method=method, steps=steps, norm_epochs=1.0)
    trained = get_method(method)(NetworkConfig(layers, neuron, batch_norm=norm), training)
    network = trained.build(shape, 5).to("meta")
    trained.begin_epoch(network, 0)
    optimizer = make_optimizer(network, training)
    x, y = torch.zeros((steps, 6, *shape), device="meta"), torch.zeros(6, dtype=torch.long, device="meta")
    with Counted() as counted:
        trained.loss(network, x, y).backward()  # type: ignore[no-untyped-call]
        clip_gradients(network, 1.0, 0.0)
        optimizer.step()
    assert launches, "no kernel was launched"
    return counted.operations | launches


@pytest.mark.parametrize("norm", [True, False], ids=["batch norm gathers", "chip's integers"])
@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
@pytest.mark.parametrize(
    ("method", "layers"), [("bptt", DENSE), ("surrogate_bn", CONV), ("sew_resnet", SEW)], ids=["dense", "conv", "sew"]
)
def test_operations_do_not_grow_with_the_steps(
    method: str, layers: tuple[LayerConfig, ...], neuron: str, norm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (operations(method, layers, neuron, norm, steps, monkeypatch) for steps in (3, 17))
    assert few == many
    # of two or three layers and the output, AdamW's included
    assert sum(few.values()) < 350
