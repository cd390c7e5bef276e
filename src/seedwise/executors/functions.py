"""Training functions that a study is given as functions: their names, and who can load them.

What tells two of one name apart is their code: `seedwise.code`.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup

if TYPE_CHECKING:
    from seedwise.executors.tasks import SuiteTask

__all__ = [
    "SetupLike",
    "TrainingFunction",
    "as_setups",
    "check_signature",
    "given_functions",
    "only_here",
]

TrainingFunction = Callable[..., Any]
"""Takes the run's seed and, in a suite, the arguments of a task by their names."""
SetupLike = Setup | TrainingFunction


def as_setups(
    given: Mapping[str, SetupLike], tasks: "Sequence[SuiteTask]" = ()
) -> dict[str, Setup]:
    """The setup that each value of a study's setups means.

    Raises:
        ConfigError: A value is neither a setup nor a function of the seed and what the tasks
            give, or is the setup of runs that were made elsewhere.
    """
    return {name: _as_setup(name, value, tasks) for name, value in given.items()}


def given_functions(given: Mapping[str, SetupLike]) -> dict[str, TrainingFunction]:
    """Those of a study's setups that are given as functions."""
    return {name: value for name, value in given.items() if not isinstance(value, Setup)}


def only_here(functions: Mapping[str, TrainingFunction]) -> tuple[str, ...]:
    """The setups whose function no other process can load: a lambda, a partial, a notebook's."""
    return tuple(name for name, value in functions.items() if not _can_be_loaded(value))


def _as_setup(name: str, value: Any, tasks: "Sequence[SuiteTask]") -> Setup:
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
    check_signature(name, value, tasks)
    return Setup(train=_address(value))


def check_signature(name: str, function: TrainingFunction, tasks: "Sequence[SuiteTask]") -> None:
    """Refuse before the first run what would fail in every run.

    Raises:
        ConfigError: The function does not take the seed alone, or not beside a task's arguments.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return
    for task in tasks:
        try:
            signature.bind(Seed.of(0), **task.keywords)
        except TypeError as error:
            given = ", ".join(["seed", *task.keywords])
            raise ConfigError(
                f"the function of setup {name!r} takes {signature}, and task {task.name!r} gives "
                f"it ({given}): {error}"
            ) from None
    try:
        signature.bind(Seed.of(0), **(tasks[0].keywords if tasks else {}))
    except TypeError:
        raise ConfigError(
            f"the function of setup {name!r} must take one argument, the run's seed; it takes "
            f"{signature}"
        ) from None


def _address(function: TrainingFunction) -> str:
    """The "module:name" under which a function is kept."""
    from seedwise.code.addresses import module_of, named  # workers need neither

    found = named(function)
    return f"{module_of(found)}:{found.__qualname__}"


def _can_be_loaded(function: TrainingFunction) -> bool:
    """Tell whether another process finds the same function under its module and name."""
    from seedwise.code.addresses import module_of

    if not isinstance(function, FunctionType) or module_of(function) == "__main__":
        return False
    module = sys.modules.get(function.__module__)
    return getattr(module, function.__qualname__, None) is function
