"""SourceText texts of modules and functions, and which modules are the project's own."""

import ast
import linecache
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType, ModuleType

__all__ = [
    "Import",
    "SourceText",
    "imports_of",
    "is_local",
    "located",
    "package_version",
    "source_of",
    "text_of_class",
    "text_of_code",
]

_OURS = Path(__file__).resolve().parents[1]
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class SourceText:
    """A source text and its syntax tree; None where it is not Python's."""

    text: str
    tree: ast.Module | None

    def part(self, node: ast.AST) -> str:
        """The lines of a statement, decorators included."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])  # type: ignore[attr-defined]
        return "\n".join(self.text.splitlines()[first - 1 : node.end_lineno])  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Import:
    """An import: the module, the names taken from it, and the names that it binds."""

    module: str
    level: int
    names: tuple[str, ...]
    binds: tuple[str, ...]

    def modules(self, package: str) -> Iterator[str]:
        """The absolute names of what may be modules: the one named, and the names taken of it."""
        base = self.module
        if self.level:
            parents = package.split(".")[: len(package.split(".")) - self.level + 1]
            base = ".".join([*parents, *([self.module] if self.module else [])])
        if base:
            yield base
            yield from (f"{base}.{name}" for name in self.names if name != "*")


@lru_cache(maxsize=1024)
def _parsed(text: str) -> SourceText:
    try:
        return SourceText(text, ast.parse(text.lstrip("\ufeff")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return SourceText(text, None)


def source_of(file: str) -> SourceText | None:
    """The source in a file, or in a notebook's cell; None where there is none."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    return _parsed("".join(lines)) if lines else None


def is_local(file: str | None) -> bool:
    """Tell whether a module's file belongs to the project: it is not installed, nor Python's."""
    return file is not None and _is_local(file)


@lru_cache(maxsize=4096)
def _is_local(file: str) -> bool:
    path = Path(file).resolve()
    if any(part in _INSTALLED for part in path.parts) or path.is_relative_to(_OURS):
        return False
    return path.is_file() and not any(path.is_relative_to(each) for each in _of_python())


@lru_cache(maxsize=1)
def _of_python() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple({Path(paths[name]).resolve() for name in ("stdlib", "platstdlib")})


def located(name: str) -> str | None:
    """The file of a module, found without importing it; None for what is none or has none."""
    module = sys.modules.get(name)
    if isinstance(module, ModuleType):
        return getattr(module, "__file__", None)
    spec, places = None, None
    for count in range(1, len(name.split(".")) + 1):
        try:
            spec = PathFinder.find_spec(".".join(name.split(".")[:count]), places)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    return spec.origin if spec else None


def imports_of(tree: ast.AST) -> Iterator[Import]:
    """The imports in a syntax tree, but those for type checkers only."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            for each in node.names:
                bound = each.asname or each.name.partition(".")[0]
                yield Import(each.name, 0, (), (bound,))
        elif isinstance(node, ast.ImportFrom):
            names = tuple(each.name for each in node.names)
            binds = tuple(each.asname or each.name for each in node.names)
            yield Import(node.module or "", node.level, names, binds)
        else:  # an expression holds no import: to leave them out takes a tenth of the time
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                inside = getattr(node, name, ())
                waiting.extend(inside if isinstance(inside, list) else ())


def package_version(name: str) -> str | None:
    """The version of the installed package that has a module, without the part after `+`.

    The same package is built for a CPU and for a GPU, as 2.6.0+cpu and 2.6.0+cu124.
    """
    return _version(name.partition(".")[0])


_CALLED = {"PIL": "pillow", "cv2": "opencv-python", "sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Packages of other names than their modules; the rest are looked for."""


@lru_cache(maxsize=1024)
def _version(name: str) -> str | None:
    if name in sys.stdlib_module_names:
        return None
    for package in (_CALLED.get(name, name), name):
        try:
            return version(package).partition("+")[0]
        except (PackageNotFoundError, ValueError):
            continue
    file = located(name)
    beside = None if file is None else Path(file).parent.parent
    return None if beside is None else _version_by_files(name, beside)


def _version_by_files(name: str, folder: Path) -> str | None:
    """The version of the package among those of a folder that lists a module's files.

    20 ms for a hundred of them; `importlib.metadata.packages_distributions` takes 600.
    """
    marks = (f"\n{name}/__init__.py,".encode(), f"\n{name}.py,".encode())
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        if any(mark in b"\n" + record.read_bytes() for mark in marks):
            return record.parent.name.removesuffix(".dist-info").split("-")[-1].partition("+")[0]
    return None


def text_of_code(code: CodeType) -> str | None:
    """The source of a function or a lambda, by the place of its code; None where it is gone."""
    source = source_of(code.co_filename)
    if source is None or source.tree is None:
        return None
    if code.co_name == "<lambda>":
        return _text_of_lambda(source, code)
    return _texts_of_functions(source).get((code.co_name, code.co_firstlineno))


@lru_cache(maxsize=64)
def _texts_of_functions(source: SourceText) -> dict[tuple[str, int], str]:
    """The text of each function by its name and first line."""
    assert source.tree is not None
    found = dict[tuple[str, int], str]()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name, first] = source.part(node)
    return found


def _text_of_lambda(source: SourceText, code: CodeType) -> str | None:
    """Of the lambdas of a line, the smallest that its instructions lie in."""
    assert source.tree is not None
    places = [
        (line, column)
        for line, _, column, _ in code.co_positions()
        if line is not None and column is not None and (line, column) > (code.co_firstlineno, 0)
    ]
    found = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and all((node.lineno, node.col_offset) <= place < _end(node) for place in places)
    ]
    texts = [ast.get_source_segment(source.text, node) or "" for node in found]
    return min(texts, key=len) if texts else None


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def text_of_class(kind: type, file: str | None) -> str | None:
    """The source of a class, by its name in its module; None where it is gone or not clear."""
    source = source_of(file) if file else None
    if source is None or source.tree is None:
        return None
    body: list[ast.stmt] = source.tree.body
    *outer, name = kind.__qualname__.replace("<locals>.", "").split(".")
    for each in outer:
        inside = [node for node in body if getattr(node, "name", None) == each]
        body = [part for node in inside for part in getattr(node, "body", ())]
    found = [node for node in body if isinstance(node, ast.ClassDef) and node.name == name]
    return "\n".join(map(source.part, found)) or None
