"""Max pooling of spikes: neurons on the chip that fire as training did, and what has no such neurons is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.onnx.ann_model import export_onnx, run_onnx
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import Backend, simulate
from spikeport.trainer.ann import TwinNetwork
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network, read_network, stored_network
from spikeport.trainer.network.pooling import pooled
from spikeport.trainer.network.spiking_network import SpikingNetwork

LAYERS = (
    LayerConfig("conv", 6),
    LayerConfig("conv", 8, pool=2, pool_kind="max"),
    LayerConfig(size=20, pool=2, pool_kind="max"),
)


def spikes_of(network: SpikingNetwork, x: np.ndarray, backend: Backend) -> dict[str, np.ndarray]:
    """What every layer sends on the chip, as many steps as it was given, and its max pools all steps."""
    program = compile_graph(network_to_nir(network), load_chip("loihi2"))
    states = simulate(program, x, backend, record="layers").states
    sent = {name[2:]: values for name, values in states.items() if name.startswith("s/")}
    trained = network.run(torch.from_numpy(x).float())
    whole = {name: values for name, values in sent.items() if name not in trained}
    layers = {
        name: sent[name][program.latency[name] :][: len(x)].reshape(spikes.shape)
        if name in sent
        else np.zeros(spikes.shape)
        for name, spikes in trained.items()
    }
    return layers | whole


def test_the_maximum_of_spikes_is_one_where_any_is() -> None:
    spikes = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0]]).view(1, 1, 1, 2, 4)
    assert pooled(spikes, 2, "max").flatten().tolist() == [1, 0]
    assert pooled(spikes, 2, "average").flatten().tolist() == [0.5, 0]


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([2, 3]), st.integers(5, 9), st.booleans(), st.integers(0, 2**31))
def test_the_chip_fires_as_training_did(pool: int, side: int, dense: bool, seed: int) -> None:
    torch.manual_seed(seed)
    after = (
        LayerConfig(size=9, pool=pool, pool_kind="max") if dense else LayerConfig("conv", 5, pool=pool, pool_kind="max")
    )
    config = NetworkConfig((LayerConfig("conv", 4), after), dv=0.2, vth=0.3, batch_norm=False)
    network = build_network(config, (2, side, side), 3).eval()
    x = np.random.default_rng(seed).integers(0, 2, (7, 3, 2, side, side), dtype=np.uint8)
    trained = network.run(torch.from_numpy(x).float())
    fired = spikes_of(network, x, "emulator")
    assert trained["layer1"].any()
    for name, wanted in trained.items():
        np.testing.assert_array_equal(fired[name], wanted.detach().numpy())


@pytest.mark.parametrize("name", ["bptt", "tssl_bp"])
def test_a_trained_network_is_stored_and_deployed(name: str, tmp_path: Path) -> None:
    data = _few(load_dataset("digits_image", 0))
    training = TrainConfig(method=name, epochs=3, steps=6, learning_rate=0.01)
    get_method(name)(NetworkConfig(LAYERS, dv=0.1), training).fit(data, progress=False).save(tmp_path / "n.safetensors")
    method = load_trained(tmp_path / "n.safetensors")
    x = method.encode(data.x_test)
    fired = spikes_of(method.spiking_network, x, "emulator")
    for layer, wanted in method.run(x).items():
        np.testing.assert_array_equal(fired[layer], wanted)
    np.testing.assert_array_equal(fired["layer4"].sum(0), method.predict_counts(data.x_test))


def test_stock_lava_fires_the_same() -> None:
    pytest.importorskip("lava.magma")
    torch.manual_seed(1)
    config = NetworkConfig(
        (LayerConfig("conv", 3), LayerConfig(size=6, pool=2, pool_kind="max")), dv=0.2, vth=0.3, batch_norm=False
    )
    network = build_network(config, (1, 5, 5), 3).eval()
    x = np.random.default_rng(1).integers(0, 2, (6, 1, 1, 5, 5), dtype=np.uint8)
    ours, lava = (spikes_of(network, x, backend) for backend in ("emulator", "stock"))
    assert ours["layer2"].any() and len(ours) == 4
    for name, spikes in ours.items():
        np.testing.assert_array_equal(spikes, lava[name])


def test_the_ann_twin_takes_the_maximum_of_activations(tmp_path: Path) -> None:
    torch.manual_seed(0)
    twin = TwinNetwork(NetworkConfig(LAYERS), (1, 8, 8), 10).eval()
    x = np.random.default_rng(0).random((5, 1, 8, 8)).astype(np.float32)
    export_onnx(twin.twin_layers(), (1, 8, 8), tmp_path / "twin.onnx")
    with torch.no_grad():
        wanted = twin(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(run_onnx(tmp_path / "twin.onnx", x), wanted, atol=1e-5)


def test_files_without_it_are_as_before_and_with_it_are_read() -> None:
    plain = NetworkConfig((LayerConfig("conv", 6, pool=2),))
    assert "pool_kind" not in stored_network(plain)["layers"][0]
    assert read_network(stored_network(NetworkConfig(LAYERS))).layers == LAYERS


@pytest.mark.parametrize("name", ["soft_lif", "st_rsbp", "membrane_bp"])
def test_methods_that_train_rates_refuse_it(name: str) -> None:
    config = NetworkConfig(LAYERS, "lif", dv=0.1, batch_norm=False)
    with pytest.raises(InputError, match=r"trains rates.*leave pool_kind out"):
        get_method(name)(config, TrainConfig(method=name)).build((1, 8, 8), 10)


@pytest.mark.parametrize(
    ("layers", "payload", "says"),
    [
        (
            (LayerConfig("conv", 4), LayerConfig("sew", 4), LayerConfig(size=5, pool=2, pool_kind="max")),
            1,
            "sum of several",
        ),
        ((LayerConfig("conv", 4, pool=2, pool_kind="max"),), 16, "payloads"),
    ],
)
def test_the_maximum_of_anything_but_spikes_is_refused(
    layers: tuple[LayerConfig, ...], payload: int, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        build_network(NetworkConfig(layers, payload=payload), (1, 8, 8), 10)


def test_a_kind_without_a_pool_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(InputError, match="give a pool"):
        LayerConfig("conv", 4, pool_kind="max")
    with pytest.raises(InputError, match="pool_kind"):
        replace(LAYERS[1], pool_kind="sum")  # type: ignore[arg-type]


def _few(data: Dataset) -> Dataset:
    few, test = slice(300), slice(40)
    return replace(
        data, x_train=data.x_train[few], y_train=data.y_train[few], x_test=data.x_test[test], y_test=data.y_test[test]
    )
