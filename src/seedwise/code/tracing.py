"""All that a training function runs, found by following it through the project.

Of the function's own module, the functions, classes and global names count that it uses, and that
these use; of other modules of the project the whole file, and those that they import; of installed
packages the version. Values under the names that are used count too: plain ones, containers and
arrays, by what they hold.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from inspect import unwrap
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from seedwise.code.addresses import imported_as, module_of, named
from seedwise.code.names import (
    Names,
    imports_for,
    is_volatile,
    mutated_in,
    names_in,
    side_imports,
    statements_for,
)
from seedwise.code.parts import Code, Part, digest_of_text
from seedwise.code.source import (
    Import,
    SourceText,
    imports_of,
    is_local,
    located,
    package_version,
    source_of,
    text_of_class,
    text_of_code,
)
from seedwise.code.values import Digester, shown

__all__ = ["code_of", "file_of"]

_MOST_TEXT = 200_000
"""Letters of one source text that are kept, to show what changed in it."""


def code_of(function: Callable[..., Any]) -> Code:
    """The code of a training function; nothing of it is run.

    >>> def train(seed, lr=0.1): return lr
    >>> code_of(partial(train, lr=0.1)).digest == code_of(partial(train, lr=0.2)).digest
    False
    """
    tracer = _Tracer(named(function))
    tracer.root(function)
    return Code.of(tracer.parts.values())


def file_of(function: Any) -> str | None:
    """The file of the module that has a function; None for a notebook's."""
    return _module_file(module_of(named(function)))


def _module_file(name: str) -> str | None:
    if name not in sys.modules and name == imported_as("__main__"):
        name = "__main__"
    return located(name)


