"""Runs a whole data set in several worker processes: chunks of samples through joblib, here or on a dask cluster.

The result does not depend on the number of workers. Finished chunks are stored on disk: if a worker is killed, the
missing chunks are run again, and if the whole run is interrupted, the next one resumes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import BackendError, InputError, reason
from spikeport.common.files import beside, target_of
from spikeport.common.limits import MOST_WORKERS
from spikeport.common.locks import locked_file
from spikeport.common.npy import create_npy
from spikeport.common.system_errors import is_refusal, system_sentence
from spikeport.common.temporary import temporary_folder
from spikeport.exporter.program.chip_file import load_program, program_bytes
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays

from .inputs import check_input, slice_samples, steps_and_samples
from .local_pool import local_pool
from .result import Record, unit_arrays, zeros_in_memory
from .run_store import Chunk, ChunkStore, array_forms, digest_of, recorded_bytes, save_joined, split_samples
from .simulate import DEFAULT_LIMIT_SECONDS, Backend, answer_steps, simulate

Job = TypeVar("Job")

# consecutive losses of workers without a single finished chunk
_ATTEMPTS = 3
_PROGRAM = "program.chip"
_WORKERS = "worker processes, which need semaphores in /dev/shm"
# a chunk with more recorded bytes is recorded on disk
_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True)
class Settings:
    """Settings shared by all chunks of a run."""

    backend: Backend
    steps: int
    record: Record
    limit_seconds: float
    context: str


@dataclass(frozen=True)
class Written:
    """A run whose result is on disk; output_spikes: of the first output; means: spikes per sample by layer."""

    samples: int
    steps: int
    output_spikes: int
    means: Mapping[str, float]


@dataclass(frozen=True)
class _Task:
    """A chunk with all that is needed to run it; program: its file's bytes or path; digest: of x."""

    program: bytes | Path
    x: InputArrays
    chunk: Chunk
    settings: Settings
    digest: str


