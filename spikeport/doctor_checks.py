"""`spikeport doctor`: what is installed, what works, and a fix for whatever does not."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.common.accelerator import gpu_missing, has_triton
from spikeport.common.errors import InputError, reason
from spikeport.common.plugins import Registry, package_of
from spikeport.console.tables import show_table
from spikeport.results.shown import Shown

State = Literal["works", "left out", "broken"]
_STATE_MARKUP = {"works": "[green]works[/green]", "left out": "left out", "broken": "[red]broken[/red]"}
# package -> what it is for, and the extra that brings it (empty: comes with spikeport)
_PACKAGES = {
    "numpy": ("arrays", ""),
    "numba": ("the emulator's kernels", ""),
    "nir": ("NIR files", ""),
    "h5py": ("NIR, .net and .chip files", ""),
    "torch": ("training", "train"),
    "safetensors": ("trained networks and checkpoints", "train"),
    "onnxruntime": ("ONNX networks and the ANN twin", "onnx"),
    "lava-nc": ("the backends lava and stock", "lava"),
    "torchvision": ("data sets that are downloaded", "data"),
    "tonic": ("data sets of events", "data"),
    "distributed": ("simulate --cluster", "cluster"),
    "tensorboard": ("logs of the training", "logs"),
}
_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One check: its state, details, and a fix if it does not work."""

    name: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True, repr=False)
class Doctor(Shown):
    """The findings of all checks."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is broken; optional packages may be missing."""
        return all(finding.state != "broken" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Every finding in plain values."""
        return {
            "healthy": self.healthy,
            "findings": [{**asdict(finding), "way_out": finding.remedy} for finding in self.findings],
        }

    def show(self, console: Console) -> None:
        """Print a table of all checks, then a fix for whatever does not work."""
        table = Table("", "", "detail")
        for finding in self.findings:
            table.add_row(escape(finding.name), _STATE_MARKUP[finding.state], escape(finding.detail))
        show_table(table, console, prose=(0, 2))
        for finding in self.findings:
            if finding.remedy:
                console.print(f"[bold]{escape(finding.name)}[/bold]: {escape(finding.remedy)}", highlight=False)
        console.print("Everything installed works." if self.healthy else "Something is broken: see above.")


def run_checks() -> Doctor:
    """Check the installation; backends and cache are tested by using them."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _profiles,
        _plugins,
        _kernels,
        _emulator,
        _lava,
        _cores,
        _gpu,
        _disk,
    )
    return Doctor(tuple(finding for check in checks for finding in check()))


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    detail = f"{version} at {sys.executable}"
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        yield Finding("Python", "broken", detail, "install spikeport in Python 3.10 (with Lava) to 3.13")
        return
    yield Finding("Python", "works", detail)


def _packages() -> Iterator[Finding]:
    yield Finding("spikeport", "works", f"{metadata.version('spikeport')} at {Path(__file__).resolve().parent}")
    for package, (what, extra) in _PACKAGES.items():
        try:
            yield Finding(package, "works", f"{metadata.version(package)}: {what}")
        except metadata.PackageNotFoundError:
            if not extra:
                yield Finding(package, "broken", f"missing: {what}", "pip install --force-reinstall spikeport")
            elif extra == "lava" and sys.version_info[:2] != (3, 10):
                yield Finding(package, "left out", f"{what}; runs on Python 3.10 only")
            else:
                yield Finding(package, "left out", what, f"pip install 'spikeport[{extra}]' brings {what}")


def _profiles() -> Iterator[Finding]:
    from spikeport.hardware_profiles.loader import load_profile, shipped

    try:
        names = [load_profile(path).name for path in shipped().values()]
    except InputError as error:
        yield Finding("profiles", "broken", str(error), "install spikeport again: its data are damaged")
        return
    if "loihi2" in names:
        yield Finding("profiles", "works", f"{len(names)} chips and devices")
    else:
        yield Finding("profiles", "broken", "none found", "install spikeport again: its data are missing")


def _plugins() -> Iterator[Finding]:
    """Plug-ins of other packages; each is loaded, those for training only if training is installed."""
    for registry in _registries():
        try:
            known = registry.added
        except InputError as error:
            yield Finding("plug-ins", "broken", str(error), "pip uninstall that package, or rename what it adds")
            continue
        for name, entry in known.items():
            try:
                registry[name]
            except InputError as error:
                yield Finding(f"plug-in {name}", "broken", str(error), "pip uninstall that package, or correct it")
            else:
                yield Finding(f"plug-in {name}", "works", f"{entry.group}, of package {package_of(entry)}")


