"""The command `fit`: a model on every chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from spikeport.common.errors import InputError

from .exit_codes import EXIT_NO
from .model_data import names
from .option_groups import CompileOptions, OutputOption, grouped


@grouped
def fit(
    model: Annotated[Path, typer.Argument(help="The network, a .nir file.", metavar="MODEL.nir")],
    data: Annotated[
        Path,
        typer.Option("--data", help="Spikes (time, samples, *input shape), or a recording.", metavar="X.npy"),
    ],
    choices: CompileOptions,
    streams: OutputOption,
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--labels", help="Class of each sample (N,), for the accuracy.", metavar="Y.npy"),
    ] = None,
    chips: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--chips", help="Only these chips (comma-separated); default: all.", metavar="A,B"),
    ] = None,
) -> None:
    """Try a network on every chip: whether it fits, its answers, energy and latency. Exits with 1 if it fits none.

    Example: spikeport fit digits.nir --data digits.npy --labels digits_labels.npy
    """
    from spikeport.console.output import progress
    from spikeport.run.chip_fits import fit as fit_chips

    if chips is not None and not names(chips):
        raise InputError(f"--chips {chips!r} names no chip; leave it out for all of them")
    with progress(f"{model}: chips", streams.console) as done:
        fits = fit_chips(model, data, labels, chips=names(chips or ""), options=choices, progress=done)
    fits.show(streams.console)
    streams.write_json(fits.to_dict())
    if not fits.fits:
        raise typer.Exit(EXIT_NO)
