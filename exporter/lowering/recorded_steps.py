"""The time step that a framework's exporter used, from the constants that it wrote, and what another one changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import nir
import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from spikeport.exporter.compile_options import Discretize

from .discretize import decay

Floats = NDArray[np.float64]
StepOf = Callable[[nir.NIRNode], "Floats | None"]
# float32 constants of one exporter agree this far
_AGREE = 1e-3


def recorded_step(graph: nir.NIRGraph, step_of: StepOf) -> float | None:
    """The step in seconds that all neurons agree on, None if they tell none or several."""
    steps = [
        values[np.isfinite(values) & (values > 0)] for values in map(step_of, neurons(graph)) if values is not None
    ]
    known = np.concatenate([values.reshape(-1) for values in steps]) if steps else np.zeros(0)
    if not known.size or np.ptp(known) > _AGREE * known.min():
        return None
    # the number that the user wrote, without the rounding of float32
    return float(f"{np.median(known):.4g}")


def neurons(graph: nir.NIRGraph) -> Iterator[nir.NIRNode]:
    """All nodes that are no graphs, those of subgraphs included."""
    for node in graph.nodes.values():
        if isinstance(node, nir.NIRGraph):
            yield from neurons(node)
        else:
            yield node


def tau_over_r(node: nir.NIRNode) -> Floats | None:
    """r = tau / dt, and an IF's r = 1 / dt."""
    tau = _tau(node)
    with np.errstate(divide="ignore", invalid="ignore"):
        if tau is not None:
            # r = 1 where the input is scaled by dt / tau: nothing of dt is left in it
            return np.where(np.asarray(node.r) == 1, np.nan, tau / np.asarray(node.r))
        return np.where(np.asarray(node.r) == 1, np.nan, 1 / np.asarray(node.r)) if isinstance(node, nir.IF) else None


def tau_times_one_minus_r(node: nir.NIRNode) -> Floats | None:
    """r = beta = 1 - dt / tau."""
    tau = _tau(node)
    return None if tau is None or isinstance(node, nir.LI) else tau * (1 - np.asarray(node.r))


def tau_times_lambert(node: nir.NIRNode) -> Floats | None:
    """r = tau / dt * exp(-dt / tau), so dt / tau = W(1 / r) with Lambert's W."""
    tau = _tau(node)
    if tau is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        step: Floats = tau * np.real(lambertw(1 / np.asarray(node.r)))
    return step


def other_step_note(graph: nir.NIRGraph, used: float, recorded: float, discretize: Discretize, writer: str) -> str:
    """A sentence on what it changes to use another step than the file was written for, "" if they are equal."""
    if np.isclose(used, recorded, rtol=_AGREE):
        return ""
    changes = "delays and time constants take another number of steps"
    for name, node in graph.nodes.items():
        tau = _tau(node)
        if tau is not None and np.all(tau > 0):
            before, after = (float(np.max(decay(tau, step, discretize))) for step in (recorded, used))
            changes = f"in {name!r} up to {after:.3g} of the voltage is lost per step instead of {before:.3g}"
            break
    return (
        f"{writer} a time step of {recorded:g} s, --dt {used:g} is used instead: {changes}; "
        "leave out --dt for the network as it was trained"
    )


def _tau(node: nir.NIRNode) -> Floats | None:
    tau = getattr(node, "tau_mem", getattr(node, "tau", None))
    return None if tau is None else np.asarray(tau, np.float64)
