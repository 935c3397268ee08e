"""Converts every KIND.onnx of a folder and compares it with onnxruntime: a table for docs/onnx.md.

    python benchmarks/onnx/table.py FOLDER [--out docs/onnx.md] [--steps 64] [--samples 100]

FOLDER is what the scripts make_*.py wrote: KIND.onnx next to KIND.npz (calibrate and x, samples as the file takes
them; y, their classes). Columns: the share of samples with
onnxruntime's answer, for the file as it is, in floating point, rate-coded and as sigma-delta; the largest error of the
sigma-delta values, as a share of the largest value.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.calibration_statistics import answers
from spikeport.exporter.onnx.convert import convert_onnx
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate

BEGIN, END = "<!-- table of kinds -->", "<!-- end of the table -->"
Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """A kind: the shares of equal answers and the error, or the reason why it is not converted."""

    kind: str
    kept: float = 0.0
    rate: float | None = None
    sigma_delta: float | None = None
    error: float | None = None
    reason: str = ""

    def line(self) -> str:
        """Its row in the table."""
        if self.reason:
            return f"| {self.kind} | no | | | | {self.reason} |"
        shares = ["" if share is None else f"{share:.0%}" for share in (self.kept, self.rate, self.sigma_delta)]
        error = "" if self.error is None else f"{self.error:.1%}"
        return f"| {self.kind} | yes | {shares[1]} | {shares[2]} | {error} | |"


def runner(path: Path) -> Callable[[Array], Array]:
    """The file's first output for an input, by onnxruntime; by ONNX's reference where onnxruntime lacks an operator."""
    model = onnx.load(str(path))
    entered = next(v for v in model.graph.input if v.name not in {t.name for t in model.graph.initializer})
    kind = onnx.helper.tensor_dtype_to_np_dtype(entered.type.tensor_type.elem_type)
    first = [model.graph.output[0].name]
    try:
        session: Any = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime's exceptions have no common public base
        session = ReferenceEvaluator(model)
    return lambda x: np.asarray(session.run(first, {entered.name: x.astype(kind)})[0])


def original_winners(path: Path, x: Array, width: int, batch: int | None, batched: bool) -> Array:
    """Each sample's class, or its number where the file outputs one, from the file as it is."""
    run = runner(path)
    if not batched:
        found = np.stack([run(each) for each in x])
    elif batch is None:
        found = run(x)
    else:
        found = np.concatenate([run(part) for part in np.split(x, len(x) // batch)])
    flat = found.reshape(len(x), -1)
    if flat.shape[1] == 1 and width == 2 and flat.dtype.kind == "f":
        return (flat[:, 0] > 0.5).astype(np.int64)
    return flat[:, 0] if flat.shape[1] == 1 else flat.argmax(axis=1)


def row(path: Path, steps: int, samples: int) -> Row:
    """Convert one file both ways."""
    kind = path.stem
    with np.load(path.with_suffix(".npz")) as held:
        calibrate, x = held["calibrate"], held["x"][:samples]
    try:
        converted = convert_onnx(path, load_chip("loihi2"), calibrate, "rate", steps)
    except InputError as error:
        return Row(kind, reason=str(error).replace(f"{path}: ", ""))
    entry = converted.network.entry
    wanted = answers(converted.network, x)
    winners = original_winners(path, x, wanted.shape[1], entry.batch, entry.batched)
    regression = wanted.shape[1] == 1
    own = wanted.argmax(axis=1)
    kept = float(np.allclose(winners, wanted[:, 0], rtol=1e-4) if regression else (winners == own).mean())
    values = shown(converted.program, entry.arranged(x), steps)
    rate = None if regression else float((values.argmax(axis=1) == own).mean())
    sigma_delta = error_of_values = None
    try:
        other = convert_onnx(path, load_chip("loihi2"), calibrate, "sigma-delta")
        values = shown(other.program, entry.arranged(x), 4)
        sigma_delta = None if regression else float((values.argmax(axis=1) == own).mean())
        unit = (wanted * values).sum() / max(np.square(values).sum(), 1e-30)
        error_of_values = float(np.abs(unit * values - wanted).max() / np.abs(wanted).max())
    except InputError:  # clipped ReLUs are rate-coded only
        pass
    if kept < 1:
        return Row(kind, reason=f"the answer kept is onnxruntime's for only {kept:.1%} of samples")
    return Row(kind, kept, rate, sigma_delta, error_of_values)


def shown(program: Any, x: Array, steps: int) -> Array:
    """The last step's values (N, outputs) of samples shown for `steps` steps."""
    result = simulate(program, np.broadcast_to(x, (steps, *x.shape)))
    return result.output[program.pipeline_steps + steps - 1].reshape(len(x), -1).astype(float)


def main() -> None:
    """Print the table, and put it into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--only", default="", help="part of a kind's name")
    options = parser.parse_args()
    rows = []
    for path in sorted(options.folder.glob("*.onnx")):
        if options.only in path.stem:
            onnx.load(str(path), load_external_data=False)
            rows.append(row(path, options.steps, options.samples))
            print(rows[-1].line(), flush=True)
    file = options.folder / "not_made.json"
    not_made = json.loads(file.read_text()) if file.is_file() else {}
    lines = [
        "| kind | converts | rate: same answer | sigma-delta: same answer | error of values | why not |",
        "|---|---|---|---|---|---|",
        *(each.line() for each in rows),
        *(f"| {kind} | not made | | | | {reason} |" for kind, reason in sorted(not_made.items())),
    ]
    print(f"{sum(not each.reason for each in rows)} of {len(rows)} kinds are converted")
    if options.out is not None:
        page = options.out.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        options.out.write_text("\n".join([before + BEGIN, *lines, END + rest.split(END)[1]]), encoding="utf-8")


if __name__ == "__main__":
    main()
