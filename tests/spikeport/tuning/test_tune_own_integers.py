"""Fine-tuning in a chip's own integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import spikeport

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.trainer.loop.pruning import PruningWarning
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights

GRAPH = chain([cuba(24, 3, 6), cuba(4, 3, 6)], random_weights([16, 24, 4], 0.4))


def data(samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Spikes in which one of four groups of channels is busier, and that group."""
    random, labels = np.random.default_rng(seed), np.arange(samples) % 4
    rates = np.where(np.arange(16) // 4 == labels[:, None], 0.3, 0.05)
    return random.binomial(1, rates, (40, samples, 16)).astype(np.uint8), labels


def test_labels_are_learned_and_the_tuned_graph_has_these_integers(tmp_path: Path) -> None:
    x, labels = data(64)
    settings = sp.TuneSettings(epochs=6, batch=16, learning_rate=0.1)
    result = sp.tune(GRAPH, x, labels, chip="xylo_audio2", settings=settings)
    assert result.before.accuracy is not None and result.after.accuracy is not None
    assert result.after.accuracy > result.before.accuracy + 0.2
    write_nir(result.graph, tmp_path / "tuned.nir")
    again = sp.compile(read_nir(tmp_path / "tuned.nir"), chip="xylo_audio2")
    np.testing.assert_array_equal(again.simulate(x).spikes, result.network.simulate(x).spikes)
    assert max(result.scores) == result.scores[int(np.argmax(result.scores))]


def test_the_float_network_teaches_where_there_are_no_labels() -> None:
    settings = sp.TuneSettings(epochs=4, batch=16, learning_rate=0.02, sparsity=0.1, pruned=0.3)
    options = sp.CompileOptions(weight_bits=3)
    result = sp.tune(GRAPH, data(32)[0], chip="xylo_audio2", settings=settings, options=options)
    assert len(result.scores) == 5
    weights = [node.weight for node in result.graph.nodes.values() if hasattr(node, "weight")]
    assert all(np.mean(w == 0) >= 0.3 for w in weights)


def test_the_command_resumes_and_writes(tmp_path: Path) -> None:
    x, labels = data(32)
    write_nir(GRAPH, tmp_path / "m.nir")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", labels)
    words = ["tune", "m.nir", "--data", "x.npy", "--labels", "y.npy", "--chip", "xylo_audio2", "-o", "tuned.nir"]
    done = spikeport(*words, "--epochs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tuned.nir").exists() and "before" in done.stdout
    wrong = spikeport(*words, "--weight-bits", "9", cwd=tmp_path)
    assert wrong.returncode == 2 and "m.nir: weights of 9 bit" in wrong.stderr


def test_what_a_tuned_file_cannot_hold_is_told_first() -> None:
    biased = chain([lif(6, 8), cuba(4, 3, 6)], random_weights([16, 6, 4], 0.4))
    biased.nodes["n0"].v_leak = np.full(6, 0.5)
    with pytest.raises(InputError, match="train it without biases"):
        sp.tune(biased, data(8)[0], chip="xylo_audio2")
    with pytest.warns(PruningWarning, match="30% of the weights in 1 epoch"):
        sp.tune(GRAPH, data(4)[0], chip="xylo_audio2", settings=sp.TuneSettings(epochs=1, pruned=0.3))
    with pytest.raises(InputError, match="chosen for Loihi's integers only"):
        sp.tune(GRAPH, data(8)[0], chip="xylo_audio2", settings=sp.TuneSettings(mean_bits=4))
