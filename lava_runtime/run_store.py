"""The chunks of a run on disk: samples are split into chunks with a folder each, joined into OUT.npz at the end.

FOLDER/run.json            digest of the run, so that another run's folder is not mistaken for this one's
FOLDER/00000-00128/        the arrays of samples 0 to 127, written under another name and renamed when complete;
                           chunk.json: their names, and the digests of the arrays, the run and the input
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
from spikeport.common.files import write_bytes, write_text
from spikeport.common.system_errors import system_sentence
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays

from .inputs import as_dict, steps_and_samples
from .result import Record

_RUN = "run.json"
_NOTE = "chunk.json"
# a chunk's recorded arrays and input; the kernels get faster with up to about 128 samples per chunk
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
        """The folder of the run with that digest, emptied of another run's chunks; raises InputError for other folders.

        Only the process that holds the output's lock may call it.
        """
        note = folder / _RUN
        if folder.exists():
            if not note.is_file():
                raise InputError(f"{folder}: is in the way of a run's chunks; move it, or choose another -o")
            if _read_note(note).get("digest") != digest:
                shutil.rmtree(folder)
        write_text(note, json.dumps({"digest": digest}))
        return cls(folder, digest)

    def add(self, name: str, content: bytes) -> Path:
        """Store a file that the workers read, until the folder is removed."""
        path = self.folder / name
        write_bytes(path, content)
        return path

    def has(self, chunk: Chunk) -> bool:
        """Whether a chunk is done."""
        return self._folder_of(chunk).is_dir()

    def keep_only(self, inputs: Mapping[Chunk, str]) -> None:
        """Delete the chunks of another run or another input; inputs: the digest of each chunk's input."""
        for chunk, digest in inputs.items():
            if self.has(chunk) and not self._is_of(chunk, digest):
                shutil.rmtree(self._folder_of(chunk))

    def put(self, chunk: Chunk, digest: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store a chunk's arrays, computed from the input with that digest; it appears only when complete.

        Raises InputError if the disk is full or cannot be written.
        """
        target = self._folder_of(chunk)
        note = {"names": list(arrays), "run": self.digest, "input": digest, "arrays": _digest(arrays)}
        try:
            temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=self.folder))
            try:
                for index, values in enumerate(arrays.values()):
                    np.save(temporary / f"{index}.npy", values, allow_pickle=False)
                (temporary / _NOTE).write_text(json.dumps(note), encoding="utf-8")
                temporary.replace(target)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        except OSError as error:
            # another worker may have stored the same chunk; `drop_wrong` checks it before it is used
            if not target.is_dir():
                raise InputError(system_sentence(error, str(self.folder))) from error

    def drop_wrong(self, inputs: Mapping[Chunk, str]) -> list[Chunk]:
        """Delete and return the chunks that are damaged or belong to another run or another input."""
        wrong = [chunk for chunk, digest in inputs.items() if not self._is_whole(chunk, digest)]
        for chunk in wrong:
            shutil.rmtree(self._folder_of(chunk), ignore_errors=True)
        return wrong

    def get(self, chunk: Chunk) -> dict[str, NDArray[Any]]:
        """A chunk's arrays by name, mapped from disk."""
        target, names = self._folder_of(chunk), self._note(chunk)["names"]
        return {name: np.load(target / f"{i}.npy", mmap_mode="r", allow_pickle=False) for i, name in enumerate(names)}

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
        return _read_note(self._folder_of(chunk) / _NOTE)

    def _folder_of(self, chunk: Chunk) -> Path:
        return self.folder / f"{chunk[0]:05d}-{chunk[1]:05d}"


def _read_note(path: Path) -> dict[str, Any]:
    """The content of a note, empty if it is damaged."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Digest of arrays in order, with their names, types and shapes."""
    hasher = hashlib.sha256()
    for name, values in arrays.items():
        hasher.update(repr((name, values.dtype.str, values.shape)).encode())
        hasher.update(np.ascontiguousarray(values).data if values.size else b"")
    return hasher.hexdigest()


def save_joined(
    chunks: Sequence[Mapping[str, NDArray[Any]]], path: str | Path, threads: int, whole: Mapping[str, NDArray[Any]]
) -> None:
    """Write the chunks' arrays, then those of the whole run, as one .npz file; an undivided run gives the same."""
    joined = {name: _joined([chunk[name] for chunk in chunks], name) for name in chunks[0]}
    save_arrays(path, {**joined, **whole}, threads)


def _joined(chunks: list[NDArray[Any]], name: str) -> Blocks:
    """Chunks joined along the samples' axis: the first of counts, the second of arrays whose first axis is time."""
    axis = 0 if name.startswith(("counts/", "neuron_counts/")) else 1
    shape = list(chunks[0].shape)
    shape[axis] = sum(chunk.shape[axis] for chunk in chunks)

    def pieces() -> Iterable[NDArray[Any]]:
        if axis == 0:
            yield from chunks
        else:
            for step in range(shape[0]):
                yield np.concatenate([chunk[step] for chunk in chunks])

    return Blocks(tuple(shape), chunks[0].dtype, pieces)


def split_samples(program: ChipProgram, x: InputArrays, steps: int, record: Record) -> list[Chunk]:
    """Split the samples into chunks: the same for any number of workers, at least 16 if there are as many samples."""
    batch = steps_and_samples(x)[1]
    input_bytes = sum(values.nbytes for values in as_dict(x).values())
    bytes_per_sample = recorded_bytes(program, steps, record) + input_bytes // batch
    size = max(1, min(_CHUNK_SAMPLES, -(-batch // 16), _CHUNK_BYTES // max(bytes_per_sample, 1)))
    return [(start, min(start + size, batch)) for start in range(0, batch, size)]


def recorded_bytes(program: ChipProgram, steps: int, record: Record) -> int:
    """Approximate bytes recorded per sample."""
    if record == "spikes":
        return 4 * steps * sum(program.source_size(name) for name in program.outputs)
    return 4 * steps * sum(p.size * (1 + (len(p.STATES) if record == "all" else 0)) for p in program.populations)


def digest_of(x: InputArrays, *others: object) -> str:
    """Digest of an input and of further values."""
    arrays = as_dict(x)
    hasher = hashlib.sha256(repr((array_forms(x), others)).encode())
    for name in sorted(arrays):
        for values in arrays[name]:
            hasher.update(np.ascontiguousarray(values).data)
    return hasher.hexdigest()


def array_forms(x: InputArrays) -> list[tuple[str, tuple[int, ...], str]]:
    """Name, shape and type of each array."""
    arrays = as_dict(x)
    return [(name, arrays[name].shape, arrays[name].dtype.str) for name in sorted(arrays)]
