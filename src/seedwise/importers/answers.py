"""Runs of rows that are examples; among them evaluations in several tasks and runs.

A log of an evaluation holds the answers of one model in one task. Logs of the same model in other
tasks are the same run, those in the same task are others.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from seedwise.errors import ConfigError
from seedwise.importers.cells import is_number
from seedwise.importers.columns import Columns, columns_of, other_numbers
from seedwise.importers.examples import scored_runs
from seedwise.importers.logs import LogRow
from seedwise.importers.mapped import Mapped
from seedwise.importers.names import EXAMPLE, SEED, TASK, listed, short
from seedwise.importers.runs import ReadRun, RunsRead
from seedwise.importers.table import LogTable

__all__ = ["runs_of_examples"]

_RUN = "run.number"
_NO_SETTINGS = (
    *("batch_size", "batch_sizes", "device", "bootstrap_iters", "use_cache", "limit", "cache"),
    *("max_connections", "adaptive_connections", "max_retries", "timeout", "attempt_timeout"),
)
"""Settings of how an evaluation was carried out, which change no answer on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluated:
    """Answers of which each run is told apart.

    Attributes:
        rows: A row for each question of each run.
        columns: The columns, with that of the run.
        numbered: The runs of a setup were numbered, in the order of their logs.
        notes: Why, in words.
    """

    rows: Sequence[LogRow]
    columns: Columns
    numbered: bool
    notes: tuple[str, ...] = ()


def runs_of_examples(
    table: LogTable, rows: Sequence[LogRow], said: Mapped, left: Sequence[str]
) -> RunsRead:
    """The runs of rows that are examples.

    Args:
        table: The table.
        rows: Its rows.
        said: Column of the example and what else was said.
        left: Notes on what was left out before.

    Raises:
        ConfigError: Something is to be said first: the metric, the setup, or the seed.
        DataError: A score is missing or no number, or runs are of different examples.
    """
    example = said.example or EXAMPLE
    if not _are_answers(table, said):
        columns = columns_of(table, rows, said)
        return RunsRead(
            name=table.name,
            several=table.several,
            runs=tuple(_of_examples(table, rows, columns, example, said.group)),
            numbered=not columns.seed,
            folds=None,
            taken=columns.told(),
            left_out=(*left, *other_numbers(table, rows, columns)),
        )
    mapped, rows, others = _of_shared_metrics(table, rows, said)
    columns = columns_of(table, rows, mapped)
    found = _as_runs(table, rows, columns, setup_said=said.setup is not None)
    told = replace(columns, seed=()) if found.numbered else columns
    return RunsRead(
        name=table.name,
        several=table.several,
        runs=tuple(_of_examples(table, found.rows, found.columns, example, said.group)),
        numbered=found.numbered,
        folds=None,
        taken=told.told(),
        notes=found.notes,
        left_out=(*left, *others),
        called="questions",
        apart=True,
    )


def _of_examples(
    table: LogTable, rows: Sequence[LogRow], columns: Columns, example: str, group: str | None
) -> Iterator[ReadRun]:
    """Runs of a table with a row for each example."""
    for run in scored_runs(table, rows, columns, example, group):
        yield ReadRun(
            setup=run.setup,
            seed=run.seed,
            metrics={name: math.fsum(held) / len(held) for name, held in run.scores.items()},
            seconds=0.0,
            diverged=False,
            where=run.where,
            scores=run.scores,
            examples=run.examples,
            groups=run.groups,
        )


def _are_answers(table: LogTable, said: Mapped) -> bool:
    """True of logs that evaluations wrote, question by question."""
    return said.example == EXAMPLE and TASK in table.facts


def _of_shared_metrics(
    table: LogTable, rows: Sequence[LogRow], said: Mapped
) -> tuple[Mapped, Sequence[LogRow], list[str]]:
    """The metrics that all tasks have, their rows, and the messages about the others.

    Where metrics are named, the tasks that have them count. A metric that is no number for each
    question (a BLEU or perplexity of a whole corpus) is none here.

    Raises:
        ConfigError: No metric is shared, or none of those that were named is there.
    """
    by_task = _metrics_by_task(table, rows)
    numbers = {task: [n for n, is_ in each.items() if is_] for task, each in by_task.items()}
    others = [
        *dict.fromkeys(n for task, each in by_task.items() for n in each if n not in numbers[task])
    ]
    left = [f"{listed(others)}: no number for each question"] if others else []
    named = set(said.metrics)
    tasks = [task for task, names in numbers.items() if names and named <= set(names)]
    if not tasks:
        raise ConfigError(f"{table.name}: no task has {_all(said.metrics)}; {_listed(numbers)}")
    every = dict.fromkeys(name for task in tasks for name in numbers[task])
    shared = [name for name in every if all(name in numbers[task] for task in tasks)]
    if not shared:
        first = next(iter(every))
        raise ConfigError(
            f"{table.name}: the tasks share no metric ({_listed(numbers)}); give --metric {first} "
            "for the tasks that have it, or name the files of one task"
        )
    others = [name for name in every if name not in shared and not named]
    left += [f"{listed(others)}: not every task has it"] if others else []
    without = [task for task in numbers if task not in tasks]
    left += [f"tasks without {_all(said.metrics)}: {listed(without)}"] if without else []
    metrics = said.metrics or {name: name for name in shared}
    return replace(said, metrics=metrics), [row for row in rows if row[TASK] in tasks], left


