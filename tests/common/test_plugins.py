"""What another package adds without a change here: tests/example_plugin, made visible without an installation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from command import graph
from packages import install, run
from places import ROOT

from spikeport.common import plugins
from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.exporter.lowering.passes.placed import in_order, runs_after
from spikeport.hardware_profiles import loader

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = ROOT / "tests" / "example_plugin"
NAMES = {
    "spikeport.neurons": "example_floor_lif",
    "spikeport.passes": "example_drop_unit_scales",
    "spikeport.chips": "example_small_chip",
    "spikeport.datasets": "example_bars",
    "spikeport.methods": "example_mse",
}
RECIPE = """name = "bars"
dataset = "example_bars"
chip = "example_small_chip"
backends = []
devices = []

[network]
layers = [{ kind = "dense", size = 6 }]

[training]
method = "example_mse"
epochs = 12
batch_size = 25
steps = 8
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the example package."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE / "spikeport_example", folder / "spikeport_example")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return install(folder, project["entry-points"])


def spikeport(*arguments: object, site: Path, cwd: Path) -> str:
    ran = run("-m", "spikeport", *arguments, site=site, cwd=cwd)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def here(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example package in this process."""
    monkeypatch.syspath_prepend(str(site))
    plugins._entries.cache_clear()
    yield site
    plugins._entries.cache_clear()


def test_a_chip_is_listed_and_loaded_by_its_name(site: Path, tmp_path: Path) -> None:
    found = json.loads(spikeport("chips", "--json", site=site, cwd=tmp_path))
    assert "example_small_chip" in [profile["name"] for profile in found["profiles"]]
    assert "Example chip of 16 cores" in spikeport("chips", "example_small_chip", site=site, cwd=tmp_path)
    (tmp_path / "mine.toml").write_text('extends = "example_small_chip"\nname = "mine"\n')
    assert "cores_per_chip" in spikeport("chips", "./mine.toml", site=site, cwd=tmp_path)


def test_a_recipe_trains_by_its_method_on_its_data_for_its_chip(site: Path, tmp_path: Path) -> None:
    (tmp_path / "bars.toml").write_text(RECIPE)
    spikeport("run", "bars.toml", "--out", "run", site=site, cwd=tmp_path)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["accuracy"]["float"] > 0.9 and summary["accuracy"]["fixed"] > 0.9
    # the network is loaded again by the name of its method, the program by that of its chip
    spikeport("check", "run/model.chip", "--chip", "example_small_chip", site=site, cwd=tmp_path)
    ran = run("-m", "spikeport", "run", "bars.toml", "--out", "other", site=tmp_path, cwd=tmp_path)
    assert ran.returncode == 2 and "example_small_chip" in ran.stderr


NEURON = """
import numpy as np
from dataclasses import replace
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.program.chip_program import ChipProgram, DenseConnection, InputPort
from spikeport.exporter.neurons import ALL_NEURONS, NEURON_MODELS, CubaLIF
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate

constants = {"du": 4095, "dv": 0, "vth": 10}
widths = load_chip("loihi2").word_widths.fixed_point()
synapse = DenseConnection("in", "n", np.array([[-8], [-8]], np.int32), 0, "mixed", 8, 1)

def program(neuron):
    return ChipProgram("loihi2", widths, 1e-3, (InputPort("in", (1,)),), (neuron,), (synapse,), ("n",))

neuron = ALL_NEURONS["example_floor_lif"].of("n", (2,), **constants, bias_mant=[10, 300])
assert "example_floor_lif" not in NEURON_MODELS and neuron.stock() is None
save_program(program(neuron), "n.chip")
read = load_program("n.chip")
assert type(read.populations[0]) is type(neuron)
x = np.zeros((60, 2, 1), np.uint8)
x[:20] = 1
found = simulate(read, x, record="all")
lif = simulate(program(CubaLIF.of("n", (2,), **constants, bias_mant=[10, 300])), x, record="all")
assert found.states["v/n"].min() == 0 and lif.states["v/n"].min() < 0
assert found.spikes["n"][:, :, 1].sum() > lif.spikes["n"][:, :, 1].sum()
print(int(found.spikes["n"].sum()))
"""


def test_a_neuron_comes_through_a_chip_file_and_runs(site: Path, tmp_path: Path) -> None:
    ran = run("-c", NEURON, site=site, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    np.save(tmp_path / "x.npy", np.repeat([[[1]], [[0]]], [20, 40], axis=0).astype(np.uint8))
    spikeport("simulate", "n.chip", "--input", "x.npy", "-o", "o.npz", site=site, cwd=tmp_path)
    assert 2 * np.load(tmp_path / "o.npz")["spikes"].sum() == int(ran.stdout)
    refused = run("-m", "spikeport", "check", "n.chip", "--chip", "loihi2", site=tmp_path, cwd=tmp_path)
    assert refused.returncode == 2 and "'n' is of kind 'example_floor_lif'" in refused.stderr


def test_a_pass_runs_where_it_says(site: Path, tmp_path: Path) -> None:
    lines = spikeport("compile", "--passes", site=site, cwd=tmp_path).splitlines()
    names = [line.split()[0] for line in lines]
    assert names.index("example_drop_unit_scales") == names.index("drop_flatten") + 1
    assert any("Removes Scale nodes of ones" in line for line in lines)
    net = graph()
    net.nodes["unit"] = nir.Scale(np.ones(6))
    net.edges[:] = [("input", "unit"), ("unit", "fc"), *net.edges[1:]]
    nir.write(str(tmp_path / "m.nir"), net)
    spikeport("compile", "m.nir", "--chip", "loihi2", "--dump", "d", "-o", "m.chip", site=site, cwd=tmp_path)
    dumped = {path.stem.split("_", 1)[1]: path for path in (tmp_path / "d").glob("*.nir")}
    scales = {
        name: "unit" in nir.read(str(dumped[name])).nodes for name in ("drop_flatten", "example_drop_unit_scales")
    }
    assert scales == {"drop_flatten": True, "example_drop_unit_scales": False}


def test_passes_of_one_place_follow_by_name_and_an_unknown_place_is_refused() -> None:
    def same(graph: nir.NIRGraph) -> nir.NIRGraph:
        return graph

    made = {"a": same, "b": same, "y": runs_after("a")(same), "x": runs_after("a")(same), "z": runs_after("y")(same)}
    made = dict(sorted(made.items()))
    assert list(in_order(made)) == ["a", "x", "y", "z", "b"]
    with pytest.raises(InputError, match=r"pass 'x' runs after 'c', but the passes are a, b$"):
        in_order({"a": same, "b": same, "x": runs_after("c")(same)})


def test_the_doctor_lists_what_other_packages_add(site: Path, tmp_path: Path) -> None:
    ran = run(
        "-c", "from spikeport.doctor_checks import _plugins\nfor f in _plugins(): print(f)", site=site, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == len(NAMES) and all("state='works'" in line for line in lines)
    for group, name in NAMES.items():
        assert any(name in line and group in line and "spikeport-example" in line for line in lines)


BROKEN: list[tuple[dict[str, dict[str, str]], str]] = [
    (
        {"spikeport.chips": {"mine": "no_such_module:CHIP"}},
        r"package 'third-party': the chip 'mine' \(no_such_module:CHIP\) cannot be loaded "
        r"\(ModuleNotFoundError: No module named 'no_such_module'\); correct or uninstall the package$",
    ),
    ({"spikeport.chips": {"mine": "math:nothing"}}, "'mine' .* cannot be loaded .AttributeError: .*'nothing'"),
    ({"spikeport.chips": {"mine": "math:pi"}}, r"'mine' \(math:pi\) must be the path of a .toml file, not float; "),
    (
        {"spikeport.chips": {"loihi2": "spikeport_example:CHIP"}},
        r"package 'third-party': the chip 'loihi2' has a name that spikeport has already; rename it there or uninstall",
    ),
    (
        {"spikeport.chips": {"example_small_chip": "math:pi"}},
        "the chip 'example_small_chip' has a name that (spikeport-example|third-party) has already",
    ),
    (
        {"spikeport.chips": {"mine": "spikeport_example:CHIP"}},
        "name is 'example_small_chip', but its entry point 'mine'",
    ),
]


@pytest.mark.parametrize(("entries", "sentence"), BROKEN, ids=[sentence[:40] for _, sentence in BROKEN])
def test_a_faulty_entry_gets_one_sentence(
    entries: dict[str, dict[str, str]], sentence: str, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(install(tmp_path, entries, "third-party")))
    plugins._entries.cache_clear()
    with pytest.raises(InputError, match=sentence) as caught:
        loader.load_profile(next(iter(entries["spikeport.chips"])))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("group", [*NAMES, "spikeport.integers"])
def test_every_group_refuses_another_object(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeport.exporter.chip_integers import FAMILIES
    from spikeport.exporter.lowering.passes import ALL_PASSES
    from spikeport.exporter.neurons import ALL_NEURONS
    from spikeport.trainer.data import ALL_DATASETS
    from spikeport.trainer.methods.registry import ALL_METHODS

    registries: dict[str, Registry[Any]] = {
        "spikeport.neurons": ALL_NEURONS,
        "spikeport.passes": ALL_PASSES,
        "spikeport.chips": loader.profiles(),
        "spikeport.integers": FAMILIES,
        "spikeport.datasets": ALL_DATASETS,
        "spikeport.methods": ALL_METHODS,
    }
    monkeypatch.syspath_prepend(str(install(tmp_path, {group: {"mine": "math:pi"}}, "third-party")))
    plugins._entries.cache_clear()
    try:
        assert "mine" in registries[group]
        with pytest.raises(InputError, match=r"'mine' \(math:pi\) must be .*; correct or uninstall the package"):
            registries[group]["mine"]
    finally:
        plugins._entries.cache_clear()


def test_nothing_is_looked_for_before_a_name_is_asked_for(site: Path, tmp_path: Path) -> None:
    code = "import sys, spikeport.commands.cli, spikeport.exporter.compile, spikeport.trainer.methods.registry\n"
    code += "from spikeport.common import plugins\n"
    code += "assert plugins._entries.cache_info().misses == 0\n"
    code += "from spikeport.hardware_profiles import load_chip; load_chip('loihi2')\n"
    code += "assert not any(name.startswith('spikeport_example') for name in sys.modules)"
    ran = run("-c", code, site=site, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_the_example_can_be_installed(tmp_path: Path) -> None:
    target = tmp_path / "site"
    shutil.copytree(EXAMPLE, tmp_path / "example")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    done = subprocess.run([*pip, str(tmp_path / "example")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(spikeport("chips", "--json", site=target, cwd=tmp_path))
    assert "example_small_chip" in [profile["name"] for profile in found["profiles"]]
