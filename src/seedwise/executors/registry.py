"""Executors by their names, and as study.toml describes them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, Literal

from seedwise.cards import Devices
from seedwise.errors import ConfigError, UnknownName
from seedwise.executors.base import Executor, Setting
from seedwise.executors.local import LocalExecutor
from seedwise.executors.ray import RayExecutor

__all__ = ["EXECUTORS", "as_executor", "changed", "executor_from", "kept_here", "settings_of"]

EXECUTORS: Mapping[str, type[Any]] = MappingProxyType({"local": LocalExecutor, "ray": RayExecutor})
"""The executors by name. A new one is a module of its own and its name here."""


def settings_of(kind: str) -> Mapping[str, tuple[str, Setting]]:
    """The keys of a table `[executor]` beside `kind`: the field that each sets, and its values.

    >>> list(settings_of("local"))
    ['devices', 'jobs', 'pack', 'time_limit']
    """
    found = [
        (setting.key, (field.name, setting))
        for field in fields(EXECUTORS[kind])
        if (setting := field.metadata.get("setting")) is not None
    ]
    return dict(sorted(found))


def as_executor(
    executor: str | Executor,
    *,
    jobs: int | None,
    pack: int | Literal["auto"] | None,
    time_limit: float | None,
    devices: Devices | None = None,
) -> Executor:
    """The executor that a name means, or that was given.

    Raises:
        UnknownName: There is none of this name.
        ConfigError: A number is out of range, or stands beside an executor that has its own.
    """
    if not isinstance(executor, str):
        if (jobs, pack, time_limit, devices) != (None, None, None, None):
            raise ConfigError(
                "jobs, pack, devices and time_limit are said in the executor where one is given; "
                f"got {executor}"
            )
        return executor
    if executor not in EXECUTORS:
        raise UnknownName("executor", executor, EXECUTORS)
    made = EXECUTORS[executor](workers=jobs, time_limit=time_limit)
    return changed(made, pack=pack, devices=devices)


def changed(executor: Executor, **said: Any) -> Executor:
    """The executor with the fields that are given; None leaves one as it is.

    Raises:
        ConfigError: It has no such field, or a value is out of range.
    """
    given = {name: value for name, value in said.items() if value is not None}
    if "devices" in given and not isinstance(executor, LocalExecutor):
        raise ConfigError("devices is said where this machine makes the runs; for Ray say gpus")
    return replace(executor, **given)  # type: ignore[type-var]


def kept_here(executor: Executor, setup: str) -> Executor:
    """The executor with one run at a time in this process, for functions that only it has.

    Raises:
        ConfigError: It was told to make runs elsewhere.
    """
    here = replace(executor, workers=1) if executor.workers is None else executor  # type: ignore[type-var]
    if here.here:
        return here
    jobs = "" if executor.workers in (None, 1) else f"jobs={executor.workers} "
    raise ConfigError(
        f"{jobs or 'the executor, or a time limit, '}needs functions that other processes can "
        f"import, but the one of setup {setup!r} is a lambda, a partial or a notebook's; put it "
        "in a module as a plain function, or leave that out"
    )


def executor_from(value: Any) -> Executor:
    """The executor that `executor = "ray"` or a table `[executor]` of study.toml means.

    Raises:
        ConfigError: It is none, or has a key or a value that cannot be used.

    >>> executor_from({"kind": "ray", "address": "auto", "jobs": 8}).workers
    8
    """
    table: Any = {"kind": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise ConfigError(f"executor must be a name or a table with a kind, got {value!r}")
    kind = table["kind"]
    if kind not in EXECUTORS:
        raise UnknownName("executor", kind, EXECUTORS)
    settings, said = settings_of(kind), dict[str, Any]()
    for key, given in table.items():
        if key == "kind":
            continue
        if key not in settings:
            raise UnknownName(f"key of executor {kind}", key, ("kind", *settings))
        name, setting = settings[key]
        if isinstance(given, bool) or not isinstance(given, setting.kinds):
            raise ConfigError(f"{key} must be {setting.allowed}, got {given!r}")
        said[name] = given
    return EXECUTORS[kind](**said)
