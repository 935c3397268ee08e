"""Files and arguments made to break a command: one short sentence each, before any work, never "unexpected"."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import onnx
import pytest
from command import graph
from fuzz.mutate_arrays import many_axes
from fuzz.readers import READERS
from numpy.typing import NDArray
from programs import dense, spikes

from spikeport.commands import cli
from spikeport.common.errors import InputError
from spikeport.common.limits import MOST_CORES, MOST_SLICES
from spikeport.console.signals import EndSignals
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.hardware_profiles.loader import load_profile
from spikeport.hardware_profiles.schema import Limits, WordWidths
from spikeport.lava_runtime.input_files import open_input
from spikeport.lava_runtime.simulate import simulate
from spikeport.run.recipe import load_recipe

DIGITS = "9" * 6000
RECIPE = """name = "a"
dataset = "digits"
[network]
{network}
[[network.layers]]
{layer}
[training]
{training}
"""
Refused = Callable[..., str]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_program(dense((6, 8, 4), 1), tmp_path / "m.chip")
    nir.write(str(tmp_path / "m.nir"), graph())
    np.save("x.npy", spikes((10, 20, 6), 0.4, 1))
    return tmp_path


@pytest.fixture
def status(work: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A command in this process, by its exit code."""
    assert work.is_dir()
    monkeypatch.setattr(EndSignals, "install", lambda _: None)

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["spikeport", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code  # type: ignore[return-value]

    return call


@pytest.fixture
def refused(status: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Refused:
    """The sentence with which a command is refused."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert status(*arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and len(error) < 1100
        assert "unexpected" not in error.lower() and "\x1b" not in error and error.isascii()
        return error

    return call


def profile(table: str, key: str, value: float) -> str:
    cls = Limits if table == "limits" else WordWidths
    unit = cls.UNITS.get(key, cls.UNIT)
    number = f'value = {value}\nunit = "{unit}"\nsource = "x"\nkind = "vendor"\ndate = "2024"\n'
    return f'extends = "loihi2"\nkind = "chip"\n[{table}.{key}]\n{number}'


@pytest.mark.parametrize("table", ["limits", "word_widths"])
def test_every_count_of_a_profile_is_limited(table: str, tmp_path: Path) -> None:
    cls, path = (Limits if table == "limits" else WordWidths), tmp_path / "p.toml"
    assert set(cls.MOST) == set(cls.model_fields)
    for key, most in cls.MOST.items():
        for value in (most + 1, 10**18, 1e300):
            path.write_text(profile(table, key, value), encoding="utf-8")
            with pytest.raises(InputError, match=f"{key}: .* is too large; the most is {most:,}"):
                load_profile(path)
        path.write_text(profile(table, key, most), encoding="utf-8")
        load_profile(path)
    for key, least in cls.LEAST.items():
        path.write_text(profile(table, key, least - 1), encoding="utf-8")
        with pytest.raises(InputError, match=key):
            load_profile(path)


@pytest.mark.parametrize("key", ["mesh_columns", "cores_per_chip", "chips_per_board", "cores_per_router"])
def test_the_largest_board_is_laid_out(key: str, work: Path, status: Callable[..., int]) -> None:
    value = MOST_CORES if key == "cores_per_chip" else 100_000
    (work / "p.toml").write_text(profile("limits", key, value), encoding="utf-8")
    assert status("check", "m.nir", "--chip", "p.toml") == 0


def test_a_layer_on_more_cores_than_are_placed(work: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeport.exporter.mapping.resources.ranges.MOST_SLICES", 3)
    (work / "p.toml").write_text(profile("limits", "compartments_per_core", 1), encoding="utf-8")
    assert "'lif' needs more than 3 cores" in refused("check", "m.nir", "--chip", "p.toml")
    assert MOST_SLICES >= 1152 * 128


@pytest.mark.parametrize("value", [2**27, 10**9, 2**62])
def test_every_count_of_a_recipe_is_limited(value: int, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    counts = {
        "layer": ("size", "repeat", "longest_delay", "kernel", "stride", "padding", "dilation", "groups", "pool"),
        "training": ("epochs", "steps", "batch_size", "accumulate", "threads", "stretch", "patience"),
        "network": ("output_pool", "chip_aware", "payload"),
    }
    for table, keys in counts.items():
        for key in keys:
            tables = {"layer": "", "training": "", "network": "", table: f"{key} = {value}"}
            path.write_text(RECIPE.format(**tables), encoding="utf-8")
            with pytest.raises(InputError, match=r"r\.toml: key"):
                load_recipe(path)


def test_a_network_too_large_for_a_file_is_not_made(work: Path, refused: Refused) -> None:
    for layer in ("size = 60000000", "repeat = 4096\n[[network.layers]]", "size = 1000000\nrecurrent = true"):
        (work / "r.toml").write_text(RECIPE.format(layer=layer, network="", training=""), encoding="utf-8")
        sentence = refused("train", "r.toml", "--out", "run")
        assert "at most 2,147,483,648 are allowed" in sentence or "layers are at most 4,096" in sentence


def test_a_grid_of_too_many_points_or_of_values_that_are_none(work: Path, refused: Refused) -> None:
    (work / "r.toml").write_text(RECIPE.format(layer="", network="", training=""), encoding="utf-8")
    many = [part for n in range(12) for part in ("--over", f"training.options.k{n}=1,2,3")]
    assert "531,441 points" in refused("sweep", "r.toml", "--out", "s", *many)
    for axis in (f"epochs={DIGITS}", f"weight_bits={2**63}", "weight_bits=inf", "chip=\udcff", "chip=\x1b[31m",
                 "training.options" + ".a" * 5000 + "=1"):  # fmt: skip
        assert "--over" in refused("sweep", "r.toml", "--out", "s", "--over", axis)
    (work / "s/points").mkdir(parents=True)
    assert "at most 1,024 processes" in refused(
        "sweep", "r.toml", "--out", "s", "--over", "dt=1e-3", "--workers", 10**5
    )


def test_no_more_workers_are_started_than_there_are_jobs(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "at most 1,024" in refused("simulate", "m.chip", "--input", "x.npy", "-o", "o.npz", "--workers", 10**9)
    from spikeport.lava_runtime import workers

    started: list[int] = []

    def pool(count: int) -> Any:
        started.append(count)
        raise InputError("enough")

    monkeypatch.setattr(workers, "local_pool", pool)
    refused("simulate", "m.chip", "--input", "x.npy", "-o", "o.npz", "--workers", 1000)
    assert len(started) == 1 and 2 <= started[0] <= 20


TOML = {"nested": "a=" + "[" * 100_000, "tables": "a=" + "{b=" * 3000, "dots": "[" + "a." * 50_000 + "a]",
        "digits": f"kind={DIGITS}", "hex": "name=0x" + "f" * 9000, "extends": "extends=[1]", "date": "kind=07:32:00",
        "escape": 'kind="\\u001b[31m"', "long": f'kind="{"x" * 100_000}"', "surrogate": 'kind="\\ud800"'}  # fmt: skip


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_toml(text: str, work: Path, refused: Refused) -> None:
    (work / "p.toml").write_text(text, encoding="utf-8")
    for command in (("check", "m.nir", "--chip", "p.toml"), ("chips", "--validate", "p.toml"),
                    ("train", "p.toml", "--out", "run"), ("check", "m.chip", "--chip", "loihi2", "--map", "p.toml"),
                    ("sweep", "p.toml", "--over", "weight_bits=4", "--out", "s")):  # fmt: skip
        assert "p.toml" in refused(*command)


LAYER = '{"layers": {"layer1": %s}}'
JSON = {"nested": "[" * 100_000, "digits": LAYER % DIGITS, "surrogate": '{"layers": {"\\ud800": 1}}',
        "nan": LAYER % "NaN",
        "escape": '{"layers": {"\\u001b[31m": {}}}', "bytes": "\xff", "list": '{"layers": [1]}', "empty": "",
        "many": LAYER % ('{"slices": [' + ",".join(["[0,7,0]"] * 4) + "]}"),
        "long": LAYER % ('{"slices": [' + str([7] * 9999) + "]}"),
        "large": LAYER % ('{"slices": [[' + "9" * 30 + ", 7, 0]]}")}  # fmt: skip


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
def test_json(text: str, work: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeport.exporter.mapping.file.MOST_SLICES", 3)
    (work / "p.json").write_bytes(text.encode("latin-1"))
    assert "p.json" in refused("check", "m.chip", "--chip", "loihi2", "--map", "p.json")
    (work / "run").mkdir()
    (work / "run/summary.json").write_bytes(text.encode("latin-1"))
    assert "summary.json" in refused("report", "run")


@pytest.mark.parametrize("name", ["\udcff", "a\x1b[31m", "x" * 5000, "a" + "/b" * 3000, "a\nb", "\u202e"])
def test_names(name: str, refused: Refused) -> None:
    for command in (("check", f"{name}.nir", "--chip", "loihi2"), ("check", "m.nir", "--chip", name), ("report", name),
                    ("simulate", "m.chip", "--input", f"{name}.npy", "-o", "o.npz"), ("run", f"{name}.toml"),
                    ("chips", name), (name,), ("check", f"--{name}"), ("export", name, "-o", "o.nir"),
                    ("check", "m.nir", "m.nir", name)):  # fmt: skip
        refused(*command)


@pytest.mark.parametrize("kind", ["onnx", "safetensors", "pt"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"PK\x05\x06" + bytes(18), b"\x80\x04.", b"\xff" * 64, None])
def test_models_that_are_none(kind: str, content: bytes | None, work: Path, refused: Refused) -> None:
    (work / "run").mkdir()
    path = work / ("m.onnx" if kind == "onnx" else f"run/network.{kind}")
    path.write_bytes(READERS[kind].seeds()[0][:-40] if content is None else content)
    if kind == "onnx":
        refused("import", "m.onnx", "--chip", "loihi2", "--calibrate", "x.npy", "-o", "o.chip")
    else:
        refused("export", "run", "-o", "o.nir")


@pytest.mark.parametrize("location", ["x" * 5000, "a/" * 500, "\x1b[31m", "a\x00b", "../x", "/etc/passwd", ""])
def test_weights_of_onnx_under_a_name_that_is_none(location: str, work: Path, refused: Refused) -> None:
    model = onnx.load_model_from_string(READERS["onnx"].seeds()[3])
    for entry in model.graph.initializer[0].external_data:
        entry.value = location
    (work / "m.onnx").write_bytes(model.SerializeToString())
    sentence = refused("import", "m.onnx", "--chip", "loihi2", "--calibrate", "x.npy", "-o", "o.chip")
    assert "m.onnx: the weights" in sentence


def test_an_onnx_network_that_ignores_its_input(work: Path, refused: Refused) -> None:
    model = onnx.load_model_from_string(READERS["onnx"].seeds()[0])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("alpha", 0.0))
    (work / "m.onnx").write_bytes(model.SerializeToString())
    np.save("s.npy", np.ones((4, 6), np.float32))
    assert "the same for every input" in refused(
        "import", "m.onnx", "--chip", "loihi2", "--calibrate", "s.npy", "-o", "o.chip"
    )


def commands(work: Path) -> dict[str, tuple[object, ...]]:
    (work / "m.onnx").write_bytes(READERS["onnx"].seeds()[0])
    np.save("labels.npy", np.arange(20) % 4)
    read = ("--input", "in.npy")
    return {
        "simulate": ("simulate", "m.chip", *read, "-o", "o.npz"),
        "diff": ("diff", "m.nir", "--chip", "loihi2", *read),
        "profile": ("profile", "m.chip", "--chip", "loihi2", *read),
        "report": ("report", "m.chip", *read, "--labels", "labels.npy", "-o", "o.html"),
        "labels": ("report", "m.chip", "--input", "x.npy", "--labels", "in.npy", "-o", "o.html"),
        "compile": ("compile", "m.nir", "--chip", "loihi2", "--calibrate", "in.npy", "-o", "o.chip"),
        "import": ("import", "m.onnx", "--chip", "loihi2", "--calibrate", "in.npy", "--steps", "4", "-o", "i.chip"),
    }


STRANGE: dict[str, NDArray[Any] | bytes] = {
    "object": np.full((3, 2, 6), None), "structured": np.zeros((3, 2, 6), [("a", "i4")]), "0-d": np.array(1),
    "32 axes": np.ones((1,) * 32), "40 axes": many_axes(40), "complex": np.ones((3, 2, 6), "c8"),
    "text": np.full((3, 2, 6), "1"), "dates": np.zeros((3, 2, 6), "M8[s]"), "void": np.zeros((3, 2, 6), "V3"),
    "empty": np.zeros((0, 2, 6)), "nan": np.full((3, 2, 6), np.nan, "f2"), 
    "infinite": np.full((3, 2, 6), np.inf, ">f4"),
    "2**63": np.full((3, 2, 6), 2**63, ">u8"), "-2**63": np.full((3, 2, 6), -(2**63)),
    "1e300": np.full((3, 2, 6), 1e300),
}  # fmt: skip


@pytest.mark.parametrize("values", STRANGE.values(), ids=STRANGE)
def test_arrays_that_are_no_input(values: NDArray[Any] | bytes, work: Path, refused: Refused) -> None:
    for name, command in commands(work).items():
        changed = values
        if isinstance(values, np.ndarray) and values.ndim == 3 and name in ("import", "labels"):
            changed = values.reshape(-1, 6) if name == "import" else values.reshape(-1)[:20]
        if isinstance(changed, np.ndarray):
            np.save("in.npy", changed, allow_pickle=True)
        else:
            (work / "in.npy").write_bytes(changed)
        if (
            name == "import"
            and isinstance(changed, np.ndarray)
            and changed.shape == (6, 6)
            and changed.dtype.kind in "iu"
        ):
            continue  # an ANN takes real numbers of any size
        refused(*command)


TYPES = ("?", "i1", ">i2", "u4", ">u8", ">f2", "f4", "g")


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_and_byte_order_gives_the_same_answer(kind: str, work: Path) -> None:
    program, x = load_program(work / "m.chip"), spikes((6, 20, 6), 0.4, 1)
    wanted = simulate(program, x.astype(np.int64)).output
    values = np.asfortranarray(x.astype(kind))
    np.save("in.npy", values)
    np.savez("in.npz", input=values)
    nir.write_data("in.h5", nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": gridded(values)})}))
    for name in ("in.npy", "in.npz", "in.h5"):
        if kind != "g" or name != "in.h5":  # HDF5 has no long double that every reader has
            np.testing.assert_array_equal(simulate(program, open_input(Path(name), program)).output, wanted)


def gridded(values: NDArray[Any]) -> nir.TimeGriddedData:
    return nir.TimeGriddedData(np.swapaxes(values, 0, 1), 1e-3)


@pytest.mark.slow
def test_every_command_gives_the_same_answer_for_every_type(
    work: Path, status: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    x = spikes((6, 20, 6), 0.4, 1)
    every = commands(work)
    for name, command in {**every, "workers": (*every["simulate"], "--workers", "2")}.items():
        answers = set()
        for kind in ("i8", ">f2", ">u2")[: 3 if name == "labels" else 2]:
            values = {"import": x.reshape(-1, 6), "labels": np.arange(20) % 4}.get(name, x).astype(kind)
            if name == "labels" and kind == ">f2":
                continue
            np.save("in.npy", values)
            capsys.readouterr()
            assert status(*command) in (0, 1), kind
            answers.add(answer(name, capsys.readouterr().out))
        assert len(answers) == 1, name


def answer(command: str, printed: str) -> str:
    if command in ("simulate", "workers"):
        with np.load("o.npz") as file:
            return json.dumps({name: file[name].tolist() for name in file.files})
    if command == "compile":
        program = load_program("o.chip")
        return str([(each.weights.tolist(), each.weight_exp) for each in program.connections])
    return printed
