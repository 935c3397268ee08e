"""The file for Rockpool holds the arguments of its config_from_specification."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from command import refused, spikeport
from hypothesis import given, settings

from spikeport.exporter.nir_graph.nir_file import write_nir
from spikeport.exporter.program.chip_file import load_program
from spikeport.exporter.xylo.specification import specification_of
from spikeport.exporter.xylo.specification_file import rockpool_arguments
from tests.support.networks.xylo_graphs import chain, cuba, random_weights
from tests.support.networks.xylo_networks import XyloCase, xylo_cases

# Rockpool 3.1.0, devices/xylo/syns61201/xylo_samna.py
PARAMETERS = {
    "weights_in", "weights_out", "weights_rec", "dash_mem", "dash_mem_out", "dash_syn", "dash_syn_2", "dash_syn_out",
    "threshold", "threshold_out", "bias_hidden", "bias_out", "weight_shift_in", "weight_shift_rec", "weight_shift_out",
    "aliases",
}  # fmt: skip


def test_the_command_writes_what_the_chip_file_holds(tmp_path: Path) -> None:
    write_nir(chain([cuba(20, 4, 8), cuba(4, 4, 8)], random_weights([16, 20, 4], 0.4)), tmp_path / "m.nir")
    made = spikeport("compile", "m.nir", "--chip", "xylo_audio2", "-o", "m.chip", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for source in (["m.chip"], ["m.nir", "--chip", "xylo_audio2"]):
        run = spikeport("export", *source, "-o", "m.json", cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        held = specification_of(load_program(tmp_path / "m.chip"))
        read = json.loads((tmp_path / "m.json").read_text())
        assert set(read) <= PARAMETERS
        # without a second synapse there is no third axis
        np.testing.assert_array_equal(read["weights_in"], held.weights_in[..., 0])
        np.testing.assert_array_equal(read["weights_out"], held.weights_out)
        np.testing.assert_array_equal(read["threshold_out"], held.threshold_out)
        assert (read["weight_shift_in"], read["weight_shift_out"]) == (held.weight_shift_in, held.weight_shift_out)
        (tmp_path / "m.json").unlink()


@given(xylo_cases(samples=1))
@settings(max_examples=20, deadline=None)
def test_nothing_is_lost(case: XyloCase) -> None:
    network = specification_of(case.program)
    arguments = json.loads(json.dumps(rockpool_arguments(network)))
    assert set(arguments) <= PARAMETERS
    two = np.ndim(arguments["weights_in"]) == 3
    assert two == (network.weights_in[..., 1].any() or network.weights_rec[..., 1].any())
    for name in ("weights_in", "weights_rec"):
        held = getattr(network, name)
        np.testing.assert_array_equal(arguments[name], held if two else held[..., 0])
    if "bias_hidden" not in arguments:
        assert not network.bias.any() and not network.bias_out.any()
    aliases = [[n] if n >= 0 else [] for n in network.aliases.tolist()]
    assert arguments.get("aliases", [[]] * network.hidden) == aliases


def test_other_chips_and_networks_without_output_neurons_are_refused(tmp_path: Path) -> None:
    write_nir(chain([cuba(4, 4, 8)], random_weights([16, 4], 0.4)), tmp_path / "m.nir")
    refused(
        spikeport("export", "m.nir", "--chip", "loihi2", "-o", "m.json", cwd=tmp_path),
        "compile with --chip xylo_audio2",
    )
    refused(
        spikeport("export", "m.nir", "--chip", "xylo_audio2", "-o", "m.json", cwd=tmp_path),
        "no output neurons", "put a layer of at most 8 neurons behind it",
    )  # fmt: skip
    assert not (tmp_path / "m.json").exists()
