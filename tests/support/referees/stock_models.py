"""Stock Lava's process models outside Lava's runtime: built from their process as Lava's builder does, with stand-in
ports, stepped by hand. Thousands of steps a second, and the classes are lava.proc's own.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.lava_runtime.lava_backend.child import lava_missing

if not lava_missing():
    # Lava sets multiprocessing's context when it is imported, which fails after a test that used it: hence first
    importlib.import_module("lava.magma.runtime.message_infrastructure.multiprocessing")


class Port:
    """Stands in for a Lava port: hands over what was put in, keeps what is sent."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.shape = shape
        self.value: Any = None

    def recv(self) -> Any:
        return self.value

    def send(self, value: Any) -> None:
        # a Lava channel is an array of the port's type: int32
        self.value = np.array(value).astype(np.int32)


def fixed_point_model(process: Any) -> Any:
    """The class that Loihi2SimCfg(select_tag="fixed_pt") takes for a process of lava.proc."""
    models = importlib.import_module(type(process).__module__.replace(".process", ".models"))
    found = [
        model for model in vars(models).values()
        if getattr(model, "implements_process", None) is type(process) and "fixed_pt" in getattr(model, "tags", [])
    ]  # fmt: skip
    assert len(found) == 1, found
    return found[0]


def instantiate(process: Any, model: Any = None) -> Any:
    """A process model with its process' Vars, as lava.magma.compiler.builders.py_builder sets them."""
    chosen = model or fixed_point_model(process)
    made = chosen(process.proc_params)
    for variable in process.vars:
        kind = getattr(chosen, variable.name).cls
        value = variable.init
        if issubclass(kind, np.ndarray):
            value = np.zeros(variable.shape, getattr(chosen, variable.name).d_type)
            value[...] = variable.init
        setattr(made, variable.name, value)
    for port in (*process.in_ports, *process.out_ports):
        setattr(made, port.name, Port(port.shape))
    return made


def stock_process(population: Any) -> Any:
    """The process of lava.proc that the stock backend takes for a population."""
    from spikeport.lava_runtime.lava_backend.stock import _neuron

    return _neuron(population, False, 1).process


def stock_population(population: Any, steps: int) -> Any:
    """The stock backend's model of a population: a class of lava.proc, or a plain one where it has none."""
    from spikeport.lava_runtime.lava_backend.plain import plain_models
    from spikeport.lava_runtime.lava_backend.stock import _neuron

    neuron = _neuron(population, False, steps)
    return instantiate(neuron.process, neuron.model or plain_models([neuron.process]).get(neuron.process))


def step_population(
    model: Any, population: Any, arriving: NDArray[np.int32], first: int
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """One sample through a model: what is sent and its states, (steps, size); arriving (steps, ports, size).

    first: Lava's time_step of the sample's first step, for the clock runs on from sample to sample.
    """
    stock = population.stock()
    names = {n: n for n in population.STATES} if stock is None else stock.states
    ports = {n: n for n in population.PORTS} if stock is None else stock.ports
    start = population.start()
    for state, theirs in names.items():
        setattr(model, theirs, start.get(state, np.zeros(population.size, np.int32)).copy())
    sent, states = [], {state: [] for state in names}  # type: ignore[var-annotated]
    for step, values in enumerate(arriving):
        model.time_step = first + step
        for port, value in zip(population.PORTS, values, strict=True):
            getattr(model, ports[port]).value = value.copy()
        model.run_spk()
        sent.append(model.s_out.value.copy())
        for state, theirs in names.items():
            states[state].append(np.array(getattr(model, theirs)).copy())
    return np.array(sent), {state: np.array(values) for state, values in states.items()}


def step_kernel(population: Any, arriving: NDArray[np.int32]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """A batch through the emulator's kernel: what is sent and the states, (steps, batch, size).

    arriving: (steps, ports, batch, size).
    """
    batch = arriving.shape[2]
    start = population.start()
    zeros = np.zeros(population.size, np.int32)
    states = {name: np.tile(start.get(name, zeros), (batch, 1)) for name in population.STATES}
    out = np.zeros((1, batch, population.size), np.int32 if population.GRADED else np.uint8)
    update = population.stepper()
    sent, kept = [], {name: [] for name in states}  # type: ignore[var-annotated]
    for step, values in enumerate(arriving):
        ports = tuple(value[None].copy() for value in values)
        update(step, states, ports, out)
        assert not any(port.any() for port in ports)
        sent.append(out[0].copy())
        for name, values in states.items():
            kept[name].append(values.copy())
    return np.array(sent), {name: np.array(values) for name, values in kept.items()}


def step_block(population: Any, arriving: NDArray[np.int32]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """The same in one block: what is sent in every step, and the states after the last, (batch, size)."""
    steps, _, batch, size = arriving.shape
    start = population.start()
    states = {name: np.tile(start.get(name, np.zeros(size, np.int32)), (batch, 1)) for name in population.STATES}
    sent = np.zeros((steps, batch, size), np.int32 if population.GRADED else np.uint8)
    population.stepper()(0, states, tuple(np.moveaxis(arriving, 1, 0).copy()), sent)
    return sent, states


def step_plain(population: Any, arriving: NDArray[np.int32]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """One sample through the second writing in NumPy; arriving (steps, ports, size)."""
    start = population.start()
    states = {name: start.get(name, np.zeros(population.size, np.int32)).copy() for name in population.STATES}
    sent, kept = [], {name: [] for name in states}  # type: ignore[var-annotated]
    for step, values in enumerate(arriving):
        sent.append(population.plain_step(step, states, tuple(value.copy() for value in values)))
        assert sent[-1].dtype == np.int32 and all(values.dtype == np.int32 for values in states.values())
        for name, values in states.items():
            kept[name].append(values.copy())
    return np.array(sent), {name: np.array(values) for name, values in kept.items()}