def _as_runs(
    table: LogTable, rows: Sequence[LogRow], columns: Columns, *, setup_said: bool
) -> _Evaluated:
    """Tell the runs of each setup apart.

    By the seed, if it does. If no seed is known, or two logs of one model, task and seed are there
    (seeds that nobody set), the logs are numbered.

    Args:
        table: The table.
        rows: Its rows.
        columns: What its columns are.
        setup_said: Whether somebody said what a setup is. If not, runs of one model with other
            settings are not taken for one setup.

    Raises:
        ConfigError: Runs of one model have other settings.
    """
    if not setup_said:
        _check_settings(table, rows, columns)
    runs = dict[tuple[str, str], dict[tuple[int, str, tuple[str, ...]], int]]()
    for row in rows:
        found = runs.setdefault((row[columns.setup], row[TASK]), {})
        found.setdefault(_run(row, columns), len(found))
    doubled = [key for key, each in runs.items() if len({seed for *_, seed in each}) < len(each)]
    if columns.seed and not doubled:
        return _Evaluated(rows=rows, columns=columns, numbered=False)

    def numbered() -> Iterator[LogRow]:
        for row in rows:
            place = runs[row[columns.setup], row[TASK]][_run(row, columns)]
            yield replace(row, cells={**row.cells, _RUN: str(place)})

    notes = list[str]()
    if doubled and columns.seed:
        setup, task = doubled[0]
        notes.append(
            f"some of the {len(runs[setup, task])} runs of {setup} on {task} have one seed, so "
            'runs are numbered; if folders tell setups apart, give --layout "{setup}/**"'
        )
    return _Evaluated(
        rows=list(numbered()),
        columns=replace(columns, seed=(_RUN,)),
        numbered=True,
        notes=tuple(notes),
    )


def _run(row: LogRow, columns: Columns) -> tuple[int, str, tuple[str, ...]]:
    """Log, epoch and seed of a row."""
    return row.log, row[SEED], tuple(row[column] for column in columns.seed)


def _metrics_by_task(table: LogTable, rows: Sequence[LogRow]) -> Mapping[str, Mapping[str, bool]]:
    """The metrics of each task, and whether any score of them is a number."""
    names = [c for c in table.columns if c not in table.facts and c not in (EXAMPLE, SEED)]
    found = dict[str, dict[str, bool]]()
    for row in rows:
        held = found.setdefault(row[TASK], {})
        for name in names:
            if name in row.cells and not held.get(name):
                held[name] = is_number(row[name])
    return found


def _check_settings(table: LogTable, rows: Sequence[LogRow], columns: Columns) -> None:
    """Refuse runs of one setup that were made with other settings."""
    settings = [
        column
        for column in table.columns
        if column.startswith("config.") and not _is_no_setting(short(column))
    ]
    first = dict[int, LogRow]()
    for row in rows:
        first.setdefault(row.log, row)
    seen = dict[tuple[str, str, str], str]()
    for row in first.values():
        for column in settings:
            value = seen.setdefault((row[columns.setup], row[TASK], column), row[column])
            if value != row[column]:
                raise ConfigError(
                    f"{table.name}: runs of {row[columns.setup]} differ in {column} "
                    f"({value or 'none'} and {row[column] or 'none'}); give --setup {column} if "
                    f"that makes the setups, or --setup {columns.setup} if they are one"
                )


def _is_no_setting(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.endswith("seed") or last in _NO_SETTINGS or name.startswith("metadata.")


def _all(names: Mapping[str, str]) -> str:
    return listed([*names]) if names else "a number for each question"


def _listed(by_task: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{task}: {', '.join(names) or 'none'}" for task, names in by_task.items())
