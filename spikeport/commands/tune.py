"""Implementation of `spikeport tune`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError
from spikeport.common.files import beside
from spikeport.common.locks import locked_file
from spikeport.console.output import Output, progress, say
from spikeport.exporter.compile_options import CompileOptions


def tune_file(
    model: Path,
    data: Path,
    labels: Path | None,
    task: str | None,
    test: Path | None,
    test_labels: Path | None,
    chip: str,
    options: CompileOptions,
    training: Mapping[str, Any],
    output: Path,
    resume: bool,
    streams: Output,
) -> None:
    """Tune a .nir file and report what changed; training: fields of TuneSettings.

    The state is kept next to the output after every epoch, until the tuning ends.
    """
    from spikeport.network.model_files import check_model_file
    from spikeport.tuning.checkpoint import TuneCheckpoint
    from spikeport.tuning.fine_tune import TuneSettings
    from spikeport.tuning.tune import tune

    if output.suffix != ".nir":
        raise InputError(
            f"{output}: {output.suffix or 'no ending'} cannot be written; give -o a file that ends in .nir"
        )
    check_model_file(model, (".nir",))
    settings = TuneSettings(**training)
    checkpoint = TuneCheckpoint(beside(output, ending=".checkpoint"), resume)
    with locked_file(output), progress(f"{model}: training", streams.console) as done:
        tuned = tune(
            model, data, labels, chip, test=test, test_labels=test_labels, options=options, settings=settings,
            progress=done, task=task, checkpoint=checkpoint,
        )  # fmt: skip
        tuned.save(output)
        checkpoint.remove()
    tuned.show(streams.console)
    say(streams.console, f"{output}: written")
    streams.write_json({**tuned.to_dict(), "written": str(output)})
