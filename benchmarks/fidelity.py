"""The cost of the chip's integers on published networks: winners, accuracy and spike counts against float.

    python benchmarks/fidelity.py [--samples 1000] [--out docs/fidelity.md] [--shared ../shared]
                                   [--keep figures.jsonl] [--only NAME]

The networks are those of ../shared/conformance/nir (see the README there): a convolutional one for N-MNIST, run on the
last digits of MNIST moved before a simulated event camera, and two recurrent ones for Braille, whose data set is not
public, run on random spikes. Calibration uses other digits and other random spikes than the measurement. Everything is
drawn from seeds; two runs print the same. With --keep, results are stored as they are measured and an interrupted run
resumes; delete the file when the compiler changes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.synaptic_operations import synaptic_operations
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions, Precision, Reset
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.mapping import map_program, synapse_count
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.dequantise import dequantised_network
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate

ROOT = Path(__file__).resolve().parent.parent
CHIP = "loihi2"
RATES = (0.3, 0.1)
# samples that run at once
_GROUP = 100
_CALIBRATION = 64

Counts = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Setting:
    """How a network is compiled."""

    bits: int
    precision: Precision
    calibrated: bool

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.bits} bits{', doubled' if self.precision == 'high' else ''}"


SETTINGS = tuple(
    Setting(bits, precision, calibrated)
    for bits, precision in ((8, "fine"), (6, "fine"), (4, "fine"), (8, "high"))
    for calibrated in (False, True)
)


@dataclass(frozen=True)
class Network:
    """A published network, its input (time, samples, *shape) under names, labels if it has any, sample input."""

    title: str
    file: str
    reset: Reset
    dt: float
    inputs: Mapping[str, Callable[[], NDArray[np.uint8]]]
    labels: NDArray[Any] | None
    calibration: Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class Measured:
    """One network in one setting on one input."""

    setting: Setting
    input: str
    same_winner: float
    same_as_held: float
    count_errors: Mapping[str, float]
    accuracy: float | None
    float_accuracy: float | None
    synapses: int
    synops: float
    cores: int


class Kept:
    """Figures measured before, a line of JSON each."""

    def __init__(self, path: Path | None, samples: int) -> None:
        self._path, self._samples = path, samples
        lines = path.read_text().splitlines() if path is not None and path.is_file() else []
        self._found = [json.loads(line) for line in lines]

    def find(self, network: Network, setting: Setting, name: str) -> Measured | None:
        """What was measured on as many samples, None if nothing was."""
        for found in self._found:
            if (found["file"], found["samples"], found["input"]) == (network.file, self._samples, name):
                values = {key: value for key, value in found.items() if key not in ("file", "samples", "setting")}
                if Setting(**found["setting"]) == setting:
                    return Measured(setting, **values)
        return None

    def add(self, network: Network, measured: Measured) -> None:
        """Keep one more."""
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps({"file": network.file, "samples": self._samples, **asdict(measured)}) + "\n")


def networks(shared: Path, samples: int) -> Iterator[Network]:
    """The three networks, with as many samples of input each."""
    camera = load_file(shared / "data" / "moved_digits.py")
    data = np.load(shared / "data" / "mnist10k.npz")
    x, y = data["x"] / 255, data["y"]
    before = slice(len(x) - 1000 - _CALIBRATION, len(x) - 1000)
    first = len(x) - 1000
    yield Network(
        "N-MNIST network (convolutional, IF, reset by subtraction)", "cnn_sinabs.nir", "subtract", 1.0,
        {"moved digits": partial(camera.events, x[first : first + samples])}, y[first : first + samples],
        partial(camera.events, x[before]),
    )  # fmt: skip
    inputs = {f"rate {rate}": partial(bernoulli, rate, 1, samples) for rate in RATES}
    for title, file, reset in (
        ("Braille network (recurrent CubaLIF, reset to zero)", "braille_noDelay_bias_zero.nir", "zero"),
        (
            "Braille network (recurrent CubaLIF, reset by subtraction)",
            "braille_noDelay_noBias_subtract.nir",
            "subtract",
        ),
    ):
        yield Network(title, file, reset, 1e-4, inputs, None, random_sample)  # type: ignore[arg-type]


def random_sample() -> NDArray[np.uint8]:
    """Random spikes at all rates, different from the measured ones."""
    return np.concatenate([bernoulli(rate, 100 + i, _CALIBRATION) for i, rate in enumerate(RATES)], axis=1)


def bernoulli(rate: float, seed: int, samples: int) -> NDArray[np.uint8]:
    """100 steps of 12 channels that spike with that probability per step."""
    return (np.random.default_rng(seed).random((100, samples, 12)) < rate).astype(np.uint8)


def measure(network: Network, shared: Path, kept: Kept) -> Iterator[Measured]:
    """All settings on all inputs; the float network itself is the first."""
    path = shared / "conformance" / "nir" / network.file
    todo = [
        setting for setting in SETTINGS if any(kept.find(network, setting, name) is None for name in network.inputs)
    ]
    if todo:
        floating = lower_graph(read_nir(path), CompileOptions(network.dt, reset=network.reset))
        inputs = {name: draw() for name, draw in network.inputs.items()}
        wanted = {name: float_counts(floating, x) for name, x in inputs.items()}
    for setting in SETTINGS:
        if setting not in todo:
            yield from (kept.find(network, setting, name) for name in network.inputs)  # type: ignore[misc]
            continue
        options = CompileOptions(
            network.dt, setting.bits, reset=network.reset, precision=setting.precision,
            calibration=network.calibration() if setting.calibrated else None,
        )  # fmt: skip
        program = compile_graph(read_nir(path), load_chip(CHIP), options)
        for name, x in inputs.items():
            measured = _measure(network, setting, program, name, x, wanted[name])
            kept.add(network, measured)
            yield measured


def _measure(
    network: Network, setting: Setting, program: ChipProgram, name: str, x: NDArray[np.uint8], wanted: Counts
) -> Measured:
    held = float_counts(dequantised_network(program), x)
    found = chip_counts(program, x)
    first = program.outputs[0]
    answers = winners(found, first)
    real = [p.name for p in program.populations if program.into(p.name)]
    errors = {p: float(found[p].sum() / max(wanted[p].sum(), 1) - 1) for p in real}
    return Measured(
        setting,
        name,
        float(np.mean(answers == winners(wanted, first))),
        float(np.mean(answers == winners(held, first))),
        errors,
        None if network.labels is None else float(np.mean(answers == network.labels)),
        None if network.labels is None else float(np.mean(winners(wanted, first) == network.labels)),
        sum(synapse_count(c, program) for c in program.connections),
        sum(synaptic_operations(c, found[c.source], program) for c in program.connections),
        map_program(program, load_chip(CHIP)).cores,
    )


def float_counts(network: FloatNetwork, x: NDArray[np.uint8]) -> Counts:
    """Spikes of each population, (samples, size), in groups of samples."""
    steps = len(x) + max(network.starts.values())
    port = network.inputs[0]
    groups = []
    for begin in range(0, x.shape[1], _GROUP):
        values = x[:, begin : begin + _GROUP]
        flat = values.reshape(*values.shape[:2], port.size)
        groups.append(simulate_float(network, {port.name: flat}, steps, "counts").counts)
    return {name: np.concatenate([g[name] for g in groups]) for name in groups[0]}


def chip_counts(program: ChipProgram, x: NDArray[np.uint8]) -> Counts:
    """The same on the chip."""
    steps = len(x) + max(program.latency.values())
    groups = []
    for begin in range(0, x.shape[1], _GROUP):
        counts = simulate(program, x[:, begin : begin + _GROUP], steps=steps).neuron_counts
        groups.append({name: values.reshape(len(values), -1) for name, values in counts.items()})
    return {name: np.concatenate([g[name] for g in groups]) for name in groups[0]}


def winners(counts: Counts, output: str) -> NDArray[np.intp]:
    """The output neuron with the most spikes of each sample, the first one in a tie."""
    return counts[output].argmax(axis=1)


def table(found: list[Measured]) -> list[str]:
    """The figures of one network as a Markdown table."""
    labelled = found[0].accuracy is not None
    head = ["weights", "calibrated", "input", "same winner", *(["accuracy"] if labelled else []),
            "largest error of a layer's spike count", "same winner as the chip's numbers in float", "synapses",
            "synaptic operations per inference", "cores"]  # fmt: skip
    lines = [" | ".join(["", *head, ""]).strip(), "|" + "---|" * len(head)]
    for m in found:
        layer = max(m.count_errors, key=lambda name: abs(m.count_errors[name]))
        cells = [
            m.setting.name,
            "yes" if m.setting.calibrated else "no",
            m.input,
            f"{m.same_winner:.1%}",
            *([f"{m.accuracy:.1%}"] if m.accuracy is not None else []),
            f"{m.count_errors[layer]:+.2%} (`{layer}`)",
            f"{m.same_as_held:.1%}",
            f"{m.synapses:,}",
            f"{m.synops:,.0f}",
            str(m.cores),
        ]
        lines.append(" | ".join(["", *cells, ""]).strip())
    return lines


def load_file(path: Path) -> Any:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Measure and print, and write the document where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", default="", help="networks whose file name holds this")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    arguments = parser.parse_args()
    lines = [INTRODUCTION.format(samples=arguments.samples)]
    kept = Kept(arguments.keep, arguments.samples)
    for network in networks(arguments.shared, arguments.samples):
        if arguments.only not in network.file:
            continue
        found = []
        for measured in measure(network, arguments.shared, kept):
            found.append(measured)
            print(f"{time.strftime('%H:%M:%S')} {network.file} {measured}", flush=True)
        right = found[0].float_accuracy
        answers = "" if right is None else f"; the float simulation has {right:.1%} accuracy"
        lines += ["", f"## {network.title}", "", f"`{network.file}`{answers}.", "", *table(found)]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)
    return 0


INTRODUCTION = """# What rounding to the chip's integers costs

