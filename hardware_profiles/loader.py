"""Reading profile files: shipped ones by name, a user's own by path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError, nearest
from spikeport.common.plugins import Registry

from .schema import ChipCosts, ChipProfile, CostProfile, DeviceProfile
from .toml_files import read_toml, validated

DATA = Path(__file__).parent / "data"
_MODELS: dict[str, type[ChipProfile] | type[CostProfile] | type[DeviceProfile]] = {
    "chip": ChipProfile,
    "costs": CostProfile,
    "device": DeviceProfile,
}
_DESCRIPTIONS = {
    "chip": "a chip",
    "costs": "the costs of a chip alone",
    "device": "a device for the ANN",
}


def shipped() -> dict[str, Path]:
    """The files of this project's profiles, chips, costs and devices, by name, sorted."""
    return {path.stem: path for path in sorted(DATA.glob("*.toml"))}


def available() -> list[str]:
    """Names of all profiles, chips, costs and devices, including those of installed packages, sorted."""
    return sorted(profiles())


def profiles() -> Registry[Path]:
    """The files of all profiles by name."""
    return Registry("spikeport.chips", shipped(), _as_file)


def _as_file(_: str, value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).endswith(".toml"):
        raise InputError(f"must be the path of a .toml file, not {type(value).__name__}")
    return Path(value)


def load_profile(name_or_path: str | Path) -> ChipProfile | CostProfile | DeviceProfile:
    """Read a shipped profile by name, or a user's own file by a path that ends in .toml.

    A file with extends = "NAME" overrides keys and tables of that shipped profile.
    Raises InputError in one sentence for an unknown name, an unreadable or truncated file, an unknown key,
    and a number without source, kind or date or out of order.
    """
    path = _locate(name_or_path)
    content = _content(path)
    model = _MODELS[_kind(path, content)]
    profile = validated(path, model, content)
    if not str(name_or_path).endswith(".toml") and profile.name != str(name_or_path):
        raise InputError(f"{path}: name is {profile.name!r}, but its entry point {str(name_or_path)!r}; use one name")
    return profile


def load_chip(name_or_path: str | Path) -> ChipProfile:
    """Read a chip's profile; raises InputError as `load_profile` does, and if it describes a device."""
    profile = load_profile(name_or_path)
    if isinstance(profile, ChipProfile):
        return profile
    raise InputError(
        f"{name_or_path} describes {_DESCRIPTIONS[profile.kind]}, not a chip; choose one of {_names('chip')}"
    )


def load_costs(name_or_path: str | Path) -> ChipCosts:
    """Read the costs of a chip or a cost profile; raises InputError as `load_profile` does, and for a device."""
    profile = load_profile(name_or_path)
    if isinstance(profile, DeviceProfile):
        known = f"{_names('chip')}, {_names('costs')}"
        raise InputError(f"{name_or_path} describes {_DESCRIPTIONS['device']}, not a chip; choose one of {known}")
    return profile


def load_device(name_or_path: str | Path) -> DeviceProfile:
    """Read an ANN device's profile; raises InputError as `load_profile` does, and if it describes a chip."""
    profile = load_profile(name_or_path)
    if isinstance(profile, DeviceProfile):
        return profile
    description = _DESCRIPTIONS[profile.kind]
    raise InputError(
        f"{name_or_path} describes {description}, not a device for the ANN; choose one of {_names('device')}"
    )


def _names(kind: str) -> str:
    return ", ".join(sorted(name for name, path in profiles().items() if _content(path).get("kind") == kind))


def _content(path: Path) -> dict[str, Any]:
    """A file's content, over that of the profile it extends."""
    own = read_toml(path)
    if "extends" not in own:
        return own
    base = own.pop("extends")
    known = profiles()
    if not isinstance(base, str) or base not in known or path == known[base]:
        hint = nearest(str(base), known)
        raise InputError(
            f"{path}: extends = {base!r} is not a shipped profile{hint}; the known ones are {', '.join(sorted(known))}"
        )
    return _over(_content(known[base]), own)


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables key by key; numbers (tables with a value) and text are replaced whole."""
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        inside = isinstance(value, dict) and "value" not in value
        merged[key] = _over(below, value) if inside and isinstance(below, dict) else value
    return merged


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith(".toml"):
        return Path(text)
    files = profiles()
    if text in files:
        return files[text]
    known = sorted(files)
    raise InputError(
        f"there is no profile {text!r}{nearest(text, known)}; the known ones are {', '.join(known)}, "
        "and a file of your own is named by a path that ends in .toml"
    )


def _kind(path: Path, content: Mapping[str, Any]) -> str:
    kind = content.get("kind")
    if isinstance(kind, str) and kind in _MODELS:
        return kind
    problem = "kind is missing" if kind is None else f"kind {kind!r} is unknown"
    raise InputError(
        f'{path}: {problem}; write kind = "chip", kind = "costs" or kind = "device" at the top of the file'
    )
