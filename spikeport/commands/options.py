"""Options and arguments shared by several commands, as typer reads them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from . import completion

if TYPE_CHECKING:
    from spikeport.lava_runtime.partition.optimise import Goal


class BackendName(str, Enum):
    """Simulators of a program."""

    lava = "lava"
    stock = "stock"
    emulator = "emulator"
    xylosim = "xylosim"


class WayName(str, Enum):
    """Conversion modes of a ReLU."""

    rate = "rate"
    sigma_delta = "sigma-delta"


class MaxPoolName(str, Enum):
    """What replaces MaxPool of an ONNX network."""

    average = "average"


class GoalName(str, Enum):
    """What a mapping is optimised for."""

    time = "time"
    energy = "energy"
    cores = "cores"


OptimiseOption = Annotated[
    Optional[GoalName],  # noqa: UP045
    typer.Option("--optimise", help="Choose the cores by the cost model, for least time, energy or cores."),
]


def goal_of(name: GoalName | None) -> Goal | None:
    """The goal of --optimise."""
    return None if name is None else name.value


class DeviceName(str, Enum):
    """Where torch computes."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


RecipeDeviceOption = Annotated[
    Optional[DeviceName],  # noqa: UP045
    typer.Option("--device", help="Where torch computes; default: the recipe's. auto: on a GPU if there is one."),
]
DeviceOption = Annotated[
    DeviceName, typer.Option("--device", help="Where to compute. auto: on a GPU if torch finds one.")
]


def device_of(name: DeviceName | None) -> str | None:
    """The device of --device."""
    return None if name is None else name.value


class RecordName(str, Enum):
    """What a simulation records."""

    spikes = "spikes"
    layers = "layers"
    all = "all"


def _find_recipe(path: Path) -> Path:
    # --help stays quick
    from spikeport.run.shipped import find_recipe

    return find_recipe(path)


RecipeArgument = Annotated[
    Path,
    typer.Argument(
        help="A shipped recipe by name, or a .toml file.",
        metavar="RECIPE",
        callback=_find_recipe,
        autocompletion=completion.recipes,
    ),
]
ModelArgument = Annotated[Path, typer.Argument(help="A .chip file, or a .nir file with --chip.", metavar="MODEL")]
InputOption = Annotated[
    Path,
    typer.Option(
        "--input",
        help="Spikes (time, batch, *input shape), 0/1 or payloads; .npz: one array per port name; .h5: NIR's data; a "
        "recording of events or sound, or a folder of them; random:0.1: random spikes at that rate.",
        metavar="X.npy",
    ),
]
ChipOption = Annotated[
    str,
    typer.Option(
        "--chip",
        help="A chip by name, or a profile file (.toml).",
        metavar="NAME",
        autocompletion=completion.chips,
    ),
]
OptionalChip = Annotated[
    Optional[str],  # noqa: UP045 - typer on Python 3.10 reads the annotation at run time
    typer.Option(
        "--chip", help="The chip to compile a .nir file for.", metavar="NAME", autocompletion=completion.chips
    ),
]
MapOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--map", help="A manual mapping of neurons to cores, .toml or .json.", metavar="FILE"),
]
DtOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--dt", help="Time step in seconds, if the graph does not state it.", metavar="SECONDS"),
]
WeightBitsOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--weight-bits", help="Bits per weight; default: all the chip has.", metavar="N"),
]
FromOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--from",
        help="The framework that wrote the .nir file, for its conventions.",
        metavar="NAME",
        autocompletion=completion.frameworks,
    ),
]
CalibrateOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--calibrate", help="Sample input whose spikes determine the scales.", metavar="X.npy"),
]
JsonOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--json", help="Write results as JSON, to F or to standard output.", metavar="[F]"),
]
OutOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", help="Folder to write; default runs/NAME.", metavar="DIR"),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run in --out, once the new one is complete.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Resume from the checkpoint in the folder.")]
WorkersOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--workers", help="Processes that run the samples in chunks.", metavar="N", min=1),
]
ClusterOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--cluster", help="A dask scheduler whose workers run the chunks instead.", metavar="ADDRESS"),
]
