"""Networks beyond a chain: what they say they compute is what they compute, and what the compiler makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_cases import connect, randomised
from numpy.typing import NDArray
from torch import nn

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.onnx.ann_model import export_onnx, run_onnx
from spikeport.exporter.program.chip_program import arrival_steps
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.run.stages import twin_sizes
from spikeport.trainer.ann import TwinNetwork
from spikeport.trainer.network.inference_layers import InferenceLayer, InferenceSynapse
from spikeport.trainer.network.layer_specs import LayerConfig, plan
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import Flatten, Join, SpikingBlock, SpikingNetwork
from spikeport.trainer.neuron_step.dynamics import integrate_recurrent
from spikeport.trainer.neuron_step.neurons import LIF
from spikeport.trainer.neuron_step.surrogates import surrogate

Array = NDArray[np.float64]
NETWORKS: dict[str, tuple[tuple[LayerConfig, ...], tuple[int, ...], int]] = {
    "recurrent": ((LayerConfig(size=14, recurrent=True), LayerConfig(size=9, recurrent=True)), (10,), 1),
    "pooled": ((LayerConfig("conv", 4), LayerConfig("conv", 5, pool=2, padding=0)), (2, 9, 10), 2),
    "add": ((LayerConfig("conv", 4), LayerConfig("sew", 4, repeat=3), LayerConfig("sew", 6, stride=2)), (2, 6, 6), 3),
    "add_pooled": ((LayerConfig("conv", 4), LayerConfig("sew", 6, pool=2, repeat=2)), (2, 6, 6), 1),
    "bottleneck": ((LayerConfig("sew", 8, bottleneck=True, repeat=2),), (2, 5, 5), 1),
    "and": ((LayerConfig("conv", 4), LayerConfig("sew", 4, repeat=2, join="and")), (2, 5, 5), 1),
    "iand": ((LayerConfig("conv", 4), LayerConfig("sew", 4, repeat=2, join="iand")), (2, 5, 5), 1),
    "current": ((LayerConfig("conv", 4), LayerConfig("spiking_resnet", 6, stride=2, repeat=2)), (2, 6, 6), 1),
}


def made(name: str, neuron: str = "lif", chip_aware: int | None = None, batch_norm: bool = True) -> SpikingNetwork:
    layers, shape, pool = NETWORKS[name]
    torch.manual_seed(0)
    config = NetworkConfig(
        layers, neuron, du=0.37, dv=0.21, batch_norm=batch_norm, chip_aware=chip_aware, output_pool=pool
    )
    network = randomised(build_network(config, shape, 5), seed=3)
    with torch.no_grad():
        for _, block in network.spiking_blocks():
            if block.recurrent is not None:
                block.recurrent.weight.normal_(0, 0.4)
            shift = block.norm.bias if block.norm is not None else block.bias
            assert shift is not None
            shift.copy_(0.1 + 0.6 * torch.rand(shift.shape))
    return network


def spikes(network: SpikingNetwork, steps: int = 10, samples: int = 3) -> NDArray[np.uint8]:
    generator = np.random.default_rng(2)
    return (generator.random((steps, samples, *network.input_shape)) < 0.4).astype(np.uint8)


def read(synapse: InferenceLayer | InferenceSynapse, given: dict[str, Array]) -> Array:
    """What a synapse reads in one step: its sources added, pooled, flattened."""
    summed: Array = np.sum([given[source] for source in synapse.sources], axis=0)
    if synapse.pool > 1:
        channels, rows, columns = (n // m for n, m in zip(summed.shape, (1, synapse.pool, synapse.pool), strict=True))
        cut = summed[:, : rows * synapse.pool, : columns * synapse.pool]
        summed = cut.reshape(channels, rows, synapse.pool, columns, synapse.pool).mean((2, 4))
    return summed.ravel() if synapse.flatten_before else summed


def simulated(network: SpikingNetwork, x: NDArray[np.uint8]) -> dict[str, Array]:
    """Spikes of every layer for one sample, from what the network says of itself, by plain loops."""
    layers, joins = network.inference_layers(), {join.name: join for join in network.inference_joins()}
    states = {layer.name: [np.zeros(layer.output_shape) for _ in range(3)] for layer in layers}
    fired: dict[str, list[Array]] = {layer.name: [] for layer in layers}
    by_name = {layer.name: layer for layer in layers}
    for step in x:
        given: dict[str, Array] = {"input": step.astype(np.float64)}
        for name in network.layers:
            if name in joins:
                a, before = given[joins[name].a], given[joins[name].x]
                given[name] = a * before if joins[name].kind == "and" else (1 - a) * before
            if name not in by_name:
                continue
            layer = by_name[name]
            u, v, s = states[name]
            arrived = connect(layer, read(layer, given))
            if layer.shortcut is not None:
                second = layer.shortcut
                like = {**vars(layer), **vars(second), "output_shape": layer.output_shape}
                arrived = arrived + connect(InferenceLayer(**like), read(second, given))
            if layer.recurrent is not None:
                arrived = arrived + layer.recurrent @ s
            u = u * (1 - layer.current_decay) + arrived
            v = v * (1 - layer.voltage_decay) + u + layer.bias.reshape(-1, *[1] * (u.ndim - 1))
            s = (v > layer.threshold).astype(np.float64)
            v[s > 0] = 0
            states[name], given[name] = [u, v, s], s
            fired[name].append(s)
    return {name: np.array(trains) for name, trains in fired.items()}


@pytest.mark.parametrize("chip_aware", [None, 8])
@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_plain_simulation_gives_the_same_spikes(name: str, neuron: str, chip_aware: int | None) -> None:
    network = made(name, neuron, chip_aware)
    x = spikes(network)
    with torch.no_grad():
        measured = network.run(torch.from_numpy(x))
    for sample in range(x.shape[1]):
        found = simulated(network, x[:, sample])
        assert list(found) == list(measured)
        for layer, trains in found.items():
            # sums of numbers on a grid can meet the threshold exactly, where their order decides
            same = float(np.mean(trains == measured[layer][:, sample].numpy()))
            assert same == 1 if chip_aware is None else same > 0.9, layer
    assert np.mean([float(trains.mean()) for trains in measured.values()]) > 0.05


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_exported_graph_computes_the_same_spikes(name: str, neuron: str, tmp_path: Path) -> None:
    network = made(name, neuron, batch_norm=False)
    write_nir(network_to_nir(network), tmp_path / "model.nir")
    lowered = lower_graph(read_nir(tmp_path / "model.nir"))
    x = spikes(network, steps=12, samples=4)
    behind = arrival_steps(lowered.inputs, lowered.connections)
    flat = {"input": x.reshape(*x.shape[:2], -1).astype(np.int32)}
    found = simulate_float(lowered, flat, len(x) + max(behind.values())).spikes
    with torch.no_grad():
        wanted = network.run(torch.from_numpy(x))
    for layer, trains in wanted.items():
        window = found[layer][behind[layer] : behind[layer] + len(x)]
        same = np.mean(window == trains.flatten(2).numpy().astype(bool))
        # NIR's numbers are float32, the network's here float64
        assert same > 0.999, (layer, same)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_chip_aware_synapses_come_out_as_the_integers_of_training(name: str, bits: int, tmp_path: Path) -> None:
    network = made(name, chip_aware=bits)
    write_nir(network_to_nir(network), tmp_path / "model.nir")
    program = compile_graph(read_nir(tmp_path / "model.nir"), load_chip("loihi2"), CompileOptions(weight_bits=bits))
    for layer in network.inference_layers():
        unit = float(layer.threshold.max() / program.population(layer.name).vth.max())
        wanted = [layer.weight / layer.pool**2] * len(layer.sources)
        wanted += [layer.recurrent] if layer.recurrent is not None else []
        wanted += [layer.shortcut.weight] * len(layer.shortcut.sources) if layer.shortcut is not None else []
        parts = program.into(layer.name)
        found = [c.weights * (unit * 2.0**c.weight_exp) for c in parts]
        # with few bits, a synapse is a connection per sign
        largest: dict[tuple[str, str], float] = {}
        for part, weights in zip(parts, found, strict=True):
            key = part.source, part.synapse
            largest[key] = max(largest.get(key, 0.0), float(np.abs(weights).max()))
        assert len(largest) == len(wanted)
        sizes = sorted(largest.values())
        np.testing.assert_allclose(sizes, sorted(float(np.abs(weights).max()) for weights in wanted), rtol=1e-5)
        # zeros may be left out of what is stored
        values = np.unique(np.round(np.concatenate([np.zeros(1), *(w.ravel() for w in found)]), 9))
        for weight in np.concatenate([w.ravel() for w in wanted]):
            assert np.abs(values - weight).min() < 1e-6 * max(1, abs(weight)), layer.name


@pytest.mark.parametrize("name", NETWORKS)
def test_the_chip_answers_like_the_chip_aware_network(name: str, tmp_path: Path) -> None:
    network = made(name, chip_aware=8)
    write_nir(network_to_nir(network), tmp_path / "model.nir")
    program = compile_graph(read_nir(tmp_path / "model.nir"), load_chip("loihi2"))
    x = spikes(network, steps=16, samples=8)
    with torch.no_grad():
        wanted = network(torch.from_numpy(x)).numpy()
    start = program.latency[program.outputs[0]]
    found = simulate(program, x, steps=len(x) + program.pipeline_steps).output[start : start + len(x)]
    assert np.mean(found == wanted) > 0.97


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_batch_norm_changes_no_spike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeport.trainer.neuron_step.neurons.supports_norm", lambda *_: False)
    network = made(name, "cuba_lif")
    x = torch.from_numpy(spikes(network)).double()
    folded = network.run(x)
    # the training path with the running statistics in place of the batch's
    for _, block in network.spiking_blocks():
        for norm in (block.norm, block.shortcut_norm):
            if norm is not None:
                norm.training = True
                norm.forward = lambda y, n=norm: nn.functional.batch_norm(  # type: ignore[method-assign,misc]
                    y, n.running_mean, n.running_var, n.weight, n.bias, False, 0.0, n.eps
                )
    for layer, trains in network.run(x).items():
        assert torch.equal(trains, folded[layer]), layer


def test_the_gradient_through_the_recurrence_is_that_of_a_hand_computed_case() -> None:
    # two steps, one neuron: i = (1.5, 0.2), V = 0.7, du = 1, dv = 0.5, vth = 1, triangle: slope 1 - |v - vth|
    current = torch.tensor([[[1.5]], [[0.2]]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[0.7]], dtype=torch.float64, requires_grad=True)
    du, dv, vth = (torch.tensor(value, dtype=torch.float64) for value in (1.0, 0.5, 1.0))
    trains = integrate_recurrent(current, weights, du, dv, vth, surrogate("triangle"), 1.0)
    assert trains.flatten().tolist() == [1, 0]
    trains[1].sum().backward()
    # v1 = 1.5 fires and is set to 0; v2 = 0 + 0.2 + 0.7 s1 = 0.9: slope 0.9; slope of s1 is 0.5
    assert weights.grad is not None and current.grad is not None
    torch.testing.assert_close(weights.grad, torch.tensor([[0.9]], dtype=torch.float64))
    torch.testing.assert_close(current.grad.flatten(), torch.tensor([0.9 * 0.7 * 0.5, 0.9], dtype=torch.float64))


def test_joins_are_the_logic_of_their_names_and_pass_gradients() -> None:
    a, x = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert Join("add")(a, x).tolist() == [0, 1, 1, 2]
    assert Join("and")(a, x).tolist() == [0, 0, 0, 1]
    assert Join("iand")(a, x).tolist() == [0, 1, 0, 0]
    a = a.clone().requires_grad_()
    Join("iand")(a, x).sum().backward()
    assert a.grad is not None and a.grad.tolist() == [-0.0, -1, -0.0, -1]


def test_a_deep_network_is_counted_like_its_paper_does() -> None:
    stages = [LayerConfig("sew", 16 * 4, stride=s, repeat=n, bottleneck=True) for s, n in ((1, 3), (2, 4), (2, 6))]
    with torch.device("meta"):
        parts = plan([LayerConfig("conv", 8), *stages, LayerConfig(size=10)], (3, 16, 16))
    layers = [part for part in parts if part.name.startswith("layer")]
    assert len(layers) == 1 + 3 * 13 + 3 + 1 and len(parts) - len(layers) == 13
    assert layers[-1].fan_in.sources == 1 + 6, "the sum of the last stage's blocks"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_twin_of_such_a_network_runs_as_onnx(name: str, tmp_path: Path) -> None:
    layers, shape, pool = NETWORKS[name]
    torch.manual_seed(0)
    config = NetworkConfig(layers, output_pool=pool)
    twin = TwinNetwork(config, shape, 5)
    x = torch.rand(16, *shape)
    twin(x)
    twin.eval()
    export_onnx(twin.twin_layers(), shape, tmp_path / "twin.onnx")
    with torch.no_grad():
        np.testing.assert_allclose(run_onnx(tmp_path / "twin.onnx", x.numpy()), twin(x).numpy(), atol=1e-4)
    sizes = twin_sizes(twin.twin_layers(), shape)
    assert len(sizes) == len(twin.geometry) and all(size.macs > 0 for size in sizes)


def test_what_does_not_fit_is_refused_by_name() -> None:
    def dense(inputs: int, outputs: int) -> SpikingBlock:
        return SpikingBlock(nn.Linear(inputs, outputs, bias=False), LIF(0.1))

    with pytest.raises(InputError, match=r"join2 joins shapes \(4,\) and \(3,\)"):
        SpikingNetwork((3,), [dense(3, 4), dense(4, 4), Join("add")], reads={"join2": ("layer2", "input")})
    with pytest.raises(InputError, match="join1 reads layer1, but must read 2"):
        SpikingNetwork((3,), [dense(3, 3), Join("add")])
    with pytest.raises(InputError, match="layer1 reads layer2"):
        SpikingNetwork((3,), [dense(3, 3), dense(3, 3)], reads={"layer1": ("layer2",)})
    sums = {"join2": ("layer2", "layer1"), "join3": ("layer3", "join2")}
    with pytest.raises(InputError, match=r"join3 \(and\) joins spike trains, but one of its inputs is a sum"):
        SpikingNetwork((3,), [dense(3, 3), dense(3, 3), Join("add"), dense(3, 3), Join("and")], reads=sums)
    with pytest.raises(InputError, match="adds the spikes of layer1 twice"):
        SpikingNetwork((3,), [dense(3, 3), Join("add")], reads={"join1": ("layer1", "layer1")})
    with pytest.raises(InputError, match="recurrent synapses join"):
        SpikingBlock(nn.Linear(3, 4, bias=False), LIF(0.1), recurrent=nn.Linear(3, 3, bias=False))
    with pytest.raises(InputError, match="flatten1 pools 3 x 3 of an input of shape"):
        SpikingNetwork((1, 2, 2), [Flatten(3), dense(1, 2)])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "swe"}, "did you mean 'sew'"),
        ({"kind": "conv", "recurrent": True}, "'conv' cannot be recurrent"),
        ({"kind": "sew", "join": "nand"}, "did you mean"),
        ({"kind": "sew", "repeat": 0}, "repeat must be at least 1"),
        ({"kind": "conv", "bottleneck": True}, "bottleneck is for residual blocks"),
    ],
)
def test_wrong_layers_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LayerConfig(**wrong)  # type: ignore[arg-type]


def test_a_residual_block_needs_an_image() -> None:
    with pytest.raises(InputError, match="layer1 is a convolution and needs an input"):
        build_network(NetworkConfig((LayerConfig("sew", 4),)), (8,), 2)
