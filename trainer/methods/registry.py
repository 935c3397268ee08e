"""The training methods by name; a new one needs one file and one entry here."""

from __future__ import annotations

from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.trainer.settings.lookup import lookup
from spikeport.trainer.tensor_files.tensor_files import read_tensors

from .bptt import Bptt
from .membrane_bp import MembraneBp
from .method import Method
from .sew_resnet import SewResnet
from .soft_lif import SoftLif
from .st_rsbp import StRsbp
from .surrogate_bn import SurrogateBn
from .tssl_bp import TsslBp

_METHODS: tuple[type[Method], ...] = (Bptt, SurrogateBn, MembraneBp, StRsbp, SoftLif, SewResnet, TsslBp)
METHODS: dict[str, type[Method]] = {method.name: method for method in _METHODS}
"""The training methods of this project, in the order of docs/methods.md."""


def _as_method(name: str, loaded: object) -> type[Method]:
    if not (isinstance(loaded, type) and issubclass(loaded, Method) and getattr(loaded, "name", None) == name):
        raise InputError(f"must be a subclass of spikeport.trainer.methods.method.Method with name = {name!r}")
    return loaded


ALL_METHODS: Registry[type[Method]] = Registry("spikeport.methods", METHODS, _as_method)
"""These and those of installed packages."""


def get_method(name: str) -> type[Method]:
    """The training method of that name; raises InputError for an unknown one."""
    return lookup("training method", name, ALL_METHODS)


def load_trained(path: str | Path, device: str = "cpu") -> Method:
    """Read a trained network of any method; raises InputError as Method.load."""
    return get_method(str(read_tensors(path, "network").get("method"))).load(path, device)
