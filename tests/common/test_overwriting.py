"""Nothing is lost: no output over an input, no training over another one, no old run before the new one is complete."""

from __future__ import annotations

import inspect
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from command import graph, refused, spikeport
from places import ROOT
from programs import dense, spikes
from two_processes import started, stopped
from typer.main import get_command

import spikeport as sp
from spikeport.commands import cli, paths
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.common.overwriting import keeping, refuse_inputs
from spikeport.console.bare_json import with_bare_json
from spikeport.exporter.program.chip_file import save_program
from spikeport.run.claim import checkpoint_of, claimed
from spikeport.run.run_folder import RunFolder, new_folder
from spikeport.trainer.methods.bptt import Bptt

COMMANDS: Any = get_command(cli.app).commands  # type: ignore[attr-defined]
RECIPE = """
name = "small"
dataset = "digits"
backends = []
devices = ["server_cpu"]
[network]
layers = [{ kind = "dense", size = 16 }]
[training]
epochs = 2
steps = 4
"""
OTHER = RECIPE.replace("size = 16", "size = 8")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with m.nir, m.chip, x.npy, run.npz, own.toml and map.toml, which all can be inputs."""
    nir.write(str(tmp_path / "m.nir"), graph())
    program = dense((6, 8, 4), 1)
    save_program(program, tmp_path / "m.chip")
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    sp.load(tmp_path / "m.chip").simulate(tmp_path / "x.npy").save(tmp_path / "run.npz")
    sp.load(tmp_path / "m.chip").check().write(tmp_path / "map.toml")
    (tmp_path / "own.toml").write_text('extends = "loihi2"\nname = "own"\n')
    return tmp_path


RUN = ("simulate", "m.chip", "--input", "x.npy", "-o")
OVER_AN_INPUT = [
    (*RUN, "x.npy"),
    (*RUN, "m.chip"),
    (*RUN, "./x.npy"),
    (*RUN, "link"),
    (*RUN, "hard"),
    (*RUN, "x.npy", "--workers", "2"),
    ("simulate", "m.nir", "--chip", "own.toml", "--input", "x.npy", "-o", "own.toml"),
    ("simulate", "m.nir", "--chip", "loihi2", "--input", "random:0.1", "--calibrate", "x.npy", "-o", "x.npy"),
    ("compile", "m.nir", "--chip", "loihi2", "-o", "m.nir"),
    ("compile", "link.nir", "--chip", "loihi2", "-o", "m.nir"),
    ("compile", "m.nir", "--chip", "loihi2", "--calibrate", "x.npy", "-o", "x.npy"),
    ("export", "m.nir", "-o", "m.net"),
    ("check", "m.chip", "--chip", "loihi2", "--map", "map.toml", "--dump-map", "map.toml"),
    ("check", "m.chip", "--chip", "loihi2", "--json=m.chip"),
    ("check", "m.chip", "--chip", "loihi2", "--map", "map.toml", "--json", "json"),
    ("diff", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--picture", "x.svg"),
    ("profile", "m.chip", "--chip", "loihi2", "--input", "x.npy", "--run", "run.npz", "--trace", "run.npz"),
    ("profile", "m.chip", "--chip", "loihi2", "--input", "x.npy", "--costs", "speck,own.toml", "--trace", "json"),
    ("chips", "own.toml", "--json", "toml"),
    ("chips", "--validate", "own.toml", "--json", "toml"),
    ("report", "folder", "-o", "page.html"),
    ("compare", "folder", "--json", "folder/summary.json"),
    ("report", "folder", "folder", "--json", "folder/raster.npz"),
    ("run", "recipe.toml", "--json", "recipe.json"),
    ("sweep", "recipe.toml", "--over", "steps=2", "--out", "out", "--json", "recipe.json"),
]


@pytest.mark.parametrize("call", OVER_AN_INPUT, ids=lambda call: " ".join(call))
def test_no_command_writes_over_an_input(work: Path, call: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    for name, to in (("link", "x.npy"), ("link.nir", "m.nir"), ("x.svg", "x.npy"), ("toml", "own.toml")):
        Path(name).symlink_to(to)
    Path("json").symlink_to("own.toml" if call[0] == "profile" else "map.toml")
    Path("hard").hardlink_to("x.npy")
    Path("m.net").symlink_to("m.nir")
    Path("recipe.toml").write_text(RECIPE)
    Path("recipe.json").symlink_to("recipe.toml")
    Path("folder").mkdir()
    for name in ("summary.json", "raster.npz", "network.pt"):
        (Path("folder") / name).write_text("{}")
    Path("page.html").symlink_to("folder/summary.json")
    before = contents(work)
    said = refusal(monkeypatch, *call)
    assert "input" in said or "JSON" in said, said
    assert contents(work) == before and Path("link").is_symlink() and Path("json").is_symlink()


def refusal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["spikeport", *arguments])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert ended.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1, said
    return str(said)


def test_the_same_as_a_process_of_its_own(work: Path) -> None:
    before = contents(work)
    refused(spikeport(*RUN, "x.npy", cwd=work), "-o x.npy", "is an input", "choose another name")
    assert contents(work) == before


def test_every_path_of_every_command_is_known_to_be_read_or_written() -> None:
    named: dict[str, set[str]] = {}
    for info in cli.app.registered_commands:
        assert info.callback is not None
        for name, parameter in inspect.signature(info.callback).parameters.items():
            if "pathlib.Path" in repr(parameter.annotation):
                named.setdefault(name, set()).add(f"{info.name or info.callback.__name__}")
    written = {**paths.FILES, **paths.FOLDERS}
    assert set(named) <= {*paths.READ, *written}, named
    assert set(written) <= set(named)
    # the sentences name the options as they are called
    for command in COMMANDS.values():
        for parameter in command.params:
            if parameter.name in written:
                assert written[parameter.name] in parameter.opts


def test_a_dump_does_not_write_over_the_network_that_is_compiled(work: Path) -> None:
    call = ("compile", "m.nir", "--chip", "loihi2", "-o", "m.chip", "--dump", "dump")
    assert spikeport(*call, cwd=work).returncode == 0
    dumped = sorted((work / "dump").glob("*.nir"))[3]
    before = contents(work)
    again = spikeport("compile", dumped, "--chip", "loihi2", "-o", "new.chip", "--dump", "dump", cwd=work)
    refused(again, dumped.name, "is an input")
    assert dumped.read_bytes() == before[f"dump/{dumped.name}"]


def test_two_outputs_are_two_files(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    Path("other.json").symlink_to("new.json")
    profile = ("profile", "m.chip", "--chip", "loihi2", "--input", "x.npy", "--trace", "new.json", "--json")
    for again in ("new.json", "./new.json", "other.json"):
        assert "are one file" in refusal(monkeypatch, *profile, again)
    assert not Path("new.json").exists()


def test_an_input_among_the_parts_of_an_output_stays(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    Path("o.npz.parts").mkdir()
    Path("x.npy").rename("o.npz.parts/x.npy")
    said = refusal(monkeypatch, "simulate", "m.chip", "--input", "o.npz.parts/x.npy", "-o", "o.npz", "--workers", "2")
    assert "o.npz.parts" in said and Path("o.npz.parts/x.npy").exists()


def test_results_in_python_do_not_write_over_what_they_were_made_of(work: Path) -> None:
    before = contents(work)
    network = sp.compile(work / "m.nir", calibrate=work / "x.npy")
    again = sp.load(work / "m.chip")
    for path, save in (
        ("m.nir", network.save),
        ("x.npy", network.save),
        ("m.chip", again.save),
        ("x.npy", again.simulate(work / "x.npy").save),
        ("m.chip", again.simulate(work / "x.npy").save),
        ("x.npy", again.profile(work / "x.npy").save_trace),
        ("run.npz", again.profile(work / "x.npy", run=work / "run.npz").save_trace),
        ("map.toml", again.check(by_hand=work / "map.toml").write),
    ):
        with pytest.raises(InputError, match="is an input and would be overwritten"):
            save(work / path)
    (work / "x.svg").symlink_to("x.npy")
    with pytest.raises(InputError, match=r"is an input \(as .*x.npy\)"):
        network.diff(work / "x.npy").draw(work / "x.svg")
    after = contents(work)
    assert {name: after[name] for name in before} == before
    network.save(work / "new.chip")
    network.save(work / "new.chip")


def test_what_is_kept_is_kept_within(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with keeping([tmp_path / "a"]):
        with pytest.raises(InputError, match="is an input"):
            write_text(tmp_path / "a", "new")
        write_text(tmp_path / "b", "new")
    write_text(tmp_path / "a", "new")
    refuse_inputs(tmp_path / "c", [tmp_path / "a", tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("profile --json m.nir --input x.npy", "profile --json - m.nir --input x.npy"),
        ("profile --json m.nir --input=x.npy --chip loihi2", "profile --json - m.nir --input=x.npy --chip loihi2"),
        ("profile --input x.npy --json m.nir", "profile --input x.npy --json - m.nir"),
        ("profile --json f.json m.nir", "profile --json f.json m.nir"),
        ("profile --json f m.nir", "profile --json f m.nir"),
        ("profile m.nir --json f", "profile m.nir --json f"),
        ("profile m.nir --json", "profile m.nir --json -"),
        ("profile --json f.json --chip loihi2", "profile --json f.json --chip loihi2"),
        ("--debug compare --json runs", "--debug compare --json - runs"),
        ("report a --json folder", "report a --json - folder"),
        ("chips --json loihi2", "chips --json - loihi2"),
        ("chips --json figures", "chips --json figures"),
        ("chips loihi2 --json speck", "chips loihi2 --json speck"),
        ("sweep --json r.toml --over a=1 b=2", "sweep --json - r.toml --over a=1 b=2"),
        ("run --overwrite --json r.toml", "run --overwrite --json - r.toml"),
        ("nothing --json f", "nothing --json f"),
    ],
)
def test_a_bare_json_takes_no_argument_that_the_command_lacks(
    call: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    assert with_bare_json(call.split(), COMMANDS) == wanted.split()


def test_a_json_of_a_model_s_name_is_refused(work: Path) -> None:
    before = contents(work)
    refused(spikeport("check", "m.chip", "--chip", "loihi2", "--json", "run.npz", cwd=work), "--json run.npz", ".json")
    shown = spikeport("check", "--json", "m.chip", "--chip", "loihi2", cwd=work)
    assert shown.returncode == 0 and json.loads(shown.stdout)["cores"] >= 1
    assert contents(work) == before


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.toml, b.toml, diverging.toml and A, where a.toml has been run."""
    folder = tmp_path_factory.mktemp("trained")
    for name, text in (("a", RECIPE), ("b", OTHER)):
        (folder / f"{name}.toml").write_text(text)
    sp.run_recipe(folder / "a.toml", folder / "A")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it as the current folder; A holds a training only."""
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    for name in ("summary.json", "report.html", "model.nir", "model.chip", "result.npz"):
        (tmp_path / "copy" / "A" / name).unlink()
    return tmp_path / "copy"


@pytest.mark.parametrize("command", ["train", "run"])
def test_a_training_is_not_replaced_unless_asked_for(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(place / "A")
    for recipe in ("b.toml", "a.toml"):
        said = refusal(monkeypatch, command, recipe, "--out", "A")
        assert "--resume" in said and "--overwrite" in said and "A: holds a training" in said
    # another recipe's checkpoint
    assert "another configuration" in refusal(monkeypatch, command, "b.toml", "--out", "A", "--resume")
    assert contents(place / "A") == before
    # nothing to go on from
    found = checkpoint_of(place / "A")
    assert found is not None
    found.unlink()
    before = contents(place / "A")
    said = refusal(monkeypatch, command, "b.toml", "--out", "A", "--resume")
    assert "no checkpoint to go on from" in said and contents(place / "A") == before


@pytest.mark.parametrize("command", ["train", "run"])
def test_a_training_that_was_interrupted_is_not_discarded(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 200"))
    running = started(command, "a.toml", "--out", "A", cwd=tmp_path)
    with stopped(running, tmp_path / "A" / "checkpoint.csv"):
        running.send_signal(signal.SIGINT)
    running.communicate(timeout=300)
    assert running.returncode == 130
    before = contents(tmp_path / "A")
    refused(spikeport(command, "a.toml", "--out", "A", cwd=tmp_path), "A", "--resume", "--overwrite")
    assert contents(tmp_path / "A") == before and checkpoint_of(tmp_path / "A") is not None


def test_a_resumed_training_keeps_the_new_recipe(place: Path) -> None:
    # what concerns no weight may differ
    (place / "a.toml").write_text(RECIPE.replace("server_cpu", "jetson_tx1"))
    run = sp.run_recipe(place / "a.toml", place / "A", resume=True)
    assert list(run.parts()["ann"]) == ["jetson_tx1"]
    assert (place / "A" / "recipe.toml").read_bytes() == (place / "a.toml").read_bytes()


def test_overwriting_replaces_all_of_a_run_when_the_new_one_is_complete(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "A"
    shutil.copytree(trained / "A", out)
    (out / "notes.txt").write_text("mine")
    old = contents(out)
    seen: list[dict[str, bytes]] = []
    from spikeport.run import whole_run as run

    real = run.print_summary

    def look(*arguments: Any) -> None:
        # all of the new run is written
        seen.append(contents(out))
        real(*arguments)

    monkeypatch.setattr(run, "print_summary", look)
    sp.run_recipe(trained / "b.toml", out, overwrite=True)
    assert {name: seen[0][name] for name in old} == old
    new = contents(out)
    assert set(new) == set(old) and new["notes.txt"] == b"mine"
    assert new["recipe.toml"] == OTHER.encode() and new["summary.json"] != old["summary.json"]
    assert sp.open_run(out).parts()["commands"][0].endswith(f"--out {out}")
    alone = sp.run_recipe(trained / "b.toml", tmp_path / "alone")
    for name in ("model.chip", "result.npz", "test_input.npy", "raster.npz"):
        assert new[name] == (tmp_path / "alone" / name).read_bytes(), name
    assert alone.parts()["accuracy"] == sp.open_run(out).parts()["accuracy"]


@pytest.mark.parametrize("command", ["train", "run"])
def test_overwriting_that_fails_leaves_the_old_run(
    command: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "A"
    shutil.copytree(trained / "A", out)
    old = contents(out)
    recipe = str(trained / "b.toml")
    monkeypatch.setattr(Bptt, "loss", infinite)
    assert "diverged" in refusal(monkeypatch, command, recipe, "--out", str(out), "--overwrite")
    assert {name: content for name, content in contents(out).items() if not name.startswith(".spikeport-new/")} == old
    said = refusal(monkeypatch, command, str(trained / "a.toml"), "--out", str(out))
    assert "--overwrite --resume" in said
    # refused before anything has begun, it leaves nothing
    shutil.rmtree(out / ".spikeport-new")
    wrong = refusal(monkeypatch, command, str(trained / "b.toml"), "--out", str(out), "--overwrite", "--resume")
    assert "another configuration" in wrong
    monkeypatch.setattr("spikeport.run.stages.load_dataset", fail)
    assert "no data" in refusal(monkeypatch, command, recipe, "--out", str(out), "--overwrite")
    assert contents(out) == old and sorted(path.name for path in out.iterdir()) == sorted(old)


def infinite(self: Bptt, network: Any, x: Any, y: Any) -> torch.Tensor:
    return network(x).sum() * float("inf")  # type: ignore[no-any-return]


def fail(*_: Any) -> None:
    raise InputError("no data")


def test_overwriting_that_was_interrupted_goes_on(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "A"
    shutil.copytree(trained / "A", out)
    old = contents(out)
    (tmp_path / "long.toml").write_text(OTHER.replace("epochs = 2", "epochs = 60"))
    running = started("train", "long.toml", "--out", "A", "--overwrite", cwd=tmp_path)
    with stopped(running, out / ".spikeport-new" / "checkpoint.csv"):
        running.kill()
    running.communicate(timeout=300)
    assert {name: content for name, content in contents(out).items() if name in old} == old
    went_on: list[int] = []
    from spikeport.trainer.loop import training_loop as loop

    real = loop.restore

    def restored(*arguments: Any) -> Any:
        done = real(*arguments)
        went_on.append(done.epoch)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "restore", restored)
        patch.chdir(tmp_path)
        patch.setattr(sys, "argv", ["spikeport", *["train", "long.toml", "--out", "A", "--overwrite", "--resume"]])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0 and 0 < went_on[0] <= 60
    assert "epochs = 60" in (out / "recipe.toml").read_text()
    # nothing of the old run stays that is none of the new training's
    assert not (out / "summary.json").exists() and not (out / "model.chip").exists()
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("moves", range(4))
def test_moving_in_goes_on_where_it_was_ended(moves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "A")
    folder.path.mkdir()
    for name in ("summary.json", "network.pt", "recipe.toml", "raster.npz"):
        (folder.path / name).write_text("old")
    real, left = Path.replace, [moves]

    def replace(path: Path, target: Path) -> Any:
        if path.parent.name == ".spikeport-done":
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)

    def write() -> None:
        with claimed(folder, resume=False, overwrite=True) as place:
            for name in ("summary.json", "network.pt", "recipe.toml"):
                (place.path / name).write_text("new")

    if moves < 3:
        with pytest.raises(KeyboardInterrupt):
            write()
        # half of it is no finished run
        assert not folder.finished
        left[0] = 3
        with pytest.raises(InputError, match="holds a finished run"), claimed(folder, resume=True, overwrite=False):
            pass
    else:
        write()
    assert contents(folder.path) == dict.fromkeys(("summary.json", "network.pt", "recipe.toml"), b"new")
    assert not list(folder.path.glob(".*"))


def test_runs_and_sweeps_have_folders_of_their_own(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained / "A", tmp_path / "A")
    before = contents(tmp_path / "A")
    call = ("sweep", str(trained / "a.toml"), "--over", "weight_bits=4", "--out", str(tmp_path / "A"))
    assert "holds a run" in refusal(monkeypatch, *call)
    assert contents(tmp_path / "A") == before
    (tmp_path / "S" / "points").mkdir(parents=True)
    for more in ((), ("--overwrite",), ("--resume",)):
        said = refusal(monkeypatch, "run", str(trained / "a.toml"), "--out", str(tmp_path / "S"), *more)
        assert "holds a sweep" in said
    assert [path.name for path in (tmp_path / "S").iterdir()] == ["points"]


def test_a_default_folder_with_a_training_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "r").mkdir(parents=True)
    (tmp_path / "runs" / "r" / "checkpoint.pt").write_text("")
    assert new_folder(None, "r", overwrite=False).path == Path("runs/r-2")
    assert new_folder(None, "r", overwrite=False, resume=True).path == Path("runs/r")
    assert new_folder(None, "r", overwrite=True).path == Path("runs/r")


def test_data_that_are_missing_leave_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(RECIPE.replace('"digits"', '"ti46_digits"\ndata = "nowhere"'))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "spikeport", "train", "a.toml", "--out", "new/A"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    refused(ran, "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]
