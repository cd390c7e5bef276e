"""Training functions that a study is given as functions: their names, and what tells them apart.

A function is kept as "module:name" and a digest of its code. The digest covers what the function
says (comments, layout and docstrings left out), the arguments that were bound to it (`partial`,
defaults, what it closes over), and the functions, classes and numbers of its own module that it
names, and those that they name. It cannot cover what else a training depends on: imported modules,
data files, text and objects of other kinds in its module, the versions of libraries.
"""

import ast
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup

__all__ = [
    "SetupLike",
    "TrainingFunction",
    "as_setups",
    "code_of",
    "given_functions",
    "only_here",
]

TrainingFunction = Callable[[Seed], Any]
SetupLike = Setup | TrainingFunction

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def as_setups(given: Mapping[str, SetupLike]) -> dict[str, Setup]:
    """The setup that each value of a study's setups means.

    Raises:
        ConfigError: A value is neither a setup nor a function of one argument, or is the setup of
            runs that were made elsewhere.
    """
    return {name: _as_setup(name, value) for name, value in given.items()}


def given_functions(given: Mapping[str, SetupLike]) -> dict[str, TrainingFunction]:
    """Those of a study's setups that are given as functions."""
    return {name: value for name, value in given.items() if not isinstance(value, Setup)}


def only_here(functions: Mapping[str, TrainingFunction]) -> tuple[str, ...]:
    """The setups whose function no other process can load: a lambda, a partial, a notebook's."""
    return tuple(name for name, value in functions.items() if not _can_be_loaded(value))


def code_of(function: TrainingFunction) -> str:
    """The digest of a function's code, as 12 hexadecimal digits; see the top of this module.

    >>> def train(seed, lr=0.1): return lr
    >>> code_of(partial(train, lr=0.1)) == code_of(partial(train, lr=0.2))
    False
    """
    told = "\n".join(_told(function, set()))
    return hashlib.sha256(told.encode(errors="backslashreplace")).hexdigest()[:12]


def _as_setup(name: str, value: Any) -> Setup:
    if isinstance(value, Setup):
        if value.train == ELSEWHERE:
            raise ConfigError(
                f"setup {name!r} is trained elsewhere, so it cannot be run here; record or import "
                "its runs, and leave it out of `run`"
            )
        return value
    if not callable(value):
        raise ConfigError(
            f"setup {name!r} must be a Setup or a function of one argument, the run's seed; "
            f"got {value!r}"
        )
    if getattr(value, "__module__", None) == "__mp_main__":
        raise ConfigError(
            "this script is imported again by the processes that it starts; put what runs the "
            "study under `if __name__ == '__main__':`"
        )
    _check_signature(name, value)
    return Setup(train=_address(value), code=code_of(value))


def _check_signature(name: str, function: TrainingFunction) -> None:
    """Refuse before the first run what would fail in every run."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return
    try:
        signature.bind(Seed.of(0))
    except TypeError:
        raise ConfigError(
            f"the function of setup {name!r} must take one argument, the run's seed; it takes "
            f"{signature}"
        ) from None


def _address(function: TrainingFunction) -> str:
    """The "module:name" under which a function is kept."""
    named = _named(function)
    return f"{_module_of(named)}:{named.__qualname__}"


def _named(function: Any) -> Any:
    """The function or class behind a partial, a decorator or an object that can be called."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function)


def _module_of(named: Any) -> str:
    """The module that has a function; for the script that runs, the name it can be imported by."""
    name = getattr(named, "__module__", None) or "__main__"
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if name != "__main__" or file is None:
        return name
    if main.__spec__ is not None:  # python -m
        return main.__spec__.name
    stem = Path(file).stem
    try:
        found = find_spec(stem) if stem.isidentifier() else None
    except (ImportError, ValueError):
        found = None
    is_it = found is not None and found.origin and Path(found.origin).resolve() == _resolved(file)
    return stem if is_it else name


def _resolved(file: str) -> Path:
    return Path(file).resolve()


def _can_be_loaded(function: TrainingFunction) -> bool:
    """Tell whether another process finds the same function under its module and name."""
    if not isinstance(function, FunctionType) or _module_of(function) == "__main__":
        return False
    module = sys.modules.get(function.__module__)
    return getattr(module, function.__qualname__, None) is function


def _told(value: Any, known: set[int]) -> Iterator[str]:
    """Yield all that the digest covers; `known` are the ids of those already told."""
    if isinstance(value, partial):
        yield f"partial {_plain(value.args)} {_plain(value.keywords)}"
        value = value.func
    if not isinstance(value, FunctionType | type):
        attributes = getattr(value, "__dict__", {})
        yield f"object {_plain(attributes)}"
    value = _named(value)
    if id(value) in known:
        return
    known.add(id(value))
    yield _text_of(value)
    for function in _functions_of(value):
        yield f"defaults {_plain(function.__defaults__)} {_plain(function.__kwdefaults__)}"
        closed = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
        used = {name: function.__globals__.get(name) for name in _names_in(function.__code__)}
        yield from _told_of_used(enumerate(closed), value.__module__, known, numbers_only=False)
        yield from _told_of_used(used.items(), value.__module__, known, numbers_only=True)


def _told_of_used(
    used: Iterable[tuple[Any, Any]], module: str, known: set[int], *, numbers_only: bool
) -> Iterator[str]:
    """Yield what a function uses: what its module defines, and plain values."""
    for name, value in used:
        if isinstance(value, FunctionType | type | partial):
            if getattr(_named(value), "__module__", None) == module:
                yield from _told(value, known)
        elif isinstance(value, int | float) if numbers_only else True:
            yield f"{name} = {_plain(value)}"


def _functions_of(value: Any) -> list[FunctionType]:
    """A function itself; of a class, its methods."""
    members = vars(value).values() if isinstance(value, type) else [value]
    return [member for member in members if isinstance(member, FunctionType)]


def _text_of(value: Any) -> str:
    """The code of a function or class, without comments, layout and docstrings.

    A lambda is told by its instructions, as its source is the whole line with what else is on it;
    so is a function without source, and a class without (a notebook's) by its methods.
    """
    if getattr(value, "__name__", "") != "<lambda>":
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
        except (OSError, TypeError, SyntaxError):
            pass
        else:
            return ast.unparse(_without_docstrings(tree))
    if isinstance(value, FunctionType):
        return _instructions(value.__code__)
    return f"{value.__qualname__}: {'; '.join(map(_text_of, _functions_of(value)))}"


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[0] = ast.copy_location(ast.Pass(), first)
    return tree


def _instructions(code: CodeType) -> str:
    constants = (
        _instructions(each) if isinstance(each, CodeType) else repr(each)
        for each in code.co_consts
    )
    return f"{code.co_code.hex()} {code.co_names} {' '.join(constants)}"


def _names_in(code: CodeType) -> list[str]:
    """The global names that some code reads, and the code inside it."""
    names = set(code.co_names)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            names |= set(_names_in(each))
    return sorted(names)


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a function that is defined further down
        return False
    return True


def _plain(value: Any) -> str:
    """Plain values as Python writes them; of anything else, its type."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_plain(k)}: {_plain(v)}' for k, v in value.items())}}}"
    if isinstance(value, FunctionType | type):
        return f"{value.__module__}.{value.__qualname__}"
    return f"a {type(value).__qualname__}"
