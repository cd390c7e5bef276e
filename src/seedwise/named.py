"""Code that a text names as "module:function": the only place where such a text is imported.

A text gets here from a command line, a call or a study.toml. A name that stands in a study file is
shown and compared, and never comes here by itself: the file may come from anyone.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

from seedwise.errors import ConfigError

__all__ = ["load"]


def load(name: str, *, role: str, hint: str, here: bool = False) -> Callable[..., Any]:
    """The function that "module:function" names.

    Args:
        name: Module and function.
        role: What it is to be, for messages: `metric`.
        hint: What to do where there is no such module.
        here: Look for a module that is not installed in the current folder too. `sys.path` stays
            as it is, so nothing else that lies there is imported in place of an installed module.

    Raises:
        ConfigError: There is no such module or function, or the module fails when it is imported.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(_module(module, here=here), function)
    except ModuleNotFoundError as error:
        reason = f"no module {error.name!r}; {hint}"
    except AttributeError:
        reason = f"module {module!r} has no {function!r}"
    except Exception as error:  # whatever a module of somebody's does when it is imported
        reason = f"{type(error).__name__}: {error}"
    else:
        if callable(found):
            return found
        reason = f"it is not a function but {found!r}"
    raise ConfigError(f"{role} {name!r} cannot be loaded: {reason}")


def _module(name: str, *, here: bool) -> Any:
    first = name.partition(".")[0]
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if not here or error.name != first:
            raise
    spec = PathFinder.find_spec(first, [str(Path.cwd())])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"no module {first!r}", name=first)
    sys.modules[first] = module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return import_module(name)
    except BaseException:
        sys.modules.pop(first, None)
        raise
