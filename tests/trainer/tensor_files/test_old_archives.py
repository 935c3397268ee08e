"""Archives of torch: those of older releases are read, and nothing that one tries is done."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from places import TESTS
from small_training import NETWORK, TRAINING, assert_same_weights, fit, interrupt_after, made
from tensor_cases import CONTENT, equal, refused
from torch_archives import Code, harmful, members, old_archive, script, write_old, zipped

from spikeport.common.errors import InputError
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.methods.registry import load_trained
from spikeport.trainer.tensor_files import file_names as names
from spikeport.trainer.tensor_files import plain_values as plain
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors

OLD = TESTS / "old_release"
KINDS = {"network": "network", "checkpoint": "checkpoint", "ann": "ann_twin"}
HARMFUL = harmful()
# the settings that networks of old releases were trained with
EARLIER = replace(NETWORK, bounded_bias=True)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return made()


@pytest.fixture
def torch_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of torch's readers were called; none of them reads."""
    called: list[str] = []

    def refuse(name: str) -> Callable[..., None]:
        def reader(*_: object, **__: object) -> None:
            called.append(name)
            raise RuntimeError(name)

        return reader

    for place, name in ((torch, "load"), (torch.jit, "load"), (pickle, "load"), (pickle, "loads")):
        monkeypatch.setattr(place, name, refuse(f"{place.__name__}.{name}"))
    return called


def test_the_script_would_write_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, the test below would hold whatever the reader did."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.pt").write_bytes(script())
    torch.jit.load("network.pt")
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("tries", HARMFUL)
@pytest.mark.parametrize("name", KINDS)
def test_code_is_refused_before_torch_sees_it(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch_loads: list[str], name: str, tries: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / f"{name}.pt", tmp_path / f"{name}.safetensors"):
        path.write_bytes(HARMFUL[tries])
        read: dict[str, Callable[[], object]] = {
            "network": lambda path=path: load_trained(path),  # type: ignore[misc]
            "checkpoint": lambda: fit(data, folder=tmp_path, resume=True),
            "ann": lambda path=path: AnnTwin.load(path),  # type: ignore[misc]
        }
        with pytest.raises(InputError, match=path.name) as error:
            read[name]()
        assert "\n" not in str(error.value)
        if "constants" in tries or tries in ("TorchScript", "code"):
            assert "holds code" in str(error.value)
        assert torch_loads == []
        assert [left.name for left in tmp_path.iterdir() if left.suffix != ".csv"] == [path.name]
        path.unlink()


def test_objects_in_an_archive_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(write_old(tmp_path, "network.pt", "network", {"state": Code()}), "could run code")
    assert not Path("executed").exists()


@pytest.mark.parametrize("version", ["2.3.1", "2.6.0", "2.9.1+cpu"])
def test_an_old_torch_reads_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch_loads: list[str], version: str
) -> None:
    path = write_old(tmp_path, "network.pt", "network", CONTENT)
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    refused(path, "torch 2.10 or later", version)
    assert torch_loads == []
    write_tensors(tmp_path / "network.safetensors", "network", CONTENT)
    assert equal(read_tensors(tmp_path / "network.safetensors", "network"), CONTENT)


@pytest.mark.parametrize("name", KINDS)
def test_files_that_torch_2_3_wrote_are_read(name: str) -> None:
    wanted = torch.load(OLD / f"{name}.pt", weights_only=True)
    for key in ("kind", "version"):
        del wanted[key]
    found = read_tensors(OLD / f"{name}.pt", KINDS[name])
    assert equal(found, plain.put_together(*plain.take_apart(wanted)))


def test_networks_that_torch_2_3_wrote_are_loaded(data: Dataset) -> None:
    network, twin = load_trained(OLD / "network.pt"), AnnTwin.load(OLD / "ann.pt")
    assert (network.network_config, network.train_config) == (EARLIER, TRAINING)
    assert (network.predict(data.x_test) == data.y_test).mean() > 0.5
    assert (twin.predict(data.x_test) == data.y_test).mean() > 0.5


def test_an_old_checkpoint_is_gone_on_from_and_replaced(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(6, patch)
        fit(data, folder=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    write_old(tmp_path, "checkpoint.pt", "checkpoint", read_tensors(path, "checkpoint"))
    path.unlink()
    assert_same_weights(fit(data, folder=tmp_path, resume=True), fit(data))
    assert sorted(left.name for left in tmp_path.iterdir()) == ["checkpoint.csv", "checkpoint.safetensors"]
    # what torch 2.3 wrote is gone on from, too, by this torch's arithmetic
    path.unlink()
    (tmp_path / "checkpoint.pt").write_bytes((OLD / "checkpoint.pt").read_bytes())
    with pytest.raises(InputError, match="bounded_bias was True, now False"):
        fit(data, folder=tmp_path, resume=True)
    gone_on = Bptt(EARLIER, TRAINING).fit(data, tmp_path, resume=True, progress=False)
    assert (gone_on.predict(data.x_test) == data.y_test).mean() > 0.5


def test_a_folder_has_the_new_file_or_else_the_old(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for name in KINDS:
        path = getattr(folder, "twin" if name == "ann" else name)
        assert path == tmp_path / f"{name}.safetensors"
        (tmp_path / f"{name}.pt").touch()
        assert getattr(folder, "twin" if name == "ann" else name) == tmp_path / f"{name}.pt"
        path.touch()
        assert getattr(folder, "twin" if name == "ann" else name) == path
    method = Bptt(NETWORK, TRAINING)
    with pytest.raises(InputError, match="call fit or load"):
        folder.keep(method.save, "network")
    assert (tmp_path / "network.pt").exists()
    folder.keep(lambda path: write_tensors(path, "network", CONTENT), "network")
    assert not (tmp_path / "network.pt").exists()
    # a file that a person named .pt is nobody's predecessor
    write_tensors(tmp_path / "own.pt", "network", CONTENT)
    names.drop_old(tmp_path / "own.pt")
    assert equal(read_tensors(tmp_path / "own.pt", "network"), CONTENT)


def test_old_archives_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    good = members(old_archive("network", CONTENT))
    for content, words in (
        (old_archive("checkpoint", CONTENT), "not a network file"),
        (old_archive("network", CONTENT, version=7), "version 7"),
        (old_archive("network", {"x": {1, 2}}), "truncated"),
        (
            zipped(
                {name.replace("archive/", f"{place % 2}/"): part for place, (name, part) in enumerate(good.items())}
            ),
            "several",
        ),
        (zipped({name: b"" if name.endswith("/0") else part for name, part in good.items()}), "truncated"),
        (zipped({}), "truncated"),
    ):
        path.write_bytes(content)
        refused(path, words)
    cyclic: dict[str, Any] = {"x": []}
    cyclic["x"] += [cyclic["x"]] * 1000
    path.write_bytes(old_archive("network", cyclic))
    refused(path, "without end")
    wide = torch.zeros(1).expand(1 << 40)
    path.write_bytes(old_archive("network", {"x": wide}))
    refused(path, "promises more")


def test_an_archive_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    whole = (OLD / "network.pt").read_bytes()
    place = members(whole)["archive/data/0"]
    changed = bytearray(whole)
    changed[whole.find(place) + 5] ^= 4
    path.write_bytes(changed)
    refused(path, "truncated")
