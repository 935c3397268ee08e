"""Implementation of `spikeport import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from spikeport.console.output import Output, progress, say

from .exit_codes import EXIT_NO

if TYPE_CHECKING:
    from spikeport.exporter.onnx.convert import Coding
    from spikeport.exporter.onnx.max_pool import Replacement

_REMEDY = "give --calibrate samples as in training, more --steps, or --as sigma-delta"


def import_onnx(
    model: Path, chip: str, way: Coding, calibrate: Path, steps: int, test: Path | None, labels: Path | None,
    replace_maxpool: Replacement | None, answer: str | None, output: Path, streams: Output,
) -> None:  # fmt: skip
    """Convert an ONNX network of ReLUs and report the accuracy lost per number of steps."""
    from spikeport.common.locks import locked_file
    from spikeport.exporter.onnx.convert import convert_onnx
    from spikeport.hardware_profiles.loader import load_chip
    from spikeport.lava_runtime.inputs import load_input, load_labels
    from spikeport.network.model_files import check_onnx_file
    from spikeport.results.conversion import check_ending, measure

    check_ending(output, way)
    check_onnx_file(model)
    samples = load_input(calibrate)
    tested, source = (samples, calibrate) if test is None else (load_input(test), test)
    classes = None if labels is None else load_labels(labels)
    with locked_file(output):
        with streams.console.status(f"{model}: converting"):
            converted = convert_onnx(
                model, load_chip(chip), samples, way, steps, replace_maxpool=replace_maxpool, context=str(calibrate),
                output=answer,
            )  # fmt: skip
        with progress(f"{model}: answers", streams.console) as done:
            conversion = measure(converted, way, tested, steps, classes, done, str(source))
        conversion.save(output)
    conversion.show(streams.console)
    say(streams.console, f"{output}: written")
    streams.write_json({**conversion.to_dict(), "written": str(output)})
    if conversion.failure is not None:
        say(Console(stderr=True), f"{model}: {conversion.failure}; {_REMEDY}")
        raise typer.Exit(EXIT_NO)
