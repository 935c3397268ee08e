"""Parts of a run on disk: samples cut into chunks, each chunk's arrays in a folder, all of them one OUT.npz in the end.

FOLDER/run.json            what is run, by digest: a folder that holds another run is not taken for this one
FOLDER/00000-00128/        the arrays of samples 0 to 127, written under another name and renamed when whole;
                           chunk.json: their names and digest, those of the run and of the input that gave them
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.arrays import Blocks, save_arrays
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays

from .inputs import by_name, extent
from .result import Record

_RUN = "run.json"
_NOTE = "chunk.json"
# a chunk's recorded arrays and input; more samples a chunk make the kernels faster up to about 128
_CHUNK_BYTES = 256 << 20
_CHUNK_SAMPLES = 128

Chunk = tuple[int, int]
"""The first sample and the one after the last."""


@dataclass(frozen=True)
class ChunkStore:
    """The folder of a run's chunks; digest: of the run."""

    folder: Path
    digest: str

    @classmethod
    def open(cls, folder: Path, digest: str) -> ChunkStore:
        """The folder of the run of that digest, emptied of another run's chunks; raises InputError if it is no such.

        To be called by the one process that holds the output's lock.
        """
        note = folder / _RUN
        if folder.exists():
            if not note.is_file():
                raise InputError(f"{folder}: is in the way of a run's parts; move it, or choose another -o")
            if _read_note(note).get("digest") != digest:
                shutil.rmtree(folder)
        write_text(note, json.dumps({"digest": digest}))
        return cls(folder, digest)

    def has(self, chunk: Chunk) -> bool:
        """Whether a chunk is done."""
        return self._place(chunk).is_dir()

    def keep_only(self, inputs: Mapping[Chunk, str]) -> None:
        """Delete the chunks that another run or another input gave; inputs: each one's digest."""
        for chunk, digest in inputs.items():
            if self.has(chunk) and not self._is_of(chunk, digest):
                shutil.rmtree(self._place(chunk))

    def put(self, chunk: Chunk, digest: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep a chunk's arrays, which the input of that digest gave; it is there only when it is whole."""
        place = self._place(chunk)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=self.folder))
        for index, values in enumerate(arrays.values()):
            np.save(temporary / f"{index}.npy", values, allow_pickle=False)
        note = {"names": list(arrays), "run": self.digest, "input": digest, "arrays": _digest(arrays)}
        (temporary / _NOTE).write_text(json.dumps(note), encoding="utf-8")
        try:
            temporary.replace(place)
        except OSError:
            # the same chunk was run elsewhere, too, and is there; whose it is is looked at when it is taken
            if not place.is_dir():
                raise
            shutil.rmtree(temporary)

    def drop_wrong(self, inputs: Mapping[Chunk, str]) -> list[Chunk]:
        """Delete the chunks that are damaged, or that another run or another input gave; returns them."""
        wrong = [chunk for chunk, digest in inputs.items() if not self._is_whole(chunk, digest)]
        for chunk in wrong:
            shutil.rmtree(self._place(chunk), ignore_errors=True)
        return wrong

    def get(self, chunk: Chunk) -> dict[str, NDArray[Any]]:
        """A chunk's arrays by name, mapped from disk."""
        place, names = self._place(chunk), self._note(chunk)["names"]
        return {name: np.load(place / f"{i}.npy", mmap_mode="r", allow_pickle=False) for i, name in enumerate(names)}

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)

    def _is_of(self, chunk: Chunk, digest: str) -> bool:
        note = self._note(chunk)
        return (note.get("run"), note.get("input")) == (self.digest, digest)

    def _is_whole(self, chunk: Chunk, digest: str) -> bool:
        try:
            return self._is_of(chunk, digest) and self._note(chunk).get("arrays") == _digest(self.get(chunk))
        except (OSError, ValueError, TypeError, EOFError):
            return False

    def _note(self, chunk: Chunk) -> dict[str, Any]:
        return _read_note(self._place(chunk) / _NOTE)

    def _place(self, chunk: Chunk) -> Path:
        return self.folder / f"{chunk[0]:05d}-{chunk[1]:05d}"


def _read_note(path: Path) -> dict[str, Any]:
    """What a note says; nothing, if it is not whole."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Of arrays by name, with their types and shapes, in order."""
    found = hashlib.sha256()
    for name, values in arrays.items():
        found.update(repr((name, values.dtype.str, values.shape)).encode())
        found.update(np.ascontiguousarray(values).data if values.size else b"")
    return found.hexdigest()


def save_joined(parts: Sequence[Mapping[str, NDArray[Any]]], path: str | Path, threads: int) -> None:
    """Write the chunks' arrays as one .npz file, the very one that the whole run at once would save."""
    save_arrays(path, {name: _joined([part[name] for part in parts], name) for name in parts[0]}, threads)


def _joined(parts: list[NDArray[Any]], name: str) -> Blocks:
    """Parts along the samples' axis: the first of counts, the second of arrays that begin with time."""
    axis = 0 if name.startswith(("counts/", "neuron_counts/")) else 1
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)

    def pieces() -> Iterable[NDArray[Any]]:
        if axis == 0:
            yield from parts
        else:
            for step in range(shape[0]):
                yield np.concatenate([part[step] for part in parts])

    return Blocks(tuple(shape), parts[0].dtype, pieces)


def split_samples(program: ChipProgram, x: InputArrays, steps: int, record: Record) -> list[Chunk]:
    """Cut the samples into chunks: alike for any number of workers, at least 16 where there are as many samples."""
    batch = extent(x)[1]
    entering = sum(values.nbytes for values in by_name(x).values())
    a_sample = recorded_bytes(program, steps, record) + entering // batch
    size = max(1, min(_CHUNK_SAMPLES, -(-batch // 16), _CHUNK_BYTES // max(a_sample, 1)))
    return [(begin, min(begin + size, batch)) for begin in range(0, batch, size)]


def recorded_bytes(program: ChipProgram, steps: int, record: Record) -> int:
    """What is kept of one sample, about."""
    if record == "spikes":
        return 4 * steps * sum(program.source_size(name) for name in program.outputs)
    return 4 * steps * sum(p.size * (1 + (len(p.STATES) if record == "all" else 0)) for p in program.populations)


def digest_of(x: InputArrays, *others: object) -> str:
    """What tells one input, and what else is given, from another."""
    arrays = by_name(x)
    found = hashlib.sha256(repr((array_forms(x), others)).encode())
    for name in sorted(arrays):
        for values in arrays[name]:
            found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def array_forms(x: InputArrays) -> list[tuple[str, tuple[int, ...], str]]:
    """Name, shape and type of each array."""
    arrays = by_name(x)
    return [(name, arrays[name].shape, arrays[name].dtype.str) for name in sorted(arrays)]
