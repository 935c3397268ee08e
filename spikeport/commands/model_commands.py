"""Commands on one model file: export, compile, import, tune, check, simulate, diff, profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from spikeport.gates import share

from . import completion
from .exit_codes import EXIT_NO
from .option_groups import AgreementGate, CompileOptions, CostGates, OutputOption, grouped
from .options import (
    BackendName,
    ChipOption,
    ClusterOption,
    DeviceName,
    DeviceOption,
    InputOption,
    MapOption,
    MaxPoolName,
    ModelArgument,
    OptimiseOption,
    OptionalChip,
    RecordName,
    WayName,
    WorkersOption,
    goal_of,
)


@grouped
def export(
    source: Annotated[
        Path,
        typer.Argument(help="A folder written by `train` or `run`; for .net and .json also a model.", metavar="DIR"),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", help="The file to write: .nir, .net, .onnx or .json.", metavar="MODEL.nir|.net|.onnx|.json"),
    ],
    choices: CompileOptions,
    streams: OutputOption,
    chip: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--chip",
            help="The chip a .net or .json file is rounded for; .net: default loihi2.",
            metavar="NAME",
            autocompletion=completion.chips,
        ),
    ] = None,
) -> None:
    """Export the trained network as NIR, for lava-dl (.net) or for a Xylo chip (.json), or its ANN twin as ONNX.

    Example: spikeport export runs/digits -o digits.nir
    """
    from . import export_files

    export_files.export(source, output, chip, choices, streams)


def _list_passes(show: bool) -> None:
    if show:
        from spikeport.exporter.lowering.pass_pipeline import describe_passes

        steps = describe_passes()
        width = max(map(len, steps)) + 2
        for name, sentence in steps.items():
            typer.echo(f"{name:{width}s}{sentence}")
        raise typer.Exit


@grouped
def compile_(
    model: Annotated[Path, typer.Argument(help="The network, a .nir, .net or .onnx file.", metavar="MODEL")],
    chip: ChipOption,
    output: Annotated[Path, typer.Option("-o", help="The program to write.", metavar="MODEL.chip")],
    choices: CompileOptions,
    streams: OutputOption,
    dump: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dump", help="Folder for the network after each pass.", metavar="DIR"),
    ] = None,
    passes: Annotated[  # noqa: ARG001 - read by its callback
        bool, typer.Option("--passes", help="List the passes and exit.", is_eager=True, callback=_list_passes)
    ] = False,
) -> None:
    """Compile a network to a chip's integers.

    Example: spikeport compile digits.nir --chip loihi2 -o digits.chip
    """
    from . import commands

    commands.compile_model(model, chip, choices, dump, output, streams)


@grouped
def import_(
    model: Annotated[Path, typer.Argument(help="A network of ReLUs, an .onnx file.", metavar="MODEL.onnx")],
    calibrate: Annotated[
        Path, typer.Option("--calibrate", help="Sample input (N, *input shape), as in training.", metavar="X.npy")
    ],
    output: Annotated[Path, typer.Option("-o", help="The file to write: .chip or .nir.", metavar="MODEL.chip|.nir")],
    streams: OutputOption,
    chip: ChipOption = "loihi2",
    way: Annotated[WayName, typer.Option("--as", help="Conversion mode of ReLUs.")] = WayName.rate,
    steps: Annotated[int, typer.Option("--steps", help="Time steps per sample.", metavar="T")] = 32,
    test: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--input", help="Test samples; default: those of --calibrate.", metavar="X.npy"),
    ] = None,
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--labels", help="Class of each test sample (N,), for the accuracy.", metavar="Y.npy"),
    ] = None,
    replace_maxpool: Annotated[
        Optional[MaxPoolName],  # noqa: UP045
        typer.Option("--replace-maxpool", help="Replace MaxPool instead of computing it with ReLUs."),
    ] = None,
    answer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--output", help="The network's output to convert, of several; default: the first.", metavar="NAME"
        ),
    ] = None,
) -> None:
    """Convert a ReLU network (ONNX) to a spiking network and report the accuracy lost per number of steps.

    Exits with 1 if the result has no right answer.

    Example: spikeport import cnn.onnx --calibrate images.npy --labels classes.npy --steps 64 -o cnn.chip
    """
    from .onnx_import import import_onnx

    replacement = None if replace_maxpool is None else replace_maxpool.value
    import_onnx(model, chip, way.value, calibrate, steps, test, labels, replacement, answer, output, streams)


@grouped
def tune(
    model: Annotated[Path, typer.Argument(help="The network, a .nir file.", metavar="MODEL.nir")],
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Spikes (time, batch, *input shape), .npy, .npz or .h5, or recordings.", metavar="X.npy"
        ),
    ],
    output: Annotated[Path, typer.Option("-o", help="The file to write.", metavar="TUNED.nir")],
    choices: CompileOptions,
    streams: OutputOption,
    chip: Annotated[str, typer.Option("--chip", help="A chip by name, or a profile file.", metavar="NAME")] = "loihi2",
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--labels",
            help="Class of each sample (N,), or as --task says; default: the float network's.",
            metavar="Y.npy",
        ),
    ] = None,
    task: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--task", help="What --labels are (docs/tasks.md); default: the winner's class.", metavar="NAME"),
    ] = None,
    test: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--test", help="Samples to measure on; default: a fifth of --data.", metavar="X.npy"),
    ] = None,
    test_labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--test-labels", help="Class of each sample of --test.", metavar="Y.npy"),
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the data; 0: only round.", metavar="N")] = 20,
    batch: Annotated[int, typer.Option("--batch", help="Samples per step.", metavar="N")] = 32,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Relative to the size of each layer's weights.", metavar="R")
    ] = 0.0015,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the order of samples.", metavar="N")] = 0,
    exponents: Annotated[
        int, typer.Option("--exponents", help="Weight exponents of a synapse and sign, at most.", metavar="N")
    ] = 6,
    sparsity: Annotated[
        float, typer.Option("--sparsity", help="Weight of spikes beyond --target-rate in the loss.", metavar="W")
    ] = 0.0,
    target_rate: Annotated[
        float, typer.Option("--target-rate", help="Spikes per neuron and step that cost nothing.", metavar="R")
    ] = 0.0,
    teacher: Annotated[
        float, typer.Option("--teacher", help="With --labels: weight of the float network's answers.", metavar="W")
    ] = 0.0,
    pruned: Annotated[
        float, typer.Option("--prune", help="Fraction of every synapse's weights to set to 0.", metavar="F")
    ] = 0.0,
    mean_bits: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--mean-bits", help="Choose each layer's bits, at most so many per weight on average.", metavar="B"
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted tuning.")] = False,
    device: DeviceOption = DeviceName.cpu,
) -> None:
    """Train a network on in the chip's integers, with labels or after its own float network.

    Example: spikeport tune digits.nir --data digits.npy --chip loihi2 --weight-bits 4 -o tuned.nir
    """
    from .tune import tune_file

    training = {
        "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "seed": seed, "exponents": exponents,
        "sparsity": sparsity, "target_rate": target_rate, "pruned": pruned, "teacher": teacher,
        "mean_bits": mean_bits, "device": device.value,
    }  # fmt: skip
    tune_file(model, data, labels, task, test, test_labels, chip, choices, training, output, resume, streams)


@grouped
def check(
    model: ModelArgument,
    chip: ChipOption,
    choices: CompileOptions,
    streams: OutputOption,
    by_hand: MapOption = None,
    dump_map: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dump-map", help="Write the mapping to FILE, for --map.", metavar="FILE"),
    ] = None,
    optimise: OptimiseOption = None,
    x: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--input", help="Spikes to optimise with; default: a tenth of all neurons in each step.", metavar="X.npy"
        ),
    ] = None,
) -> None:
    """Check whether the network fits the chip and show what fills each core. Exits with 1 if it does not fit.

    Example: spikeport check digits.nir --chip loihi2
    """
    from . import commands

    goal = goal_of(optimise)
    if not commands.check(model, chip, choices, by_hand, dump_map, goal, x, streams):
        raise typer.Exit(EXIT_NO)


@grouped
def simulate(
    model: ModelArgument,
    x: InputOption,
    output: Annotated[Path, typer.Option("-o", help="The arrays to write.", metavar="OUT.npz")],
    choices: CompileOptions,
    streams: OutputOption,
    backend: Annotated[BackendName, typer.Option("--backend", help="Simulator to use.")] = BackendName.emulator,
    chip: OptionalChip = None,
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            "--steps",
            help="Time steps of the chip; default: until every answer is out. A recording is divided into as many.",
            metavar="T",
        ),
    ] = None,
    record: Annotated[RecordName, typer.Option("--record", help="What to record.")] = RecordName.spikes,
    time_limit: Annotated[
        float, typer.Option("--time-limit", help="Seconds after which a Lava run is stopped.", metavar="SECONDS")
    ] = 600.0,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    device: DeviceOption = DeviceName.cpu,
) -> None:
    """Run a network on spikes from a file.

    Example: spikeport simulate digits.chip --input x.npy --backend lava --record all -o out.npz
    """
    from . import simulate_files

    how = simulate_files.HowToRun(backend.value, steps, record.value, time_limit, workers, cluster, device.value)
    simulate_files.simulate_file(model, x, output, chip, choices, how, streams)


@grouped
def diff(
    model: Annotated[Path, typer.Argument(help="The network, a .nir file.", metavar="MODEL.nir")],
    x: InputOption,
    choices: CompileOptions,
    streams: OutputOption,
    bounds: AgreementGate,
    chip: OptionalChip = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", help="Share of a layer's spikes that may differ.", metavar="0.01")
    ] = "0",
    picture: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--picture", help="Also draw the differences to F.svg.", metavar="F.svg"),
    ] = None,
    task: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--task", help="What counts as the same answer (docs/tasks.md); default: the winner."),
    ] = None,
) -> None:
    """Compare the float network with its fixed-point program layer by layer and attribute the differences.

    Exits with 1 if any spike differs, unless --tolerance or --min-agreement allows it.

    Example: spikeport diff digits.nir --input x.npy --chip loihi2 --picture diff.svg
    """
    from . import commands

    allowed = share("--tolerance", tolerance)
    if not commands.diff_file(model, x, chip, choices, picture, allowed, bounds, streams, task):
        raise typer.Exit(EXIT_NO)


@grouped
def profile(
    model: ModelArgument,
    x: InputOption,
    chip: ChipOption,
    choices: CompileOptions,
    streams: OutputOption,
    bounds: CostGates,
    costs: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--costs",
            help="Also price the events on these profiles (comma-separated).",
            metavar="A,B",
            autocompletion=completion.costs,
        ),
    ] = None,
    run: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--run", help="A recorded run on this input, instead of a simulation.", metavar="OUT.npz"),
    ] = None,
    trace: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--trace", help="Write a timeline of the cores for Perfetto.", metavar="F.json"),
    ] = None,
    by_hand: MapOption = None,
    optimise: OptimiseOption = None,
) -> None:
    """Count spikes and synaptic operations and estimate energy and latency of one inference.

    Example: spikeport profile digits.chip --input x.npy --chip loihi2 --json profile.json
    """
    from . import commands

    goal = goal_of(optimise)
    if not commands.profile_file(model, x, chip, choices, costs, run, trace, by_hand, goal, bounds, streams):
        raise typer.Exit(EXIT_NO)
