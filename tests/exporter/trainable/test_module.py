"""A trainable module against the emulator on the graph that it writes: random graphs, trained a little."""

from __future__ import annotations

import tempfile
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from nir_strategies import any_graphs, spikes_for
from places import ROOT
from strategies import seeds

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.trainable.module import ChipModule, module_of
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

CHIP = load_chip("loihi2")


def written(module: ChipModule) -> nir.NIRGraph:
    """The module's graph through a file."""
    with tempfile.TemporaryDirectory() as folder:
        write_nir(module.to_nir(), Path(folder) / "model.nir")
        return read_nir(Path(folder) / "model.nir")


def assert_equals_emulator(module: ChipModule, inputs: dict[str, np.ndarray], options: CompileOptions) -> None:
    """Every layer's spikes in every place; the program from a file as the chip runs it."""
    program = compile_graph(written(module), CHIP, options)
    length = len(next(iter(inputs.values())))
    starts = module.plan.network.starts
    x = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    result = simulate(program, x, steps=length + max(starts.values()), record="layers")
    sent = module.run({name: torch.from_numpy(values) for name, values in inputs.items()})
    for population in program.populations:
        name = population.name
        if name not in sent:
            continue  # a bias axon, which has another name
        chip = result.states[f"s/{name}"][starts[name] : starts[name] + length]
        np.testing.assert_array_equal(sent[name].detach().numpy(), chip.reshape(sent[name].shape), err_msg=name)


def train_a_little(module: ChipModule, inputs: dict[str, np.ndarray], rate: float) -> None:
    """One step of a loss that leads everywhere."""
    sent = module.run({name: torch.from_numpy(values) for name, values in inputs.items()})
    loss = torch.stack([(s.mean() / (1 + s.detach().abs().max())) for s in sent.values()]).sum()
    parameters = list(module.parameters())
    if not parameters or not loss.requires_grad:
        return
    loss.backward()
    for parameter in parameters:
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert torch.isfinite(gradient).all()
        with torch.no_grad():
            parameter -= rate * (gradient.sign() + torch.randn_like(parameter)) * parameter.abs().mean()


CASES = {
    "graph": any_graphs(),
    "seed": seeds,
    "reset": st.sampled_from(["zero", "subtract", "subtract_after_decay"]),
    "discretize": st.sampled_from(["euler", "exponential"]),
    "bits": st.sampled_from([8, 8, 4]),
    "precision": st.sampled_from(["normal", "fine", "high"]),
    "calibrated": st.booleans(),
}
# shrinking such graphs takes minutes
WITHOUT_SHRINKING = {
    "deadline": None, "phases": (Phase.explicit, Phase.generate), "suppress_health_check": list(HealthCheck)
}  # fmt: skip


@settings(max_examples=20, **WITHOUT_SHRINKING)  # type: ignore[arg-type]
@given(**CASES)
def test_a_random_graph_gives_the_chips_spikes_before_and_after_training(**case: Any) -> None:
    check_a_graph(**case)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(max_examples=250, **WITHOUT_SHRINKING)  # type: ignore[arg-type]
@given(**CASES)
def test_any_graph_gives_the_chips_spikes_before_and_after_training(**case: Any) -> None:
    check_a_graph(**case)


def check_a_graph(
    graph: nir.NIRGraph, seed: int, reset: str, discretize: str, bits: int, precision: str, calibrated: bool
) -> None:
    """Every layer's spikes equal the emulator's: as compiled, and after two steps of training."""
    inputs = spikes_for(graph, 8, 3, seed, 0.4)
    one = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    options = CompileOptions(
        weight_bits=bits,
        reset=reset,
        discretize=discretize,
        precision=precision,  # type: ignore[arg-type]
        calibration=one if calibrated else None,  # type: ignore[arg-type]
    )
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = module_of(graph, CHIP, options)
            module.to_nir()
        except InputError:
            assume(False)
        # nir adds an output to an input that nothing reads
        assume(all(name in {c.source for c in module.plan.network.connections} for name in inputs))
        assert_equals_emulator(module, inputs, options)
        for rate in (0.1, 1.0):
            train_a_little(module, inputs, rate)
            assert_equals_emulator(module, inputs, options)


