"""Meaning of each column of a table: said by a person, or guessed from names and values."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seedwise.errors import ConfigError, UnknownName
from seedwise.importers.cells import is_number
from seedwise.importers.logs import LogRow
from seedwise.importers.mapped import Mapped
from seedwise.importers.names import (
    FOLDS,
    LIKELY_SETUPS,
    PARTS,
    PROGRESS,
    REPEATS,
    ROLES,
    RUNS,
    SECONDS,
    SEEDS,
    SETTINGS,
    SETUPS,
    STATES,
    column_of,
    columns_of_kind,
    is_own,
    listed,
    short,
)
from seedwise.importers.paths import PATH_SEED, PATH_SETUP
from seedwise.importers.table import LogTable
from seedwise.seeds import STREAMS
from seedwise.stats.catalog import CATALOG
from seedwise.stats.directions import known_direction

__all__ = ["Columns", "columns_of", "other_numbers", "setup_column"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns by the meaning that they were taken for.

    Attributes:
        setup: Column that names the setup.
        seed: Column of the seed, or the three of its streams; none where runs are numbered.
        state: Column that says how a run ended, if there is one.
        seconds: Column of the wall time, if there is one.
        metrics: Columns of metrics with the metrics' names; of a wide table.
        long: Columns of a metric's name and value; of a long table.
        fold: Column of the fold of a cross-validation.
        task: Column of the task.
        progress: Columns that count epochs or steps, the slowest first.
        run: Columns that tell runs apart where seeds are not read.
        parts: Columns of the example and of its group, of rows that are examples.
        from_paths: Columns that were read off the paths of logs.
    """

    setup: str
    seed: tuple[str, ...]
    state: str | None
    seconds: str | None
    metrics: Mapping[str, str]
    long: tuple[str, str] | None = None
    fold: str | None = None
    task: str | None = None
    progress: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    from_paths: frozenset[str] = frozenset()

    def told(self) -> tuple[str, ...]:
        """Say which column was taken for what."""
        seed = self._source(*self.seed) if self.seed else "numbered, so that no two pair"
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
        told = f"setup: {self._source(self.setup)}", f"seed: {seed}", f"metrics: {metrics}"
        names = zip(("examples", "groups"), self.parts, strict=False)
        return (*told, *(f"{what}: column {column}" for what, column in names))

    def _source(self, *columns: str) -> str:
        paths = self.from_paths.issuperset(columns)
        return "from the path" if paths else f"column {', '.join(columns)}"

    @property
    def used(self) -> set[str | None]:
        """The columns that mean something."""
        named = (self.setup, self.fold, self.task, *self.seed, *self.parts, *self.metrics)
        return {*named, *(self.long or ())}


