"""Tables with a row for each example of each run: the scores of single questions or episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seedwise.errors import ConfigError, DataError, SeedwiseError
from seedwise.importers.cells import Number, in_one_unit, number_in
from seedwise.importers.columns import Columns
from seedwise.importers.logs import LogRow
from seedwise.importers.names import listed
from seedwise.importers.table import LogTable
from seedwise.seeds import Seed

__all__ = ["ScoredRun", "scored_runs"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredRun:
    """The scores of one run.

    Attributes:
        setup: Name of its setup.
        seed: Its seed; where runs are numbered, its place in the table.
        where: Place of its first row.
        examples: The names of the examples, in the order of the table's first run.
        groups: The group of each; empty where there is no such column.
        scores: The score of each example, by metric.
    """

    setup: str
    seed: Seed
    where: str
    examples: tuple[str, ...]
    groups: tuple[str, ...]
    scores: Mapping[str, list[float]]


@dataclass(slots=True, kw_only=True)
class _ExampleScores:
    """Rows of one run: by example and metric, with the place of each."""

    first: LogRow
    groups: dict[str, str] = field(default_factory=dict[str, str])
    numbers: dict[str, dict[str, Number]] = field(default_factory=dict[str, dict[str, Number]])


def scored_runs(
    table: LogTable, rows: Sequence[LogRow], columns: Columns, example: str, group: str | None
) -> list[ScoredRun]:
    """The runs of a table that has a row for each example of each run.

    Args:
        table: The table.
        rows: Its rows.
        columns: What its columns are.
        example: The column of the example.
        group: The column of the group of an example; None where there is none.

    Raises:
        ConfigError: An example is there twice in a run, and nothing tells the runs apart.
        DataError: A score is missing or no number, or runs are of different examples.
    """
    found = dict[tuple[str, ...], _ExampleScores]()
    for row in rows:
        run = found.setdefault(_label(table, row, columns), _ExampleScores(first=row))
        if not row[columns.setup] or not row[example]:
            empty = example if row[columns.setup] else columns.setup
            raise DataError(f"{table.at(row.where)}: the column {empty} is empty")
        _add(table, run, row, columns, row[example], row[group] if group else "")
    runs = list(found.values())
    metrics = tuple(dict.fromkeys(name for run in runs for name in run.numbers))
    names = tuple(next(iter(runs[0].numbers.values())))
    for run in runs:
        _check_whole(table, run, names, metrics, columns)
    scores = [dict[str, list[float]]() for _ in runs]
    for metric in metrics:
        cells = [run.numbers[metric][name] for run in runs for name in names]
        values, _ = in_one_unit(metric, cells)
        for place, held in enumerate(scores):
            held[metric] = values[place * len(names) : (place + 1) * len(names)]
    return [
        ScoredRun(
            setup=run.first[columns.setup],
            seed=_seed(table, run.first, columns, place),
            where=run.first.where,
            examples=names,
            groups=tuple(run.groups[name] for name in names) if group else (),
            scores=held,
        )
        for place, (run, held) in enumerate(zip(runs, scores, strict=True))
    ]


def _label(table: LogTable, row: LogRow, columns: Columns) -> tuple[str, ...]:
    """Label of a run: setup and seed, or else what the table or the log says of it."""
    own = columns.seed or (("",) if table.several else columns.run)
    log = (str(row.log),) if table.several and not columns.seed else ()
    return (row[columns.setup], *(row[column] for column in own), *log)


def _add(
    table: LogTable, run: _ExampleScores, row: LogRow, columns: Columns, example: str, group: str
) -> None:
    pairs = {name: row[column] for column, name in columns.metrics.items()}
    if columns.long:
        pairs = {row[columns.long[0]]: row[columns.long[1]]}
    for metric, cell in pairs.items():
        number = number_in(cell, where=row.where)
        if number is None:
            raise DataError(
                f"{table.at(row.where)}: {metric} of example {example!r} is {cell!r}; give each "
                "example a number in every run (what a failure is worth), or leave it out of all"
            )
        held = run.numbers.setdefault(metric, {})
        if example in held:
            raise ConfigError(
                f"{table.at(row.where)}: example {example!r} has {metric} in "
                f"{held[example].where} already, for setup {row[columns.setup]!r}; give --seed "
                "COLUMN for what tells the runs of a setup apart"
            )
        held[example] = number
    if run.groups.setdefault(example, group) != group:
        raise DataError(f"{table.at(row.where)}: example {example!r} is in two groups")


def _check_whole(
    table: LogTable,
    run: _ExampleScores,
    names: tuple[str, ...],
    metrics: Sequence[str],
    columns: Columns,
) -> None:
    """Refuse a run of other examples than the first, or with holes."""
    for metric in metrics:
        held = run.numbers.get(metric, {})
        missing = [name for name in names if name not in held]
        others = [name for name in held if name not in set(names)] if not missing else []
        if missing or others:
            what = "lacks" if missing else "has beside those of the first run"
            some = missing or others
            raise DataError(
                f"{table.at(run.first.where)}: the run of {run.first[columns.setup]!r} {what} "
                f"{len(some):,} of the examples under {metric} ({listed(some)}); every run must "
                "score the same examples"
            )


def _seed(table: LogTable, row: LogRow, columns: Columns, place: int) -> Seed:
    if not columns.seed:
        return Seed.of(place)
    text = "/".join(row[column].removesuffix(".0") for column in columns.seed)
    try:
        return Seed.parse(text)
    except SeedwiseError as error:
        raise DataError(f"{table.at(row.where)}: {error}") from None
