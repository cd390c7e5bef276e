"""study.toml: what a study is to train, checked before anything is.

Every error names the file, the key, what was given and what is allowed.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from dataclasses import field as default
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seedwise.comparison import Rule, Stop
from seedwise.comparison.metrics import check_better
from seedwise.crops import as_crops
from seedwise.data import DATASETS, Split
from seedwise.errors import ConfigError, SeedwiseError, UnknownName
from seedwise.executors.base import Executor
from seedwise.executors.registry import executor_from
from seedwise.executors.tasks import SuiteTask, as_tasks
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, FIELDS, RECIPES, Setup
from seedwise.stats.catalog import CATALOG, BuiltInMetric
from seedwise.study.examples import check_called
from seedwise.study.seeding import as_seeds, parse_seeds

__all__ = ["KEYS", "StudyConfig", "load_study"]

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "dataset": "name of a known dataset, or path of a folder of images or an archive; needed "
        "by the built-in training",
        "source": "folder or archive that holds the named dataset; left out, it is fetched",
        "split": 'which images validate: "v1", "v2", "page", "shipped", or '
        "{ per_class = 250, seed = 1234 }; left out, the dataset's own",
        "views": "views of each validation image that runs end with, each counted as an example: "
        '2, 4, 10 or 16, or a list of crops, ["centre", "corners"]; left out, the notebook\'s 2',
        "seeds": 'seeds of each setup: 10 and "0:10" mean 0 to 9; or a list, [1, 2, 7]; instead '
        "of the table stop",
        "stop": "table: when to stop, instead of seeds",
        "setups": "tables [setups.NAME], at least one: what is trained",
        "tasks": "tables [tasks.NAME], two or more, of a suite: the arguments that a function "
        "gets beside the seed; of the built-in training dataset, source, split and what a table "
        "[setups.NAME] may say",
        "baseline": "name of the setup that the others are compared with; left out, the first",
        "verdict": "table: how verdicts are reached, fixed before the first run",
        "better": 'table: whether "lower" or "higher" values are better, by the name of a metric, '
        "where the name does not settle it",
        "called": 'what the examples are called, as a plural: "questions"; left out, images or '
        "examples",
        "bank": "another study file: its runs of the baseline are used instead of training them "
        "again, if setup, data, code and versions are the same",
        "executor": 'where runs are made: "local", "ray", or a table; left out, "local"',
    }
)
"""Keys of a study.toml, and what each means."""

_SETUP_KEYS = ("extends", *(field for field in FIELDS if field != "code"))
_DEFAULT = "page-v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """The contents of a study.toml.

    Attributes:
        store: The study file: named after the study.toml, in the current folder.
        dataset: Name of a known dataset, or path of a folder or an archive; None where no setup
            uses the built-in training.
        source: Folder or archive that holds the named dataset; None to fetch it.
        split: Which images validate; None takes the dataset's own.
        views: Crops of each validation image that runs end with; None takes the notebook's.
        setups: The setups by name, in the order of the file.
        seeds: The seeds of each setup; None where `stop` decides.
        stop: When to stop; None where `seeds` says it.
        baseline: Name of the setup that the others are compared with; None if not said.
        rule: How verdicts are to be reached, fixed before the first run; None if not said.
        executor: Where runs are made: `executor = "ray"`, or the table `[executor]`.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric.
        called: Plural name of the examples; None if not said.
        tasks: The arguments of each task by name; None for a study of one.
        bank: Study file whose runs of the baseline are used; None for none.
    """

    store: Path
    dataset: str | None
    source: str | None
    split: Split | None
    setups: Mapping[str, Setup]
    seeds: tuple[Seed, ...] | None
    stop: Stop | None
    baseline: str | None
    rule: Rule | None
    executor: Executor
    better: Mapping[str, str] = default(default_factory=dict[str, str])
    called: str | None = None
    tasks: Mapping[str, Mapping[str, Any]] | None = None
    bank: Path | None = None
    views: tuple[str, ...] | None = None


def load_study(path: str | PathLike[str]) -> StudyConfig:
    """Read a study.toml.

    Relative paths in it start from its own folder.

    Raises:
        ConfigError: It cannot be read, or something in it cannot be used.
    """
    file = Path(path)
    try:
        text = file.read_bytes()
        if text.startswith(b"SQLite format 3"):
            raise ConfigError(
                f"{file} is a study's results; name the study.toml that says what to run"
            )
        table = tomllib.loads(text.decode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not a TOML file: it is not UTF-8 text") from None
    except ValueError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{file} is nested too deeply to be read") from None
    try:
        return _study(table, file)
    except _Bad as error:
        raise ConfigError(f"{file}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{file}: setups extend one another too deeply") from None


class _Bad(Exception):
    """Something in the table cannot be used; `load_study` adds the file's name."""


