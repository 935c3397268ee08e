"""The wheel: built, installed from scratch on each Python of this machine, and used away from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nir
import numpy as np
import onnx
import pytest
from command import graph
from exporter_graphs import tf_channels_last
from pages import FIRST_PAGES, carry_out
from places import ROOT
from programs import spikes
from small_recipe import RECIPE

import spikeport

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
DATA = ("*.toml", "*.j2", "*.js", "py.typed")
ROOMS = ("common", "hardware_profiles", "trainer", "exporter", "lava_runtime")


def run(*command: object, cwd: Path) -> str:
    ran = subprocess.run(
        [*map(str, command)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=900
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout


def interpreter(minor: int) -> str | None:
    """A Python 3.MINOR: on the PATH, of pyenv, or this one."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*sorted(map(str, pyenv.glob(f"3.{minor}.*/bin/python"))), shutil.which(f"python3.{minor}")]
    return next((place for place in found if place), None)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_every_file_of_data_is_inside(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [p.relative_to(ROOT) for room in ROOMS for kind in DATA for p in (ROOT / room).rglob(kind)]
    files += [p.relative_to(ROOT / "spikeport") for kind in DATA for p in (ROOT / "spikeport").rglob(kind)]
    wanted = {str(Path("spikeport", path)) for path in files}
    wanted |= {f"spikeport/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.toml")}
    wanted |= {f"spikeport/examples/{path.name}" for path in (ROOT / "examples").iterdir() if path.is_file()}
    assert wanted <= inside, sorted(wanted - inside)
    # one import root: `trainer` and the others are names of other people's packages, too
    roots = {name.split("/")[0] for name in inside}
    assert roots == {"spikeport", f"spikeport-{spikeport.__version__}.dist-info"}


@pytest.mark.slow
def test_the_wheel_beside_another_package_named_trainer(wheel: Path, tmp_path: Path) -> None:
    """Coqui's trainer from PyPI, with a stand-in for what it needs beyond PyTorch; both import and work."""
    run(sys.executable, "-m", "venv", "--system-site-packages", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    # the packages of this environment but not its editable spikeport, which is a .pth file
    site = next((tmp_path / "venv" / "lib").glob("python3.*")) / "site-packages"
    (site / "base.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(python, "-m", "pip", "install", "-q", "--no-deps", wheel, "trainer==0.0.36", "coqpit==0.0.17", cwd=tmp_path)
    code = "import trainer, spikeport, spikeport.trainer, spikeport.exporter.compile;"
    code += "print(trainer.__file__, spikeport.__file__);"
    code += "from trainer import TrainerConfig; TrainerConfig(); print(spikeport.chips()['loihi2'].title)"
    shown = run(python, "-c", code, cwd=tmp_path)
    assert shown.count(str(site)) == 2, shown


@pytest.mark.slow
@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_the_light_installation_runs_networks_from_scratch(wheel: Path, tmp_path: Path, minor: int) -> None:
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{minor} here")
    run(python, "-m", "venv", "venv", cwd=tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    install = (bin_ / "python", "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt")
    run(*install, wheel, cwd=tmp_path)
    nir.write(str(tmp_path / "m.nir"), graph())
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    assert run(bin_ / "spikeport", "--version", cwd=tmp_path).strip() == spikeport.__version__
    assert "simulate" in run(bin_ / "spikeport", "--help", cwd=tmp_path)
    here = run(bin_ / "python", "-c", "import spikeport; print(spikeport.__file__)", cwd=tmp_path)
    assert Path(here.strip()).is_relative_to(tmp_path)
    run(bin_ / "spikeport", "simulate", "m.nir", "--chip", "loihi2", "--input", "x.npy", "-o", "o.npz", cwd=tmp_path)
    ours = spikeport.compile(graph()).simulate(np.load(tmp_path / "x.npy"))
    with np.load(tmp_path / "o.npz") as arrays:
        np.testing.assert_array_equal(arrays["spikes"], ours.spikes)
    if minor == 11:
        imports_onnx_without_torch(f"{wheel}[onnx]", bin_, tmp_path)
    # a minute, so on one Python only: one that this project's own environments are not of
    for page in FIRST_PAGES if minor == 12 else ():
        (tmp_path / page.stem).mkdir()
        carry_out(page, tmp_path / page.stem, bin_ / "python", ENVIRONMENT, training=False)
    asked = [bin_ / "spikeport", "demo", "--out", "d"]
    refused = subprocess.run(asked, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "spikeport[train]" in refused.stderr


def imports_onnx_without_torch(requirement: str, bin_: Path, folder: Path) -> None:
    """The extra onnx brings what `import` and `compile` of an .onnx file need."""
    install = (bin_ / "python", "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt")
    onnx.save(tf_channels_last(), str(folder / "m.onnx"))
    np.save(folder / "images.npy", np.random.default_rng(0).uniform(0, 1, (20, 6, 6, 2)).astype(np.float32))
    asked = ("import", "m.onnx", "--calibrate", "images.npy", "--as", "sigma-delta", "-o", "m.chip")
    refused = subprocess.run(
        [bin_ / "spikeport", *asked], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2 and "spikeport[onnx]" in refused.stderr
    run(*install, requirement, cwd=folder)
    assert "100.00%" in run(bin_ / "spikeport", *asked, cwd=folder)
    compiled = ("compile", "m.onnx", "--chip", "loihi2", "--calibrate", "images.npy", "-o", "c.chip")
    run(bin_ / "spikeport", *compiled, cwd=folder)
    assert "torch" not in run(bin_ / "python", "-m", "pip", "list", cwd=folder).split()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_extra_train_trains_from_scratch(wheel: Path, tmp_path: Path) -> None:
    """On Python 3.11, whose PyTorch is not the one that this project's own environment on 3.10 has."""
    python = interpreter(11)
    if python is None:
        pytest.skip("there is no Python 3.11 here")
    run(python, "-m", "venv", "venv", cwd=tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    install = (bin_ / "python", "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt")
    run(*install, f"{wheel}[train]", cwd=tmp_path)
    quick = RECIPE.replace("epochs = 12", "epochs = 3").replace('backends = ["lava"]', "backends = []")
    (tmp_path / "small.toml").write_text(quick)
    run(bin_ / "spikeport", "run", "small.toml", "--out", "run", cwd=tmp_path)
    found = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert min(found["accuracy"].values()) > 0.5 and found["agreement"] > 0.97
    assert (tmp_path / "run" / "report.html").is_file()
    run(bin_ / "spikeport", "export", "run", "-o", "twin.onnx", cwd=tmp_path)
    # the tutorial's training is README's
    (tmp_path / "readme").mkdir()
    carry_out(FIRST_PAGES[0], tmp_path / "readme", bin_ / "python", ENVIRONMENT, training=True)
    summary = tmp_path / "readme" / "runs" / "mine" / "summary.json"
    assert "FAIL" not in run(bin_ / "python", ROOT / ".ci" / "demo_holds.py", summary, cwd=tmp_path)