def chain(kind: str = "lif", sizes: tuple[int, ...] = (12, 16, 5), bias: float = 0.1, seed: int = 0) -> nir.NIRGraph:
    """Affine layers and neurons of one kind."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(input_type={"input": np.array(sizes[:1])})}
    edges, before = [], "input"
    for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        one = np.ones(outputs)
        neuron = {
            "lif": lambda one=one: nir.LIF(tau=5e-3 * one, r=5 * one, v_leak=0 * one, v_threshold=one),
            "cuba": lambda one=one: nir.CubaLIF(
                tau_syn=3e-3 * one, tau_mem=5e-3 * one, r=4 * one, v_leak=0 * one, v_threshold=one, w_in=3 * one
            ),
            "if": lambda one=one: nir.IF(r=one, v_threshold=one),
        }[kind]()
        weights = rng.normal(0, 2 / np.sqrt(inputs), (outputs, inputs))
        nodes[f"fc{number}"] = nir.Affine(weight=weights, bias=rng.normal(0, bias, outputs))
        nodes[f"lif{number}"] = neuron
        edges += [(before, f"fc{number}"), (f"fc{number}", f"lif{number}")]
        before = f"lif{number}"
    nodes["output"] = nir.Output(output_type={"output": np.array(sizes[-1:])})
    return nir.NIRGraph(nodes=nodes, edges=[*edges, (before, "output")], metadata={"dt": 1e-3})


def spikes(steps: int = 20, batch: int = 6, size: int = 12) -> np.ndarray:
    """Random spikes."""
    return (np.random.default_rng(5).random((steps, batch, size)) < 0.3).astype(np.int32)


@pytest.mark.parametrize("kind", ["lif", "cuba", "if"])
def test_a_chain_learns_and_stays_exact(kind: str) -> None:
    options = CompileOptions(weight_bits=4)
    module, x = module_of(chain(kind), CHIP, options), torch.from_numpy(spikes())
    wanted = torch.arange(6) % 5
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        counts = module(x).sum(0)
        loss = torch.nn.functional.cross_entropy(counts, wanted)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    assert_equals_emulator(module, {"input": spikes()}, options)


def test_a_recipes_network_has_the_same_spikes_and_gradients() -> None:
    """Chip-aware training of the same network, as the referee for the backward pass."""
    torch.manual_seed(0)
    config = NetworkConfig((LayerConfig(size=16),), neuron="cuba_lif", batch_norm=False, chip_aware=8)
    network = build_network(config, (12,), 5).eval()
    for _, block in network.spiking_blocks():
        torch.nn.init.normal_(block.synapse.weight, 0.3, 0.5)
    module = module_of(network_to_nir(network), CHIP, width=config.surrogate_width)
    x = torch.from_numpy(spikes()).float()
    theirs, ours = network(x), module(x)
    assert theirs.mean().item() > 0.02
    assert torch.equal(theirs, ours)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    (theirs * weight).sum().backward()
    (ours * weight).sum().backward()
    for name, block in network.spiking_blocks():
        wanted, found = block.synapse.weight.grad, module.layer(name).sources()[0].weight.grad
        assert wanted is not None
        assert found is not None
        cosine = torch.nn.functional.cosine_similarity(wanted.flatten(), found.flatten(), dim=0)
        assert float(cosine) > 0.9999


def test_a_large_bias_deep_in_the_network_runs_from_the_chips_first_step() -> None:
    """It makes neurons spike before their first input arrives, which a recurrent layer then reads."""
    graph = chain(sizes=(12, 8, 8, 8, 8, 5))
    for number in range(1, 6):
        graph.nodes[f"lif{number}"].tau[:] = 1.02e-3
    graph.nodes["fc3"].bias[:] = 1.5
    graph.nodes["back"] = nir.Linear(weight=np.random.default_rng(1).normal(0, 0.5, (8, 8)))
    graph.edges += [("lif3", "back"), ("back", "lif3")]
    for reset in ("zero", "subtract"):
        options = CompileOptions(reset=reset)  # type: ignore[arg-type]
        module = module_of(graph, CHIP, options)
        assert any(layer.early for layer in module.rounded().values())
        assert_equals_emulator(module, {"input": spikes()}, options)


def test_weights_that_grow_lower_the_scale_before_u_can_wrap() -> None:
    options = CompileOptions()
    module = module_of(chain("cuba"), CHIP, options)
    before = float(module.layer("lif1").scale)
    with torch.no_grad():
        module.layer("lif1").sources()[0].weight.mul_(40)
    assert_equals_emulator(module, {"input": spikes()}, options)
    assert float(module.layer("lif1").scale) <= before


def test_the_state_of_a_module_is_loaded_into_another() -> None:
    first, second = module_of(chain(), CHIP), module_of(chain(), CHIP)
    train_a_little(first, {"input": spikes()}, 0.5)
    second.load_state_dict(first.state_dict())
    x = torch.from_numpy(spikes())
    assert torch.equal(first(x), second(x))


def test_the_float_network_is_not_rounded() -> None:
    module, x = module_of(chain(), CHIP, CompileOptions(weight_bits=3)), torch.from_numpy(spikes())
    full = module_of(chain(), CHIP)
    assert torch.equal(module.eval_float(x), full.eval_float(x))
    assert not torch.equal(module(x), full(x))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 2, 3), r"shape \(4, 2, 3\), but the network takes \(T, B, 12\)"),
        ({"other": torch.zeros(4, 2, 12)}, "input 'input' is missing"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(x: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        module_of(chain(), CHIP)(x)


def test_options_that_cannot_be_trained_are_named() -> None:
    with pytest.raises(InputError, match=r"does not add in relays \(sums 'graded'\); leave that out"):
        module_of(chain(), CHIP, CompileOptions(sums="graded"))


@pytest.mark.parametrize("kind", ["half", "bfloat16", "double"])
def test_parameters_of_another_type_are_one_sentence_and_float_brings_all_back(kind: str) -> None:
    module, x = module_of(chain(), CHIP), torch.from_numpy(spikes())
    before = module(x)
    getattr(module, kind)()
    for use in (lambda: module(x), module.to_nir):
        with pytest.raises(InputError, match=r"parameters are torch\.\w+, but .* call \.float\(\)"):
            use()
    # weights rounded to 16 bit may have other integers, but scale and decays are the chip's
    module.float()
    if kind == "double":
        assert torch.equal(module(x), before)
    assert all(b.dtype == torch.float64 for name, b in module.named_buffers() if "keep" in name or "scale" in name)
    assert_equals_emulator(module, {"input": spikes()}, CompileOptions())


def test_under_autocast_it_computes_the_chips_integers() -> None:
    # voltages, as spikes often are the same for other sums
    one = np.ones((1, 3, 4))
    module = module_of(convolution(nir.LI(tau=5e-3 * one, r=5 * one, v_leak=0 * one), 0.1), CHIP)
    x = torch.from_numpy(np.random.default_rng(0).binomial(1, 0.5, (20, 6, 2, 3, 4)))
    before = module(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(module(x), before)


@pytest.mark.parametrize(("parameter", "what"), [("weight", "weights"), ("bias", "biases")])
def test_parameters_that_are_no_numbers_are_one_sentence(parameter: str, what: str) -> None:
    module, x = module_of(chain(), CHIP), torch.from_numpy(spikes())
    named = next(p for name, p in module.named_parameters() if name.endswith(parameter))
    with torch.no_grad():
        named[0] = float("nan")
    for use in (lambda: module(x), module.to_nir):
        with pytest.raises(InputError, match=f"the {what} of layer 'lif1' are not finite: training has diverged"):
            use()


def convolution(neuron: nir.NIRNode, bias: float) -> nir.NIRGraph:
    """A kernel of one pixel with a weight of each sign, and neurons."""
    nodes = {
        "input": nir.Input(input_type={"input": np.array([2, 3, 4])}),
        "conv": nir.Conv2d(
            input_shape=(3, 4), weight=np.array([[[[0.6]], [[-0.8]]]], np.float32), stride=1, padding=0, dilation=1,
            groups=1, bias=np.array([bias], np.float32),
        ),
        "neuron": neuron,
        "output": nir.Output(output_type={"output": np.array([1, 3, 4])}),
    }  # fmt: skip
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)), metadata={"dt": 1e-3})


def test_a_kernel_whose_weights_become_all_negative_fits_a_connection_of_that_sign() -> None:
    one = np.ones((1, 3, 4))
    module = module_of(convolution(nir.LI(tau=5e-3 * one, r=one, v_leak=0 * one), 0.0), CHIP)
    with torch.no_grad():
        module.layer("neuron").sources()[0].weight.fill_(-50.0)
    assert_equals_emulator(module, {"input": spikes(8, 3, 24).reshape(8, 3, 2, 3, 4)}, CompileOptions())


def test_a_convolutions_bias_behind_a_synaptic_filter_stays_one_value_per_channel() -> None:
    one = np.ones((1, 3, 4))
    filtered = nir.CubaLIF(
        tau_syn=3e-3 * one, tau_mem=5e-3 * one, r=4 * one, v_leak=0 * one, v_threshold=one, w_in=3 * one
    )
    module = module_of(convolution(filtered, 0.1), CHIP)
    inputs = {"input": spikes(8, 3, 24).reshape(8, 3, 2, 3, 4)}
    before = np.asarray(module.to_nir().nodes["conv"].bias)
    for _ in range(3):
        train_a_little(module, inputs, 0.3)
    assert not np.array_equal(module.to_nir().nodes["conv"].bias, before)
    assert module.synapse_values()["conv"]["bias"].shape == (1,)
    assert_equals_emulator(module, inputs, CompileOptions())


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_input_that_no_spike_can_carry_is_named(value: float) -> None:
    module = sp.torch.module(ROOT / "examples/digits.nir")
    x = torch.zeros(3, 2, 64)
    x[1, 0, 5] = value
    with pytest.raises(InputError, match="spikes are 0 or 1"):
        module(x)


def test_options_of_a_module_are_checked_by_name_and_value() -> None:
    for options, words in (
        ({"weight_bit": 4}, "did you mean 'weight_bits'"),
        ({"width": -1.0}, "width is a positive number"),
        ({"width": float("nan")}, "width is a positive number"),
    ):
        with pytest.raises(InputError, match=words):
            sp.torch.module(ROOT / "examples/digits.nir", **options)
