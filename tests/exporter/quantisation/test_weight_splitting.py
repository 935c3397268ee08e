"""Parts of a synapse: they share no weight or no digit, stay on their grids, and add up to the rounded whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array
from strategies import seeds

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.mapping import fan_outs, synapse_count
from spikeport.exporter.program.chip_program import DenseConnection, InputPort, SparseConnection
from spikeport.exporter.quantisation.dequantise import dequantised_network, stored_weights
from spikeport.exporter.quantisation.layer import LayerOptions
from spikeport.exporter.quantisation.quantise import assemble, quantise, quantise_layers
from spikeport.exporter.quantisation.weight_splitting import (
    WeightPart,
    by_magnitude,
    by_sign,
    smallest_exponent,
    sum_of_parts,
    to_parts,
    weight_matrix,
    with_low_digits,
)
from spikeport.hardware_profiles.fixed_point import WordWidths, weight_grid

WIDTHS = WordWidths()
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def matrix(seed: int, outliers: bool) -> csr_array:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (rng.integers(1, 8), rng.integers(1, 40))) * (rng.random() < 0.9)
    if outliers:
        values.flat[0] = rng.choice([-1, 1]) * 30
    return csr_array(values * 10.0 ** rng.integers(-2, 3))


def on_grid(part: WeightPart, bits: int) -> bool:
    grid = weight_grid(part.mode, bits)
    values = part.weights.data
    return bool(np.all(values % grid.step == 0) and np.all(values >= grid.low) and np.all(values <= grid.high))


@SETTINGS
@given(seed=seeds, bits=st.integers(2, 8), outliers=st.booleans(), scale=st.floats(1, 1e5))
def test_parts_of_a_split_share_no_weight_and_all_are_there(seed: int, bits: int, outliers: bool, scale: float) -> None:
    rows = matrix(seed, outliers)
    found = [p for m in by_sign(weight_matrix(rows, 1, 0, bits), bits) for p in by_magnitude(m, 7)]
    together = sum((m.weights for m in found), csr_array(rows.shape))
    np.testing.assert_array_equal(together.toarray(), rows.toarray())
    assert sum(m.weights.nnz for m in found) == rows.nnz
    for m in found:
        exponent = smallest_exponent(m, scale, WIDTHS)
        for part in to_parts(m, m.rounded(scale, exponent), exponent):
            assert on_grid(part, bits)


@SETTINGS
@given(seed=seeds, bits=st.integers(2, 8), outliers=st.booleans(), scale=st.floats(1, 1e4))
def test_digits_of_doubled_synapses_add_up_to_the_finer_rounded_whole(
    seed: int, bits: int, outliers: bool, scale: float
) -> None:
    mixed = weight_matrix(matrix(seed, outliers), 1, 0, bits)
    for m in [mixed, *by_sign(mixed, bits)]:
        exponent = smallest_exponent(m, scale, WIDTHS)
        twice = with_low_digits(m, bits)
        digit_shift = twice.digit_shift(exponent)
        assert digit_shift == min(bits, exponent)
        integers = twice.rounded(scale, exponent)
        held = to_parts(twice, integers, exponent)
        assert len(held) <= 2 and all(on_grid(part, bits) for part in held)
        whole_matrix = csr_array((integers, m.weights.indices, m.weights.indptr), shape=m.weights.shape)
        np.testing.assert_array_equal(
            sum_of_parts(held, m.weights.shape).toarray(), whole_matrix.toarray() * 2.0 ** (exponent - digit_shift)
        )
        # each is as near as a step of the low digit, unless the register ends there
        unit = 64 * 2.0 ** (exponent - digit_shift) * m.grid.step / scale
        low, high = (end * scale / 64 / 2.0**exponent for end in m.ends)
        if m.grid.low <= low and high <= m.grid.high:
            assert np.abs(integers * unit / m.grid.step - m.values).max(initial=0) <= unit / 2 * (1 + 1e-9)


def network(weights: np.ndarray | csr_array, **others: object) -> FloatNetwork:
    size, inputs = weights.shape
    one = np.ones(size)
    population = FloatPopulation("a", (size,), 0.4 * one, 0.2 * one, one, 0 * one, **others)  # type: ignore[arg-type]
    connection = FloatConnection("in", "a", weights, None, 1, synapse="fc")
    return FloatNetwork(1e-3, (InputPort("in", (inputs,)),), (population,), (connection,), ("a",))


def test_mixed_weights_are_split_by_sign_and_outliers_apart() -> None:
    weights = np.random.default_rng(0).normal(0, 0.1, (20, 30))
    program = quantise(network(weights), "loihi2", WIDTHS)
    assert [c.sign_mode for c in program.connections] == ["excitatory", "inhibitory"]
    assert {c.synapse for c in program.connections} == {"fc"}
    # no synapse is stored twice
    assert sum(synapse_count(c, program) for c in program.connections) <= weights.size
    whole_error = quantise_whole(network(weights)).quantisation["a"].weight_error_rms
    assert program.quantisation["a"].weight_error_rms < 0.6 * whole_error
    weights[0, 0] = -5
    outlier = quantise(network(weights), "loihi2", WIDTHS)
    exponents = {c.weight_exp for c in outlier.connections if c.sign_mode == "inhibitory"}
    assert len(exponents) == 2
    held = stored_weights(outlier.connections, (20, 30)).toarray() / outlier.quantisation["a"].scale
    assert np.abs(held - weights)[np.abs(weights) < 1].max() < 5 / 255 / 2


def quantise_whole(wanted: FloatNetwork, form: str = "whole"):  # type: ignore[no-untyped-def]
    options = {p.name: LayerOptions(8, form) for p in wanted.populations}  # type: ignore[arg-type]
    return assemble(wanted, "loihi2", WIDTHS, quantise_layers(wanted, WIDTHS, options))


@SETTINGS
@given(seed=seeds, sign=st.sampled_from([-1, 1]), noise=st.floats(1e-12, 9e-7), bits=st.integers(2, 8))
def test_weights_of_one_sign_but_for_noise_keep_their_lowest_bit(seed: int, sign: int, noise: float, bits: int) -> None:
    rng = np.random.default_rng(seed)
    weights = sign * rng.uniform(0.01, 0.1, (4, 6))
    noisy = weights.copy()
    noisy[rng.random(weights.shape) < 0.2] = -sign * noise * np.abs(weights).min()
    found = weight_matrix(csr_array(noisy), 1, 0, bits)
    assert found.mode == ("excitatory" if sign > 0 else "inhibitory")
    integers = found.rounded(1e4, smallest_exponent(found, 1e4, WIDTHS))
    assert np.all(integers * sign >= 0) and not np.any(integers[np.sign(found.values) == -sign])
    held = quantise_whole(network(noisy)).connections
    assert [c.sign_mode for c in held] == [found.mode]
    # what is small, but no noise, is held
    noisy[0, 0] = -sign * 1e-5
    assert weight_matrix(csr_array(noisy), 1, 0, bits).mode == "mixed"


def test_doubled_synapses_have_a_fraction_of_the_error() -> None:
    wanted = network(np.random.default_rng(0).normal(0, 0.1, (20, 30)))
    normal = quantise(wanted, "loihi2", WIDTHS).quantisation["a"].weight_error_rms
    assert quantise_whole(wanted, "doubled").quantisation["a"].weight_error_rms < normal / 5


def test_a_mostly_zero_matrix_is_stored_sparse_and_a_full_one_dense() -> None:
    rng = np.random.default_rng(1)
    full = np.abs(rng.normal(0, 0.1, (20, 30)))
    for weights, kind in ((full, DenseConnection), (full * (rng.random(full.shape) < 0.3), SparseConnection)):
        program = quantise(network(weights), "loihi2", WIDTHS)
        (connection,) = program.connections
        assert type(connection) is kind
        held = stored_weights([connection], (20, 30))
        dense = held.toarray() if isinstance(held, csr_array) else held
        np.testing.assert_allclose(dense / program.quantisation["a"].scale, weights, atol=0.01)
        stored = weights.size if kind is DenseConnection else np.count_nonzero(connection.weights)
        assert synapse_count(connection, program) == stored == fan_outs(connection, program).sum()


@SETTINGS
@given(seed=seeds, density=st.sampled_from([0.02, 0.3]))
def test_compressed_rows_give_the_integers_of_the_dense_matrix(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    rows = csr_array(random_array((9, 40), density=density, random_state=rng, data_sampler=rng.standard_normal))
    from_rows = quantise(network(rows), "loihi2", WIDTHS)
    from_dense = quantise(network(rows.toarray()), "loihi2", WIDTHS)
    a, b = (stored_weights(p.connections, (9, 40)) for p in (from_rows, from_dense))
    np.testing.assert_array_equal(a.toarray(), b.toarray() if isinstance(b, csr_array) else b)
    assert all(isinstance(c, SparseConnection) for c in from_rows.connections)


@SETTINGS
@given(seed=seeds, start=st.integers(0, 3))
def test_start_voltages_are_reached_when_the_first_input_can_arrive(seed: int, start: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = network(rng.normal(0, 0.3, (4, 5)), v_initial=rng.uniform(-0.5, 0.5, 4), start=start)
    wanted = replace(wanted, populations=tuple(
        replace(p, bias=rng.uniform(-0.05, 0.1, 4)) for p in wanted.populations
    ))  # fmt: skip
    program = quantise(wanted, "loihi2", WIDTHS)
    scale = program.quantisation["a"].scale
    late = replace(program, connections=tuple(replace(c, delay=max(start, 1)) for c in program.connections))
    held = dequantised_network(late).populations[0]
    if start:
        np.testing.assert_allclose(held.v_initial / scale, wanted.populations[0].v_initial, atol=1 / scale)


def integrator(weights: np.ndarray) -> FloatNetwork:
    """Input -> leaky integrators that send their voltage -> one spiking population."""
    first = network(np.random.default_rng(2).normal(0, 0.3, (6, 5)), sends="voltage").populations[0]
    li = replace(first, threshold=np.full(6, np.inf))
    size = len(weights)
    one = np.ones(size)
    spiking = FloatPopulation("b", (size,), one, 0.3 * one, 2 * one, 0 * one)
    connections = (
        FloatConnection("in", "a", np.random.default_rng(3).normal(0, 0.3, (6, 5)), None, 1, synapse="first"),
        FloatConnection("a", "b", weights, None, 1, synapse="second"),
    )
    return FloatNetwork(1e-3, (InputPort("in", (5,)),), (li, spiking), connections, ("b",))


def test_voltages_travel_in_units_that_the_next_weights_know() -> None:
    wanted = integrator(np.random.default_rng(4).normal(0, 0.5, (4, 6)))
    widths = WordWidths(message_bits=32)
    program = quantise(wanted, "loihi2", widths)
    li = program.populations[0]
    shift, scale = int(li.shift[0]), program.quantisation["a"].scale  # type: ignore[attr-defined]
    assert shift > 0
    into_b = [c for c in program.connections if c.target == "b"]
    held = stored_weights(into_b, (4, 6))
    dense = held.toarray() if isinstance(held, csr_array) else held
    # weights per payload, in the network's units per unit of v
    found = dense / program.quantisation["b"].scale / (2.0**shift / scale)
    np.testing.assert_allclose(found, wanted.connections[1].weights, atol=0.02)
    # every payload at its limit leaves u in its register
    assert np.abs(dense).sum(axis=1).max() * (WIDTHS.state_max >> shift) <= WIDTHS.state_max
    assert program.quantisation["b"].current_bound <= 1


def test_voltages_are_refused_where_spikes_carry_no_payload() -> None:
    with pytest.raises(InputError, match=r"'a' sends its voltage to 'b'.*no payload"):
        quantise(integrator(np.ones((4, 6))), "loihi1", WordWidths())
