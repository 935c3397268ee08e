"""Counts of the vendor's MNIST notebook for Loihi, whose weights and step time are published (intel_nxtf_mnist.toml).

    python benchmarks/nxtf_mnist.py a_minist_model.h5 [--images 16]

The file is nxsdk_modules_ncl/dnn/tutorials/models/a_minist_model.h5 of repository intel-nrc-ecosystem/models, converted
to integers as in its a_image_classification_mnist.ipynb: 8 bit, the larger of weights and biases at 255, threshold
512, biases and pixels at exponent 6, hard reset, 512 steps. Needs ../shared/data/mnist10k.npz.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, CubaLIF, InputPort
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.simulate import simulate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist10k.npz"
SHAPES = ((1, 28, 28), (16, 12, 12), (32, 10, 10), (64, 4, 4), (10, 1, 1))
STRIDES, STEPS, THRESHOLD, EXPONENT = (2, 1, 2, 1), 512, 512, 6


def network(path: Path) -> ChipProgram:
    """The four layers in the chip's integers, fed by the spikes of the input neurons."""
    chip = load_chip("loihi1")
    populations, connections, source = [], [], "in"
    with h5py.File(path) as file:
        for number, stride in enumerate(STRIDES, 1):
            held = file[f"model_weights/conv2d_{number}/conv2d_{number}"]
            weights, biases = np.array(held["kernel:0"]), np.array(held["bias:0"])
            largest = max(np.abs(weights).max(), np.abs(biases).max())
            # mixed signs lose the lowest bit
            integers = np.clip(weights / largest * 255, -256, 255).astype(np.int32) // 2 * 2
            bias = np.clip(biases / largest * 255, -256, 255).astype(np.int32)
            before, after, name = SHAPES[number - 1], SHAPES[number], f"conv{number}"
            size = int(np.prod(after))
            each = {"du": 4095, "dv": 0, "bias_exp": EXPONENT, "v_initial": 0, "vth": THRESHOLD}
            constants = {key: np.full(size, value, np.int32) for key, value in each.items()}
            populations.append(CubaLIF(name, after, bias_mant=np.repeat(bias, size // len(bias)), **constants))
            kernel = np.ascontiguousarray(integers.transpose(3, 2, 0, 1))
            geometry = before, after, (stride, stride), (0, 0), (1, 1), 1
            connections.append(ConvConnection(source, name, kernel, 0, "mixed", 8, 1, *geometry))
            source = name
    inputs = (InputPort("in", SHAPES[0]),)
    return validate(
        ChipProgram(
            chip.name, chip.word_widths.fixed_point(), 1e-3, inputs, tuple(populations), tuple(connections), (source,)
        )
    )


def entering(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spikes of the input neurons, whose bias is the pixel, (steps, images, 1, 28, 28)."""
    voltage = np.zeros((len(images), *SHAPES[0]), np.int64)
    spikes = np.zeros((STEPS, *voltage.shape), np.uint8)
    for step in spikes:
        voltage += images.reshape(voltage.shape)
        step[:] = voltage > THRESHOLD
        voltage[step == 1] = 0
    return spikes


def main() -> None:
    """Print events of a step, and of the busiest core."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--images", type=int, default=16)
    args = parser.parse_args()
    program, data = network(args.weights), np.load(DATA)
    x = entering(data["x"][: args.images])
    result = simulate(program, x, steps=STEPS, record="layers")
    found = profile_run(program, result, load_chip("loihi1"), x)
    line = found.timeline
    busiest = int(line.work[1].mean(axis=0).argmax())
    right = float(np.mean(result.winners() == data["y"][: args.images]))
    print(f"{args.images} images, {right:.1%} right; {found.mapping.cores} cores without that of the input")
    print(f"{'per step':>20}{'all':>12}{'core ' + str(busiest):>12}")
    for name, values in line.exact.items():
        on_cores = line.placement.by_core(values)
        print(f"{name:>20}{values.sum(axis=1).mean():12.1f}{on_cores[:, busiest].mean():12.1f}")
    step = found.step_time
    print(f"step time in conv format {step.typical * 1e6:.1f} us ({step.low * 1e6:.1f} to {step.high * 1e6:.1f})")


if __name__ == "__main__":
    main()
