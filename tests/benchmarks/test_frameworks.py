"""What docs/frameworks.md says of networks that other frameworks exported; dialects; our network in theirs.

The page's table itself is held against the frameworks by `make frameworks`.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from places import ROOT
from scripts import script

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.lowering.dialects import DIALECTS, apply_dialect, get_dialect
from spikeport.exporter.neurons import CubaLIFSoftReset
from spikeport.exporter.nir_graph.nir_file import write_nir
from spikeport.lava_runtime.simulate import simulate
from spikeport.network.choices import given
from spikeport.network.graph_loader import open_model
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

PEERS = ROOT / ".venv-frameworks"
FROM_FRAMEWORKS = script("from_frameworks")


def test_the_page_says_how_every_framework_s_network_agrees() -> None:
    claimed = FROM_FRAMEWORKS.claims(FROM_FRAMEWORKS.PAGE.read_text(encoding="utf-8"))
    assert set(claimed) >= {*DIALECTS, "nengo", "lava_dl"}
    for name, found in claimed.items():
        assert 0.01 < found.rate < 0.6, name
        # Sinabs' neurons spike several times in a step where they are driven hard; a chip's spike once
        assert found.float_places is None or found.float_places >= (0.93 if name == "sinabs" else 0.9995), name
        # what 8 bits a weight leave
        assert found.chip_places >= 0.85 and found.chip_winner >= 0.9, name
    assert claimed["lava_dl"].chip_places == claimed["lava_dl"].chip_winner == 1


def test_every_cell_on_the_page_is_equal_or_has_a_reason() -> None:
    cells = script("framework_cells")
    lines = FROM_FRAMEWORKS.PAGE.read_text(encoding="utf-8").splitlines()
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    titles = {framework.title for framework in cells.FRAMEWORKS.values()}
    rows = [row for row in table if len(row) == len(cells.HEADINGS) and row[0] in titles and row[3] != "100.00%"]
    rows = [row for row in rows if row[3] in ("equal", "refused") or row[3].endswith("%")]
    assert {row[0] for row in rows} == titles
    assert set(cells.FRAMEWORKS) == set(DIALECTS)
    for title, cell, _, newest, older, why in rows:
        assert (newest == "equal" and older in ("equal", "-")) or why, (title, cell)


def test_a_network_that_agrees_less_than_the_page_says_is_named() -> None:
    claimed = FROM_FRAMEWORKS.Agreement(0.2, 1.0, 1.0, 0.95, 0.95)
    worse = FROM_FRAMEWORKS.worse
    # another processor's rounding: a place, a winner
    assert worse("norse", FROM_FRAMEWORKS.Agreement(0.201, 0.9998, 1.0, 0.9999, 0.94), claimed) == []
    (said,) = worse("norse", replace(claimed, chip_places=0.94), claimed)
    assert "norse" in said and "chip_places" in said and "0.9500" in said
    (said,) = worse("norse", replace(claimed, rate=0.0), claimed)
    assert "0.0000 spikes per place" in said


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.skipif(not PEERS.is_dir(), reason="the frameworks' environment is not there; `make peers` makes it")
def test_our_network_answers_there_as_on_the_chip(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data, folder = load_dataset("digits", 0), RunFolder(tmp_path)
    network = NetworkConfig((LayerConfig(size=64),), "lif", dv=0.1)
    training = TrainConfig(method="bptt", epochs=8, steps=12, learning_rate=0.01, encoding="integrate")
    method = get_method("bptt")(network, training, dt=1e-4).fit(data, progress=False)
    write_nir(network_to_nir(method.spiking_network), folder.nir)
    x = method.encode(data.x_test)
    np.save(folder.test_input, x)
    program = open_model(folder.nir, "loihi2")
    simulate(program, x, steps=len(x) + program.pipeline_steps).save(folder.result)
    command = [PEERS / "bin" / "python", ROOT / "benchmarks" / "frameworks.py", tmp_path]
    found = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, timeout=600)
    shares = dict(re.findall(r"^(\w+): same winner on ([\d.]+) of 360 samples", found.stdout, flags=re.MULTILINE))
    assert set(shares) == {"norse", "snntorch"}, found.stdout + found.stderr
    assert all(float(share) >= 0.99 for share in shares.values()), found.stdout


def graph(node: nir.NIRNode) -> nir.NIRGraph:
    nodes = {"in": nir.Input(np.array([2])), "fc": nir.Linear(np.eye(2)), "n": node, "out": nir.Output(np.array([2]))}
    return nir.NIRGraph(nodes, [("in", "fc"), ("fc", "n"), ("n", "out")])


def test_spikingjelly_integrates_a_second_not_a_step() -> None:
    node = nir.IF(r=np.full(2, 1e4), v_threshold=np.ones(2))
    changed, step = get_dialect("spikingjelly").apply(graph(node), None)
    assert step == 1e-4
    np.testing.assert_allclose(changed.nodes["n"].r, 1.0)
    inside = nir.NIRGraph({"sub": graph(node)}, [], type_check=False)
    np.testing.assert_allclose(get_dialect("spikingjelly").apply(inside, 1e-3)[0].nodes["sub"].nodes["n"].r, 10.0)


def test_rockpool_decays_currents_before_it_uses_them() -> None:
    each = np.full(2, 0.01)
    node = nir.CubaLIF(tau_syn=each / 2, tau_mem=each, r=each, v_leak=0 * each, v_threshold=each)
    changed = get_dialect("rockpool").apply(graph(node), 1e-3)[0].nodes["n"]
    alpha, beta = np.exp(-0.1), np.exp(-0.2)
    # (1 - alpha) r = 1 and (1 - beta) w_in = beta: u <- beta (u + x), v <- alpha v + u
    np.testing.assert_allclose((1 - alpha) * changed.r, 1)
    np.testing.assert_allclose((1 - beta) * changed.w_in, beta)


def test_norse_writes_time_constants_in_squared_steps() -> None:
    assert get_dialect("norse").apply(graph(nir.IF(np.ones(2), np.ones(2))), 1e-3)[1] == pytest.approx(1e-6)


def test_an_unknown_framework_or_a_missing_time_step_gets_a_sentence() -> None:
    with pytest.raises(InputError, match=r"'snntorh' is unknown; .*did you mean 'snntorch'"):
        get_dialect("snntorh")
    with pytest.raises(InputError, match=r"model\.nir: rockpool networks have a time step of their own; .*--dt"):
        get_dialect("rockpool").apply(graph(nir.IF(np.ones(2), np.ones(2))), None, "model.nir")


def test_the_command_line_takes_a_framework_by_name(tmp_path: Path) -> None:
    node = nir.LIF(tau=np.full(2, 5e-4), r=np.full(2, 5.0), v_leak=np.zeros(2), v_threshold=np.ones(2))
    write_nir(graph(node), tmp_path / "m.nir")
    options = CompileOptions(framework="snntorch")
    _, resolved = apply_dialect(graph(node), options, "m.nir")
    assert (resolved.dt, resolved.discretize, resolved.reset) == (1e-4, "euler", "subtract_after_decay")
    # what the user sets goes over what the framework means
    assert apply_dialect(graph(node), replace(options, reset="zero"), "m.nir")[1].reset == "zero"
    soft = open_model(tmp_path / "m.nir", "loihi2", options).population("n")
    assert isinstance(soft, CubaLIFSoftReset)
    # v keeps 0.8 of itself a step: less by the threshold after that is less by 1.25 thresholds before it
    np.testing.assert_allclose(soft.v_subtract / (soft.vth * 64), 1.25, rtol=1e-4)
    assert given(options) == ["--from"]
