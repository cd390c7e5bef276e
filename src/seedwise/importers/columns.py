"""Which column of a table is what: said by a person, or guessed from names and values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from seedwise.errors import ConfigError, UnknownName
from seedwise.importers.cells import number_in
from seedwise.importers.logs import LogRow
from seedwise.importers.table import LogTable
from seedwise.seeds import STREAMS
from seedwise.stats.directions import known_direction

__all__ = [
    "FOLDS",
    "PARTS",
    "PROGRESS",
    "STATES",
    "TASKS",
    "Columns",
    "Mapped",
    "column_of",
    "columns_of",
    "listed",
    "other_numbers",
    "short",
]

STATES = ("state", "status")
_SETUPS = ("setup", "group", "name", "run name", "mlflow.runname")
_SEEDS = ("seed", "random_seed", "random_state", "run_seed")
_SECONDS = ("seconds", "runtime")
_PREFIXES = (
    *("metrics.", "params.", "tags.", "config.", "parameters.", "summary."),
    *("params_", "user_attrs_"),
)
_SETTINGS = (
    "params.",
    "tags.",
    "config.",
    "parameters.",
    "params_",
    "user_attrs_",
    "system_attrs_",
)
PROGRESS = (
    *("epoch", "epochs", "step", "steps", "global_step", "iteration", "iter", "iterations"),
    *("training_iteration", "timestep", "timesteps", "total_timesteps", "env_steps", "round"),
    *("_step", "update", "num_updates", "checkpoint", "ckpt"),
)
"""Columns that count within a run, the slowest first: a row each is an epoch or a step."""
FOLDS = ("fold", "cv_fold", "fold_id", "fold_idx", "folds", "kfold", "outer_fold", "split_id")
TASKS = (
    *(
        "dataset",
        "datasets",
        "dataset_name",
        "data_set",
        "task",
        "task_name",
        "tasks",
        "benchmark",
    ),
    *("env", "env_id", "env_name", "environment", "game", "domain", "corpus", "language", "lang"),
    *("subset", "problem"),
)
PARTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(TASKS, "tasks"),
        **dict.fromkeys(("epoch", "epochs"), "epochs"),
        **dict.fromkeys(
            (
                *("global_step", "_step", "timestep", "timesteps", "total_timesteps"),
                *("env_steps", "training_iteration", "num_updates", "checkpoint", "ckpt"),
            ),
            "steps",
        ),
        **dict.fromkeys(
            (
                *("bootstrap", "bootstrap_id", "bootstrap_idx", "boot", "resample", "resample_id"),
                *("resamples", "bootstraps", "jackknife"),
            ),
            "resamples of the same results",
        ),
        **dict.fromkeys(
            (
                *("example", "example_id", "question", "question_id", "qid", "item", "item_id"),
                *("image", "image_id", "sample_id", "sample_idx", "doc_id", "prompt_id"),
                *("instance", "instance_id", "query_id", "sentence_id", "patient", "patient_id"),
            ),
            "examples",
        ),
    }
)
"""Names of columns that tell parts of one run, and of which parts: no seed, even if it is said."""
_REPEATS = ("repeat", "repeats", "repetition", "rep", "cv_repeat", "replicate")
_RUNS = ("run_id", "run", "run_name", "run name", "id", "trial", "trial_id")
_ROLES = frozenset((*_SEEDS, *PROGRESS, *FOLDS, *TASKS, *_REPEATS, *_RUNS))
"""Names that say which run, or which part of one, a row is of: never metrics, unless named."""
_NO_METRICS = frozenset(
    (
        *("agent", "artifact_uri", "commit", "created", "description", "duration", "end_time"),
        *("ended_at", "error", "experiment_id", "github", "gpu", "gpu_count", "heartbeat", "host"),
        *("hostname", "id", "index", "job", "name", "notes", "relative_time", "rownum", "run_id"),
        *("runtime", "seconds", "source_name", "source_type", "start_time", "state", "status"),
        *("number", "sweep", "tags", "timestamp", "updated", "user"),
        *("_runtime", "_step", "_timestamp", "step"),
    )
)
"""Columns that the exports of W&B, MLflow, pandas and seedwise have of their own."""

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Which columns a person said are what; what is None or empty is guessed.

    Attributes:
        setup: Column that names the setup.
        seed: Column of the seed.
        metrics: Columns of metrics, with the names that these are to have.
        unpaired: Number the runs instead of reading seeds, so that no two setups share one.
        fold: Column of the fold of a cross-validation.
        task: Column of the dataset or task, each of which is a metric of its own.
        last: Of the rows of a run take the last.
        best: Of the rows of a run take the best by this metric.
        rows_are_runs: Each row is a run, whatever it looks like.
        test_ratio: Of folds, test examples for each training example; None for 1 / (folds - 1).
    """

    setup: str | None = None
    seed: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    unpaired: bool = False
    fold: str | None = None
    task: str | None = None
    last: bool = False
    best: str | None = None
    rows_are_runs: bool = False
    test_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What each column was taken as.

    Attributes:
        setup: Column that names the setup.
        seed: Column of the seed, or the three of its streams; none where runs are numbered.
        state: Column that says how a run ended, if there is one.
        seconds: Column of the wall time, if there is one.
        metrics: Columns of metrics with the metrics' names; of a wide table.
        long: Columns of a metric's name and value; of a long table.
        fold: Column of the fold of a cross-validation.
        task: Column of the task.
        progress: Column that counts epochs or steps, if there is one.
        run: Columns that tell runs apart where seeds are not read.
    """

    setup: str
    seed: tuple[str, ...]
    state: str | None
    seconds: str | None
    metrics: Mapping[str, str]
    long: tuple[str, str] | None = None
    fold: str | None = None
    task: str | None = None
    progress: str | None = None
    run: tuple[str, ...] = ()

    def told(self) -> tuple[str, ...]:
        """What was taken as what, in words."""
        seed = f"column {', '.join(self.seed)}" if self.seed else "numbered, so that none pair"
        if self.fold:
            seed = f"fold of column {', '.join((*self.seed, self.fold))}, the same in all setups"
        if self.long:
            metrics = f"named in column {self.long[0]}, values in {self.long[1]}"
        else:
            pairs = self.metrics.items()
            names = [column if column == name else f"{column} as {name}" for column, name in pairs]
            metrics = f"columns {listed(names)}"
        if self.task:
            metrics += f", for each {self.task}"
        return f"setup: column {self.setup}", f"seed: {seed}", f"metrics: {metrics}"

    @property
    def used(self) -> set[str | None]:
        """The columns that mean something."""
        named = (self.setup, self.fold, self.task, *self.seed, *self.metrics)
        return {*named, *(self.long or ())}


def columns_of(table: LogTable, rows: Sequence[LogRow], mapped: Mapped) -> Columns:
    """What each column is; `rows` are those of runs that ended.

    Raises:
        ConfigError: What is needed was not said, and cannot be guessed.
        UnknownName: There is no such column.
    """
    metrics = _as_named(table, mapped.metrics)
    for name in (mapped.setup, mapped.seed, mapped.fold, mapped.task, *metrics):
        if name in table.twice:
            raise ConfigError(f"{table.name} has two columns named {name!r}; rename one of them")
        if name is not None and name not in table.columns:
            raise UnknownName("column", name, table.columns)
    metric, value = (column_of(table.columns, (name,)) for name in ("metric", "value"))
    if metric and value and mapped.metrics:
        raise ConfigError(
            f"{table.name} has a row for each value (columns {metric} and {value}), so that no "
            "column is a metric; leave --metric out"
        )
    columns = Columns(
        setup=mapped.setup or _setup_column(table, rows),
        seed=_seeds(table, mapped),
        state=column_of(table.columns, STATES),
        seconds=column_of(table.columns, _SECONDS),
        metrics=metrics,
        fold=mapped.fold,
        task=mapped.task,
        progress=column_of(table.columns, PROGRESS),
        run=_run_columns(table, mapped.setup or _setup_column(table, rows), rows),
        long=(metric, value) if metric and value else None,
    )
    if columns.long or metrics:
        return columns
    metrics = _guessed_metrics(table, rows, columns)
    if not metrics:
        raise ConfigError(
            f"{table.name} has no column of numbers that could be a metric; give --metric COLUMN; "
            f"{_has(table)}"
        )
    return replace(columns, metrics=metrics)


def other_numbers(table: LogTable, rows: Sequence[LogRow], columns: Columns) -> tuple[str, ...]:
    """What is said of columns of numbers that were not taken as metrics."""
    names = [c for c in _numeric(table, rows) if c not in columns.used and not _is_own(c)]
    return (f"columns of numbers: {listed(names)}",) if names else ()


def column_of(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The column that has the first possible of some names, whatever its case and prefix."""
    by_name = dict[str, str]()
    for column in columns:
        by_name.setdefault(short(column), column)
    return next((by_name[name] for name in names if name in by_name), None)


