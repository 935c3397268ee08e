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
from numpy.typing import NDArray

from spikeport.common.errors import InputError, nearest
from spikeport.exporter.compile_options import CHOICES, CompileOptions, Discretize, Reset

from .discretize import decay
from .recorded_steps import (
    StepOf,
    neurons,
    other_step_note,
    recorded_step,
    tau_over_r,
    tau_times_lambert,
    tau_times_one_minus_r,
)

Floats = NDArray[np.float64]

Rewrite = Callable[[nir.NIRNode, float], nir.NIRNode]
Edges = list[tuple[str, str]]


@dataclass(frozen=True)
class Dialect:
    """One framework: its --reset, --discretize and --dt, and how its nodes translate to NIR's own meaning.

    dt: seconds per step, None where the user's network decides it; step: converts dt to the time step in the file's
    units; node: (node, time step) -> the node in NIR's meaning; edges: a graph's edges in NIR's meaning;
    recorded: a neuron's constants -> the dt that they were computed with; fixed: its
    exporter always writes for `dt`; assumed: which reset is taken where the file has
    none, and what else it may be. since, version: the oldest and the newest version that were compared.
    """

    name: str
    version: str
    reset: Reset
    discretize: Discretize
    dt: float | None
    note: str
    step: Callable[[float], float] = lambda dt: dt
    node: Rewrite = lambda node, _: node
    edges: Callable[[nir.NIRGraph], Edges] = lambda graph: list(graph.edges)
    recorded: StepOf | None = None
    fixed: bool = False
    assumed: str = ""
    since: str = ""

    def apply(self, graph: nir.NIRGraph, dt: float | None, context: str = "graph") -> tuple[nir.NIRGraph, float]:
        """The graph in NIR's own meaning, and its time step; raises InputError without one."""
        seconds = self.step_of_file(graph) if dt is None else dt
        if seconds is None:
            raise InputError(
                f"{context}: {self.name} networks have a time step of their own; give it with --dt SECONDS"
            )
        step = self.step(seconds)
        return self._rewritten(graph, step), step

    def step_of_file(self, graph: nir.NIRGraph) -> float | None:
        """Seconds per step: what the file's constants tell, else the exporter's own."""
        recorded = None if self.recorded is None else recorded_step(graph, self.recorded)
        return self.dt if recorded is None else recorded

    def notes(self, graph: nir.NIRGraph, options: CompileOptions) -> tuple[str, ...]:
        """A sentence for each thing that is assumed, or that the user sets to something else than the file."""
        sentences = []
        recorded = None if self.recorded is None else recorded_step(graph, self.recorded)
        written = recorded or (self.dt if self.fixed else None)
        if options.dt is not None and written is not None:
            discretize = options.discretize or self.discretize
            sentences.append(
                other_step_note(graph, float(options.dt), written, discretize, f"{self.name} wrote the file for")
            )
        timed = any(hasattr(node, name) for node in neurons(graph) for name in ("tau", "tau_mem", "delay"))
        if options.dt is None and written is None and self.dt is not None and timed:
            sentences.append(
                f"the file does not record {self.name}'s time step: {self.dt:g} s, the default of its exporter, is "
                "assumed; for another one give --dt SECONDS"
            )
        spiking = any(isinstance(node, (nir.IF, nir.LIF, nir.CubaLIF)) for node in neurons(graph))
        if options.reset is None and self.assumed and spiking:
            sentences.append(f"the file does not record how {self.name}'s neurons reset: {self.assumed}")
        return tuple(filter(None, sentences))

    def _rewritten(self, graph: nir.NIRGraph, step: float) -> nir.NIRGraph:
        nodes = {
            name: self._rewritten(node, step) if isinstance(node, nir.NIRGraph) else self.node(node, step)
            for name, node in graph.nodes.items()
        }
        return nir.NIRGraph(nodes=nodes, edges=self.edges(graph), metadata=dict(graph.metadata), type_check=False)


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


def notes_of(graph: nir.NIRGraph, options: CompileOptions) -> tuple[str, ...]:
    """A sentence for each disagreement of file, framework and options, and for a reset that is only assumed."""
    # a graph that states both was not written by the framework's own exporter
    if options.framework is not None and not {"discretize", "reset"} <= set(graph.metadata):
        return get_dialect(options.framework).notes(graph, options)
    stated = graph.metadata.get("dt")
    if options.dt is None or stated is None or np.size(stated) != 1 or np.asarray(stated).dtype.kind not in "iuf":
        return ()
    recorded = float(np.asarray(stated).reshape(-1)[0])
    note = other_step_note(graph, float(options.dt), recorded, options.discretize or "euler", "the file states")
    return (note,) if note else ()


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


