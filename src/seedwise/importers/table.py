"""The rows of all logs under one set of columns, with what their paths and settings say."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from seedwise.errors import ConfigError, DataError
from seedwise.figures import count
from seedwise.importers.finding import Sourced
from seedwise.importers.logs import LogRow
from seedwise.importers.names import SEEDS, column_of, listed
from seedwise.importers.paths import PATH_SEED, PATH_SETUP, Layout, from_names

__all__ = ["LogTable", "of_named_logs", "table_of"]

_MOST_CELLS = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogTable:
    """Rows of one log or of several.

    Attributes:
        name: What messages call it.
        columns: Its columns, in order; each name once.
        rows: Its rows.
        facts: Columns that say how runs were made or where they lie: no metrics.
        from_paths: Columns that were read off the paths.
        paths: The paths of its logs, as a pattern is matched with them.
        twice: Names that several columns have, which differ: they are left out.
        several: Whether it holds several logs, so that a row's place names its log.
        logs_in: How many logs lie in each folder, however deep.
        one_run: Whether it is the log of a single run.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[LogRow, ...]
    facts: frozenset[str] = frozenset()
    from_paths: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    several: bool = False
    logs_in: Mapping[str, int] = field(default_factory=dict[str, int])
    one_run: bool = False

    def at(self, where: str) -> str:
        """The place of a row, as a message begins with it."""
        return where if self.several else f"{self.name}, {where}"

    def are_beside(self, logs: Collection[int]) -> bool:
        """True if some logs may be of one run: they lie in a folder that holds no other log."""
        if self.from_paths - {PATH_SETUP, PATH_SEED}:
            return True  # the layout says so
        first, *others = (PurePosixPath(self.paths[log]).parents for log in logs)
        shared = next((f for f in first if all(f in parents for parents in others)), None)
        return shared is not None and self.logs_in[str(shared)] == len(logs)


def table_of(found: Sequence[Sourced], name: str, layout: Layout | None) -> LogTable:
    """The rows of some logs, with what holds for each log in every row of it.

    Raises:
        ConfigError: The layout fits none of the paths of a log.
        DataError: There is more than can be held.
    """
    several = len(found) > 1
    paths = tuple(each.paths[0] for each in found)
    read = _laid_out(found, layout) if layout else _named(found, paths) if several else [{}]
    columns, rows = dict[str, None](), list[LogRow]()
    facts = dict.fromkeys(
        column for path, each in zip(read, found, strict=True) for column in path
    )
    from_paths = frozenset(facts)
    cells = 0
    for place, (each, path) in enumerate(zip(found, read, strict=True)):
        held = {**each.log.facts, **({"path": paths[place]} if several else {})}
        facts |= dict.fromkeys(held)
        if not (several or held or path):
            rows += each.log.rows
            columns |= dict.fromkeys(column for row in rows for column in row.cells)
            continue
        for row in each.log.rows:
            columns |= dict.fromkeys(row.cells)
            where = f"{paths[place]}, {row.where}" if several and row.where else row.where
            whole = {**held, **row.cells, **path} if held or path else row.cells
            rows.append(LogRow(where=where or paths[place], cells=whole, log=place, end=row.end))
            cells += len(whole)
        if several and cells > _MOST_CELLS:
            raise DataError(
                f"{name} has more than {_MOST_CELLS:,} values; import it in parts, or only what "
                "is setup, seed or metric"
            )
    twice = tuple(dict.fromkeys(name for each in found for name in each.log.twice))
    return LogTable(
        name=name,
        columns=tuple(c for c in {**columns, **facts} if c not in twice),
        rows=tuple(rows),
        facts=frozenset(facts) - frozenset(columns),
        from_paths=from_paths,
        paths=paths,
        twice=twice,
        several=several,
        one_run=not several and found[0].log.one_run,
        logs_in=Counter(str(folder) for path in paths for folder in PurePosixPath(path).parents),
    )


def _named(found: Sequence[Sourced], paths: Sequence[str]) -> list[Mapping[str, str]]:
    """Labels that the names of logs give by themselves."""

    def seeds(each: Sourced) -> set[str]:
        columns = each.log.rows[0].cells if each.log.rows else ()
        column = column_of(columns, SEEDS)
        return {row[column] for row in each.log.rows} if column else set()

    return from_names(paths, tables=all(len(seeds(each)) > 1 for each in found))


def of_named_logs(
    table: LogTable, rows: Sequence[LogRow], needed: Sequence[str]
) -> tuple[Sequence[LogRow], list[str]]:
    """The rows of logs that have some columns, and the messages about the others.

    Args:
        table: The table. Where it is of one log, every row is needed.
        rows: Rows of it.
        needed: The columns that name setup and seed. A tracker holds other runs too, which lack
            the parameter that does.
    """
    said = list[str]()
    for column in needed if table.several else ():
        having = {row.log for row in rows if row[column]}
        bare = [log for log in dict.fromkeys(row.log for row in rows) if log not in having]
        if bare and having:
            names = listed([table.paths[log] for log in bare])
            said.append(f"{count(len(bare), 'log')} without {column}: {names}")
            rows = [row for row in rows if row.log in having]
    return rows, said


def _laid_out(found: Sequence[Sourced], layout: Layout) -> list[Mapping[str, str]]:
    read = [layout.columns(*each.paths) for each in found]
    missed = [each for each, cells in zip(found, read, strict=True) if cells is None]
    if missed:
        raise ConfigError(
            f"--layout {layout.text!r} does not fit {missed[0].paths[0]} "
            f"({len(missed)} of {count(len(found), 'log')})"
        )
    return [cells for cells in read if cells is not None]