def listed(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _as_named(table: LogTable, metrics: Mapping[str, str]) -> Mapping[str, str]:
    """The columns of metrics with their names; `recall@k=5` is a column where there is such."""
    return {
        whole if (whole := f"{column}={name}") in table.columns else column: (
            whole if whole in table.columns else name
        )
        for column, name in metrics.items()
    }


def _seeds(table: LogTable, mapped: Mapped) -> tuple[str, ...]:
    if mapped.unpaired:
        return ()
    if mapped.fold is None:
        return _seed_columns(table, mapped.seed)
    found = mapped.seed or column_of(table.columns, (*_SEEDS, *_REPEATS))
    return () if found in (None, mapped.fold) else (found,)


def _run_columns(table: LogTable, setup: str, rows: Sequence[LogRow]) -> tuple[str, ...]:
    """Columns that tell which run a row is of, where seeds are not read."""
    seed = column_of(table.columns, _SEEDS)
    run = column_of(table.columns, _RUNS)
    found = (c for c in (seed, run) if c not in (None, setup))
    return tuple(c for c in found if c is not None and any(row[c] for row in rows))


def short(column: str) -> str:
    """Return a column's name without case and without what trackers put before it."""
    for prefix in _PREFIXES:
        column = column.removeprefix(prefix)
    return column.lower()


def _setup_column(table: LogTable, rows: Sequence[LogRow]) -> str:
    """The first column of a fitting name. One whose values all differ names runs, not setups."""
    for name in _SETUPS:
        found = column_of(table.columns, (name,))
        if found and (name == "setup" or len({row[found] for row in rows}) < len(rows)):
            return found
    raise ConfigError(
        f"{table.name}: no column names the setup; give --setup COLUMN; {_has(table)}"
    )


def _seed_columns(table: LogTable, given: str | None) -> tuple[str, ...]:
    if given is not None:
        return (given,)
    if set(STREAMS) <= set(table.columns):
        return STREAMS
    found = column_of(table.columns, _SEEDS)
    fold = column_of(table.columns, FOLDS)
    twice = column_of(table.twice, _SEEDS)
    if found is None and twice:
        raise ConfigError(f"{table.name} has two columns named {twice!r}; rename one of them")
    if found is None and fold:
        raise ConfigError(
            f"{table.name}: no column names the seed, and {fold} tells the folds of a "
            f"cross-validation; give --fold {fold}, or --seed COLUMN"
        )
    if found is None:
        raise ConfigError(
            f"{table.name}: no column names the seed; give --seed COLUMN, or --unpaired to number "
            f"the runs so that none are compared as pairs; {_has(table)}"
        )
    return (found,)


def _guessed_metrics(
    table: LogTable, rows: Sequence[LogRow], columns: Columns
) -> Mapping[str, str]:
    """The columns of numbers that vary between the runs of a setup: a setting does not."""
    names = [column for column in _numeric(table, rows) if column not in columns.used]
    from_mlflow = {
        name: name.removeprefix("metrics.") for name in names if name.startswith("metrics.")
    }
    if from_mlflow:
        return from_mlflow
    setups = [row[columns.setup] for row in rows]
    repeated = len(set(setups)) < len(rows)
    return {
        name: name
        for name in names
        if not _is_own(name)
        and short(name) not in _ROLES
        and (known_direction(name) or not (repeated and _is_setting(name, setups, rows)))
    }


def _is_own(name: str) -> bool:
    """Whether a column belongs to the program that wrote the table, or is marked as a setting."""
    return name.startswith(_SETTINGS) or name.lower().replace(" ", "_") in _NO_METRICS


def _is_setting(name: str, setups: Sequence[str], rows: Sequence[LogRow]) -> bool:
    pairs = {(setup, row[name]) for setup, row in zip(setups, rows, strict=True)}
    return len(pairs) == len(set(setups))


def _numeric(table: LogTable, rows: Sequence[LogRow]) -> list[str]:
    """The columns in which most cells that are not empty are numbers."""
    found = list[str]()
    for column in table.columns:
        cells = [row[column] for row in rows if row[column]]
        numbers = [cell for cell in cells if number_in(cell)]
        if numbers and 2 * len(numbers) > len(cells):
            found.append(column)
    return found


def _has(table: LogTable) -> str:
    """What there is to choose from, the columns of people's own first."""
    return f"it has {listed(sorted(table.columns, key=_is_own), 3 * _MOST_NAMED)}"