def _integrate_a_second(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """Neurons that start at v_reset; IF as in its equation, dv/dt = r I: a step adds r dt I."""
    if not isinstance(node, (nir.IF, nir.LIF, nir.CubaLIF)):
        return node
    started = replace(node, metadata={**node.metadata, "v_initial": np.asarray(node.v_reset)})
    return replace(started, r=np.asarray(node.r) * step) if isinstance(node, nir.IF) else started


def _unscaled_without_threshold(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """LI whose input is added to v unscaled: v <- exp(-dt/tau) v + x."""
    return replace(node, r=_unit_gain_of(decay(node.tau, step, "exponential"))) if isinstance(node, nir.LI) else node


def _unit_gain(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """LI and LIF whose input is added to v unscaled, v <- (1 - dt/tau) v + x; CubaLIF: current and voltage do so."""
    if isinstance(node, nir.CubaLIF):
        synapse, membrane = (_unit_gain_of(decay(tau, step, "euler")) for tau in (node.tau_syn, node.tau_mem))
        return replace(node, w_in=synapse, r=membrane)
    if not isinstance(node, (nir.LI, nir.LIF)):
        return node
    return replace(node, r=_unit_gain_of(decay(node.tau, step, "euler")))


def _past_recurrent_weights(graph: nir.NIRGraph) -> Edges:
    """Edges whose input enters a recurrent neuron itself, where the file leads it through the recurrent weights."""
    edges = list(graph.edges)
    neurons = {
        target: source
        for source, target in edges
        if isinstance(graph.nodes[source], (nir.IF, nir.LIF, nir.CubaLIF)) and (target, source) in edges
    }
    inputs = {name for name, node in graph.nodes.items() if isinstance(node, nir.Input)}
    return [(source, neurons.get(target, target) if source in inputs else target) for source, target in edges]


def _jumps_from_leak(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """Neurons that start at v_leak; CubaLIF as i <- (1 - dt/tau_syn) i + x, the input unscaled."""
    if not isinstance(node, (nir.LI, nir.LIF, nir.CubaLIF)):
        return node
    started = replace(node, metadata={**node.metadata, "v_initial": np.asarray(node.v_leak)})
    if isinstance(node, nir.CubaLIF):
        return replace(started, w_in=_unit_gain_of(decay(node.tau_syn, step, "euler")))
    return started


def _filtered_before_use(node: nir.NIRNode, step: float) -> nir.NIRNode:
    """CubaLIF as u <- beta (u + x), v <- alpha v + u, and LI as u <- beta (u + x).

    alpha = exp(-dt/tau_mem), beta = exp(-dt/tau_syn).
    """
    if isinstance(node, nir.CubaLIF):
        membrane, synapse = (decay(tau, step, "exponential") for tau in (node.tau_mem, node.tau_syn))
        return replace(node, r=_unit_gain_of(membrane), w_in=(1 - synapse) * _unit_gain_of(synapse))
    if isinstance(node, nir.LI):
        lost = decay(node.tau, step, "exponential")
        return replace(node, r=(1 - lost) * _unit_gain_of(lost))
    if isinstance(node, nir.LIF):
        return replace(node, r=_unit_gain_of(decay(node.tau, step, "exponential")))
    return node


def _unit_gain_of(decay_per_step: Floats) -> Floats:
    """The r with which a step adds the input as it is: 1 / decay, 1 for an integrator."""
    return 1 / np.where(decay_per_step == 0, 1.0, decay_per_step)


_KNOWN = (
    Dialect(
        "snntorch", "1.0.0", "subtract_after_decay", "euler", 1e-4,
        "r = tau / dt, which tells the dt of its exporter, 1e-4 up to 1.0.0; reset_mechanism and reset_delay are not "
        'in the file: these are its defaults, "subtract" and True',
        recorded=tau_over_r, fixed=True, since="0.9.1",
        assumed="subtraction in the step after the spike is assumed, its default; for reset_mechanism='zero' give "
        "--reset zero, for reset_delay=False --reset subtract",
    ),
    Dialect(
        "norse", "1.1.0", "zero", "euler", 1e-3,
        "its exporter writes tau = dt / tau_inv, so a step is dt * dt in the file's units; currents of LIFCell jump by "
        "the input, and voltages start at v_leak",
        step=lambda dt: dt * dt, node=_jumps_from_leak, since="1.1.0",
        assumed="reset to 0 is assumed, its default; for LIFBoxCell's reset_subtract give --reset subtract",
    ),
    Dialect(
        "sinabs", "3.1.3", "subtract", "exponential", 1.0,
        "an IF adds r I per step, whatever the step; a neuron may spike several times per step there (MultiSpike), "
        "once here; an ExpLeak adds its input unscaled (norm_input=False), a LIF scaled (True): the defaults",
        node=_unscaled_without_threshold, fixed=True, since="3.0.4",
        assumed="subtraction is assumed, its default; for reset_fn=MembraneReset give --reset zero",
    ),
    Dialect(
        "spikingjelly", "2.0.0", "zero", "euler", 1e-4,
        "its IF neurons follow NIR's equation, r = 1 / dt; voltages start at v_reset", node=_integrate_a_second,
        recorded=tau_over_r, since="2.0.0",
    ),
    Dialect(
        "rockpool", "3.1.0", "subtract", "exponential", None,
        "currents decay before they are used, and the exporter's r is not NIR's; once per step: max_spikes_per_dt=1",
        node=_filtered_before_use, recorded=tau_times_lambert, since="3.0.5",
    ),
    Dialect(
        "spyx", "1.0.0", "subtract_after_decay", "euler", 1.0,
        "its exporter writes r = beta, but a neuron adds its input as it is; every layer spikes a step later there; "
        "its CuBaLIF subtracts the threshold at once: --reset subtract",
        node=_unit_gain, edges=_past_recurrent_weights, recorded=tau_times_one_minus_r, since="1.0.0",
        assumed="subtraction in the step after the spike is taken, as LIF does; for CuBaLIF give --reset subtract",
    ),
)  # fmt: skip
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _KNOWN}
