"""The truth behind the profile server_cpu: networks of 10^5 to 3.6 x 10^9 MACs by onnxruntime on one core here.

    python benchmarks/server_cpu.py [NETWORK ...] [--rounds 7]    print the medians next to the profile's estimates
    python benchmarks/server_cpu.py --write                       write them into benchmarks/measured_devices/

Every round runs every network for a short while, in float32 and int8 in turn; a network's time is the median over the
rounds of the least time of a call in a round. Time is that of the computing thread, which other programs of the machine
do not lengthen. int8 is onnxruntime's static quantisation (QDQ, per channel), as in `spikeport run`; all its
optimisations are on.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cost_model.ann_networks import chain_of, sizes_of
from spikeport.exporter.onnx.ann_model import INPUT, IR_VERSION, OPSET, OUTPUT, quantise_onnx
from spikeport.hardware_profiles.loader import load_device
from spikeport.lava_runtime.cost_model.ann_cost import PRECISIONS, Precision, device_cost

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "benchmarks" / "measured_devices" / "server_cpu.toml"
MEASURED = (
    "dense_100k", "keywords_390", "dense_1m", "dense_8m", "auto_encoder", "lenet", "ds_cnn", "resnet8",
    "mobilenet_v1_025_96", "mobilenet_v1_05_128", "mobilenet_v1", "mobilenet_v2", "resnet18", "resnet34",
)  # fmt: skip
_ROUND_SECONDS = 0.15


def write_model(network: str, path: Path) -> None:
    """The network with random weights and ReLU after every layer, as ONNX."""
    layers, rng = chain_of(network), np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    value, shape = INPUT, layers[0].inputs
    for number, layer in enumerate(layers):
        name = f"layer{number}"
        value = _fitted(nodes, value, shape, layer.inputs, name)
        inputs = [value, f"{name}_w", f"{name}_b"]
        fan_in = layer.size.parameters // layer.outputs[0] - 1
        if layer.kind == "dense":
            form: tuple[int, ...] = (layer.outputs[0], fan_in)
            nodes.append(helper.make_node("Gemm", inputs, [f"{name}_sum"], transB=1))
        else:
            groups = layer.inputs[0] if layer.kind == "depthwise" else 1
            form = (layer.outputs[0], layer.inputs[0] // groups, *layer.kernel)
            strides = [layer.stride, layer.stride]
            settings = {"group": groups, "kernel_shape": layer.kernel, "strides": strides, "auto_pad": "SAME_UPPER"}
            nodes.append(helper.make_node("Conv", inputs, [f"{name}_sum"], **settings))
        weight = (rng.standard_normal(form) * (2 / fan_in) ** 0.5).astype(np.float32)
        weights += [numpy_helper.from_array(weight, inputs[1])]
        weights += [numpy_helper.from_array(np.zeros(layer.outputs[0], np.float32), inputs[2])]
        value, shape = (OUTPUT if number == len(layers) - 1 else name), layer.outputs
        nodes.append(helper.make_node("Relu", [f"{name}_sum"], [value]))
    graph = helper.make_graph(
        nodes, network,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", *layers[0].inputs])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", *shape])], weights,
    )  # fmt: skip
    opset = [helper.make_opsetid("", OPSET)]
    path.write_bytes(helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION).SerializeToString())


def _fitted(nodes: list[onnx.NodeProto], value: str, shape: tuple[int, ...], wanted: tuple[int, ...], name: str) -> str:
    """Pool and flatten a value to the shape that the next layer takes."""
    flat = len(wanted) == 1 and len(shape) == 3
    if flat and wanted[0] == shape[0]:
        nodes.append(helper.make_node("GlobalAveragePool", [value], [f"{name}_pooled"]))
    elif shape[-1] != wanted[-1] and not (flat and int(np.prod(shape)) == wanted[0]):
        sides = {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}
        nodes.append(helper.make_node("MaxPool", [value], [f"{name}_pooled"], **sides))
    else:
        nodes.append(helper.make_node("Identity", [value], [f"{name}_pooled"]))
    if not flat:
        return f"{name}_pooled"
    nodes.append(helper.make_node("Flatten", [f"{name}_pooled"], [f"{name}_flat"], axis=1))
    return f"{name}_flat"


def sessions(network: str, folder: Path) -> dict[Precision, ort.InferenceSession]:
    """The network in both precisions, on one thread."""
    float_file, int8_file = folder / f"{network}.onnx", folder / f"{network}_int8.onnx"
    write_model(network, float_file)
    samples = np.random.default_rng(1).random((2, *chain_of(network)[0].inputs), dtype=np.float32)
    quantise_onnx(float_file, int8_file, samples)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    files = {"float32": float_file, "int8": int8_file}
    return {p: ort.InferenceSession(files[p], options, providers=["CPUExecutionProvider"]) for p in PRECISIONS}


def least_seconds(session: ort.InferenceSession) -> float:
    """The least thread time of a call at batch 1, over calls of about `_ROUND_SECONDS` together and three at least."""
    x = np.random.default_rng(2).random((1, *session.get_inputs()[0].shape[1:]), dtype=np.float32)
    session.run(None, {INPUT: x})
    times, end = [], time.perf_counter() + _ROUND_SECONDS
    while len(times) < 3 or time.perf_counter() < end:
        start = time.thread_time_ns()
        session.run(None, {INPUT: x})
        times.append(time.thread_time_ns() - start)
    return min(times) * 1e-9


def measure(networks: list[str], rounds: int) -> dict[tuple[str, Precision], list[float]]:
    """Seconds of a call by network and precision, one per round."""
    seconds: dict[tuple[str, Precision], list[float]] = {(n, p): [] for n in networks for p in PRECISIONS}
    with tempfile.TemporaryDirectory() as folder:
        ready = {network: sessions(network, Path(folder)) for network in networks}
        for _ in range(rounds):
            for network, by_precision in ready.items():
                for precision, session in by_precision.items():
                    seconds[network, precision].append(least_seconds(session))
    return seconds


def processor() -> str:
    """The processor's name, as the system tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Print medians and estimates, or write the medians as cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(MEASURED), metavar="NETWORK")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write benchmarks/measured_devices/server_cpu.toml")
    args = parser.parse_args()
    device = load_device("server_cpu")
    print(f"{processor()}, onnxruntime {ort.__version__}, one thread, batch 1")
    print(f"{'network':22}{'':9}{'MACs':>14}{'measured':>12}{'spread':>8}{'estimate':>12}{'ratio':>7}  inside")
    cases = []
    for (network, precision), times in measure(args.networks, args.rounds).items():
        cost, seconds = device_cost(sizes_of(network, shortcuts=False), device, precision), median(times)
        inside = "" if cost.latency.low <= seconds <= cost.latency.high else "  outside"
        spread = (max(times) - min(times)) / seconds
        print(
            f"{network:22}{precision:9}{cost.macs:14,}{seconds * 1e6:10.1f}us{spread:7.0%}"
            f"{cost.latency.typical * 1e6:10.1f}us{cost.latency.typical / seconds:7.2f}{inside}",
            flush=True,
        )
        cases.append(_case(network, precision, seconds, min(times), max(times)))
    if args.write:
        source = (
            f'source = "this project, benchmarks/server_cpu.py: onnxruntime {ort.__version__} on one core of an '
            f'{processor()}, batch 1, median of {args.rounds} rounds"'
        )
        scope = 'scope = "one core; the thread that computes, without the host program"'
        head = (
            "# One core of a server CPU, measured by benchmarks/server_cpu.py.\n\n"
            f'device = "server_cpu"\n{source}\nkind = "measured"\ndate = "{date.today():%Y-%m}"\n{scope}\n'
        )
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(head + "".join(cases))


def _case(network: str, precision: Precision, seconds: float, low: float, high: float) -> str:
    return (
        f'\n[[case]]\nnetwork = "{network}"\nprecision = "{precision}"\nshortcuts = false\n'
        f"latency_s = {seconds:.4g}\nlatency_low_s = {low:.4g}\nlatency_high_s = {high:.4g}\n"
    )


if __name__ == "__main__":
    main()
