"""Files made to do harm: none reads another file, runs code, writes elsewhere, asks for all memory or never ends."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from command import graph
from fuzz.readers import _Code
from net_files import dense as net_layer
from net_files import write_net
from programs import dense

from spikeport.common.errors import InputError
from spikeport.common.npy import map_npy
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.input_files import open_input

NODE = {"nir": "node/nodes/fc", "net": "layer/0", "chip": "connections/0000"}
READ: dict[str, Callable[[Path], object]] = {
    "nir": read_nir,
    "net": lambda path: compile_net(path, load_chip("loihi2")),
    "chip": load_program,
}


@pytest.fixture(params=READ)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"model.{request.param}"
    if request.param == "nir":
        nir.write(str(path), graph())
    elif request.param == "net":
        write_net(path, [net_layer(np.ones((4, 6)))])
    else:
        save_program(dense((6, 4), 1), path)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.full((4, 6), 7.0)
    return path


def refused(path: Path, *words: str) -> None:
    kind = path.suffix[1:]
    with pytest.raises(InputError) as error:
        READ[kind](path)
    for word in (path.name, *words):
        assert word in str(error.value)


def weight(path: Path) -> str:
    return f"{NODE[path.suffix[1:]]}/{'weights' if path.suffix == '.chip' else 'weight'}"


def test_a_sound_file_is_read(model: Path) -> None:
    READ[model.suffix[1:]](model)


@pytest.mark.parametrize("kind", ["external link", "soft link", "virtual", "external", "cycle", "twice"])
def test_links_lead_nowhere(model: Path, kind: str) -> None:
    with h5py.File(model, "r+") as file:
        name = weight(model)
        del file[name]
        if kind == "external link":
            file[name] = h5py.ExternalLink("secret.h5", "/secret")
        elif kind == "soft link":
            file[name] = h5py.SoftLink("/" + NODE[model.suffix[1:]])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 6), "f8")
            layout[:] = h5py.VirtualSource("secret.h5", "secret", (4, 6))
            file.create_virtual_dataset(name, layout)
        elif kind == "external":
            file.create_dataset(name, (4, 6), "f8", external=[("secret.h5", 0, 192)])
        elif kind == "cycle":
            file[name] = file["/"]
        else:
            other = f"{NODE[model.suffix[1:]]}/other"
            file[other] = np.ones((4, 6))
            file[name] = file[other]
    refused(model, weight(model).split("/")[-1])


@pytest.mark.parametrize(("shape", "dtype"), [((1 << 40,), "f4"), ((1 << 27,), "i1"), ((1 << 27,), "S100"),
                                              ((1 << 27,), h5py.string_dtype())])  # fmt: skip
def test_arrays_that_a_file_only_promises(model: Path, shape: tuple[int, ...], dtype: object) -> None:
    with h5py.File(model, "r+") as file:
        del file[weight(model)]
        file.create_dataset(weight(model), shape, dtype, chunks=(64,))
    refused(model, "weight")


def test_chunks_of_one_element_and_a_text_in_many_places(model: Path) -> None:
    with h5py.File(model, "r+") as file:
        del file[weight(model)]
        file.create_dataset(weight(model), (1 << 23,), "i1", chunks=(1,))
    refused(model, "weight", "chunks")
    with h5py.File(model, "r+") as file:
        del file[weight(model)]
        file[weight(model)] = "x" * (1 << 20)
        file.create_dataset(f"{NODE[model.suffix[1:]]}/texts", (12_000,), h5py.string_dtype())
    refused(model, "texts", "bytes of text")


@pytest.mark.parametrize("size", [(1 << 64) - 8, 0, 24])
def test_a_heap_of_texts_without_an_end(model: Path, size: int) -> None:
    content = bytearray(model.read_bytes())
    begin = content.find(b"GCOL")
    if begin < 0:
        pytest.skip("its texts have no heap")
    # the free space at the heap's end claims another size, or none: HDF5 itself would never return
    place = begin + 16
    while (entry := struct.unpack_from("<H6xQ", content, place))[0]:
        place += 16 + (entry[1] + 7) // 8 * 8
    struct.pack_into("<Q", content, place + 8, size)
    model.write_bytes(content)
    refused(model, "heap")


def test_an_attribute_of_a_type_that_is_not_read(model: Path) -> None:
    with h5py.File(model, "r+") as file:
        file[NODE[model.suffix[1:]]].attrs["odd"] = np.zeros(2, [("a", "i4")])
    refused(model, "odd")


def test_a_name_that_would_fill_the_screen(model: Path) -> None:
    with h5py.File(model, "r+") as file:
        file[f"{NODE[model.suffix[1:]]}/{'x' * 5000}"] = 1
    refused(model, "characters", "xxx ...")


@pytest.mark.parametrize(
    "content",
    [pickle.dumps(_Code()), b"\x93NUMPY\x03\x00", b"\x93NUMPY\x01\x00\xff\xff{", b"", b"PK\x05\x06" + bytes(18)],
)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_run_no_code(tmp_path: Path, content: bytes, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.np"):
        open_input(path, dense((6, 4), 1))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_objects_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.array([_Code()], object), allow_pickle=True)
    np.savez("y.npz", input=np.array([_Code()], object))
    for name in ("x.npy", "y.npz"):
        with pytest.raises(InputError, match="objects"):
            open_input(Path(name), dense((6, 4), 1))
    assert not Path("executed").exists()


def test_an_archive_that_unpacks_to_more_than_it_may(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (3 << 30, 1, 6)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input.npy", head.getvalue() + bytes(1 << 10))
    with pytest.raises(InputError, match="promises"):
        open_input(tmp_path / "x.npz", dense((6, 4), 1))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    place = content.find(b"PK\x01\x02") + 24
    struct.pack_into("<I", content, place, (1 << 32) - 2)
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="too much for memory"):
        open_input(tmp_path / "x.npz", dense((6, 4), 1))


def test_an_array_is_mapped_as_it_was_saved(tmp_path: Path) -> None:
    for values in (np.arange(6).reshape(2, 3), np.asfortranarray(np.ones((3, 2))), np.zeros((0, 4)), np.array(5)):
        np.save(tmp_path / "x.npy", values)
        found = map_npy(tmp_path / "x.npy")
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)
