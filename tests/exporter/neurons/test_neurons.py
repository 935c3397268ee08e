"""Every neuron model's kernel against its referee: lava.proc's own fixed-point model, or the second writing in NumPy.

Parameters lie at the edges of their registers, input goes from nothing to what fills 32 bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import WIDTHS, delays, sparse, weights
from stock_models import (
    instantiate,
    step_block,
    step_kernel,
    step_plain,
    step_population,
    stock_population,
    stock_process,
)

from spikeport.common.errors import InputError
from spikeport.exporter.neurons import (
    NEURON_MODELS,
    RF,
    CubaLIF,
    Delta,
    LIFRefractory,
    LIFReset,
    Population,
    Sigma,
    SigmaDelta,
    TernaryLIF,
)
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    ConvConnection,
    DenseConnection,
    InputPort,
    SparseConnection,
)
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate

# one number a process in lava.proc
SHARED = ("reset_interval", "reset_offset", "cum_error", "act_mode", "theta_step")
IN_STOCK = [kind for kind, model in NEURON_MODELS.items() if model.stock is not Population.stock]
QUICK, FULL = 100, 600

densities = st.sampled_from([0, 0.01, 0.1, 1])
# as far as weights and spikes go; a state's width; payloads that fill 32 bit
magnitudes = st.sampled_from([1, 8, 300, 1 << 15, (1 << 23) - 1, (1 << 31) - 1])
seeds = st.integers(0, 2**32 - 1)


def drawn(kind: str, size: int, rng: np.random.Generator, shared: tuple[str, ...] = SHARED) -> Population:
    """A population whose constants lie at the edges of their registers half of the time, anywhere else or small."""
    model = NEURON_MODELS[kind]
    constants = {}
    for name, (low, high) in model.registers(WIDTHS).items():
        edges = [n for n in (low, low + 1, -1, 0, 1, high - 1, high) if low <= n <= high]
        small = rng.integers(max(low, -8), min(high, 30) + 1, size)
        choices = np.stack([rng.choice(edges, size), rng.integers(low, high + 1, size), small])
        values = choices[rng.choice(3, size, p=[0.4, 0.3, 0.3]), np.arange(size)]
        if name in ("reset_interval", "refractory_period"):
            values = np.maximum(small, low)
        constants[name] = np.full(size, values[0]) if name in shared else values
    if "state_exp" in constants:
        # unscaled, a change meets its threshold now and then
        unscaled = rng.random(size) < 0.5
        for name in ("state_exp", "spike_exp"):
            constants[name] = np.where(unscaled, 0, constants.get(name, 0))
    constants = {name: constants[name] for name in model.constants()}
    if kind == "ternary_lif":
        constants["vth_lo"], constants["vth_hi"] = np.sort([constants["vth_lo"], constants["vth_hi"]], axis=0)
    return model.of("n", (size,), **constants)


def arriving(
    population: Population, steps: int, batch: int, density: float, magnitude: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """(steps, ports, batch, size)."""
    shape = (steps, len(population.PORTS), batch, population.size)
    values = rng.integers(-magnitude - 1, magnitude, shape, endpoint=True)
    return np.where(rng.random(shape) < density, values, 0).astype(np.int32)


def assert_equal(found: Any, wanted: Any, sample: int) -> None:
    np.testing.assert_array_equal(found[0][:, sample], wanted[0], "sent")
    assert found[1].keys() == wanted[1].keys()
    for name, values in wanted[1].items():
        np.testing.assert_array_equal(found[1][name][:, sample], values, name)


def check_against_stock(kind: str, seed: int, size: int, density: float, magnitude: int) -> None:
    rng = np.random.default_rng(seed)
    population = drawn(kind, size, rng)
    assert population.stock() is not None
    steps, batch = 12, 2
    a = arriving(population, steps, batch, density, magnitude, rng)
    found, model = step_kernel(population, a), stock_population(population, steps)
    for sample in range(batch):
        assert_equal(found, step_population(model, population, a[:, :, sample], 1 + sample * steps), sample)


def check_against_plain(kind: str, seed: int, size: int, density: float, magnitude: int) -> None:
    rng = np.random.default_rng(seed)
    population = drawn(kind, size, rng, shared=())
    a = arriving(population, 12, 2, density, magnitude, rng)
    found = step_kernel(population, a)
    for sample in range(2):
        assert_equal(found, step_plain(population, a[:, :, sample]), sample)
    sent, states = step_block(population, a)
    np.testing.assert_array_equal(sent, found[0])
    for name, values in states.items():
        np.testing.assert_array_equal(values, found[1][name][-1], err_msg=name)


def refractory_referee(population: LIFRefractory) -> Any:
    """Stock's floating-point rule of LIFRefractory on stock's fixed-point LIF."""
    from lava.proc.lif.models import PyLifModelBitAcc, PyLifRefractoryModelFloat

    class Refractory(PyLifModelBitAcc):  # type: ignore[misc]
        refractory_period = population.refractory_period

        def subthr_dynamics(self, activation_in: NDArray[Any]) -> None:
            before, refractory = self.v.copy(), self.refractory_period_end >= self.time_step
            super().subthr_dynamics(activation_in)
            self.v[refractory] = before[refractory]

        def reset_voltage(self, spike_vector: NDArray[np.bool_]) -> None:
            self.refractory_period_end[spike_vector] = self.time_step + self.refractory_period[spike_vector]
            super().reset_voltage(spike_vector)

    rule = PyLifRefractoryModelFloat.process_spikes.__code__.co_names
    assert "refractory_period_end" in rule and "time_step" in rule
    lif = CubaLIF.of("n", population.shape, **{name: getattr(population, name) for name in CubaLIF.constants()})
    return instantiate(stock_process(lif), Refractory)


def check_refractory(seed: int, size: int, density: float, magnitude: int) -> None:
    rng = np.random.default_rng(seed)
    population = drawn("lif_refractory", size, rng)
    assert isinstance(population, LIFRefractory)
    a = arriving(population, 30, 2, density, magnitude, rng)
    found, model = step_kernel(population, a), refractory_referee(population)
    for sample in range(2):
        assert_equal(found, step_population(model, population, a[:, :, sample], 1), sample)


examples = given(seed=seeds, size=st.integers(1, 40), density=densities, magnitude=magnitudes)


@pytest.mark.lava
@pytest.mark.parametrize("kind", IN_STOCK)
@settings(max_examples=QUICK)
@examples
def test_kernels_equal_stock(kind: str, seed: int, size: int, density: float, magnitude: int) -> None:
    check_against_stock(kind, seed, size, density, magnitude)


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("kind", IN_STOCK)
@settings(max_examples=FULL)
@examples
def test_kernels_equal_stock_at_length(kind: str, seed: int, size: int, density: float, magnitude: int) -> None:
    check_against_stock(kind, seed, size, density, magnitude)


@pytest.mark.lava
@settings(max_examples=QUICK)
@examples
def test_the_refractory_kernel_equals_stock_s_rule(seed: int, size: int, density: float, magnitude: int) -> None:
    check_refractory(seed, size, density, magnitude)


@pytest.mark.lava
@pytest.mark.slow
@settings(max_examples=FULL)
@examples
def test_the_refractory_kernel_equals_stock_s_rule_at_length(
    seed: int, size: int, density: float, magnitude: int
) -> None:
    check_refractory(seed, size, density, magnitude)


@pytest.mark.parametrize("kind", NEURON_MODELS)
@settings(max_examples=QUICK)
@examples
def test_kernels_equal_plain_steps(kind: str, seed: int, size: int, density: float, magnitude: int) -> None:
    check_against_plain(kind, seed, size, density, magnitude)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NEURON_MODELS)
@settings(max_examples=FULL)
@examples
def test_kernels_equal_plain_steps_at_length(kind: str, seed: int, size: int, density: float, magnitude: int) -> None:
    check_against_plain(kind, seed, size, density, magnitude)


def test_a_neuron_takes_no_step_over_from_another_neuron() -> None:
    @dataclass(frozen=True)
    class Silent(CubaLIF):
        KIND: ClassVar[str] = "silent"

        def plain_step(self, step: int, states: Any, arriving: Any) -> Any:
            return np.zeros(self.size, np.int32)

    @dataclass(frozen=True)
    class Other(Silent):
        KIND: ClassVar[str] = "other"

    held = Silent.of("n", (3,), du=4095, dv=0, vth=0)
    assert held.stock() is None and held.spike_stepper() is None
    assert held.registers(WIDTHS) == CubaLIF.of("n", (3,), du=0, dv=0, vth=0).registers(WIDTHS)
    sent, _ = step_kernel(held, np.full((4, 1, 2, 3), 100, np.int32))
    assert not sent.any()
    with pytest.raises(NotImplementedError, match="Other has no plain_step"):
        Other.of("n", (3,), du=4095, dv=0, vth=0).plain_step(0, {}, ())
    # those that hand a step on name it
    assert LIFReset.of("n", (1,), du=0, dv=0, vth=1, reset_interval=1, reset_offset=0).stock() is not None


def test_a_neuron_without_a_kernel_runs_by_its_plain_step() -> None:
    rng = np.random.default_rng(5)
    for kind in ("cuba_lif", "cuba_li", "lif_refractory", "rf"):
        population = drawn(kind, 7, rng)
        plain = type("Plain", (type(population),), {"stepper": lambda self: Population._plain_stepper(self)})
        slow = plain(population.name, population.shape, *(getattr(population, n) for n in population.constants()))
        a = arriving(population, 9, 2, 0.3, 1 << 15, rng)
        (sent, states), (wanted, held) = step_block(slow, a), step_block(population, a)
        np.testing.assert_array_equal(sent, wanted)
        for name in held:
            np.testing.assert_array_equal(states[name], held[name])


@pytest.mark.lava
def test_what_lava_keeps_once_a_process_is_plain_where_it_differs() -> None:
    rng = np.random.default_rng(0)
    for kind in ("lif_reset", "delta", "sigma_delta", "atrlif"):
        assert drawn(kind, 30, rng, shared=()).stock() is None
        assert drawn(kind, 30, rng).stock() is not None


@pytest.mark.lava
def test_readable_arguments_give_the_numbers_that_lava_s_constructors_give() -> None:
    from lava.proc.rf import process as lava_rf
    from lava.proc.sdn.process import ActivationMode
    from lava.proc.sdn.process import Delta as StockDelta
    from lava.proc.sdn.process import SigmaDelta as StockSigmaDelta

    shape = (3,)
    rf, stock_rf = RF.of_period("n", shape, 10, 0.07, 1.5, state_exp=6), lava_rf.RF(shape, 10, 0.07, 6, 12, 1.5)
    for name in ("sin_decay", "cos_decay", "vth", "state_exp", "decay_bits"):
        assert np.all(getattr(rf, name) == getattr(stock_rf, name).init), name
    exponents = {"spike_exp": 3, "state_exp": 2}
    delta, stock_delta = Delta.scaled("n", shape, 12, **exponents), StockDelta(shape=shape, vth=12, **exponents)
    neuron = SigmaDelta.scaled("n", shape, 12, bias=[1, -2, 0.5], activation="unit", **exponents)
    stock = StockSigmaDelta(shape=shape, vth=12, bias=np.array([1, -2, 0.5]), act_mode=ActivationMode.UNIT, **exponents)
    assert np.all(neuron.act_mode == ActivationMode.UNIT) and np.array_equal(neuron.bias, stock.bias.init)
    assert np.all(delta.vth == stock_delta.vth.init) and np.all(neuron.vth == stock.vth.init)


def test_of_takes_one_number_or_one_each_and_names_what_is_wrong() -> None:
    lif = CubaLIF.of("n", (2, 2), du=4095, dv=[[1, 2], [3, 4]], vth=10)
    assert lif.dv.tolist() == [1, 2, 3, 4] and lif.du.tolist() == [4095] * 4 and not lif.bias_mant.any()
    with pytest.raises(InputError, match="'n': vth is missing; cuba_lif has the constants du, dv,"):
        CubaLIF.of("n", (2,), du=0, dv=0)
    with pytest.raises(InputError, match="tau is unknown"):
        CubaLIF.of("n", (2,), du=0, dv=0, vth=1, tau=3)
    with pytest.raises(InputError, match=r"'n', du has shape \(3,\); give one number"):
        CubaLIF.of("n", (2,), du=[1, 2, 3], dv=0, vth=1)
    with pytest.raises(InputError, match="'n', dv is float64, but a register holds integers"):
        CubaLIF.of("n", (2,), du=0, dv=0.5, vth=1)


@pytest.mark.parametrize("kind", NEURON_MODELS)
def test_every_register_has_its_limits(kind: str) -> None:
    rng = np.random.default_rng(1)
    held = drawn(kind, 3, rng)
    assert set(held.registers(WIDTHS)) == set(held.constants())
    validate(alone(held))
    for name, limits in held.registers(WIDTHS).items():
        for beyond in (limits[0] - 1, limits[1] + 1):
            with pytest.raises(InputError, match=f"'n', {name} spans"):
                validate(alone(replace(held, **{name: np.full(3, beyond, np.int32)})))


@pytest.mark.parametrize("kind", NEURON_MODELS)
def test_files_give_every_model_back(kind: str, tmp_path: Path) -> None:
    program = alone(drawn(kind, 5, np.random.default_rng(2)))
    save_program(program, tmp_path / "n.chip")
    found = load_program(tmp_path / "n.chip").populations[0]
    assert type(found) is type(program.populations[0])
    for name in found.constants():
        np.testing.assert_array_equal(getattr(found, name), getattr(program.populations[0], name))


def test_thresholds_that_cross_and_payloads_without_a_message_are_refused() -> None:
    crossed = TernaryLIF.of("n", (2,), du=0, dv=0, vth_hi=[3, -5], vth_lo=[-3, 5])
    with pytest.raises(InputError, match="'n' has a vth_lo above its vth_hi"):
        validate(alone(crossed))
    with pytest.raises(InputError, match="'n' is of kind sigma and sends payloads"):
        validate(replace(alone(Sigma.of("n", (2,))), widths=WordWidths()))


def alone(population: Population) -> ChipProgram:
    """A program of one input and this population."""
    ports = (InputPort("in", (2,)),)
    synapses = tuple(
        DenseConnection("in", "n", np.ones((population.size, 2), np.int32), 0, "excitatory", 8, 1, port=port)
        for port in population.PORTS
    )
    return ChipProgram("loihi2", WIDTHS, 1e-3, ports, (population,), synapses, ("n",))


def every_model(seed: int, payload: int) -> ChipProgram:
    """A population of every model, and of those that stock keeps plain; dense, sparse, delayed and convolved input."""
    rng = np.random.default_rng(seed)
    image = (2, 3, 4)
    populations, connections = [], []

    def add(name: str, population: Population, shape: tuple[int, ...]) -> None:
        populations.append(replace(population, name=name, shape=shape))
        for port in population.PORTS:
            connections.append(connection("in", name, 24, population.size, port, rng))

    for kind in NEURON_MODELS:
        add(kind, drawn(kind, 5, rng), (5,))
    for kind in ("lif_reset", "sigma_delta", "atrlif"):
        add(f"{kind} each", drawn(kind, 5, rng, shared=()), (5,))
    # an image in and out, and payloads that neurons send each other
    kind = list(NEURON_MODELS)[seed % len(NEURON_MODELS)]
    held = drawn(kind, 24, rng)
    populations.append(replace(held, name="image", shape=image))
    kernel = weights((2, 2, 3, 3), "mixed", 8, rng)
    geometry = image, image, (1, 1), (1, 1), (1, 1), 1
    # stock Conv sums in 32 bit floating point, which is exact as far as 2**24
    connections.append(
        ConvConnection("in", "image", kernel, 1, "mixed", 8, 1, *geometry, port=held.PORTS[0])
        if payload <= 200
        else connection("in", "image", 24, 24, held.PORTS[0], rng)
    )
    connections.append(connection("image", "graded_vec", 24, 5, "a_in", rng))
    connections.append(connection("ternary_lif", "sigma", 5, 5, "a_in", rng))
    connections.append(connection("sigma", "rf", 5, 5, "a_imag_in", rng))
    inputs = (InputPort("in", image),)
    names = tuple(p.name for p in populations)
    return validate(ChipProgram("loihi2", WIDTHS, 1e-3, inputs, tuple(populations), tuple(connections), names))


def connection(
    source: str, target: str, sources: int, targets: int, port: str, rng: np.random.Generator
) -> DenseConnection | SparseConnection:
    """A dense or sparse connection, with or without delays of either kind."""
    exponent = int(rng.integers(-8, 8))
    if rng.random() < 0.5:
        matrix = weights((targets, sources), "mixed", 8, rng)
        made: Any = DenseConnection(source, target, matrix, exponent, "mixed", 8, 1, port=port)
    else:
        made = sparse(source, target, (targets, sources), exponent, rng, port=port)
    if rng.random() < 0.5:
        return made  # type: ignore[no-any-return]
    return replace(  # type: ignore[no-any-return]
        made, delay=int(rng.integers(1, 3)), axonal_delays=delays((sources,), 3, rng),
        synaptic_delays=delays(made.weights.shape, 4, rng),
    )  # fmt: skip


def check_backends(seed: int) -> None:
    limit = [1, 200, 1 << 15, (1 << 31) - 1][seed % 4]
    program, rng = every_model(seed, limit), np.random.default_rng(seed)
    shape = (12, 3, 2, 3, 4)
    x = np.where(rng.random(shape) < [0.3, 0.05][seed % 2], rng.integers(-limit - 1, limit, shape, endpoint=True), 0)
    found = simulate(program, x, "emulator", 17, "all")
    for backend in ("lava", "stock"):
        assert differences(found, simulate(program, x, backend, 17, "all")) == [], backend  # type: ignore[arg-type]


@pytest.mark.lava
def test_every_model_through_lava_s_own_runtime() -> None:
    check_backends(2)


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_ten_networks_of_every_model_through_lava_s_own_runtime(seed: int) -> None:
    check_backends(seed)