def _study(table: Mapping[str, Any], file: Path) -> StudyConfig:
    _check_keys(table, KEYS, "")
    setups = _setups(table)
    if ("seeds" in table) == ("stop" in table):
        both = "both are there" if "seeds" in table else "neither is there"
        raise _Bad(f"give either seeds, e.g. seeds = 10, or a table [stop]; {both}")
    baseline = _text(table, "baseline")
    if baseline is not None and baseline not in setups:
        raise _Bad(f"baseline: {UnknownName('setup', baseline, setups)}")
    source = _text(table, "source")
    tasks = _tasks(table, setups, file.parent)
    bank = _text(table, "bank")
    return StudyConfig(
        store=Path(f"{file.stem}.db"),
        dataset=_dataset(table, setups, tasks or {}, file.parent),
        source=None if source is None else str(file.parent / source),
        split=_split(table),
        views=_views(table, setups, tasks),
        setups=MappingProxyType(setups),
        seeds=_seeds(table["seeds"]) if "seeds" in table else None,
        stop=_stop(table["stop"]) if "stop" in table else None,
        baseline=baseline,
        rule=_rule(table["verdict"]) if "verdict" in table else None,
        better=_better(table.get("better", {})),
        called=_called(table),
        executor=_executor(table.get("executor", "local")),
        tasks=tasks,
        bank=None if bank is None else file.parent / bank,
    )


def _check_keys(table: Mapping[str, Any], known: Collection[str], prefix: str) -> None:
    for key in table:
        if key not in known:
            raise _Bad(f"{prefix}{key}: {UnknownName('key', key, known)}")


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise _Bad(f"{key} must be text in quotes, got {value!r}")
    return value


def _dataset(
    table: Mapping[str, Any],
    setups: Mapping[str, Setup],
    tasks: Mapping[str, Mapping[str, Any]],
    folder: Path,
) -> str | None:
    """The dataset of the study; none is needed where each task names its own."""
    name = _text(table, "dataset")
    if name is not None:
        return _found_dataset(name, folder)
    users = [f"setups.{name}" for name, setup in setups.items() if setup.train == BUILT_IN]
    without = [f"tasks.{name}" for name, each in tasks.items() if "dataset" not in each]
    if users and (without or not tasks):
        where = f" in {without[0]}" if without else ""
        raise _Bad(
            f"dataset is missing{where}, and {users[0]} trains on one; "
            'add e.g. dataset = "imagenette"'
        )
    return None


def _found_dataset(name: str, folder: Path) -> str:
    if name in DATASETS:
        return name
    place = folder / name
    if not _exists(place):
        unknown = UnknownName("dataset (and no such folder or archive)", name, DATASETS)
        raise _Bad(f"dataset: {unknown}")
    return str(place)


def _tasks(
    table: Mapping[str, Any], setups: Mapping[str, Setup], folder: Path
) -> Mapping[str, Mapping[str, Any]] | None:
    """The tasks; what the built-in training reads in them is found from the file's folder."""
    given = table.get("tasks")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise _Bad(f"tasks must be tables, [tasks.NAME]; got {given!r}")
    try:
        tasks = as_tasks(given)
        for task in tasks:
            for setup in setups.values():
                task.applied(setup)
    except SeedwiseError as error:
        raise _Bad(str(error)) from None
    if all(setup.train != BUILT_IN for setup in setups.values()):
        return given
    return {task.name: _with_places(task, folder) for task in tasks}


def _with_places(task: SuiteTask, folder: Path) -> Mapping[str, Any]:
    """The arguments of a task with the places of its data, which are checked."""
    found = task.keywords
    try:
        _split(found)
        if (name := _text(found, "dataset")) is not None:
            found["dataset"] = _found_dataset(name, folder)
        if (source := _text(found, "source")) is not None:
            found["source"] = str(folder / source)
    except _Bad as error:
        raise _Bad(f"tasks.{task.name}.{error}") from None
    return found


def _executor(value: Any) -> Executor:
    try:
        return executor_from(value)
    except SeedwiseError as error:
        raise _Bad(f"executor: {error}") from None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # e.g. the name is too long
        return False


def _split(table: Mapping[str, Any]) -> Split | None:
    value = table.get("split")
    if value is None:
        return None
    if not isinstance(value, str | dict):
        raise _Bad(f"split must be a name or {{ per_class = 250, seed = 1234 }}, got {value!r}")
    try:
        return Split.of(value)
    except SeedwiseError as error:
        raise _Bad(f"split: {error}") from None


