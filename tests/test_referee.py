"""Stock Lava's own model classes, stepped with stand-in ports, against the emulator: many random networks, fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import WIDTHS, population, weights

from exporter.program import ChipProgram, ConvConnection, DenseConnection, InputPort
from exporter.validate import validate
from lava_runtime.simulate import simulate

pytestmark = pytest.mark.lava

MODES = st.sampled_from(["mixed", "excitatory", "inhibitory"])


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


def stock_lif(population: Any) -> Any:
    from lava.proc.lif.models import PyLifModelBitAcc

    model = PyLifModelBitAcc({})
    model.a_in, model.s_out = Port(), Port()
    model.u, model.v = np.zeros(population.size, np.int32), population.v_initial.copy()
    model.du, model.dv, model.vth = population.du, population.dv, population.vth
    model.bias_mant, model.bias_exp = population.bias_mant.astype(np.int16), population.bias_exp.astype(np.int16)
    return model


def stock_dense(connection: DenseConnection, graded: bool) -> Any:
    from lava.proc.dense.models import PyDenseModelBitAcc
    from lava.utils.weightutils import SignMode

    mode = getattr(SignMode, connection.sign_mode.upper())
    model = PyDenseModelBitAcc(
        {"weight_exp": connection.weight_exp, "num_weight_bits": connection.weight_bits, "sign_mode": mode}
    )
    model.s_in, model.a_out = Port(), Port()
    model.weights = connection.weights.copy()
    model.a_buff = np.zeros(len(connection.weights), np.int32)
    model.num_message_bits = np.array([32 if graded else 0])
    return model


def stock_conv(connection: ConvConnection) -> Any:
    from lava.proc.conv.models import PyConvModelFixed

    model = PyConvModelFixed({})
    model.s_in, model.a_out = Port(), Port()
    model.weight = connection.weights[:, :, ::-1, ::-1].transpose(0, 2, 3, 1) << connection.weight_exp
    model.a_buf = np.zeros((*connection.output_shape[1:], connection.output_shape[0]), np.int32)
    model.kernel_size = np.array(connection.weights.shape[2:])
    model.stride, model.padding = np.array(connection.stride), np.array(connection.padding)
    model.dilation, model.groups = np.array(connection.dilation), np.array([connection.groups])
    model.num_message_bits = np.array([32])
    return model


def step_stock(program: ChipProgram, x: NDArray[Any], graded: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """One connection and one population, one sample: spikes, u and v, each (steps, size)."""
    connection, target = program.connections[0], program.populations[0]
    lif = stock_lif(target)
    conv = isinstance(connection, ConvConnection)
    synapse = stock_conv(connection) if isinstance(connection, ConvConnection) else stock_dense(connection, graded)
    found: list[list[NDArray[Any]]] = [[], [], []]
    for values in x:
        synapse.s_in.value = np.moveaxis(values, 0, -1) if conv else values.reshape(-1)
        synapse.run_spk()
        arriving = synapse.a_out.value
        lif.a_in.value = np.moveaxis(arriving, -1, 0).reshape(-1) if conv else arriving
        lif.run_spk()
        for kept, state in zip(found, (lif.s_out.value, lif.u, lif.v), strict=True):
            kept.append(state.copy())
    return tuple(np.array(kept) for kept in found)  # type: ignore[return-value]


def assert_equal_to_stock(program: ChipProgram, x: NDArray[Any], graded: bool) -> None:
    result = simulate(program, x[:, None], record="all")
    spikes, u, v = step_stock(program, x, graded)
    name = program.populations[0].name
    for letter, wanted in (("s", spikes), ("u", u), ("v", v)):
        np.testing.assert_array_equal(result.states[f"{letter}/{name}"].reshape(len(x), -1), wanted)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 20)),
    mode=MODES,
    bits=st.integers(1, 8),
    exponent=st.integers(-8, 7),
    density=st.sampled_from([0, 0.01, 0.1, 1]),
    payload=st.sampled_from([1, 1, 200, 100_000]),
)
def test_dense_layers_equal_stock(
    seed: int, sizes: tuple[int, int], mode: Any, bits: int, exponent: int, density: float, payload: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix = weights((sizes[1], sizes[0]), mode, bits, rng)
    connection = DenseConnection("in", "out", matrix, exponent, mode, bits, 1)
    program = validate(
        ChipProgram("loihi2", WIDTHS, 1e-3, (InputPort("in", (sizes[0],)),), (population("out", (sizes[1],), rng),),
                    (connection,), ("out",))
    )  # fmt: skip
    x = (rng.random((10, sizes[0])) < density) * rng.integers(1, payload + 1, (10, sizes[0]))
    assert_equal_to_stock(program, x, graded=payload > 1 and x.max() > 1)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    groups=st.sampled_from([1, 2]),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    mode=MODES,
    exponent=st.integers(0, 7),
    density=st.sampled_from([0, 0.1, 1]),
    payload=st.sampled_from([1, 1, 3000]),
)
def test_convolutions_equal_stock(
    seed: int, groups: int, kernel: Any, stride: Any, padding: Any, dilation: Any, mode: Any, exponent: int,
    density: float, payload: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    shape = (2 * groups, 7, 6)
    matrix = weights((2 * groups, 2, *kernel), mode, 8, rng)
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(shape[1:], kernel, stride, padding, dilation, strict=True)
    ]
    output = (2 * groups, size[0], size[1])
    connection = ConvConnection(
        "in", "out", matrix, exponent, mode, 8, 1, shape, output, stride, padding, dilation, groups
    )
    program = validate(
        ChipProgram("loihi2", WIDTHS, 1e-3, (InputPort("in", shape),), (population("out", output, rng),),
                    (connection,), ("out",))
    )  # fmt: skip
    x = (rng.random((6, *shape)) < density) * rng.integers(1, payload + 1, (6, *shape))
    assert_equal_to_stock(program, x, graded=True)
