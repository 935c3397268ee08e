"""Every method's network, exported and compiled, answers on the chip as in training, spike for spike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

DENSE = (LayerConfig(size=24), LayerConfig(size=20))
RECURRENT = (LayerConfig(size=24, recurrent=True), LayerConfig(size=20))
CONV = (LayerConfig("conv", 6, kernel=3, stride=2),)


@pytest.mark.parametrize(
    ("name", "layers", "neuron", "options"),
    [
        ("tssl_bp", DENSE, "cuba_lif", {}),
        ("tssl_bp", CONV, "lif", {"loss": "count"}),
        ("st_rsbp", RECURRENT, "cuba_lif", {}),
        ("st_rsbp", CONV, "lif", {}),
        ("membrane_bp", DENSE, "lif", {"inhibition": 0.05, "output_inhibition": 0.3}),
        ("membrane_bp", CONV, "lif", {}),
    ],
)
def test_the_chip_fires_as_training_did(
    name: str, layers: tuple[LayerConfig, ...], neuron: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    data = load_dataset("digits_image" if layers is CONV else "digits", 0)
    few, test = slice(300), slice(60)
    data = replace(
        data,
        x_train=data.x_train[few],
        y_train=data.y_train[few],
        x_test=data.x_test[test],
        y_test=data.y_test[test],
    )
    network = NetworkConfig(layers, neuron, du=0.4, dv=0.1, batch_norm=False)
    training = TrainConfig(method=name, epochs=2, steps=12, options=options)
    method = get_method(name)(network, training).fit(data, progress=False)
    method.save(tmp_path / "network.safetensors")
    loaded = load_trained(tmp_path / "network.safetensors")
    counts = loaded.predict_counts(data.x_test)
    np.testing.assert_array_equal(counts, method.predict_counts(data.x_test))
    write_nir(network_to_nir(loaded.spiking_network), tmp_path / "model.nir")
    program = compile_graph(read_nir(tmp_path / "model.nir"), load_chip("loihi2"), CompileOptions(weight_bits=8))
    x = loaded.encode(data.x_test)
    result = simulate(program, x, "emulator", len(x) + program.pipeline_steps)
    start = program.latency[program.outputs[0]]
    fixed = result.output_counts(slice(start, start + len(x)))
    assert counts.sum() > 0
    np.testing.assert_array_equal(fixed, counts)
