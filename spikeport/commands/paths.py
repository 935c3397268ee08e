"""Files a command reads and writes: no file may be both, and an output that cannot be written is refused at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError
from spikeport.common.files import is_standard_output, target_of
from spikeport.common.overwriting import refuse_inputs, same_file
from spikeport.console.bare_json import NO_JSON, STANDARD_OUTPUT

# parameters of commands by what they name; a test checks that every path of every command is listed
READ = ("recipe", "source", "model", "calibrate", "test", "labels", "x", "by_hand", "run", "folder", "other",
        "validate", "chip", "chips", "costs", "devices", "name", "teacher", "data", "test_labels")  # fmt: skip
FILES = {
    "output": "-o",
    "picture": "--picture",
    "trace": "--trace",
    "dump_map": "--dump-map",
    "table": "--table",
    "json_file": "--json",
}
FOLDERS = {"out": "--out", "dump": "--dump", "kit": "--kit"}

# files of a run folder that commands read; report.html and files written by `export` may be replaced
_OF_A_RUN = ("recipe.toml", "network.*", "ann.pt", "ann.safetensors", "checkpoint.*", "summary.json", "raster.npz",
             "sparsity.json", "test_input.npy", "result.npz")  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """What one call reads and writes; files and folders: by the option that names them."""

    read: tuple[Path, ...]
    files: Mapping[str, Path]
    folders: Mapping[str, Path]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Paths:
        """From a command's parameters."""
        given = {name: value for name, value in values.items() if value is not None}
        files = {option: given[name] for name, option in FILES.items() if isinstance(given.get(name), Path)}
        folders = {option: given[name] for name, option in FOLDERS.items() if isinstance(given.get(name), Path)}
        if str(files.get("--json")) == STANDARD_OUTPUT:
            del files["--json"]
        read = [path for name in READ if name in given for path in _read_by(given[name])]
        return cls(tuple(read), files, folders)

    @property
    def to_standard_output(self) -> list[str]:
        """Options of the files that are written to standard output."""
        return [option for option, path in self.files.items() if is_standard_output(path)]

    def check(self, bare_json: bool = False) -> None:
        """Raise InputError for an output that is an input or another output, or that cannot be written.

        bare_json: whether JSON results go to standard output.
        """
        for option, path in self.files.items():
            if str(path) == STANDARD_OUTPUT:
                raise InputError(f"{option} -: names no file; give a name, or {option} /dev/stdout for standard output")
            if option == "--json" and path.suffix in NO_JSON:
                raise InputError(
                    f"--json {path}: results are JSON, but {path.suffix} files are not; give --json a .json file, "
                    "or put it last for standard output"
                )
            target_of(path)
            refuse_inputs(path, self.read, option)
            parts = Path(f"{path}.parts")
            if option == "-o" and any(_within(read, parts) for read in self.read):
                raise InputError(f"{parts}: holds the parts of {path} and also an input; move the input")
        for option, path in self.folders.items():
            if path.exists() and not path.is_dir():
                raise InputError(f"{path}: is a file; give a folder with {option}")
        standard = [*self.to_standard_output, *(["--json"] if bare_json else [])]
        if len(standard) > 1:
            raise InputError(f"{' and '.join(standard)}: both write to standard output; give one of them a file")
        named = list(self.files.items())
        for number, (option, path) in enumerate(named):
            for other, again in named[:number]:
                if _one_target(path, again):
                    raise InputError(f"{other} {again} and {option} {path}: are one file; choose another name for one")


def files_read_in(folder: Path) -> Iterator[Path]:
    """The files of a run folder that its commands read."""
    for pattern in _OF_A_RUN:
        yield from folder.glob(pattern)


def _read_by(value: Any) -> Iterator[Path]:
    """The files behind an argument: a path, a folder's files, or a list by comma of names and files."""
    for text in str(value).split(",") if isinstance(value, str) else (value,):
        path = Path(str(text).strip())
        if path.is_dir():
            yield from files_read_in(path)
        elif path.exists():
            yield path


def _one_target(one: Path, other: Path) -> bool:
    """Whether both are one plain file, there or not yet; a pipe or device takes several."""
    first, second = target_of(one), target_of(other)
    return first.plain and second.plain and (first.path == second.path or same_file(first.path, second.path))


def _within(path: Path, folder: Path) -> bool:
    return folder.exists() and Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents
