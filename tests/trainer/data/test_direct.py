"""Direct encoding: pixels as graded spikes, trained, exported, and the same spikes on the chip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chip_exact import assert_equal_spikes, chip_spikes, compiled
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles import load_chip
from spikeport.trainer.data import load_dataset
from spikeport.trainer.data.encoding import encode
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

DENSE = (LayerConfig(size=16), LayerConfig(size=12))
CONV = (LayerConfig("conv", 4, pool=2), LayerConfig("conv", 4))
PLAIN = (LayerConfig("spiking_resnet", 3),)
DELAYED = (LayerConfig(size=12, delays="synaptic", longest_delay=4),)


def test_pixels_are_the_same_integer_in_every_step() -> None:
    x = encode("direct", np.array([[0.0, 0.2, 0.55, 1.0]]), 3, np.random.default_rng(0), 15)
    assert x.dtype == np.uint8
    assert x[:, 0].tolist() == [[0, 3, 8, 15]] * 3


@given(
    layers=st.sampled_from([DENSE, CONV, PLAIN, DELAYED]),
    neuron=st.sampled_from(["lif", "cuba_lif"]),
    payload=st.sampled_from([2, 15, 100, 255]),
    seed=st.integers(0, 10**6),
)
# rounding these weights takes u past its register at one scale and back at the next
@example(layers=CONV, neuron="cuba_lif", payload=100, seed=22101)
@example(layers=PLAIN, neuron="cuba_lif", payload=255, seed=970742)
@settings(max_examples=25, deadline=None)
def test_every_spike_is_the_chip_s(
    layers: tuple[LayerConfig, ...], neuron: Any, payload: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    torch.manual_seed(seed)
    shape = (1, 6, 6) if layers in (CONV, PLAIN) else (20,)
    config = NetworkConfig(layers, neuron, du=0.4, dv=0.1, vth=0.3, payload=payload)
    network = build_network(config, shape, 4).eval()
    images = np.random.default_rng(seed).random((5, *shape))
    x = encode("direct", images, 10, np.random.default_rng(0), payload)
    assert_equal_spikes(network, x, tmp_path_factory.mktemp("direct"))


@pytest.mark.parametrize(
    ("name", "options"), [("bptt", {}), ("tssl_bp", {}), ("st_rsbp", {}), ("membrane_bp", {}), ("soft_lif", {})]
)
def test_methods_learn_from_pixels(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = load_dataset("digits", 0)
    data = replace(data, x_test=data.x_test[:100], y_test=data.y_test[:100])
    network = NetworkConfig(
        (LayerConfig(size=48),), "lif", dv=0.1, batch_norm=name not in ("st_rsbp", "membrane_bp"), payload=16
    )
    training = TrainConfig(
        method=name, epochs=6, steps=12, learning_rate=0.01, norm_epochs=0.5, encoding="direct", options=options
    )
    method = get_method(name)(network, training).fit(data, progress=False)
    x = method.encode(data.x_test)
    assert float(np.mean(method.predict(data.x_test) == data.y_test)) > 0.75
    assert assert_equal_spikes(method.spiking_network, x, tmp_path) > 0


def test_what_is_not_trained_for_the_chip_has_room_for_payloads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(DENSE, "cuba_lif", du=0.1, payload=255, chip_aware=None), (20,), 4).eval()
    program = compiled(network, tmp_path)
    x = np.full((30, 2, 20), 255, np.uint8)
    _, result = chip_spikes(program, x)
    assert np.abs(result.states["u/layer1"]).max() < 1 << 23
    # the sum of all weights as it has come in, in thresholds
    layer = network.inference_layers()[0]
    wanted = layer.weight.sum(1) * (1 - (1 - layer.current_decay) ** 30) / layer.current_decay / layer.threshold
    found = result.states["u/layer1"][30, 0] / program.population("layer1").threshold  # type: ignore[attr-defined]
    np.testing.assert_allclose(found, wanted, rtol=0.1, atol=np.abs(wanted).max() / 5)


def test_what_cannot_carry_payloads_says_so() -> None:
    graph = network_to_nir(build_network(NetworkConfig(DENSE, payload=15), (20,), 4).eval())
    with pytest.raises(InputError, match="carry no payload"):
        compile_graph(graph, load_chip("loihi1"))
    with pytest.raises(InputError, match="belong together"):
        get_method("bptt")(NetworkConfig(payload=15), TrainConfig())
    with pytest.raises(InputError, match="belong together"):
        get_method("bptt")(NetworkConfig(), TrainConfig(encoding="direct"))
    with pytest.raises(InputError, match="1 to 255"):
        NetworkConfig(payload=256)
    with pytest.raises(InputError, match="before the block"):
        build_network(NetworkConfig((LayerConfig("sew", 1),), payload=15), (1, 6, 6), 4)
