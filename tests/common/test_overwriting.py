"""Nothing is lost: no output over an input, no training over another one, no old run before the new one is complete."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from command import graph, refused, spikeport
from overwriting_cases import RECIPE, contents, refusal
from programs import dense, spikes
from typer.main import get_command

import spikeport as sp
from spikeport.commands import cli, paths
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.common.overwriting import keeping, refuse_inputs
from spikeport.console.bare_json import with_bare_json
from spikeport.exporter.program.chip_file import save_program

COMMANDS: Any = get_command(cli.app).commands  # type: ignore[attr-defined]


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
