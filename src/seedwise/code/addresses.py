"""Addresses of functions: modules that have them, by names that other processes know."""

import sys
from functools import partial
from importlib.util import find_spec
from inspect import unwrap
from pathlib import Path
from typing import Any

__all__ = ["imported_as", "module_of", "named"]


def named(function: Any) -> Any:
    """The function or class behind a partial, a decorator or an object that can be called."""
    while isinstance(function, partial):
        function = function.func
    function = unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function)


def module_of(found: Any) -> str:
    """The module that has a function; for the script that runs, the name it can be imported by."""
    return imported_as(getattr(found, "__module__", None) or "__main__")


def imported_as(name: str) -> str:
    """The name of a module, or for the script that runs, the one it can be imported by."""
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
    is_it = found and found.origin and Path(found.origin).resolve() == Path(file).resolve()
    return stem if is_it else name
