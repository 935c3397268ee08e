"""Recipes and examples that come with spikeport: inside the package if a wheel is installed, else in the checkout."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from spikeport.common.errors import InputError, nearest
from spikeport.common.files import write_bytes


def shipped_folder(name: str) -> Path:
    """The folder `recipes` or `examples`; raises InputError if the installation lacks it."""
    package = Path(str(files("spikeport")))
    for folder in (package / name, package.parent / name):
        # a folder of that name in site-packages may be another project's
        if folder.is_dir() and (folder.parent == package or (package.parent / "pyproject.toml").is_file()):
            return folder
    raise InputError(f"{package / name}: is not installed; install spikeport again, or work in a clone of it")


def recipe_names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    return sorted(path.stem for path in shipped_folder("recipes").glob("*.toml"))


def find_recipe(name_or_path: str | Path) -> Path:
    """The file of a shipped recipe by its name, or the path as it is; raises InputError for an unknown name.

    A path ends in .toml, names a folder, or exists.
    """
    path = Path(name_or_path)
    if path.is_file() or path.suffix == ".toml" or path.name != str(path):
        return path
    known = recipe_names()
    if path.name in known:
        return shipped_folder("recipes") / f"{path.name}.toml"
    hint = nearest(path.name, known) or f"; the known ones are {', '.join(known)}"
    raise InputError(f"there is no recipe {path.name!r}{hint}; give your own recipe as a path that ends in .toml")


def shown_recipe(path: Path) -> str:
    """The name of a recipe in a command: a shipped one by its name, others by path."""
    known = path.stem in recipe_names() and path.resolve() == (shipped_folder("recipes") / path.name).resolve()
    return path.stem if known and path.is_absolute() else str(path)


def write_examples(folder: Path) -> list[Path]:
    """Copy the examples into a folder; returns the files written, without those that exist already.

    Raises InputError if a file of that name holds something else.
    """
    sources = sorted(path for path in shipped_folder("examples").iterdir() if path.is_file())
    return copy_missing([path for path in sources if not path.name.startswith(".")], folder)


def copy_missing(sources: Sequence[Path], folder: Path) -> list[Path]:
    """Copy files into a folder; returns those written, without those that exist already.

    Raises InputError if a file of that name holds something else.
    """
    contents = {folder / path.name: path.read_bytes() for path in sources}
    missing = {path: content for path, content in contents.items() if not path.exists()}
    for path, content in contents.items():
        if path not in missing and (not path.is_file() or path.read_bytes() != content):
            raise InputError(f"{path}: holds something else already; choose another folder with --out")
    for path, content in missing.items():
        write_bytes(path, content)
    return list(missing)
