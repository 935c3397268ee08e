"""What `spikeport tune` gains, on networks and data that are not the project's: one line per network, bits and input.

    python benchmarks/tune.py [cnn] [braille] [onnx] [loops] [--bits 4] [--precision high] [--epochs N]

cnn: the N-MNIST network of the NIR paper on moved digits, tuned after its float network and, with --labels, with both.
braille: its two recurrent networks on random spikes, which have no labels; tuned on other random spikes than measured;
with --precision high, synapses are doubled where needed.
onnx: a ReLU network trained here on 6,000 digits of MNIST, converted for 8 steps and tuned with the labels of up to
2,000 others, against 8 to 64 steps as converted.
loops: the time of a training step of the recurrent networks, against layers run step by step.
Lines whose data are not there are skipped. Everything is drawn from seeds; the printed before and after are on inputs
that were not tuned on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import spikeport as sp
from benchmarks.fidelity import RATES, bernoulli, load_file
from spikeport.exporter.onnx.convert import convert_onnx
from spikeport.exporter.onnx.rate import input_scale, rate_graph
from spikeport.exporter.trainable import run
from spikeport.hardware_profiles import load_chip
from spikeport.results.conversion import measure

ROOT = Path(__file__).resolve().parent.parent
CHIP = "loihi2"
BRAILLE = (("braille_noDelay_bias_zero.nir", "zero"), ("braille_noDelay_noBias_subtract.nir", "subtract"))


def cnn(shared: Path, arguments: argparse.Namespace) -> None:
    """The convolutional network."""
    camera, (x, y) = load_file(shared / "data" / "moved_digits.py"), _digits(shared)
    first = len(x) - 1000
    tuned_on = slice(first - 1000 - arguments.tuned, first - 1000)
    tested = slice(first, first + arguments.samples)
    events, labels = camera.events(x[tuned_on]), y[tuned_on] if arguments.labels else None
    for bits in arguments.bits:
        options = sp.CompileOptions(1.0, bits, reset="subtract")
        path = shared / "conformance" / "nir" / "cnn_sinabs.nir"
        test = camera.events(x[tested])
        _line(f"cnn_sinabs, {bits} bits", arguments, path, events, labels, test, y[tested], options)


def braille(shared: Path, arguments: argparse.Namespace) -> None:
    """Both recurrent networks."""
    x = np.concatenate([bernoulli(rate, 200 + i, arguments.tuned) for i, rate in enumerate(RATES)], axis=1)
    for file, reset in BRAILLE:
        for bits in arguments.bits:
            options = sp.CompileOptions(1e-4, bits, reset=reset, precision=arguments.precision)  # type: ignore[arg-type]
            for rate in RATES:
                test = bernoulli(rate, 1, arguments.samples)
                path = shared / "conformance" / "nir" / file
                _line(f"{file}, {bits} bits, rate {rate}", arguments, path, x, None, test, None, options)


def onnx(shared: Path, arguments: argparse.Namespace) -> None:
    """A converted network at 8 steps against itself at more."""
    x, y = _digits(shared)
    flat = x.astype(np.float32).reshape(-1, 784)
    x, test = flat[6000 : 6000 + arguments.tuned], flat[8000:]
    labels, wanted, chip, steps = y[6000 : 6000 + arguments.tuned], y[8000:], load_chip(CHIP), 8
    ann = _trained(flat[:6000], y[:6000])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ann.onnx"
        torch.onnx.export(ann, (torch.zeros(1, 784),), str(path), input_names=["x"], dynamo=False)
        for length in (8, 16, 32, 64):
            losses = measure(convert_onnx(path, chip, x[:256], "rate", length), "rate", test, length, wanted).losses
            print(f"onnx, {length} steps as converted: accuracy {losses[-1].accuracy:.2%}", flush=True)
        converted = convert_onnx(path, chip, x[:256], "rate", steps)
        graph = rate_graph(converted.network, converted.statistics)
    shown = [
        np.broadcast_to(np.rint(input_scale(converted.statistics) * part), (steps, *part.shape)).astype(np.int32)
        for part in (x, test)
    ]
    options = sp.CompileOptions(reset="subtract", calibration=shown[0][:, :64])
    with torch.no_grad():
        right = float((ann(torch.from_numpy(test)).argmax(1).numpy() == wanted).mean())
    print(f"onnx, the ReLU network: accuracy {right:.2%}")
    _line(f"onnx, {steps} steps", arguments, graph, shown[0], labels, shown[1], wanted, options)


def loops(shared: Path, _: argparse.Namespace) -> None:
    """The time of a training step with a recurrent layer as one operation and step by step, in turn."""
    x = torch.from_numpy(bernoulli(0.2, 3, 64)).float()
    for file, reset in BRAILLE:
        options = sp.CompileOptions(1e-4, 4, reset=reset)  # type: ignore[arg-type]
        module = sp.torch.module(shared / "conformance" / "nir" / file, options=options)
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for fused in [True, False] * 12:
            with nullcontext() if fused else patch.object(run, "_can_be_fused", lambda *_: False):
                begin = time.perf_counter()
                module(x).sum(0).var().backward()
                seconds[fused].append(time.perf_counter() - begin)
        one, other = (np.median(seconds[fused][2:]) for fused in (True, False))
        print(
            f"{file}: {other * 1e3:.1f} ms step by step, {one * 1e3:.1f} ms as one operation, ratio {other / one:.1f}"
        )


LINES: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "cnn": cnn, "braille": braille, "onnx": onnx, "loops": loops
}  # fmt: skip


def _line(
    name: str, arguments: argparse.Namespace, model: Any, x: NDArray[Any], labels: NDArray[Any] | None,
    test: NDArray[Any], test_labels: NDArray[Any] | None, options: sp.CompileOptions,
) -> None:  # fmt: skip
    """Tune and print what it changed."""
    begin = time.perf_counter()
    settings = sp.TuneSettings(
        epochs=arguments.epochs, batch=arguments.batch, learning_rate=arguments.learning_rate,
        exponents=arguments.exponents, teacher=float(labels is not None),
    )  # fmt: skip
    tuned = sp.tune(
        model, x, labels, CHIP, test=test, test_labels=test_labels, options=options, settings=settings
    )  # fmt: skip
    for when, m in (("before", tuned.before), ("after", tuned.after)):
        accuracy = "" if m.accuracy is None else f", accuracy {m.accuracy:.2%}"
        print(f"{name}, {when}: same winner {m.same_winner:.2%}{accuracy}, {m.energy_j:.2e} J (estimate)")
    if tuned.float_accuracy is not None:
        print(f"{name}, float: accuracy {tuned.float_accuracy:.2%}")
    print(f"{name}: {time.perf_counter() - begin:.0f} s", flush=True)


def _trained(x: NDArray[np.float32], labels: NDArray[Any]) -> nn.Sequential:
    """A ReLU network 784-128-64-10 on MNIST."""
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(ann.parameters(), lr=1e-3)
    inputs, classes = torch.from_numpy(x), torch.from_numpy(labels)
    for _ in range(10):
        for part in torch.randperm(len(inputs)).split(64):
            loss = nn.functional.cross_entropy(ann(inputs[part]), classes[part])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return ann


def _digits(shared: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    data = np.load(shared / "data" / "mnist10k.npz")
    return data["x"] / 255, data["y"].astype(np.int64)


def main() -> int:
    """Measure and print the lines that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="*", help="cnn, braille, onnx, loops; default: all")
    parser.add_argument("--bits", type=int, nargs="+", default=[4])
    parser.add_argument("--precision", choices=["normal", "high"], default="normal")
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.0015)
    parser.add_argument("--exponents", type=int, default=6)
    parser.add_argument("--tuned", type=int, default=300, help="samples to tune on, of each kind")
    parser.add_argument("--samples", type=int, default=1000, help="samples to measure on")
    parser.add_argument("--labels", action="store_true")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    arguments = parser.parse_args()
    unknown = set(arguments.lines) - set(LINES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))} is not a line; choose from {', '.join(LINES)}")
    if not arguments.shared.is_dir():
        print(f"skipped: {arguments.shared} is not there; it holds the networks and data")
        return 0
    for name in arguments.lines or LINES:
        LINES[name](arguments.shared, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
