"""What each framework means by the NIR it writes: its reset, its discretisation, its time step, and where its numbers
are not NIR's.

NIR says neither how a neuron resets nor how time is cut into steps, and the exporters differ in what they call r, w_in
or tau. A dialect says it for one framework, so that a graph computes on the chip what it computed there. Each was read
in the framework's own source at the version named, and is held against its spikes by tests/benchmarks/test_frameworks.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import nir
import numpy as np

from spikeport.common.errors import InputError, nearest
from spikeport.exporter.compile_options import CompileOptions, Discretize, Reset

from .discretize import decay

Rewrite = Callable[[nir.NIRNode, float], nir.NIRNode]


@dataclass(frozen=True)
class Dialect:
    """One framework: what --reset, --discretize and --dt must be, and how a node reads in NIR's own meaning.

    dt: seconds a step, None where the user's own network decides it; step: from that to the time step in the file's
    units; node: (node, time step) -> the node as NIR means it.
    """

    name: str
    version: str
    reset: Reset
    discretize: Discretize
    dt: float | None
    note: str
    step: Callable[[float], float] = lambda dt: dt
    node: Rewrite = lambda node, _: node

    def apply(self, graph: nir.NIRGraph, dt: float | None, where: str = "graph") -> tuple[nir.NIRGraph, float]:
        """The graph in NIR's own meaning, and the time step that goes with it; raises InputError without one."""
        seconds = self.dt if dt is None else dt
        if seconds is None:
            raise InputError(f"{where}: {self.name} networks have a time step of their own; give it with --dt SECONDS")
        step = self.step(seconds)
        return _rewritten(graph, self.node, step), step


def get_dialect(name: str) -> Dialect:
    """The dialect of a framework; raises InputError with the nearest name for an unknown one."""
    if name not in DIALECTS:
        raise InputError(f"framework {name!r} is unknown; known are {', '.join(DIALECTS)}{nearest(name, DIALECTS)}")
    return DIALECTS[name]


def apply_dialect(graph: nir.NIRGraph, options: CompileOptions, where: str) -> tuple[nir.NIRGraph, CompileOptions]:
    """The graph in NIR's own meaning, and the options with what its framework decides; raises InputError."""
    if options.framework is None:
        return graph, options
    dialect = get_dialect(options.framework)
    graph, dt = dialect.apply(graph, options.dt, where)
    return graph, replace(
        options,
        dt=dt,
        framework=None,
        discretize=options.discretize or dialect.discretize,
        reset=options.reset or dialect.reset,
    )


def _rewritten(graph: nir.NIRGraph, rewrite: Rewrite, step: float) -> nir.NIRGraph:
    nodes = {
        name: _rewritten(node, rewrite, step) if isinstance(node, nir.NIRGraph) else rewrite(node, step)
        for name, node in graph.nodes.items()
    }
    return nir.NIRGraph(nodes=nodes, edges=list(graph.edges), metadata=dict(graph.metadata), type_check=False)


def _integrate_a_second(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """IF as its equation reads, dv/dt = r I: a step adds r dt I."""
    return replace(node, r=np.asarray(node.r) * step) if isinstance(node, nir.IF) else node


def _unit_gain(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """LIF whose input is added to v as it is: v <- (1 - dt/tau) v + x."""
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
        "its exporter writes dt = 1e-4 whatever the user had; reset_mechanism and reset_delay are not in the file: "
        'these are its defaults, "subtract" and True',
    ),
    Dialect(
        "norse", "1.1.0", "zero", "euler", 1e-3,
        "its exporter writes tau = dt / tau_inv, so a step is dt * dt in the file's units",
        step=lambda dt: dt * dt,
    ),
    Dialect(
        "sinabs", "3.1.3", "subtract", "exponential", 1.0,
        "an IF adds r I a step, whatever the step; a neuron may spike several times a step there (MultiSpike), "
        "once here",
    ),
    Dialect(
        "spikingjelly", "2.0.0", "zero", "euler", 1e-4,
        "its IF neurons follow NIR's equation, r = 1 / dt", node=_integrate_a_second,
    ),
    Dialect(
        "rockpool", "3.1.0", "subtract", "exponential", None,
        "currents decay before they are used, and the exporter's r is not NIR's; once a step: max_spikes_per_dt=1",
        node=_filtered_before_use,
    ),
    Dialect(
        "spyx", "1.0.0", "subtract_after_decay", "euler", 1.0,
        "its exporter writes r = beta, but a neuron adds its input as it is; every layer spikes a step later there",
        node=_unit_gain,
    ),
)  # fmt: skip
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _KNOWN}