def columns_of(table: LogTable, rows: Sequence[LogRow], mapped: Mapped) -> Columns:
    """Find the meaning of each column; `rows` are those of runs that ended.

    Raises:
        ConfigError: What is needed was not said, and cannot be guessed.
        UnknownName: There is no such column.
    """
    metrics = _as_named(table, mapped.metrics)
    parts = tuple(name for name in (mapped.example, mapped.group) if name is not None)
    for name in (mapped.setup, mapped.seed, mapped.fold, mapped.task, *parts, *metrics):
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
    setup = mapped.setup or setup_column(table, rows)
    if setup is None:
        raise _no_setup(table, rows)
    columns = Columns(
        setup=setup,
        seed=_seeds(table, rows, mapped),
        state=column_of(table.columns, STATES),
        seconds=column_of(table.columns, SECONDS),
        metrics=metrics,
        fold=mapped.fold,
        task=mapped.task,
        progress=columns_of_kind((c for c in table.columns if c not in table.facts), PROGRESS),
        run=_run_columns(table, setup, rows),
        parts=parts,
        from_paths=table.from_paths,
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
    """Note on columns of numbers that were not taken as metrics."""
    names = [
        column
        for column in table.columns
        if column not in columns.used
        and column not in table.facts
        and not is_own(column)
        and not (table.several and column in columns.progress)
    ]
    names = _numeric(names, rows)
    return (f"columns of numbers: {listed(names)}",) if names else ()


def _as_named(table: LogTable, metrics: Mapping[str, str]) -> Mapping[str, str]:
    """The columns of metrics with their names; `recall@k=5` is a column where there is such."""
    return {
        whole if (whole := f"{column}={name}") in table.columns else column: (
            whole if whole in table.columns else name
        )
        for column, name in metrics.items()
    }


def _seeds(table: LogTable, rows: Sequence[LogRow], mapped: Mapped) -> tuple[str, ...]:
    known = mapped.seed or column_of(table.columns, SEEDS) or _filled(table, rows, PATH_SEED)
    if mapped.unpaired or (mapped.example is not None and not known):
        return ()  # one run of each setup, as far as anybody says
    if mapped.fold is None:
        return _seed_columns(table, rows, mapped.seed)
    found = mapped.seed or column_of(table.columns, (*SEEDS, *REPEATS))
    return () if found in (None, mapped.fold) else (found,)


def _run_columns(table: LogTable, setup: str, rows: Sequence[LogRow]) -> tuple[str, ...]:
    """Columns that tell which run a row is of, where seeds are not read."""
    seed = column_of(table.columns, SEEDS)
    run = column_of(table.columns, RUNS)
    found = (c for c in (seed, run) if c not in (None, setup))
    return tuple(c for c in found if c is not None and any(row[c] for row in rows))


def setup_column(table: LogTable, rows: Sequence[LogRow]) -> str | None:
    """The first column of a fitting name. One whose values all differ names runs, not setups."""
    for name in SETUPS:
        found = column_of(table.columns, (name,))
        values = {row[found] for row in rows} if found else set[str]()
        if found and (name == "setup" or (table.several < len(values) < len(rows))):
            return found
        if name == "setup" and _filled(table, rows, PATH_SETUP):
            return PATH_SETUP
    varying = _varying_settings(table, rows)
    if not varying:
        varying = [
            column
            for column in columns_of_kind(table.columns, LIKELY_SETUPS)
            if 1 < len({row[column] for row in rows}) < len(rows)
        ]
    return varying[0] if len(varying) == 1 else None


def _no_setup(table: LogTable, rows: Sequence[LogRow]) -> ConfigError:
    varying = _varying_settings(table, rows)
    if varying:
        return ConfigError(
            f"{table.name}: nothing names the setup; give --setup COLUMN for one of the settings "
            f"that vary: {listed(varying, 24)}"
        )
    return ConfigError(
        f"{table.name}: no column names the setup; give --setup COLUMN{_likely_setup(table, rows)}"
        f"{_by_path(table)}; {_has(table)}"
    )


def _likely_setup(table: LogTable, rows: Sequence[LogRow]) -> str:
    """The only column of text that several rows share and that is known as nothing else."""
    numeric = _numeric(table.columns, rows)
    found = [
        column
        for column in table.columns
        if column not in (*numeric, *table.facts)
        and not is_own(column)
        and short(column) not in (*ROLES, *PARTS)
        and 1 < len({row[column] for row in rows}) < len(rows)
    ]
    return f", perhaps --setup {shlex.quote(found[0])}" if len(found) == 1 else ""


def _varying_settings(table: LogTable, rows: Sequence[LogRow]) -> list[str]:
    """Settings of logs with several values, each of which some runs share; no seeds."""
    if not table.several:
        return []
    found = list[str]()
    for column in table.columns:
        if column.startswith(SETTINGS) and short(column).rpartition(".")[2] not in SEEDS:
            values = {row[column] for row in rows}
            if 1 < len(values) < len(rows):
                found.append(column)
    return found


def _filled(table: LogTable, rows: Sequence[LogRow], column: str) -> bool:
    return column in table.columns and all(row[column] for row in rows)


def _by_path(table: LogTable) -> str:
    """The other way to say it, where there are paths."""
    if table.one_run:
        return (
            ", or import the folder of all runs: this is the log of one, whose path may say the "
            "rest, with --layout"
        )
    if not table.several:
        return ""
    return (
        ', or --layout "{setup}/seed{seed}" with the pattern of the paths, such as '
        f"{table.paths[0]}"
    )


def _varies(rows: Sequence[LogRow], column: str) -> bool:
    return len({row[column] for row in rows}) > 1


def _seed_columns(table: LogTable, rows: Sequence[LogRow], given: str | None) -> tuple[str, ...]:
    if given is not None:
        return (given,)
    if set(STREAMS) <= set(table.columns):
        return STREAMS
    found = column_of(table.columns, SEEDS)
    fold = column_of(table.columns, FOLDS)
    twice = column_of(table.twice, SEEDS)
    if found is None and twice:
        raise ConfigError(f"{table.name} has two columns named {twice!r}; rename one of them")
    if _filled(table, rows, PATH_SEED) and (found is None or not _varies(rows, found)):
        return (PATH_SEED,)
    if found is None and fold:
        raise ConfigError(
            f"{table.name}: no column names the seed, and {fold} tells the folds of a "
            f"cross-validation; give --fold {fold}, or --seed COLUMN"
        )
    if found is None:
        raise ConfigError(
            f"{table.name}: no column names the seed; give --seed COLUMN{_by_path(table)}, or "
            f"--unpaired to number the runs so that none are compared as pairs; {_has(table)}"
        )
    return (found,)


def _guessed_metrics(
    table: LogTable, rows: Sequence[LogRow], columns: Columns
) -> Mapping[str, str]:
    """The columns of numbers that vary between the runs of a setup: a setting does not."""
    names = _numeric([column for column in table.columns if column not in columns.used], rows)
    from_mlflow = {
        name: name.removeprefix("metrics.") for name in names if name.startswith("metrics.")
    }
    if from_mlflow:
        return from_mlflow
    setups = [row[columns.setup] for row in rows]
    repeated = len(set(setups)) < len(rows)
    return {
        name: f"train_{name}" if _is_training(name, names) else name
        for name in names
        if name not in table.facts
        and not is_own(name)
        and short(name) not in ROLES
        and (known_direction(name) or not (repeated and _is_setting(name, setups, rows)))
    }


def _is_training(name: str, names: Sequence[str]) -> bool:
    """True if a metric of validation by its name is that of training, as Keras has them."""
    return name in CATALOG and any(
        f"{prefix}{mark}{name}" in names
        for prefix in ("val", "valid", "validation", "eval", "dev")
        for mark in "_/"
    )


def _is_setting(name: str, setups: Sequence[str], rows: Sequence[LogRow]) -> bool:
    pairs = {(setup, row[name]) for setup, row in zip(setups, rows, strict=True)}
    return len(pairs) == len(set(setups))


def _numeric(columns: Sequence[str], rows: Sequence[LogRow]) -> list[str]:
    """The columns in which most cells that are not empty are numbers."""
    found = list[str]()
    for column in columns:
        cells = [cell for row in rows if (cell := row[column])]
        numbers = sum(map(is_number, cells))
        if 2 * numbers > len(cells):
            found.append(column)
    return found


def _has(table: LogTable) -> str:
    """List the columns to choose from, those of people's own first."""
    return f"it has {listed(sorted(table.columns, key=is_own), 24)}"