def _views(
    table: Mapping[str, Any], setups: Mapping[str, Setup], tasks: object
) -> tuple[str, ...] | None:
    if "views" not in table:
        return None
    if tasks:
        raise _Bad("views are of one dataset, and tasks keep metrics only; leave one of them out")
    if not any(setup.train == BUILT_IN for setup in setups.values()):
        raise _Bad("views are made by the built-in training, and no setup here is trained by it")
    try:
        return as_crops(table["views"])
    except SeedwiseError as error:
        raise _Bad(f"views: {error}") from None


def _seeds(value: Any) -> tuple[Seed, ...]:
    try:
        if isinstance(value, str):
            return parse_seeds(value)
        if type(value) is int and value > 0:
            return parse_seeds(str(value))
        if isinstance(value, list) and all(type(each) in (int, str) for each in value):
            return as_seeds([Seed.parse(str(each)) for each in value])
    except SeedwiseError as error:
        raise _Bad(f"seeds: {error}") from None
    raise _Bad(f'seeds must be a number, "0:10", or a list like [1, 2, 7]; got {value!r}')


def _setups(table: Mapping[str, Any]) -> dict[str, Setup]:
    tables = table.get("setups")
    if not isinstance(tables, dict) or not tables:
        raise _Bad("setups: at least one is needed; add a table [setups.NAME]")
    for name, each in tables.items():
        if not name.strip() or not name.isprintable():
            raise _Bad(f"setups: a setup needs a printable name, got {name!r}")
        if not isinstance(each, dict):
            raise _Bad(f"setups.{name} must be a table, [setups.{name}]; got {each!r}")
        _check_keys(each, _SETUP_KEYS, f"setups.{name}.")
    return {name: _setup(name, tables, ()) for name in tables}


def _setup(name: str, tables: Mapping[str, Mapping[str, Any]], above: tuple[str, ...]) -> Setup:
    """A setup of the file, on top of what it extends; `above` are those that extend it."""
    if name in above:
        circle = " -> ".join((*above[above.index(name) :], name))
        raise _Bad(f"setups.{name}.extends: setups extend each other in a circle: {circle}")
    setup = _base(name, tables, (*above, name))
    for field, value in tables[name].items():
        if field == "extends":
            continue
        try:
            setup = setup.but(**{field: value})
        except UnknownName as error:
            raise _Bad(f"setups.{name}.{field}: {error}") from None
        except SeedwiseError as error:
            raise _Bad(f"setups.{name}.{error}") from None  # the message begins with the field
    return setup


def _base(name: str, tables: Mapping[str, Mapping[str, Any]], above: tuple[str, ...]) -> Setup:
    """The setup that one extends: of the file, before a recipe of the same name."""
    base = tables[name].get("extends")
    if base is None:
        return RECIPES[_DEFAULT].setup
    if isinstance(base, str):
        if base in tables and (base != name or base not in RECIPES):
            return _setup(base, tables, above)
        if base in RECIPES:
            return RECIPES[base].setup
    unknown = UnknownName("setup or recipe", str(base), {*tables, *RECIPES} - {name})
    raise _Bad(f"setups.{name}.extends: {unknown}")


def _stop(table: Any) -> Stop:
    if not isinstance(table, dict):
        raise _Bad(f"stop must be a table, [stop]; got {table!r}")
    _check_keys(table, Stop.__dataclass_fields__, "stop.")
    if "difference" not in table:
        raise _Bad("stop.difference is missing; add e.g. difference = 0.005 for half a point")
    try:
        return Stop(**table)
    except SeedwiseError as error:
        raise _Bad(f"stop.{error}") from None  # the message begins with the key


def _rule(table: Any) -> Rule:
    if not isinstance(table, dict):
        raise _Bad(f"verdict must be a table, [verdict]; got {table!r}")
    keys = {each.name: each.metadata for each in fields(Rule) if "kinds" in each.metadata}
    _check_keys(table, tuple(keys), "verdict.")
    for key, value in table.items():
        kinds = keys[key]["kinds"]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise _Bad(f"verdict.{key} must be {keys[key]['allowed']}, got {value!r}")
    metric = table.get("metric", "accuracy")
    try:
        if metric.partition(":")[0] in CATALOG:
            BuiltInMetric.parse(metric)
        return Rule(**table)
    except SeedwiseError as error:
        raise _Bad(f"verdict: {error}") from None


def _called(table: Mapping[str, Any]) -> str | None:
    said = _text(table, "called")
    try:
        return None if said is None else check_called(said)
    except SeedwiseError as error:
        raise _Bad(str(error)) from None


def _better(table: Any) -> Mapping[str, str]:
    if not isinstance(table, dict):
        raise _Bad(f'better must be a table, e.g. [better] with wer = "lower"; got {table!r}')
    try:
        return check_better(table)
    except SeedwiseError as error:
        raise _Bad(str(error)) from None
