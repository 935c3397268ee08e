"""Networks and traces that others made, where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.compile import compile_graph
from exporter.dequantise import held_weights
from exporter.nir_file import read_nir
from exporter.program import Connection
from hardware_profiles import load_chip
from hardware_profiles.errors import InputError
from lava_runtime.simulate import simulate


def test_lif_norse_gives_the_published_spikes_one_step_later(conformance: Path) -> None:
    trace = np.loadtxt(conformance / "nir" / "lif_norse.csv", delimiter=",")
    published = np.flatnonzero(trace[:, 2])
    np.testing.assert_array_equal(published, [460, 510, 710, 760])
    program = compile_graph(read_nir(conformance / "nir" / "lif_norse.nir"), load_chip("loihi2"), dt=1e-4)
    result = simulate(program, trace[:, :1, None])
    # the connection's one step of delay is all that differs
    np.testing.assert_array_equal(np.flatnonzero(result.output), published + program.pipeline_steps)
    assert program.pipeline_steps == 1


def test_two_neurons_spike_as_in_float(conformance: Path) -> None:
    graph = read_nir(conformance / "nir" / "two_lif_neurons.nir")
    program = compile_graph(graph, load_chip("loihi2"), dt=1e-4)
    x = (np.random.default_rng(0).random((500, 1, 1)) < 0.5).astype(np.uint8)
    assert simulate(program, x).counts()["lif1"] > 0


@pytest.mark.parametrize(
    ("file", "culprit"),
    [
        ("lif_rockpool.nir", "type mismatch.*1_LIFNeuronTorch"),
        ("braille_noDelay_bias_zero_subgraph.nir", "'lif'.*does not exist|node 'lif'"),
    ],
)
def test_files_that_nir_refuses_are_refused_in_one_sentence(conformance: Path, file: str, culprit: str) -> None:
    with pytest.raises(InputError, match=culprit) as caught:
        read_nir(conformance / "nir" / file)
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_without_a_time_step_asks_for_one(conformance: Path) -> None:
    with pytest.raises(InputError, match="--dt SECONDS"):
        compile_graph(read_nir(conformance / "nir" / "lif_norse.nir"), load_chip("loihi2"))


def test_the_published_cnn_compiles_layer_by_layer(conformance: Path) -> None:
    program = compile_graph(read_nir(conformance / "nir" / "cnn_sinabs.nir"), load_chip("loihi2"), dt=1e-4)
    parts: dict[str, list[Connection]] = {}
    for connection in sorted(program.connections, key=lambda c: program.latency[c.target]):
        parts.setdefault(connection.target, []).append(connection)
    assert [held_weights(found, program).shape for found in parts.values()] == [
        (16, 2, 5, 5), (16, 16, 3, 3), (8, 16, 6, 6), (256, 512), (10, 256)
    ]  # fmt: skip
    assert program.pipeline_steps == 5
