"""Unmodified networks of snnTorch, SpikingJelly, Norse and Sinabs, through each framework's own NIR exporter.

What the exporters leave out is read off the modules: how neurons reset, and the time step. The framework is that of the
network's neurons, and is imported only if the network has them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import nir
import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError, reason
from spikeport.exporter.compile_options import CompileOptions, Reset

FRAMEWORKS = ("snntorch", "spikingjelly", "norse", "sinabs")


@dataclass(frozen=True)
class Exported:
    """A framework's network as it exports it, and the options that compile it with the framework's meaning."""

    graph: nir.NIRGraph
    options: CompileOptions


def export_module(network: nn.Module, sample: Tensor | None, options: CompileOptions) -> Exported:
    """A framework's network as a NIR graph; raises InputError that names what stands in the way.

    sample: one step of input, (batch, *shape); None: made up for a network that starts with a Linear layer.
    """
    framework = options.framework or framework_of(network)
    # a copy: exporters run the network, which changes the state of its neurons
    network = copy.deepcopy(network).cpu().eval()
    step = _sample(network) if sample is None else sample.detach().cpu().float()
    try:
        with torch.no_grad():
            exported = _EXPORTERS[framework](network, step, options)
    except InputError:
        raise
    except Exception as error:  # exporters raise errors of every kind
        raise InputError(
            f"{framework}'s exporter does not read this network ({reason(error)}); give a torch.nn.Sequential of its "
            "layers, made of what the exporter supports (docs/frameworks.md)"
        ) from error
    graph = exported.graph
    graph.infer_types()
    return Exported(graph, replace(exported.options, framework=framework))


def framework_of(network: nn.Module) -> str:
    """The framework of a network's neurons; raises InputError if there is none, or more than one."""
    roots = {type(module).__module__.partition(".")[0] for module in network.modules()}
    present = [name for name in FRAMEWORKS if name in roots]
    if len(present) == 1:
        return present[0]
    if present:
        raise InputError(f"the network has layers of {' and '.join(present)}; give one with neurons of one framework")
    raise InputError(
        f"{type(network).__name__} has no neurons of snnTorch, SpikingJelly, Norse or Sinabs; put them between its "
        "layers, or give a NIR graph"
    )


def _sample(network: nn.Module) -> Tensor:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            return torch.zeros(1, module.in_features)
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            break
    raise InputError("the network's input shape is not known; give one step of input as sample=torch.zeros(1, ...)")


def _snntorch(network: nn.Module, sample: Tensor, options: CompileOptions) -> Exported:
    resets: dict[str, Reset] = {}
    for name, module in network.named_modules():
        mechanism = getattr(module, "reset_mechanism", None)
        if mechanism is None:
            continue
        if mechanism == "none":
            raise InputError(f"{name!r} does not reset after a spike, which no chip can; use 'subtract' or 'zero'")
        late = bool(getattr(module, "reset_delay", True))
        resets[name] = "zero" if mechanism == "zero" else "subtract_after_decay" if late else "subtract"
    graph = import_module("snntorch.export_nir").export_to_nir(network, sample[0])
    return Exported(graph, _with_reset(options, resets))


def _spikingjelly(network: nn.Module, sample: Tensor, options: CompileOptions) -> Exported:
    resets: dict[str, Reset] = {}
    for name, module in network.named_modules():
        if hasattr(module, "v_reset") and hasattr(module, "v_threshold"):
            resets[name] = "subtract" if module.v_reset is None else "zero"
            if module.v_reset is None:
                # the exporter refuses what NIR cannot record; the compile options can
                module.v_reset = 0.0
    functional = import_module("spikingjelly.activation_based.functional")
    functional.reset_net(network)
    functional.set_step_mode(network, "s")
    dt = options.dt or 1e-4
    graph = import_module("spikingjelly.activation_based.nir_exchange").export_to_nir(network, sample[:1], dt=dt)
    return Exported(graph, replace(_with_reset(options, resets), dt=dt))


def _norse(network: nn.Module, sample: Tensor, options: CompileOptions) -> Exported:
    steps = {name: float(module.dt) for name, module in network.named_modules() if hasattr(module, "dt")}
    if len(set(steps.values())) > 1:
        described = ", ".join(f"{name} {dt:g} s" for name, dt in steps.items())
        raise InputError(f"the neurons have different time steps ({described}); give them one")
    dt = options.dt or next(iter(steps.values()), 1e-3)
    graph = import_module("norse.torch.utils.export_nir").to_nir(network, sample[0], dt=dt)
    return Exported(graph, replace(options, dt=dt))


def _sinabs(network: nn.Module, sample: Tensor, options: CompileOptions) -> Exported:
    resets: dict[str, Reset] = {}
    for name, module in network.named_modules():
        kind = type(getattr(module, "reset_fn", None)).__name__
        if kind in ("MembraneSubtract", "MembraneReset"):
            resets[name] = "subtract" if kind == "MembraneSubtract" else "zero"
        if hasattr(module, "batch_size") and hasattr(module, "reset_states"):
            module.batch_size = len(sample)
            module.reset_states()
    graph = import_module("sinabs.nir").to_nir(network, sample)
    return Exported(graph, _with_reset(options, resets))


def _with_reset(options: CompileOptions, resets: dict[str, Reset]) -> CompileOptions:
    """The options with the neurons' reset, unless they name one; raises InputError if the neurons differ."""
    if options.reset is not None or not resets:
        return options
    if len(set(resets.values())) > 1:
        described = ", ".join(f"{name} {kind}" for name, kind in resets.items())
        raise InputError(f"the neurons reset in different ways ({described}); give them one, or reset=...")
    return replace(options, reset=next(iter(resets.values())))


_EXPORTERS: dict[str, Callable[[Any, Tensor, CompileOptions], Exported]] = {
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "norse": _norse,
    "sinabs": _sinabs,
}
