"""Measures how the code is laid out: python benchmarks/structure.py [CHECKOUT]

Per folder: its entries (files and subfolders), and the longest chain of imports among them. For the whole: functions
over 60 lines, modules with more than 12 imports, shares of public functions with a docstring and with types, and
imports that run in a circle or from a lower package to a higher one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# from the ground up: a package may import those before it
ORDER = ("common", "hardware_profiles", "trainer", "exporter", "lava_runtime", "spikeport")
LONG_FUNCTION = 60
MANY_IMPORTS = 12


@dataclass(frozen=True)
class Source:
    """One module: its path in the checkout, its syntax tree, and the modules of the project that it imports."""

    path: str
    tree: ast.Module
    imports: frozenset[str]


def read_sources(root: Path) -> dict[str, Source]:
    """Every module of the packages by its path."""
    paths = {
        _module(file.relative_to(root)): file for package in ORDER for file in sorted((root / package).rglob("*.py"))
    }
    files = {name: str(file.relative_to(root)) for name, file in paths.items() if not _behind_link(file, root)}
    sources = {}
    for name, path in files.items():
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
        package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        imports = {files[module] for module in _imported(tree, package, files)} - {path}
        sources[path] = Source(path, tree, frozenset(imports))
    return sources


def _behind_link(file: Path, root: Path) -> bool:
    return any(parent.is_symlink() for parent in file.parents if parent != root and root in parent.parents)


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.Module, package: str, known: dict[str, str]) -> Iterator[str]:
    """Modules of the project that a module imports; `spikeport.trainer` is the folder trainer/."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level:
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*base, *([module] if module else [])])
        below = module.removeprefix("spikeport.")
        module = below if below.split(".")[0] in ORDER[:-1] else module
        for alias in node.names:
            found = next((name for name in (f"{module}.{alias.name}", module) if name in known), None)
            if found is not None:
                yield found


def boxes(sources: dict[str, Source], folder: str) -> dict[str, set[str]]:
    """What lies directly in a folder, files and subfolders, each with those among them that it imports."""
    prefix = f"{folder}/"
    graph: dict[str, set[str]] = {}
    for path, source in sources.items():
        if not path.startswith(prefix):
            continue
        box = path[len(prefix) :].split("/")[0]
        inside = {other[len(prefix) :].split("/")[0] for other in source.imports if other.startswith(prefix)}
        graph.setdefault(box, set()).update(inside - {box})
    return graph


def longest_chain(graph: dict[str, set[str]]) -> int:
    """The number of boxes on the longest chain of imports; a circle counts once."""
    depth: dict[str, int] = {}

    def visit(box: str, above: frozenset[str]) -> int:
        if box not in depth:
            below = [visit(other, above | {box}) for other in graph.get(box, ()) if other not in above | {box}]
            depth[box] = 1 + max(below, default=0)
        return depth[box]

    return max((visit(box, frozenset()) for box in graph), default=0)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of boxes each of which reaches every other."""
    reach = {box: _reached(graph, box) for box in graph}
    groups = {frozenset({box} | {other for other in reach[box] if box in reach[other]}) for box in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in graph.get(waiting.pop(), set()) - found:
            found.add(other)
            waiting.append(other)
    return found


def upward(sources: dict[str, Source]) -> list[str]:
    """Imports from a lower package to a higher one."""
    rank = {package: place for place, package in enumerate(ORDER)}
    return sorted(
        f"{source.path} -> {other}"
        for source in sources.values()
        for other in source.imports
        if rank[other.split("/")[0]] > rank[source.path.split("/")[0]] and other != "spikeport/__init__.py"
    )


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def public_functions(tree: ast.Module | ast.ClassDef) -> Iterator[Function]:
    """Functions and methods that a user may call: neither private nor within a function or a private class."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)


def lines_of(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def typed(function: Function) -> bool:
    """True if every parameter (but self and cls) and the result have a type."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    needed = [argument for argument in named if argument.arg not in ("self", "cls")]
    return function.returns is not None and all(argument.annotation is not None for argument in needed)


def documented(function: Function) -> bool:
    """True if the function has a docstring."""
    return ast.get_docstring(function) is not None


def imports_of(tree: ast.Module) -> int:
    """How many modules are imported at the top level, `__future__` aside."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names.add("." * node.level + (node.module or ""))
    return len(names)


def folder_rows(sources: dict[str, Source], folders: list[str]) -> Iterator[str]:
    """A row per folder."""
    yield f"{'folder':44} entries  files  longest chain"
    for folder in folders:
        graph = boxes(sources, folder)
        files = sum(box.endswith(".py") for box in graph)
        yield f"{folder:44} {len(graph):7} {files:6} {longest_chain(graph):14}"


def circles_in(sources: dict[str, Source], folders: list[str]) -> list[str]:
    """Circles among what lies in one folder; a package's own `__init__.py`, which hands names on, is left out."""
    face = "__init__.py"
    found = []
    for folder in folders:
        graph = {box: others - {face} for box, others in boxes(sources, folder).items() if box != face}
        found += [f"{folder}: {' '.join(circle)}" for circle in circles(graph)]
    return found


def report(root: Path) -> Iterator[str]:
    """The measures as lines of text."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    yield f"import roots: {', '.join(project['tool']['hatch']['build']['targets']['wheel']['packages'])}"
    sources = read_sources(root)
    folders = sorted({str(parent) for path in sources for parent in Path(path).parents if str(parent) != "."})
    yield from folder_rows(sources, folders)
    tests = [str(path.parent) for path in (root / "tests").rglob("*.py")]
    yield f"modules: {len(sources)}, files of tests: {len(tests)}, most in one folder: {max(map(tests.count, tests))}"
    every = {f"{path}:{f.name}": lines_of(f) for path, source in sources.items() for f in functions(source.tree)}
    long = [f"{name} {lines}" for name, lines in every.items() if lines > LONG_FUNCTION]
    yield f"functions over {LONG_FUNCTION} lines: {len(long)} {long}"
    many = [path for path, source in sources.items() if imports_of(source.tree) > MANY_IMPORTS]
    many = [path for path in many if not path.endswith("__init__.py")]
    yield f"modules with more than {MANY_IMPORTS} imports: {len(many)}"
    public = [function for source in sources.values() for function in public_functions(source.tree)]
    yield f"public functions: {len(public)}, with a docstring: {sum(map(documented, public)) / len(public):.3f}"
    yield f"  with types: {sum(map(typed, public)) / len(public):.3f}"
    up, round_about = upward(sources), circles_in(sources, folders)
    yield f"imports that run upwards: {len(up)} {up}"
    yield f"circles: {len(round_about)} {round_about}"


if __name__ == "__main__":
    print("\n".join(report(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)))
