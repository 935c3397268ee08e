"""Implementation of `spikeport export`: networks and programs in the formats of other projects."""

from __future__ import annotations

from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.console.output import Output, say
from spikeport.exporter.compile_options import CompileOptions
from spikeport.network.choices import given
from spikeport.network.graph_loader import open_for_net
from spikeport.network.network import open_network
from spikeport.run.run_folder import RunFolder


def export(source: Path, output: Path, chip: str | None, options: CompileOptions, streams: Output) -> None:
    """Export a run's network as NIR or .net or its ANN twin as ONNX, or a model file as .net, by the ending."""
    folder = RunFolder(source)
    model_only = ([] if chip is None else ["--chip"]) + given(options)
    if output.suffix not in (".net", ".json") and model_only:
        raise InputError(f"{output}: only .net and .json files take {', '.join(model_only)}; leave that out")
    if output.suffix == ".net":
        _export_net(source, output, chip, options, streams)
    elif output.suffix == ".json":
        _export_specification(source, output, chip, options)
    elif source.is_file():
        raise InputError(
            f"{output}: a model file can only be exported as .net, or as .json for a Xylo chip; give -o such a file, "
            "or give a run's folder"
        )
    elif output.suffix == ".nir":
        from spikeport.exporter.from_torch import network_to_nir
        from spikeport.exporter.nir_graph.nir_file import write_nir
        from spikeport.trainer.methods.registry import load_trained

        write_nir(network_to_nir(load_trained(folder.network).spiking_network), output)
    elif output.suffix == ".onnx":
        from spikeport.exporter.onnx.ann_model import export_onnx
        from spikeport.trainer.ann import AnnTwin

        twin = AnnTwin.load(folder.twin)
        export_onnx(twin.twin_layers(), twin.network.input_shape, output)
    else:
        ending = output.suffix or "no ending"
        raise InputError(
            f"{output}: {ending} cannot be written; give -o a file that ends in .nir, .net, .onnx or .json"
        )
    say(streams.console, f"{output}: written")
    streams.write_json({"written": str(output)})


def _export_net(source: Path, output: Path, chip: str | None, options: CompileOptions, streams: Output) -> None:
    from spikeport.exporter.netx.to_net import write_net

    program = open_for_net(source, chip, options)
    write_net(program, output, str(source))
    for name, report in program.quantisation.items():
        say(
            streams.console, f"{name}: weight error rms {report.weight_error_rms:.2%}, threshold {report.vth_error:.2%}"
        )


def _export_specification(source: Path, output: Path, chip: str | None, options: CompileOptions) -> None:
    """Write a Xylo network as the arguments of Rockpool's config_from_specification."""
    from spikeport.exporter.xylo.specification_file import write_specification

    model = source
    if source.is_dir():
        model = RunFolder(source).chip if chip is None else RunFolder(source).nir
    write_specification(open_network(model, chip, options).program, output)