def simulate_to_file(
    program: ChipProgram,
    x: InputArrays,
    output: str | Path,
    backend: Backend = "emulator",
    steps: int | None = None,
    record: Record = "spikes",
    limit_seconds: float = DEFAULT_LIMIT_SECONDS,
    progress: Callable[[int, int], None] | None = None,
    context: str = "input",
    workers: int = 1,
    cluster: str | None = None,
) -> Written:
    """Run a program on x as `spikeport.lava_runtime.simulate.simulate` does and write OUT.npz, by `workers` processes.

    cluster: address of a dask scheduler, whose workers run the chunks instead. limit_seconds applies per chunk.
    Finished chunks are kept in OUT.npz.parts until all are done, so that an interrupted run resumes. x may be mapped
    from disk. Raises InputError for bad input, input that changes during the run, an output that another process is
    writing or an unreachable cluster, BackendError for chunks that cannot be run.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}, but a run takes at least one")
    _, batch = steps_and_samples(x)
    length = steps if steps is not None else answer_steps(program, x)
    settings = Settings(backend, length, record, limit_seconds, context)
    chunks = _checked_chunks(program, x, length, record, context)
    with (
        locked_file(output),
        _chunks_folder(output) as folder,
    ):
        content = program_bytes(program)
        run_digest = digest_of(np.frombuffer(content, np.uint8)[None], array_forms(x), backend, length, record, chunks)
        inputs = {chunk: digest_of(slice_samples(x, *chunk)) for chunk in chunks}
        store = ChunkStore.open(folder, run_digest)
        store.keep_only(inputs)
        source = store.add(_PROGRAM, content) if cluster is None else content

        def task(chunk: Chunk) -> _Task:
            return _Task(source, slice_samples(x, *chunk), chunk, settings, inputs[chunk])

        run = _Run(store, chunks, progress, batch)
        with worker_pool(workers, cluster, len(chunks)) as parallel:
            for _ in range(_ATTEMPTS):
                run.finish(parallel, task, local=cluster is None)
                if not store.drop_wrong(inputs):
                    break
            else:
                raise BackendError(f"{folder}: its chunks do not stay as they were written; check the disk")
        results = [store.get(chunk) for chunk in chunks]
        save_joined(results, output, workers, unit_arrays(program.output_units))
        counts = {
            node.name: np.concatenate([arrays[f"counts/{node.name}"] for arrays in results]) for node in program.nodes
        }
        means = {name: float(values.mean()) for name, values in counts.items()}
        store.remove()
    return Written(batch, length, int(counts[program.outputs[0]].sum()), means)


def _checked_chunks(program: ChipProgram, x: InputArrays, steps: int, record: Record, context: str) -> list[Chunk]:
    """The samples in chunks; raises InputError for input that the program cannot take."""
    if steps_and_samples(x)[1] == 0 or len({form[1][:2] for form in array_forms(x)}) != 1:
        check_input(program, x, context)
    chunks = split_samples(program, x, steps, record)
    for start, stop in chunks:
        check_input(program, slice_samples(x, start, stop), _within(context, (start, stop)))
    return chunks


@contextmanager
def _chunks_folder(output: str | Path) -> Iterator[Path]:
    """Folder of the chunks until all are done: next to a plain file, temporary for a pipe or device."""
    if target_of(output).plain:
        yield beside(output, ending=".parts")
        return
    with temporary_folder() as temporary:
        yield temporary / "parts"


class _Run:
    """Runs the missing chunks until none is missing."""

    def __init__(
        self, store: ChunkStore, chunks: list[Chunk], progress: Callable[[int, int], None] | None, samples: int
    ) -> None:
        self._store, self._chunks, self._progress, self._samples = store, chunks, progress, samples

    def missing(self) -> list[Chunk]:
        """The chunks that are not on disk; reports progress."""
        left = [chunk for chunk in self._chunks if not self._store.has(chunk)]
        if self._progress is not None:
            self._progress(self._samples - sum(stop - start for start, stop in left), self._samples)
        return left

    def finish(self, parallel: joblib.Parallel, task: Callable[[Chunk], _Task], local: bool) -> None:
        """Run what is missing; raises BackendError if workers are lost again and again."""

        def run(left: list[Chunk]) -> None:
            if local:
                for _ in parallel(joblib.delayed(_run_to_disk)(task(c), self._store) for c in left):
                    self.missing()
            else:
                for chunk, arrays in parallel(joblib.delayed(_run)(task(c)) for c in left):
                    self._store.put(chunk, task(chunk).digest, arrays)
                    self.missing()

        run_until_done(self.missing, run, lambda chunk: f"samples {chunk[0]} to {chunk[1] - 1}")


def run_until_done(
    missing: Callable[[], list[Job]], run: Callable[[list[Job]], None], name: Callable[[Job], str]
) -> None:
    """Run jobs until none is missing, again those whose worker was lost; name: describes a job in errors.

    Raises BackendError if workers are lost again and again without a single finished job, or the operating system
    refuses what they need, and what a job raises.
    """
    left, failures = missing(), 0
    while left:
        lost: Exception | None = None
        try:
            run(left)
        except (InputError, BackendError, KeyboardInterrupt):
            raise
        except Exception as error:
            if isinstance(error, OSError) and is_refusal(error):
                raise BackendError(system_sentence(error, _WORKERS)) from error
            # joblib, loky and dask each have their own error for a lost worker
            lost = error
        before, left = left, missing()
        failures = 0 if len(left) < len(before) else failures + 1
        if left and failures == _ATTEMPTS:
            why = "no reason was reported" if lost is None else f"{type(lost).__name__}: {reason(lost)}"
            raise BackendError(
                f"{name(left[0])} could not be run: "
                f"the worker was lost {_ATTEMPTS} times ({why}); give it more memory, or run with fewer --workers"
            ) from lost


@contextmanager
def worker_pool(workers: int, cluster: str | None, jobs: int) -> Iterator[joblib.Parallel]:
    """Processes here, one thread each, or the workers of a dask cluster; raises InputError if it cannot be reached.

    jobs: their number; no more processes are started.
    """
    if cluster is None:
        if workers > MOST_WORKERS:
            raise InputError(f"--workers {workers}: at most {MOST_WORKERS:,} processes are started; give fewer")
        with local_pool(min(workers, max(jobs, 2))) as parallel:
            yield parallel
        return
    try:
        connect: Any = import_module("distributed").Client
    except ImportError as error:
        raise InputError(f"--cluster {cluster}: dask is not installed; install spikeport[cluster]") from error
    try:
        client = connect(cluster, timeout=10)
    except MemoryError as error:  # other bytes are read as the length of a message
        raise InputError(
            f"--cluster {cluster}: what answers there is not a dask scheduler; start one with `dask scheduler`"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"--cluster {cluster}: no dask scheduler answers there ({reason(error)}); start one with `dask scheduler`"
        ) from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")


def _run_to_disk(task: _Task, store: ChunkStore) -> None:
    """Run a chunk and store its arrays, in a worker that shares the disk."""
    chunk, arrays = _run(task, store.folder)
    store.put(chunk, task.digest, arrays)


def _run(task: _Task, folder: Path | None = None) -> tuple[Chunk, dict[str, NDArray[Any]]]:
    """Run a chunk in one thread; large recordings are mapped to files in the folder."""
    program, settings = _program(task.program), task.settings
    # the copy that is checked is the one that is run, even if the file changes in the meantime
    x = _copy(task.x)
    if digest_of(x) != task.digest:
        raise InputError(f"{_within(settings.context, task.chunk)}: changed during the run; run it again")
    recorded = recorded_bytes(program, settings.steps, settings.record) * steps_and_samples(x)[1]
    with tempfile.TemporaryDirectory(prefix=".recording-", dir=folder) as name:

        def on_disk(array: str, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
            return create_npy(Path(name) / array.replace("/", " "), shape, kind)

        # a mapped file stays readable after its name is deleted
        large = folder is not None and recorded > _MEMORY_BYTES
        result = simulate(
            program, x, settings.backend, settings.steps, settings.record, settings.limit_seconds,
            context=_within(settings.context, task.chunk), threads=1, allocate=on_disk if large else zeros_in_memory,
        )  # fmt: skip
        return task.chunk, result.arrays()


def _copy(x: InputArrays) -> InputArrays:
    """A chunk's input in memory."""
    return np.array(x) if isinstance(x, np.ndarray) else {name: np.array(values) for name, values in x.items()}


@lru_cache(maxsize=1)
def _program(source: bytes | Path) -> ChipProgram:
    if isinstance(source, Path):
        return load_program(source)
    with temporary_folder() as temporary:
        file = temporary / _PROGRAM
        file.write_bytes(source)
        return load_program(file)


def _within(context: str, chunk: Chunk) -> str:
    return f"{context}, samples {chunk[0]} to {chunk[1] - 1}"
