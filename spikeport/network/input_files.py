"""The input of a network from a file of spikes, or from recordings of events or sound, or images."""

from __future__ import annotations

from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import EVENTS, IMAGES, SOUNDS, file_kind
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.lava_runtime.input_files import HasInputs, open_input


def is_recording(path: Path) -> bool:
    """Whether a path is a recording of events or sound, an image, or a folder."""
    return path.is_dir() or (path.is_file() and file_kind(path) in EVENTS | SOUNDS | IMAGES)


def open_spikes(path: Path, program: HasInputs, steps: int | None = None) -> tuple[InputArrays, int | None]:
    """A network's input, and the steps of the chip to run: `steps`, or None after recordings.

    Recordings are divided into `steps` steps, or into steps of the network's dt, and run until every answer is out.
    Raises InputError.
    """
    from spikeport.trainer.data.own.recordings import read_recordings

    if not is_recording(path):
        return open_input(path, program), steps
    if len(program.inputs) != 1:
        names = ", ".join(port.name for port in program.inputs)
        raise InputError(f"{path}: the network has several inputs ({names}); give a .npz file with one array for each")
    return read_recordings(path, program.inputs[0].shape, program.dt, steps), None
