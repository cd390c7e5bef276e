"""Tables with a column for each setup, turned to a row for each value."""

from collections.abc import Sequence
from dataclasses import replace

from seedwise.importers.cells import number_in
from seedwise.importers.logs import LogRow
from seedwise.importers.names import ROLES, SEEDS, column_of, is_own, listed, short
from seedwise.importers.table import LogTable
from seedwise.stats.catalog import CATALOG
from seedwise.stats.directions import known_direction

__all__ = ["WIDE", "by_setup", "setups_in_columns"]

WIDE = "value"
"""Name of a metric that no column names."""


def setups_in_columns(
    table: LogTable, rows: Sequence[LogRow], *, seed: str | None, sure: bool
) -> list[str]:
    """The columns that are setups, of a table with a column for each and nothing that names one.

    None, unless it is `sure`, if a column is a metric by its name, or there are several logs.
    """
    columns = [c for c in table.columns if c not in table.facts and c != seed and not _is_key(c)]
    numbers = [c for c in columns if any(number_in(row[c]) for row in rows)]
    if sure:
        return numbers
    metrics = [c for c in numbers if known_direction(c) or c.partition(":")[0] in CATALOG]
    whole = all(number_in(row[c]) or not row[c] for row in rows for c in numbers)
    return numbers if len(numbers) > 1 and whole and not metrics and not table.several else []


def by_setup(
    table: LogTable,
    rows: Sequence[LogRow],
    setups: Sequence[str],
    *,
    metric: str,
    seed: str | None,
) -> tuple[LogTable, list[LogRow], str]:
    """A row for each value of a table with a column for each setup, and the message about it.

    Rows are pairs: those of the same seed, or those that stand in the same line.
    """
    others = [column for column in table.columns if column not in setups]
    seeded = seed is not None or column_of(others, SEEDS) is not None
    kept = others if seeded else ["seed"]
    found = list[LogRow]()
    for number, row in enumerate(rows):
        cells = {c: row[c] for c in kept} if seeded else {"seed": str(number)}
        found += [
            replace(row, cells={**cells, "setup": setup, metric: row[setup]}) for setup in setups
        ]
    said = f"setups: a column for each ({listed(setups)}), whose values are called {metric}"
    if not seeded:
        keys = [c for c in others if len({row[c] for row in rows}) == len(rows) > 1]
        each = f" ({keys[0]})" if keys else ""
        said += f"; pairs are what stands in one row{each}, and the verdict is for new rows"
    return replace(table, columns=(*kept, "setup", metric), rows=tuple(found)), found, said


def _is_key(column: str) -> bool:
    return is_own(column) or short(column) in ROLES
