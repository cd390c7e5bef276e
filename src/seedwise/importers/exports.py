"""Exports with a column for each run or fold: W&B's charts and scikit-learn's cv_results_."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from seedwise.importers.csvfile import read_csv
from seedwise.importers.logs import Candidate, Importer, Log, LogRow

__all__ = ["CHART", "FOLDS"]

_CURVE = re.compile(r"(Group: )?(?P<run>.+?) - (?P<metric>.+)")
_SPLIT = re.compile(r"split(?P<fold>\d+)_(?P<metric>(test|train)_.+)")


def _is_chart(candidate: Candidate) -> bool:
    head = candidate.head.partition(b"\n")[0].lower()
    return candidate.path.suffix.lower() == ".csv" and b" - " in head and head.startswith(b'"')


def _read_chart(candidate: Candidate) -> Iterable[Log]:
    """A log for each curve of a chart of W&B: `run - metric`, or `Group: setup - metric`."""
    table = read_csv(candidate.path)
    first = next(iter(table.rows[0].cells))
    rows: dict[str, list[LogRow]] = {}
    groups = set[str]()
    for column in table.rows[0].cells:
        found = _CURVE.fullmatch(column)
        if found is None or column.endswith(("__MIN", "__MAX")):
            continue
        run = found["run"].strip()
        if found[1]:
            groups.add(run)
        rows.setdefault(run, []).extend(
            LogRow(where=row.where, cells={first: row[first], found["metric"]: row[column]})
            for row in table.rows
            if row[column]
        )
    return [
        Log(
            path=f"{candidate.text}/{run}",
            rows=some,
            facts={"setup": run} if run in groups else {"name": run},
            one_run=True,
        )
        for run, some in rows.items()
    ]


CHART = Importer(
    name="wandb-chart",
    about="W&B's export of a chart: a curve for each run",
    recognises=_is_chart,
    read=_read_chart,
)


def _has_splits(candidate: Candidate) -> bool:
    head = candidate.head.partition(b"\n")[0]
    return candidate.path.suffix.lower() == ".csv" and b"split0_test_" in head


def _read_splits(candidate: Candidate) -> Iterable[Log]:
    """scikit-learn's `cv_results_`: a setup for each choice of parameters, a row for each fold."""
    table = read_csv(candidate.path)
    rows = list[LogRow]()
    for row in table.rows:
        folds: dict[str, dict[str, str]] = {}
        for column, cell in row.cells.items():
            if found := _SPLIT.fullmatch(column):
                folds.setdefault(found["fold"], {})[found["metric"]] = cell
        setup = _parameters(row.cells) or row.where
        rows += [
            LogRow(
                where=f"{row.where}, split {fold}", cells={"setup": setup, "fold": fold, **cells}
            )
            for fold, cells in folds.items()
        ]
    return [replace(table, rows=rows, fold="fold", twice=())]


def _parameters(cells: Mapping[str, str]) -> str:
    """The parameters of a row as a name: `C=10, kernel=rbf`."""
    for prefix in ("params.", "param_"):
        named = {c.removeprefix(prefix): v for c, v in cells.items() if c.startswith(prefix)}
        if named:
            return ", ".join(f"{name}={value}" for name, value in named.items() if value)
    return cells.get("params", "")


FOLDS = Importer(
    name="sklearn",
    about="scikit-learn's cv_results_: a setup for each choice of parameters, and its folds",
    recognises=_has_splits,
    read=_read_splits,
)
