"""Networks of any origin as trainable torch modules that compute as the chip does.

import spikeport as sp

module = sp.torch.module(network, chip="loihi2", weight_bits=4)
spikes = module(x)                      # (T, B, ...), the chip's, bit for bit
module.compile().profile(x)
module.load_into(network)
"""

from __future__ import annotations

import math
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import nir
from torch import Tensor, nn

from spikeport.common.errors import InputError, nearest
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.validate import validate
from spikeport.exporter.trainable.frameworks import export_module
from spikeport.exporter.trainable.load_into import load_into
from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.other_files import ReadNetwork, read_net, read_onnx
from spikeport.exporter.trainable.own_graph import OwnGraph
from spikeport.exporter.trainable.plan import make_plan
from spikeport.hardware_profiles.loader import load_chip
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.network.graph_loader import sample_images, with_sample
from spikeport.network.model_files import check_model_file
from spikeport.network.network import Network, compile_network

__all__ = ["Module", "OwnModule", "module"]

_OPTIONS = tuple(field.name for field in fields(CompileOptions))


class Module(ChipModule):
    """A network as a torch module; its forward pass gives the chip's spikes, (T, B, *input) to (T, B, *output).

    Train its parameters with any loop. Made by `module`. input_scale: the number that represents 1 at the input of a
    network that takes real numbers (.net, .onnx): give it torch.round(input_scale * x) in every step.
    """

    def compile(self) -> Network:  # type: ignore[override]
        """The network compiled for its chip: its integers are those of the forward pass."""
        options = replace(self.plan.options, dt=None, framework=None)
        return compile_network(self.to_nir(), self.chip_name, options)

    def load_into(self, network: nn.Module) -> None:
        """Put the weights and biases into the modules of the same names; raises InputError that names the first misfit.

        network: the framework's network that the module was made from, or one of the same layers.
        """
        load_into(self, network)

    chip_name: str = "loihi2"
    input_scale: float = 1.0


class OwnModule(OwnGraph):
    """A network as a torch module in integers that are not Loihi's, with the calls of Module.

    Its forward pass gives the chip's events, (T, B, *input) to (T, B, *output). Made by `module`. own: the module of
    the chip's family (exporter/chip_integers.py), whose parameters are trained.
    """

    def compile(self) -> Network:  # type: ignore[override]
        """The network compiled for its chip: its integers are those of the forward pass."""
        program = validate(cast(Any, self.own).program())
        options = replace(self.options, dt=None, framework=None)
        return Network(program, "network", self.chip_name, self._source(), options)

    def load_into(self, network: nn.Module) -> None:
        """Put the weights and biases into the modules of the same names; raises InputError that names the first misfit.

        network: the framework's network that the module was made from, or one of the same layers.
        """
        load_into(self, network)

    def _source(self) -> nir.NIRGraph | None:
        """The graph that diff runs in floating point, None where no graph keeps what was trained."""
        try:
            return self.to_nir()
        except InputError:
            return None

    chip_name: str = "xylo_audio2"
    input_scale: float = 1.0


def module(
    source: nir.NIRGraph | nn.Module | str | Path,
    chip: str | Path = "loihi2",
    *,
    sample: Tensor | None = None,
    surrogate: str = "atan",
    width: float = 0.5,
    reset_gradient: bool | None = None,
    options: CompileOptions = DEFAULTS,
    **named: Any,
) -> Module | OwnModule:
    """A network as a trainable module that computes as the chip does; raises InputError.

    source: a NIR graph, a .nir or .net file, a ReLU network in an .onnx file (rate-coded; calibrate=x takes sample
    input (N, *shape), on which thresholds are balanced), or a network of snnTorch, SpikingJelly, Norse or Sinabs.
    chip: a name or a profile file; where its integers are not Loihi's, the module is an OwnModule. sample: one step of
    a framework's input, (batch, *shape), needed where the first layer is a convolution. surrogate, width: the slope of
    a spike by name, and its width in units of a layer's largest threshold. reset_gradient: whether gradients flow
    through the reset of v as well; None: as the chip's module does, Loihi's not and Xylo's so. options, named: how it
    is compiled, as spikeport.compile takes it (dt, weight_bits, framework, reset, calibrate, ...).
    """
    if "calibrate" in named:
        named["calibration"] = named.pop("calibrate")
    unknown = next((name for name in named if name not in _OPTIONS), None)
    if unknown is not None:
        hint = nearest(unknown, _OPTIONS) or f"; the known ones are {', '.join(_OPTIONS)}"
        raise InputError(f"there is no compile option {unknown!r}{hint}")
    if not 0 < width < math.inf:
        raise InputError(f"width is a positive number, not {width}")
    if reset_gradient is not None and not isinstance(reset_gradient, bool):
        raise InputError(f"reset_gradient is True, False or None, not {reset_gradient!r}")
    selected = replace(options, **{name: value for name, value in named.items() if value is not None})
    context, scale, profile = "network", 1.0, load_chip(str(chip))
    if isinstance(source, nn.Module):
        exported = export_module(source, sample, selected)
        graph, selected = exported.graph, exported.options
    elif isinstance(source, nir.NIRGraph):
        graph = source
    elif isinstance(source, (str, os.PathLike)):
        context = str(source)
        read = _read(Path(source), profile, selected)
        graph, selected, scale = read.graph, read.options, read.input_scale
    else:
        raise InputError(
            f"source is a value of type {type(source).__name__}; give an nn.Module, a nir.NIRGraph, or a .nir, .net or "
            ".onnx file"
        )
    sampled = with_sample(selected, graph, context)
    if profile.integers != "loihi":
        own = OwnModule(graph, profile, sampled, context, surrogate, width)
        own.chip_name, own.input_scale = str(chip), scale
        own.set_reset_gradient(reset_gradient)
        return own
    plan = make_plan(graph, profile, sampled, context)
    made = Module(plan, surrogate, width, reset_gradient=bool(reset_gradient))
    made.chip_name, made.input_scale = str(chip), scale
    return made


def _read(path: Path, chip: ChipProfile, options: CompileOptions) -> ReadNetwork:
    if path.suffix == ".chip":
        check_model_file(path, (".chip",))
        raise InputError(f"{path}: holds the chip's integers only; give the .nir file that it was compiled from")
    check_model_file(path, (".nir", ".net", ".onnx"))
    if path.suffix == ".net":
        return read_net(path, chip, options)
    if path.suffix == ".onnx":
        return read_onnx(path, chip, options, sample_images(options))
    return ReadNetwork(read_nir(path), options)