Made by `python benchmarks/fidelity.py --out docs/fidelity.md`, on {samples} samples of each input.

Three networks that others published (NIR paper, BSD-3) are compiled for Loihi 2 and run on the emulator, which equals
stock Lava bit for bit. They are compared with the float simulation of the same NIR file, step for step. The winner is
the output neuron with the most spikes, the first one in a tie.

- **weights**: bits per weight; doubled: `--precision high`. Weights of mixed sign are split into an excitatory and an
  inhibitory connection, and a few large weights are separated from the many small ones, where that gains a bit
  (`--precision fine`). By default such parts are taken back where they cost cores: the N-MNIST network's largest layer,
  7 cores instead of 10. On 50 digits its answers were those of the float simulation, with 8 bits, all 50 times.
- **doubled without calibration**: u has room for every synapse of one sign in every step and v for 128 thresholds,
  which leaves fewer low digits than the range of u and v measured on sample input.
- **calibrated**: `--calibrate` on digits that are not in the test set (64 requested, 28 fit the memory limit), or on 64
  samples of other random spikes at each rate.
- **largest error of a layer's spike count**: (chip - float) / float over all samples, for the layer with the largest.
- **same winner as the chip's numbers in float**: the chip compared with a float simulation of the same rounded weights,
  decays and thresholds. The rest to 100 % is lost by rounding u and v toward zero in every step, and by v at the end of
  its register.
- **synapses, synaptic operations, cores**: the cost of the finer encodings."""


if __name__ == "__main__":
    sys.exit(main())
