"""Everything that needs a GPU, in one run: is it equal to the CPU, how fast is it, beside SpikingJelly and snnTorch.

    python benchmarks/gpu.py [--out gpu.txt] [--rounds 9] [--only equal|train|sew|simulate ...]

equal: the chip's step and the float step on drawn sequences, with gradients, and the emulator on three networks, on the
GPU and on the CPU: spikes, u and v in every entry. Nothing is timed where they differ. Then train.py (784-512-512-10 at
batch 128 and the N-MNIST network), train_sew.py (SEW-ResNet-18, 32 x 32, 4 steps, batch 128) and simulate.py.
Frameworks that are not installed are left out. A few minutes.

    TRITON_INTERPRET=1 python benchmarks/gpu.py --device cpu --only equal

runs the first part in Triton's interpreter, where there is no GPU.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.networks import NETWORKS, tuned
from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.lava_runtime.emulator.emulator import emulate
from spikeport.lava_runtime.inputs import check_input
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.torch_emulator.emulate import emulate_on
from spikeport.trainer.neuron_step import engine, fused
from spikeport.trainer.neuron_step.chip_populations import ChipNeurons, run_neurons
from spikeport.trainer.neuron_step.surrogates import SURROGATES, surrogate

HERE = Path(__file__).resolve().parent
CASES = 20
SHAPES = ((1, 1, 1), (4, 3, 33), (25, 16, 512), (16, 4, 1000))
COMMANDS = {
    "train": ("train.py",),
    "sew": ("train_sew.py", "--network", "resnet18", "--batch", "128"),
    "simulate": ("simulate.py", "dense", "nmnist"),
}

Run = Callable[[torch.device], list[Tensor]]


def main() -> None:
    """Check, then time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--only", nargs="*", choices=("equal", *COMMANDS))
    arguments = parser.parse_args()
    try:
        device = torch_device(arguments.device, "--device")
    except InputError as error:
        sys.exit(f"error: {error}")
    lines = [f"torch {torch.__version__}, {_name(device)}"]
    if not arguments.only or "equal" in arguments.only:
        lines += equal(torch.device(device), arguments.cases)
    for name, command in COMMANDS.items():
        if not arguments.only or name in arguments.only:
            lines += timed(*command, "--device", arguments.device, "--rounds", str(arguments.rounds))
    print("\n".join(lines))
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _name(device: str) -> str:
    return "Triton's interpreter" if device == "cpu" else torch.cuda.get_device_name(device)


def timed(script: str, *arguments: str) -> list[str]:
    """What a script prints; its error where it ends with one."""
    run = subprocess.run([sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, check=False)
    print(run.stdout, flush=True)
    return [f"\n$ {script} {' '.join(arguments)}", run.stdout, *([run.stderr] if run.returncode else [])]


def equal(device: torch.device, cases: int) -> list[str]:
    """A line per subject; ends the program where something differs."""
    subjects = {"float step": float_case, "chip's step": chip_case}
    lines = []
    for name, case in subjects.items():
        for seed in range(cases):
            compare(f"{name}, seed {seed}", *case(seed), device)
        lines.append(f"{name}: {cases} cases equal in every entry, gradients to rounding")
    emulated = min(cases, 3)
    for seed in range(emulated):
        check_emulator(seed, device)
    return [*lines, f"emulator: {emulated} networks equal in every entry"]


def compare(name: str, run: Run, exact: int, device: torch.device) -> None:
    """Run on the CPU by its loops and on the device by Triton; the first `exact` values must be equal."""
    wanted = on_kernels(engine.cpu_kernels(), run, torch.device("cpu"))
    found = [value.cpu() for value in on_kernels(engine.triton_kernels(), run, device)]
    for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
        if number < exact and not torch.equal(a, b):
            sys.exit(f"{name}: value {number} differs by up to {(a - b).abs().max()}")
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * max(1.0, float(b.abs().max())))


def on_kernels(kernels: Any, run: Run, device: torch.device) -> list[Tensor]:
    """A run by these kernels."""
    before: Any = fused.kernels_for
    try:
        fused.kernels_for = lambda _: kernels
        return run(device)
    finally:
        fused.kernels_for = before


def float_case(seed: int) -> tuple[Run, int]:
    """Filter and integrate-and-fire with gradients; u, spikes and v are exact."""
    generator = torch.Generator().manual_seed(seed)
    shape = SHAPES[seed % len(SHAPES)]
    a = torch.rand(shape, generator=generator) - 0.3
    constants = [torch.rand(shape[2:], generator=generator) for _ in range(4)]
    weights = torch.randn(shape, generator=generator)
    spike = surrogate(sorted(SURROGATES)[seed % len(SURROGATES)])

    def run(device: torch.device) -> list[Tensor]:
        leaf = a.to(device, copy=True).requires_grad_()
        keep_u, keep_v, threshold, bias = (c.to(device, copy=True).requires_grad_() for c in constants)
        u = fused.filter_fused(leaf, keep_u, None)
        current = u.detach().clone()
        spikes, v = fused.fire_fused(u, bias, keep_v, threshold, spike, 0.5, None)
        (spikes * weights.to(device)).sum().backward()  # type: ignore[no-untyped-call]
        slopes = [value.grad for value in (leaf, keep_u, keep_v, threshold, bias) if value.grad is not None]
        return [current, spikes.detach(), v.detach(), *slopes]

    return run, 3


def chip_case(seed: int) -> tuple[Run, int]:
    """The chip's neurons of every reset; what is sent, u and v are exact."""
    generator = torch.Generator().manual_seed(seed)
    shape = SHAPES[seed % len(SHAPES)]
    size = shape[2]
    a = torch.randint(-200, 400, shape, generator=generator).float()
    bias, word = torch.randint(-4000, 4000, (size,), generator=generator), torch.randint(1, 2000, (size,))
    keep = [torch.randint(0, 4097, (size,), generator=generator).double() / 4096 for _ in "uv"]
    weights = torch.randn(shape, generator=generator)

    def run(device: torch.device) -> list[Tensor]:
        threshold = (word * STATE_UNIT).double().to(device)
        neurons = ChipNeurons(
            keep[0].to(device), keep[1].to(device), None if seed % 3 == 2 else threshold,
            threshold if seed % 3 == 1 else None, seed % 7, surrogate("atan"), 0.7, float(2000 * STATE_UNIT),
        )  # fmt: skip
        leaves = [a.to(device, copy=True).requires_grad_(), bias.float().to(device).requires_grad_()]
        rest = torch.zeros(shape[1:], device=device)
        ran = run_neurons(*leaves, neurons, rest, rest)
        (ran[0] * weights.to(device)).sum().backward()  # type: ignore[no-untyped-call]
        return [*(value.detach() for value in ran), *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    return run, 3


def check_emulator(seed: int, device: torch.device) -> None:
    """A network of networks.py; ends the program where an array differs."""
    network = NETWORKS[("dense", "nmnist", "recurrent")[seed]]
    rng = np.random.default_rng(seed)
    x = (rng.random((8, 4, *network.input)) < network.density).astype(np.uint8)
    program = tuned(network, x, network.density)
    inputs = check_input(program, x)
    wanted = emulate(program, inputs, 12, "all")
    different = differences(emulate_on(str(device), program, inputs, 12, "all"), wanted)
    if different:
        sys.exit(f"emulator, seed {seed}: differs in {', '.join(different)}")


if __name__ == "__main__":
    main()