def _registries() -> Iterator[Registry[Any]]:
    from spikeport.exporter.chip_integers import FAMILIES
    from spikeport.exporter.lowering.passes import ALL_PASSES
    from spikeport.exporter.neurons import ALL_NEURONS
    from spikeport.hardware_profiles.loader import profiles

    yield from (ALL_NEURONS, ALL_PASSES, profiles(), FAMILIES)
    try:
        from spikeport.trainer.data import ALL_DATASETS
        from spikeport.trainer.methods.registry import ALL_METHODS
    except ImportError:
        return
    yield from (ALL_DATASETS, ALL_METHODS)


def _kernels() -> Iterator[Finding]:
    """Whether numba can store compiled kernels: next to the code, or in its cache folder."""
    configured = os.environ.get("NUMBA_CACHE_DIR")
    # Path.home fails without a home
    cached = Path(os.path.expanduser("~"), ".cache", "numba")  # noqa: PTH111
    folders = [Path(configured)] if configured else [Path(__file__).resolve().parent, cached]
    folder = next((p for p in folders if _writable(p)), None)
    if folder is None:
        yield Finding(
            "numba cache", "left out", f"{folders[-1]} cannot be written: kernels are stored in a temporary folder",
            "set NUMBA_CACHE_DIR to a folder that can be written",
        )  # fmt: skip
        return
    yield Finding("numba cache", "works", f"{folder}" + ("" if configured else " (NUMBA_CACHE_DIR would move it)"))


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _emulator() -> Iterator[Finding]:
    try:
        _try("emulator")
    except Exception as error:
        yield Finding("backend emulator", "broken", reason(error), "pip install --force-reinstall numba llvmlite numpy")
        return
    yield Finding("backend emulator", "works", "ran two steps of a small network")


def _lava() -> Iterator[Finding]:
    from spikeport.lava_runtime.lava_backend.child import lava_missing

    missing = lava_missing()
    for backend in ("lava", "stock"):
        name = f"backend {backend}"
        if missing is not None:
            yield Finding(name, "left out", missing)
            continue
        try:
            _try(backend)
        except Exception as error:
            yield Finding(name, "broken", reason(error), "use --backend emulator, which gives equal arrays")
            continue
        yield Finding(name, "works", "ran two steps of a small network")


def _try(backend: Any) -> None:
    """Two steps of two neurons; raises any error, and RuntimeError if the spikes are wrong."""
    import nir

    from spikeport.network.network import compile_network

    one = np.ones(2)
    nodes = {
        "input": nir.Input(input_type={"input": np.array([2])}),
        "fc": nir.Affine(weight=np.eye(2) * 2, bias=np.zeros(2)),
        "lif": nir.LIF(tau=0.01 * one, r=10 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "output": nir.Output(output_type={"output": np.array([2])}),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3})
    run = compile_network(graph, "loihi2").simulate(np.ones((1, 1, 2), np.uint8), backend=backend, limit_seconds=120)
    if run.spikes.sum() != 2:
        raise RuntimeError(f"{run.spikes.sum()} spikes instead of 2")


def _cores() -> Iterator[Finding]:
    import numba

    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    yield Finding("cores", "works", f"{usable} of {total} usable, numba uses {numba.config.NUMBA_NUM_THREADS}")


def _gpu() -> Iterator[Finding]:
    """Where --device cuda would compute."""
    missing = gpu_missing()
    if missing is not None:
        yield Finding("GPU", "left out", f"{missing}; training and emulator compute on the CPU")
        return
    import torch

    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        detail = f"{about.name}, {about.total_memory / 1e9:.0f} GB, torch {torch.__version__}"
        if has_triton():
            yield Finding(f"GPU {number}", "works", f"{detail}, Triton {metadata.version('triton')}")
        else:
            slow = "pip install triton brings the neurons' kernels; without them each step is several operations"
            yield Finding(f"GPU {number}", "left out", f"{detail}, without Triton", slow)


def _disk() -> Iterator[Finding]:
    import shutil

    for name, folder in (("this folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        detail = f"{folder}: {free / 1e9:.1f} GB free"
        if not _writable(folder):
            yield Finding(name, "broken", f"{folder} cannot be written", "change to a folder of yours, or set TMPDIR")
        elif free < _FREE_BYTES:
            yield Finding(name, "broken", detail, "free some space, or set TMPDIR to another folder")
        else:
            yield Finding(name, "works", detail)
