"""Unmodified networks of snnTorch, SpikingJelly, Norse and Sinabs, through each framework's own NIR exporter.

What the exporters leave out is read off the modules: how neurons reset, and the time step. The framework is that of the
network's neurons, and is imported only if the network has them.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError, reason
from spikeport.exporter.compile_options import CompileOptions, Reset

from .spiking_max_pool import averaged_max_pools, with_spiking_max_pools

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
    network = _copy(network).cpu().eval()
    average = import_module("sinabs.layers").SumPool2d if framework == "sinabs" else nn.AvgPool2d
    pools = {_letters(name): pool for name, pool in averaged_max_pools(network, average).items()}
    step = _sample(network) if sample is None else sample.detach().cpu().float()
    try:
        with torch.no_grad(), warnings.catch_warnings(), _shapes_later():
            warnings.simplefilter("ignore")
            exported = _EXPORTERS[framework](network, step, options)
    except InputError:
        raise
    except Exception as error:  # exporters raise errors of every kind
        raise InputError(
            f"{framework}'s exporter does not read this network ({reason(error)}); give a torch.nn.Sequential of its "
            "layers, made of what the exporter supports (docs/frameworks.md)"
        ) from error
    graph = _plain(_with_max_pools(exported.graph, pools, network), network)
    # some exporters count the batch as a dimension of the input
    graph.nodes = {n: _input_of(step) if isinstance(node, nir.Input) else node for n, node in graph.nodes.items()}
    return Exported(graph, replace(exported.options, framework=framework))


def _copy(network: nn.Module) -> nn.Module:
    """A copy of a network, also of one that has just run: states with a gradient do not copy themselves."""
    tensors = (v for m in network.modules() for v in (*vars(m).values(), *m._buffers.values()) if isinstance(v, Tensor))
    return copy.deepcopy(network, {id(v): v.detach().clone() for v in tensors if not v.is_leaf})


def _input_of(step: Tensor) -> nir.Input:
    return nir.Input(input_type={"input": np.array(step.shape[1:])})


@contextmanager
def _shapes_later() -> Iterator[None]:
    """nir does not infer shapes meanwhile: it refuses one constant for a whole layer, which lowering reads."""
    types: dict[str, Any] = {name: lambda *_, **__: None for name in ("infer_types", "check_types")}
    with patch.multiple(nir.NIRGraph, **types):
        yield


def _with_max_pools(graph: nir.NIRGraph, pools: Mapping[str, nn.MaxPool2d], network: nn.Module) -> nir.NIRGraph:
    """The graph with max pooling again; pools: by the letters of their names."""
    if not pools:
        return graph
    modules = {_letters(name): module for name, module in network.named_modules()}
    named = {name: pools[_letters(name)] for name in graph.nodes if _letters(name) in pools}
    return with_spiking_max_pools(graph, named, lambda name: modules.get(_letters(name)))


def _plain(graph: nir.NIRGraph, network: nn.Module) -> nir.NIRGraph:
    """The graph with arrays in place of tensors and single numbers, and its inputs and outputs with their shapes.

    Raises InputError for a layer that the exporter has left out.
    """
    modules = {_letters(name): module for name, module in network.named_modules()}
    nodes: dict[str, nir.NIRNode] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            nodes[name] = _plain(node, network)
        elif node is None and isinstance(modules.get(_letters(name)), (nn.Flatten, nn.Identity, nn.Dropout)):
            nodes[name] = nir.Flatten({"input": None}, 0, -1)
            if not isinstance(modules[_letters(name)], nn.Flatten):
                nodes[name] = nir.Scale(np.ones(1))
        elif node is None:
            kind = type(modules.get(_letters(name))).__name__
            raise InputError(
                f"layer {name!r} ({kind}) cannot be deployed: its framework does not export it; use Linear, Conv2d, "
                "pooling and Flatten between the neurons"
            )
        elif isinstance(node, nir.Input):
            nodes[name] = nir.Input(input_type={"input": _shape(node.input_type)})
        elif isinstance(node, nir.Output):
            nodes[name] = nir.Output(output_type={"output": _shape(node.output_type)})
        else:
            nodes[name] = copy.copy(node)
            for field, value in vars(node).items():
                if isinstance(value, (Tensor, np.ndarray, np.generic, float)):
                    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
                    setattr(nodes[name], field, array.reshape(1) if array.ndim == 0 else array)
    return nir.NIRGraph(nodes=nodes, edges=list(graph.edges), metadata=dict(graph.metadata), type_check=False)


def _letters(name: str) -> str:
    """A module's name as exporters may write it."""
    return re.sub(r"\W", "_", name).lstrip("_")


def _shape(types: Any) -> np.ndarray[Any, Any]:
    """The shape of an input's or output's one port."""
    value = next(iter(types.values())) if isinstance(types, dict) else types
    return np.asarray([] if value is None else value, np.int64).reshape(-1)


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
        if mechanism == "subtract" and not getattr(module, "reset_delay", True):
            raise InputError(
                f"{name!r} subtracts the threshold at once (reset_delay=False) and once more where v is still above "
                "it; use reset_delay=True or reset_mechanism='zero'"
            )
        resets[name] = "zero" if mechanism == "zero" else "subtract_after_decay"
    graph = import_module("snntorch.export_nir").export_to_nir(network, sample, ignore_dims=[0])
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
    graph = import_module("norse.torch.utils.export_nir").to_nir(network, sample, dt=dt)
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
    for name, module in network.named_modules():
        node = graph.nodes.get(name)
        if isinstance(node, nir.LIF) and not getattr(module, "norm_input", True):
            # such a neuron adds its input as it is; the exporter leaves that out
            node.r = 1 / -torch.expm1(-1 / module.tau_mem.detach())
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
