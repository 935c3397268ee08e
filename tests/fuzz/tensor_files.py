"""Files of trained networks for the fuzzer: seeds of this and of older releases, mutations of their structure."""

from __future__ import annotations

import io
import json
import random
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from fuzz import mutate as m
from safetensors.torch import load, save
from small_training import NETWORK, TRAINING, made
from torch_archives import Code, members, old_archive, script, zipped

from spikeport.common.errors import InputError
from spikeport.exporter.from_torch import network_to_nir
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.loop.checkpoint import make_checkpoint, restore
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.methods.registry import load_trained
from spikeport.trainer.tensor_files.tensor_files import _digest, read_tensors, write_tensors

OLD = Path(__file__).resolve().parents[1] / "old_release"
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 7, 10**9, 2**62, 2**63, 10**30, 0.5, -1.0, 1e300, "",
    "bptt", "\ud800", "\x1b[31m", [], [[]], {},
    {"$tuple": []}, {"$tuple": [1, 2]}, {"$float": "nan"}, {"$float": "inf"}, {"$tensor": "x"}, {"$dict": []}, [0] * 50,
    "x" * 6000, "\u202e", {"$tensor": "\x1b[31m"}, {"$tuple": {}}, {"$float": 1}, {"": {"": {"": {}}}},
)  # fmt: skip


def read(path: Path) -> object:
    """Read as a network, which is exported; as a twin; as a checkpoint, which is gone on from."""
    try:
        return network_to_nir(load_trained(path).spiking_network)
    except InputError as error:
        if "not a network file" not in str(error):
            raise
    try:
        return AnnTwin.load(path).twin_layers()
    except InputError as error:
        if "not a ann_twin file" not in str(error):
            raise
    return _resume(path)


def _resume(path: Path) -> object:
    method = Bptt(NETWORK, TRAINING)
    data = made()
    model = method.build(data.input_shape, data.classes)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    kept = make_checkpoint(path.parent, path.name, True, NETWORK, method.train_config, data)
    assert kept is not None
    done = restore(kept, model, optimizer)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    return done


@lru_cache(maxsize=1)
def old_seeds() -> list[bytes]:
    """What torch 2.3 wrote, a TorchScript archive, and an archive that holds an object."""
    files = [(OLD / f"{name}.pt").read_bytes() for name in ("network", "checkpoint", "ann")]
    return [*files, *files, script(), old_archive("network", {"state": Code()})]


@lru_cache(maxsize=1)
def seeds() -> list[bytes]:
    """The same content in this release's format."""
    found = []
    for name, kind in (("network", "network"), ("checkpoint", "checkpoint"), ("ann", "ann_twin")):
        content = read_tensors(OLD / f"{name}.pt", kind)
        with tempfile.TemporaryDirectory() as folder:
            write_tensors(Path(folder) / "seed", kind, content)
            found.append((Path(folder) / "seed").read_bytes())
    return found


def mutate_values(seed: bytes, _: list[bytes], rng: random.Random) -> bytes:
    """Values and tensors changed, and the checksum made to fit them."""
    length = int.from_bytes(seed[:8], "little")
    header = json.loads(seed[8 : 8 + length])
    about = json.loads(header["__metadata__"]["spikeport"])
    tensors = load(seed)
    for _number in range(rng.choice((1, 1, 2, 3))):
        if rng.random() < 0.3:
            _change_tensor(tensors, rng)
        else:
            _change_value(about["values"], rng)
    about["sha256"] = _digest(about["kind"], about["values"], tensors)
    return save(tensors, {"spikeport": json.dumps(about)})


def mutate_header(seed: bytes, _: list[bytes], rng: random.Random) -> bytes:
    """Types, shapes, offsets, names and metadata changed in the header, whose size is made to fit."""
    length = int.from_bytes(seed[:8], "little")
    header = json.loads(seed[8 : 8 + length])
    _change_value(header, rng)
    text = json.dumps(header).encode()
    if rng.random() < 0.2:
        text = text.replace(b'"dtype"', b'"dtype":"U8","dtype"', 1)
    if rng.random() < 0.2:
        place = rng.randrange(len(text))
        extreme = (b"9" * 6000, b"[" * 6000, b'{"a":' * 6000, b'"\\ud800"', b"NaN", b"1e999", b"-0", b"\x00")
        text = text[:place] + rng.choice(extreme) + text[place + rng.choice((0, 1, 5)) :]
    size = len(text) if rng.random() < 0.8 else rng.choice((0, 1, len(seed), 2**31, 2**63, 2**64 - 1))
    return size.to_bytes(8, "little") + text + seed[8 + length :]


def mutate_torch(seed: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Parts of an archive renamed, mutated, added, packed, and their checksums made to fit."""
    parts = members(seed)
    name = rng.choice(list(parts))
    pickle_ = next(name for name in parts if name.endswith("data.pkl"))
    kind = rng.randrange(6)
    if kind == 0:
        parts[pickle_] = m.mutate(parts[pickle_], [parts[pickle_]], rng)
    elif kind == 1:
        parts[name] = m.mutate(parts[name] or b"x", list(parts.values()), rng)
    elif kind == 2:
        added = (
            "archive/constants.pkl",
            "archive/code/x.py",
            "archive/data/99",
            "../x",
            "archive/.data/ts_code",
            "x/y",
        )
        parts[rng.choice(added)] = rng.choice(list(parts.values()))
    elif kind == 3:
        parts[rng.choice((name + "/", name.upper(), "/" + name, "archive/data/7"))] = parts.pop(name)
    elif kind == 4:
        return zipped(parts, zipfile.ZIP_DEFLATED)
    else:
        content = io.BytesIO(m.mutate(zipped(parts), others, rng))
        return content.getvalue()
    return zipped(parts, link=name if rng.random() < 0.05 else "")


def _change_value(values: Any, rng: random.Random) -> None:
    """One value somewhere inside is replaced, dropped or doubled."""
    while True:
        places = list(values) if isinstance(values, dict) else list(range(len(values)))
        if not places:
            return
        place = rng.choice(places)
        if isinstance(values[place], (dict, list)) and values[place] and rng.random() < 0.8:
            values = values[place]
            continue
        kind = rng.randrange(5)
        if kind == 0 and isinstance(values, dict):
            del values[place]
        elif kind == 1 and isinstance(values, dict):
            values[rng.choice(("x", "$tuple", "kind", "", "0"))] = values[place]
        elif kind == 2 and isinstance(values, list):
            values.append(values[place])
        else:
            values[place] = rng.choice(_VALUES)
        return


def _change_tensor(tensors: dict[str, torch.Tensor], rng: random.Random) -> None:
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    kind = rng.randrange(5)
    if kind == 0:
        del tensors[name]
    elif kind == 1:
        tensors[name] = torch.full_like(tensor.float(), rng.choice((float("nan"), float("inf"), -1.0, 1e30)))
    elif kind == 2:
        tensors[name] = tensor.reshape(1, *tensor.shape).contiguous()
    elif kind == 3:
        tensors[name] = tensor.to(rng.choice((torch.int64, torch.float64, torch.bool, torch.float16, torch.complex64)))
    else:
        tensors[name] = torch.ones(rng.choice(((), (0,), (3,), (2, 2), (1, 1, 1, 1))))
