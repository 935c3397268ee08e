"""From a trained spiking network to a neuromorphic chip: the front door to trainer, exporter and lava_runtime.

    import spikeport as sp

    network = sp.compile("model.nir", chip="loihi2", dt=1e-3)
    network.check().fits
    network.simulate(x).profile()

What a name needs is loaded when it is first used, so that `import spikeport` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeport.common.errors import BackendError, InputError
    from spikeport.exporter.compile_options import CompileOptions
    from spikeport.network.finished_run import Run
    from spikeport.network.network import Network
    from spikeport.results.cost import ProfileReport
    from spikeport.results.difference import Difference
    from spikeport.results.fit import Fit
    from spikeport.results.simulation import Simulation

    from .api import chips, compile, doctor, load, open_run, run_recipe
    from .doctor import Doctor

__version__ = "0.1.0"

_WHERE = {
    **dict.fromkeys(("chips", "compile", "doctor", "load", "open_run", "run_recipe"), "spikeport.api"),
    **dict.fromkeys(("BackendError", "InputError"), "spikeport.common.errors"),
    "CompileOptions": "spikeport.exporter.compile_options",
    "Difference": "spikeport.results.difference",
    "Doctor": "spikeport.doctor",
    "Fit": "spikeport.results.fit",
    "Network": "spikeport.network.network",
    "ProfileReport": "spikeport.results.cost",
    "Run": "spikeport.network.finished_run",
    "Simulation": "spikeport.results.simulation",
}

__all__ = [
    "BackendError",
    "CompileOptions",
    "Difference",
    "Doctor",
    "Fit",
    "InputError",
    "Network",
    "ProfileReport",
    "Run",
    "Simulation",
    "__version__",
    "chips",
    "compile",
    "doctor",
    "load",
    "open_run",
    "run_recipe",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'spikeport' has no attribute {name!r}")
    found: object = getattr(import_module(_WHERE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