class _Tracer:
    """Collects parts; visits everything once."""

    def __init__(self, main: Any) -> None:
        self.parts = dict[tuple[str, str], Part]()
        self._own = module_of(main)
        self._seen = set[int]()
        self._done = set[tuple[str, str]]()
        file = _module_file(self._own)
        roots = [Path.home()]
        if file is not None:
            folder = Path(file).resolve().parent
            roots += [folder, *(each for each in folder.parents if (each / ".git").exists())]
            roots += [Path(file).absolute().parent]
        self._digester = Digester(self._is_local_class, self._visit, roots)
        source = source_of(file) if file else None
        for each in side_imports(source) if source else ():
            self._import(each, self._own)

    def root(self, function: Any) -> None:
        """Follow what trains: a function, a partial, a bound method or an object."""
        if isinstance(function, partial):
            for place, value in enumerate(function.args):
                self._value(f"argument {place}", value)
            for name, value in function.keywords.items():
                self._value(f"argument {name}", value)
            self.root(function.func)
        elif isinstance(function, MethodType):
            self._attributes(function.__self__)
            self._visit(type(function.__self__))
            self._visit(function.__func__)
        elif isinstance(function, FunctionType | type):
            self._visit(function)
        else:
            self._attributes(function)
            self._visit(type(function))
            if hasattr(function, "__wrapped__"):
                self._visit(function.__wrapped__)

    def _attributes(self, value: Any) -> None:
        for name, each in sorted(getattr(value, "__dict__", {}).items()):
            self._value(f"self.{name}", each)
        if not hasattr(value, "__dict__"):
            self._value("self", value)

    def _add(self, part: Part) -> None:
        """Keep a part; another one of the same name gets a name of its own."""
        name, count = part.name, 1
        while part.key in self.parts and self.parts[part.key] != part:
            count += 1
            part = Part(
                kind=part.kind,
                name=f"{name} ({count})",
                digest=part.digest,
                shown=part.shown,
                text=part.text,
            )
        self.parts[part.key] = part

    def _text(self, kind: Any, name: str, text: str) -> None:
        kept = text if len(text) <= _MOST_TEXT else None
        self._add(Part(kind=kind, name=name, digest=digest_of_text(text), text=kept))

    def _value(self, name: str, value: Any) -> None:
        digest = self._digester.digest(value)
        self._add(Part(kind="value", name=name, digest=digest, shown=shown(name, value)))

    def _visit(self, value: Any) -> None:
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, MethodType):
            self._visit(value.__func__)
        inner = getattr(value, "__wrapped__", None)
        if inner is not None:
            self._visit(inner)

    def _function(self, function: FunctionType, *, part: bool = True) -> None:
        code, module = function.__code__, imported_as(function.__globals__.get("__name__", ""))
        where = f"{module}.{function.__qualname__}"
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            with suppress(ValueError):  # of a function that is defined further down
                self._closed_over(f"{where}: {name}", cell.cell_contents, _is_ours(code))
        if not _is_ours(code):
            self._package(module)
            return
        text = text_of_code(code)
        if module != self._own:
            self._module(module)
        elif part:
            self._own_function(where, code, text)
        for name, value in _defaults(function):
            self._value(f"{where}: default of {name}", value)
        self._names(names_in(code), function.__globals__, module, mutated_in(text or ""))

    def _own_function(self, where: str, code: CodeType, text: str | None) -> None:
        if text is not None:
            self._text("function", where, text)
            return
        digest = self._digester.digest(_instructions(code))
        self._add(Part(kind="function", name=where, digest=digest))

    def _closed_over(self, name: str, value: Any, ours: bool) -> None:
        if isinstance(value, FunctionType | type | MethodType):
            self._visit(value)
        elif ours and not isinstance(value, ModuleType):
            self._value(name, value)

    def _class(self, kind: type) -> None:
        module = module_of(kind)
        if not self._is_local_class(kind):
            self._package(module)
            return
        for base in kind.__bases__:
            self._visit(base)
        members = sorted(vars(kind).items())
        text = text_of_class(kind, _module_file(module))
        if module != self._own:
            self._module(module)
        elif text is not None:
            self._text("function", f"{module}.{kind.__qualname__}", text)
        for name, member in members:
            for function in _functions_in(member):
                if text is None or function.__code__.co_filename != "<string>":
                    self._seen.add(id(function))
                    self._function(function, part=text is None)
            if not name.startswith(("__", "_abc", "_member", "_value2")):
                self._member(f"{module}.{kind.__qualname__}.{name}", member)

    def _member(self, name: str, member: Any) -> None:
        if isinstance(member, type | FunctionType):
            self._visit(member)
        elif not any(_functions_in(member)):
            self._value(name, member)

    def _is_local_class(self, kind: type) -> bool:
        name = getattr(kind, "__module__", "")
        if name == "__main__":
            return True
        module = sys.modules.get(name)
        return is_local(getattr(module, "__file__", None))

    def _names(
        self, names: Names, variables: dict[str, Any], module: str, mutated: set[str]
    ) -> None:
        """Follow the global names that some code of a module reads."""
        for each in names.imports:
            self._import(each, variables.get("__package__") or module.rpartition(".")[0])
        for name, *taken in sorted(names.read):
            if name in variables:
                state = name in names.stored or name in mutated
                self._global(module, name, variables[name], variables, state=state)
                self._taken(variables[name], taken)

    def _global(
        self, module: str, name: str, value: Any, variables: dict[str, Any], *, state: bool
    ) -> None:
        volatile = self._statements(module, name, variables)
        if (module, name) in self._done:
            return
        self._done.add((module, name))
        if isinstance(value, ModuleType):
            self._module(value.__name__)
        elif isinstance(value, FunctionType | type | MethodType):
            self._visit(value)
        elif not state and not volatile:
            self._value(f"{module}.{name}", value)

    def _taken(self, value: Any, taken: list[str]) -> None:
        """Follow the attributes that are taken of a module of the project."""
        for name in taken:
            if not isinstance(value, ModuleType):
                return
            if not is_local(getattr(value, "__file__", None)):
                return
            module, variables = imported_as(value.__name__), vars(value)
            if name not in variables:
                self._module(f"{module}.{name}")
                return
            value = variables[name]
            self._global(module, name, value, variables, state=False)

    def _statements(self, module: str, name: str, variables: dict[str, Any]) -> bool:
        """Follow what gives a global name its value; whether the machine or the clock does."""
        file = _module_file(module)
        source = source_of(file) if file and is_local(file) else None
        if source is None:
            return False
        found = statements_for(source, name)
        if module != self._own or (module, f"= {name}") in self._done:
            return is_volatile(found)
        self._done.add((module, f"= {name}"))
        for each in imports_for(source, name):
            self._import(each, variables.get("__package__") or module.rpartition(".")[0])
        if found:
            self._text("statement", f"{module}.{name}", "\n".join(map(source.part, found)))
        for used in sorted(_names_loaded(found) - {name}):
            if used in variables:
                self._global(module, used, variables[used], variables, state=False)
        return is_volatile(found)

    def _import(self, found: Import, package: str) -> None:
        for name in found.modules(package):
            self._module(name)

    def _module(self, name: str) -> None:
        """Keep a module of the project whole, with those that it imports; else its package."""
        top = name.partition(".")[0]
        if ("module", name) in self._done or name == self._own:
            return
        self._done.add(("module", name))
        file = located(top)
        spread = file is None  # a folder without __init__.py has no file of its own
        if not spread and not is_local(file):
            self._package(top)
            return
        pieces = name.split(".")
        for count in range(1, len(pieces)):
            self._module(".".join(pieces[:count]))
        file = located(name)
        if file is None or not is_local(file):
            return
        source = source_of(file) if file.endswith(".py") else None
        if source is None:
            digest = self._digester.digest(Path(file).read_bytes())
            self._add(Part(kind="file", name=name, digest=digest))
            return
        self._text("file", name, source.text)
        self._imports_of_file(source, name, Path(file).stem == "__init__")

    def _imports_of_file(self, source: SourceText, name: str, is_package: bool) -> None:
        package = name if is_package else name.rpartition(".")[0]
        for each in imports_of(source.tree) if source.tree else ():
            self._import(each, package)

    def _package(self, module: str) -> None:
        top = module.partition(".")[0]
        number = package_version(top)
        if number is not None:
            self._add(Part(kind="package", name=top, digest=number, shown=number))


def _is_ours(code: CodeType) -> bool:
    """Tell whether code is the project's: in a file of it, or in a notebook's cell."""
    file = code.co_filename
    return is_local(file) or not (file.startswith("<frozen") or Path(file).exists())


def _defaults(function: FunctionType) -> Iterator[tuple[str, Any]]:
    values = function.__defaults__ or ()
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    yield from zip(names[len(names) - len(values) :], values, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _functions_in(member: Any) -> list[FunctionType]:
    """The functions behind a member of a class."""
    if isinstance(member, property):
        found: list[Any] = [member.fget, member.fset, member.fdel]
    elif isinstance(member, cached_property):
        found = [member.func]
    else:
        found = [getattr(member, "__func__", member)]
    return [unwrap(each) for each in found if isinstance(each, FunctionType)]


def _names_loaded(statements: list[ast.stmt]) -> set[str]:
    return {
        node.id
        for each in statements
        for node in ast.walk(each)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _instructions(code: CodeType) -> tuple[Any, ...]:
    """Instructions of a function without source, as this version of Python has them."""
    constants = [
        _instructions(each) if isinstance(each, CodeType) else each for each in code.co_consts
    ]
    return code.co_code, code.co_names, constants
