"""What each framework means by the NIR it writes: reset, discretisation, time step, and numbers that differ from NIR's.

NIR specifies neither the reset of a neuron nor the discretisation of time, and exporters differ in the meaning of r,
w_in and tau. A dialect specifies them for one framework, so that a graph computes the same on the chip as there. Each
was derived from the framework's source at the stated version, and tests/benchmarks/test_frameworks.py compares its
spikes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import nir
import numpy as np

from spikeport.common.errors import InputError, nearest
from spikeport.exporter.compile_options import CHOICES, CompileOptions, Discretize, Reset

from .discretize import decay

Rewrite = Callable[[nir.NIRNode, float], nir.NIRNode]


@dataclass(frozen=True)
class Dialect:
    """One framework: its --reset, --discretize and --dt, and how its nodes translate to NIR's own meaning.

    dt: seconds per step, None where the user's network decides it; step: converts dt to the time step in the file's
    units; node: (node, time step) -> the node in NIR's meaning.
    """

    name: str
    version: str
    reset: Reset
    discretize: Discretize
    dt: float | None
    note: str
    step: Callable[[float], float] = lambda dt: dt
    node: Rewrite = lambda node, _: node

    def apply(self, graph: nir.NIRGraph, dt: float | None, context: str = "graph") -> tuple[nir.NIRGraph, float]:
        """The graph in NIR's own meaning, and its time step; raises InputError without one."""
        seconds = self.dt if dt is None else dt
        if seconds is None:
            raise InputError(
                f"{context}: {self.name} networks have a time step of their own; give it with --dt SECONDS"
            )
        step = self.step(seconds)
        return _rewritten(graph, self.node, step), step


def get_dialect(name: str) -> Dialect:
    """The dialect of a framework; raises InputError with the nearest name for an unknown one."""
    if name not in DIALECTS:
        raise InputError(f"framework {name!r} is unknown; known are {', '.join(DIALECTS)}{nearest(name, DIALECTS)}")
    return DIALECTS[name]


def apply_dialect(graph: nir.NIRGraph, options: CompileOptions, context: str) -> tuple[nir.NIRGraph, CompileOptions]:
    """The graph in NIR's own meaning, and the options completed by its framework's; raises InputError."""
    stated = _stated(graph, context)
    if stated:
        # written by write_graph: numbers have NIR's own meaning already, and the graph's time step is the one
        dt = options.dt if options.framework is None else None
        return graph, replace(
            options,
            dt=dt,
            framework=None,
            discretize=options.discretize or stated["discretize"],
            reset=options.reset or stated["reset"],
        )
    if options.framework is None:
        return graph, options
    dialect = get_dialect(options.framework)
    graph, dt = dialect.apply(graph, options.dt, context)
    return graph, replace(
        options,
        dt=dt,
        framework=None,
        discretize=options.discretize or dialect.discretize,
        reset=options.reset or dialect.reset,
    )


def _stated(graph: nir.NIRGraph, context: str) -> dict[str, Any]:
    """The discretisation and the reset that a graph states in its metadata, empty without them; raises InputError."""
    stated: dict[str, Any] = {}
    for key in ("discretize", "reset"):
        value = graph.metadata.get(key)
        if value is None:
            return {}
        text = value.decode() if isinstance(value, bytes) else str(np.asarray(value))
        stated[key] = text if text in CHOICES[key] else None
        if stated[key] is None:
            raise InputError(f"{context}: metadata {key} is {text!r}, but can be {', '.join(CHOICES[key])}")
    return stated


def _rewritten(graph: nir.NIRGraph, rewrite: Rewrite, step: float) -> nir.NIRGraph:
    nodes = {
        name: _rewritten(node, rewrite, step) if isinstance(node, nir.NIRGraph) else rewrite(node, step)
        for name, node in graph.nodes.items()
    }
    return nir.NIRGraph(nodes=nodes, edges=list(graph.edges), metadata=dict(graph.metadata), type_check=False)


def _integrate_a_second(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """IF as in its equation, dv/dt = r I: a step adds r dt I."""
    return replace(node, r=np.asarray(node.r) * step) if isinstance(node, nir.IF) else node


def _unit_gain(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """LIF whose input is added to v unscaled: v <- (1 - dt/tau) v + x."""
    if not isinstance(node, nir.LIF):
        return node
    return replace(node, r=1 / decay(node.tau, step, "euler"))


def _filtered_before_use(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """CubaLIF as u <- beta (u + x), v <- alpha v + u, with alpha = exp(-dt/tau_mem) and beta = exp(-dt/tau_syn)."""
    if isinstance(node, nir.CubaLIF):
        membrane, synapse = (decay(tau, step, "exponential") for tau in (node.tau_mem, node.tau_syn))
        return replace(node, r=1 / membrane, w_in=(1 - synapse) / synapse)
    if isinstance(node, nir.LIF):
        return replace(node, r=1 / decay(node.tau, step, "exponential"))
    return node


_KNOWN = (
    Dialect(
        "snntorch", "1.0.0", "subtract_after_decay", "euler", 1e-4,
        "its exporter writes dt = 1e-4 whatever the user set; reset_mechanism and reset_delay are not in the file: "
        'these are its defaults, "subtract" and True',
    ),
    Dialect(
        "norse", "1.1.0", "zero", "euler", 1e-3,
        "its exporter writes tau = dt / tau_inv, so a step is dt * dt in the file's units",
        step=lambda dt: dt * dt,
    ),
    Dialect(
        "sinabs", "3.1.3", "subtract", "exponential", 1.0,
        "an IF adds r I per step, whatever the step; a neuron may spike several times per step there (MultiSpike), "
        "once here",
    ),
    Dialect(
        "spikingjelly", "2.0.0", "zero", "euler", 1e-4,
        "its IF neurons follow NIR's equation, r = 1 / dt", node=_integrate_a_second,
    ),
    Dialect(
        "rockpool", "3.1.0", "subtract", "exponential", None,
        "currents decay before they are used, and the exporter's r is not NIR's; once per step: max_spikes_per_dt=1",
        node=_filtered_before_use,
    ),
    Dialect(
        "spyx", "1.0.0", "subtract_after_decay", "euler", 1.0,
        "its exporter writes r = beta, but a neuron adds its input as it is; every layer spikes a step later there",
        node=_unit_gain,
    ),
)  # fmt: skip
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _KNOWN}
