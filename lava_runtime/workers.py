"""A whole data set by several worker processes: chunks of samples through joblib, here or on a dask cluster.

The same bytes come out whatever the number of workers. A finished chunk is on disk; where a worker is killed, the
chunks that are missing are run again; where the whole run is ended, the next one goes on.
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
from spikeport.common.locks import locked_file
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays

from .inputs import check_input, extent, slice_samples
from .result import Record, zeros_in_memory
from .run_store import Chunk, ChunkStore, array_forms, digest_of, recorded_bytes, save_joined, split_samples
from .simulate import DEFAULT_LIMIT_SECONDS, Backend, answer_steps, simulate

Job = TypeVar("Job")

# times in a row that workers may be lost without a single chunk done
_ATTEMPTS = 3
# what is recorded of a chunk beyond this goes to disk as it is recorded
_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True)
class Settings:
    """How every chunk of a run is run."""

    backend: Backend
    steps: int
    record: Record
    limit_seconds: float
    where: str


@dataclass(frozen=True)
class Written:
    """A run whose result is on disk: samples, the first output's spikes; means: spikes per sample by layer."""

    samples: int
    steps: int
    output_spikes: int
    means: Mapping[str, float]


@dataclass(frozen=True)
class _Task:
    """A chunk and what it takes to run it; program: the bytes of its file, or where that lies; digest: of x."""

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
    where: str = "input",
    workers: int = 1,
    cluster: str | None = None,
) -> Written:
    """Run a program on x as `spikeport.lava_runtime.simulate.simulate` does and write OUT.npz, by `workers` processes.

    cluster: address of a dask scheduler, whose workers run the chunks instead. limit_seconds is for a chunk. Chunks
    that are done lie in OUT.npz.parts until all are; a run that was ended goes on there. x may be mapped from disk.
    Raises InputError for bad input, input that changes meanwhile, an output that another process is writing or a
    cluster that is not there, BackendError for chunks that cannot be run.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}, but a run takes at least one")
    _, batch = extent(x)
    length = steps if steps is not None else answer_steps(program, x)
    settings = Settings(backend, length, record, limit_seconds, where)
    if batch == 0 or len({form[1][:2] for form in array_forms(x)}) != 1:
        check_input(program, x, where)
    chunks = split_samples(program, x, length, record)
    for begin, end in chunks:
        check_input(program, slice_samples(x, begin, end), _within(where, (begin, end)))
    with locked_file(output), _parts_folder(output) as folder, tempfile.TemporaryDirectory(prefix="spikeport-") as name:
        file = Path(name) / "program.chip"
        save_program(program, file)
        content = file.read_bytes()
        how = digest_of(np.frombuffer(content, np.uint8)[None], array_forms(x), backend, length, record, chunks)
        inputs = {chunk: digest_of(slice_samples(x, *chunk)) for chunk in chunks}
        store = ChunkStore.open(folder, how)
        store.keep_only(inputs)
        source = file if cluster is None else content

        def task(chunk: Chunk) -> _Task:
            return _Task(source, slice_samples(x, *chunk), chunk, settings, inputs[chunk])

        run = _Run(store, chunks, progress, batch)
        with worker_pool(workers, cluster) as parallel:
            for _ in range(_ATTEMPTS):
                run.finish(parallel, task, local=cluster is None)
                if not store.drop_wrong(inputs):
                    break
            else:
                raise BackendError(f"{folder}: its chunks do not stay as they were written; check the disk")
        parts = [store.get(chunk) for chunk in chunks]
        save_joined(parts, output, workers)
        counts = {node.name: np.concatenate([part[f"counts/{node.name}"] for part in parts]) for node in program.nodes}
        means = {name: float(values.mean()) for name, values in counts.items()}
        store.remove()
    return Written(batch, length, int(counts[program.outputs[0]].sum()), means)


@contextmanager
def _parts_folder(output: str | Path) -> Iterator[Path]:
    """Where the chunks lie until all are done: beside a plain file, in a folder of their own for a pipe or device."""
    if target_of(output).plain:
        yield beside(output, ending=".parts")
        return
    with tempfile.TemporaryDirectory(prefix="spikeport-") as name:
        yield Path(name) / "parts"


class _Run:
    """Runs the chunks that are missing until none is."""

    def __init__(
        self, store: ChunkStore, chunks: list[Chunk], progress: Callable[[int, int], None] | None, samples: int
    ) -> None:
        self._store, self._chunks, self._progress, self._samples = store, chunks, progress, samples

    def missing(self) -> list[Chunk]:
        """Chunks that are not on disk, and word of those that are."""
        left = [chunk for chunk in self._chunks if not self._store.has(chunk)]
        if self._progress is not None:
            self._progress(self._samples - sum(end - begin for begin, end in left), self._samples)
        return left

    def finish(self, parallel: joblib.Parallel, task: Callable[[Chunk], _Task], local: bool) -> None:
        """Run what is missing; raises BackendError where workers are lost again and again."""

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
    """Run jobs until none is missing, those again whose worker was lost; name: of a job, for an error.

    Raises BackendError where workers are lost again and again without a single job done, and what a job raises.
    """
    left, failures = missing(), 0
    while left:
        lost: Exception | None = None
        try:
            run(left)
        except (InputError, BackendError, KeyboardInterrupt):
            raise
        except Exception as error:
            # joblib, loky and dask have each their own error for a worker that is gone
            lost = error
        before, left = left, missing()
        failures = 0 if len(left) < len(before) else failures + 1
        if left and failures == _ATTEMPTS:
            why = "no word of why" if lost is None else f"{type(lost).__name__}: {reason(lost)}"
            raise BackendError(
                f"{name(left[0])} could not be run: "
                f"the worker was lost {_ATTEMPTS} times ({why}); give it more memory, or run with fewer --workers"
            ) from lost


@contextmanager
def worker_pool(workers: int, cluster: str | None) -> Iterator[joblib.Parallel]:
    """Processes here, one thread each, or the workers of a dask cluster; raises InputError if that is not there."""
    if cluster is None:
        with joblib.parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
            # one chunk at a time for each worker: what is killed with it is little
            yield joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        return
    try:
        connect: Any = import_module("distributed").Client
    except ImportError as error:
        raise InputError(f"--cluster {cluster}: dask is not installed; install spikeport[cluster]") from error
    try:
        client = connect(cluster, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--cluster {cluster}: no dask scheduler answers there ({reason(error)}); start one with `dask scheduler`"
        ) from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")


def _run_to_disk(task: _Task, store: ChunkStore) -> None:
    """Run a chunk and keep its arrays, in a worker that shares the disk."""
    chunk, arrays = _run(task, store.folder)
    store.put(chunk, task.digest, arrays)


def _run(task: _Task, folder: Path | None = None) -> tuple[Chunk, dict[str, NDArray[Any]]]:
    """Run a chunk in one thread; what is recorded goes to the folder where it is much."""
    program, settings = _program(task.program), task.settings
    # what is run is what was looked at, also where the file changes meanwhile
    x = _copy(task.x)
    if digest_of(x) != task.digest:
        raise InputError(f"{_within(settings.where, task.chunk)}: changed while it was run; run it again")
    recorded = recorded_bytes(program, settings.steps, settings.record) * extent(x)[1]
    with tempfile.TemporaryDirectory(prefix=".recording-", dir=folder) as name:

        def on_disk(what: str, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
            place = Path(name) / what.replace("/", " ")
            return np.lib.format.open_memmap(place, "w+", np.dtype(kind), shape)  # type: ignore[no-any-return,no-untyped-call,unused-ignore]

        # a file that is mapped lives on without its name
        large = folder is not None and recorded > _MEMORY_BYTES
        result = simulate(
            program, x, settings.backend, settings.steps, settings.record, settings.limit_seconds,
            where=_within(settings.where, task.chunk), threads=1, room=on_disk if large else zeros_in_memory,
        )  # fmt: skip
        return task.chunk, result.arrays()


def _copy(x: InputArrays) -> InputArrays:
    """A chunk's input in memory."""
    return np.array(x) if isinstance(x, np.ndarray) else {name: np.array(values) for name, values in x.items()}


@lru_cache(maxsize=1)
def _program(source: bytes | Path) -> ChipProgram:
    if isinstance(source, Path):
        return load_program(source)
    with tempfile.TemporaryDirectory(prefix="spikeport-") as name:
        file = Path(name) / "program.chip"
        file.write_bytes(source)
        return load_program(file)


def _within(where: str, chunk: Chunk) -> str:
    return f"{where}, samples {chunk[0]} to {chunk[1] - 1}"
