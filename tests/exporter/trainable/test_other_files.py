"""Networks from .net and .onnx files as trainable modules: the chip's integers, and what cannot be trained is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from net_files import dense, write_net

import spikeport as sp
from spikeport.exporter.netx.from_net import compile_net
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate


def test_a_net_file_computes_its_own_integers_and_compiles_to_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [dense(2.0 * rng.integers(-20, 40, shape)) for shape in ((12, 8), (5, 12))]
    path = write_net(tmp_path / "m.net", layers)
    x = (rng.random((25, 4, 8)) < 0.4).astype(np.uint8)
    wanted = simulate(compile_net(path, load_chip("loihi2")), x).output[-25:]
    module = sp.torch.module(path)
    assert wanted.any()
    np.testing.assert_array_equal(module(torch.from_numpy(x)).detach(), wanted)
    module(torch.from_numpy(x)).sum(0).var().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0.2 * parameter.grad * parameter.square().mean().sqrt() / (parameter.grad.abs().max() + 1e-12)
    np.testing.assert_array_equal(module.compile().simulate(x).spikes[-25:], module(torch.from_numpy(x)).detach())


def test_a_relu_network_is_rate_coded_and_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    ann, path = (
        torch.nn.Sequential(torch.nn.Linear(8, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3)),
        tmp_path / "m.onnx",
    )
    torch.onnx.export(ann, (torch.zeros(1, 8),), str(path), dynamo=False)
    images = np.random.default_rng(1).random((40, 8)).astype(np.float32)
    module = sp.torch.module(path, calibrate=images)
    shown = torch.round(module.input_scale * torch.from_numpy(images)).expand(16, -1, -1)
    answers = module(shown)
    same = (answers.sum(0).argmax(1) == ann(torch.from_numpy(images)).argmax(1)).float().mean()
    assert same > 0.9
    np.testing.assert_array_equal(
        module.compile().simulate(shown.numpy().astype(np.int32)).spikes[-16:], answers.detach()
    )
    answers.sum(0).var().backward()
    with pytest.raises(sp.InputError, match="give it with calibrate=x"):
        sp.torch.module(path)
    with pytest.raises(sp.InputError, match="an ANN has no reset"):
        sp.torch.module(path, calibrate=images, reset="zero")
