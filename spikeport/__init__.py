"""From a trained spiking network to a neuromorphic chip: the front door to trainer, exporter and lava_runtime.

    import spikeport as sp

    network = sp.compile("model.nir", chip="loihi2", dt=1e-3)
    network.check().fits
    network.simulate(x).profile()

Each name is loaded on first use, so that `import spikeport` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeport import torch as torch
    from spikeport.common.errors import BackendError, InputError
    from spikeport.exporter.compile_options import CompileOptions
    from spikeport.network.finished_run import FinishedRun, Run
    from spikeport.network.network import Network
    from spikeport.results.chip_fits import ChipFit, ChipFits
    from spikeport.results.cost import ProfileReport
    from spikeport.results.difference import Difference
    from spikeport.results.fit import Fit
    from spikeport.results.simulation import Simulation
    from spikeport.run.chip_fits import fit
    from spikeport.tuning.fine_tune import TuneSettings
    from spikeport.tuning.tune import Tuned, tune

    from .api import chips, compile, doctor, load, open_run, run_recipe
    from .datasets import dataset_from_arrays, dataset_from_torch, register_dataset
    from .doctor_checks import Doctor

__version__ = "0.1.0"

_MODULES = {
    **dict.fromkeys(("chips", "compile", "doctor", "load", "open_run", "run_recipe"), "spikeport.api"),
    **dict.fromkeys(("BackendError", "InputError"), "spikeport.common.errors"),
    "CompileOptions": "spikeport.exporter.compile_options",
    "Difference": "spikeport.results.difference",
    "Doctor": "spikeport.doctor_checks",
    **dict.fromkeys(("FinishedRun", "Run"), "spikeport.network.finished_run"),
    **dict.fromkeys(("ChipFit", "ChipFits"), "spikeport.results.chip_fits"),
    "Fit": "spikeport.results.fit",
    "fit": "spikeport.run.chip_fits",
    "Network": "spikeport.network.network",
    "ProfileReport": "spikeport.results.cost",
    "Simulation": "spikeport.results.simulation",
    **dict.fromkeys(("dataset_from_arrays", "dataset_from_torch", "register_dataset"), "spikeport.datasets"),
    **dict.fromkeys(("Tuned", "tune"), "spikeport.tuning.tune"),
    "TuneSettings": "spikeport.tuning.fine_tune",
}

__all__ = [
    "BackendError",
    "ChipFit",
    "ChipFits",
    "CompileOptions",
    "Difference",
    "Doctor",
    "FinishedRun",
    "Fit",
    "InputError",
    "Network",
    "ProfileReport",
    "Run",
    "Simulation",
    "TuneSettings",
    "Tuned",
    "__version__",
    "chips",
    "compile",
    "dataset_from_arrays",
    "dataset_from_torch",
    "doctor",
    "fit",
    "load",
    "open_run",
    "register_dataset",
    "run_recipe",
    "torch",
    "tune",
]


def __getattr__(name: str) -> object:
    if name == "torch":
        # a module of its own: it needs PyTorch
        return import_module("spikeport.torch")
    if name not in _MODULES:
        raise AttributeError(f"module 'spikeport' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
