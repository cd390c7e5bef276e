"""MLflow's stores on this machine: a folder `mlruns`, or a database.

Read here, not by MLflow: since 3.7 it refuses folders, and it migrates a database that it opens.
Both are laid out today as they were in 1.0.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seedwise.errors import DataError
from seedwise.importers.databases import reading, tables_of
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import cell

__all__ = ["IMPORTER"]

_META = "meta.yaml"
_TABLES = {"experiments", "runs", "metrics", "params", "tags"}
_STATES = {"1": "running", "2": "scheduled", "3": "finished", "4": "failed", "5": "killed"}
_PARENT = "mlflow.parentRunId"
_MOST_VALUES = 2_000_000
_MOST_BYTES = 2**26
_HUGE = 1.7976931348623157e308
"""Number that a database holds for an infinity."""


@dataclass(slots=True, kw_only=True, eq=False)
class _MlflowRun:
    """One run.

    Attributes:
        store: Path of the store that it lies in.
        facts: How it is called, where it belongs and how it ended.
        params: Its parameters.
        tags: Its tags.
        points: Of each metric its step, time and value.
    """

    store: str
    facts: dict[str, str]
    params: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    points: list[tuple[int, int, str, float]] = field(
        default_factory=list[tuple[int, int, str, float]]
    )

    @property
    def path(self) -> str:
        """It ends with the name that MLflow shows it by, which may say setup and seed."""
        name = self.facts["name"] or self.facts["run_id"]
        return "/".join(filter(None, (self.store, self.facts["experiment"], name)))

    def log(self) -> Log:
        steps = defaultdict[int, dict[str, str]](dict)
        for step, _, name, value in sorted(self.points, key=lambda point: point[:3]):
            steps[step][name] = cell(value)
        rows = [
            LogRow(where=f"step {step}", cells={"step": str(step), **cells})
            for step, cells in steps.items()
        ]
        tags = {k: v for k, v in self.tags.items() if not k.startswith("mlflow.")}
        return Log(
            path=self.path,
            rows=rows or [LogRow(where="its end", cells={})],
            facts={
                **{name: text.strip() for name, text in self.facts.items() if text},
                **{f"params.{name}": text.strip() for name, text in self.params.items()},
                **{f"tags.{name}": text.strip() for name, text in tags.items()},
            },
            one_run=True,
        )


def _recognises(candidate: Candidate) -> bool:
    if not candidate.is_folder:
        return tables_of(candidate) >= _TABLES
    if _META in candidate.names:
        return _is_run(candidate.path) or "artifact_location" in _meta(candidate.path / _META)
    experiments = (candidate.path / name for name in candidate.names if name.isdigit())
    return any((path / _META).is_file() for path in experiments)


def _is_run(folder: Path) -> bool:
    return "run_id" in _meta(folder / _META) or "run_uuid" in _meta(folder / _META)


def _read(candidate: Candidate) -> list[Log]:
    if candidate.is_folder:
        runs = list(_of_folders(candidate))
    else:
        with reading(candidate.path) as database:
            runs = _of_database(database, candidate.text)
    # The run that a search of settings was started from holds the others and no result.
    parents = {run.tags[_PARENT] for run in runs if _PARENT in run.tags}
    return [run.log() for run in runs if run.points or run.facts["run_id"] not in parents]


def _of_database(database: sqlite3.Connection, store: str) -> list[_MlflowRun]:
    found: dict[str, _MlflowRun] = {}
    rows = database.execute(
        "SELECT run_uuid, runs.name, status, experiments.name FROM runs LEFT JOIN experiments "
        "USING (experiment_id) WHERE runs.lifecycle_stage = 'active' ORDER BY start_time"
    )
    for run_id, name, status, experiment in rows:
        facts = {"name": name or "", "experiment": experiment or "", "run_id": run_id}
        found[run_id] = _MlflowRun(
            store=store, facts={**facts, "state": str(status or "").lower()}
        )
    for table in ("params", "tags"):
        for run_id, key, value in database.execute(f'SELECT run_uuid, "key", value FROM {table}'):
            if run_id in found:
                getattr(found[run_id], table)[key] = str(value or "")
    for run in found.values():
        run.facts["name"] = run.facts["name"] or run.tags.get("mlflow.runName", "")
    metrics = database.execute(
        'SELECT run_uuid, "key", value, timestamp, step, is_nan FROM metrics'
    )
    for run_id, key, value, time, step, is_nan in metrics:
        if run_id in found:
            number = float("nan") if is_nan else _finite(value)
            _add(found[run_id], (step, time, key, number))
    return list(found.values())


def _finite(value: float) -> float:
    return float("inf") * value if abs(value) >= _HUGE else float(value)


def _add(run: _MlflowRun, point: tuple[int, int, str, float]) -> None:
    run.points.append(point)
    if len(run.points) > _MOST_VALUES:
        raise DataError(f"{run.path} has more than {_MOST_VALUES:,} values")


def _of_folders(candidate: Candidate) -> list[_MlflowRun]:
    """The runs of a folder, in the order in which they began."""
    found = list[tuple[int, _MlflowRun]]()
    for folder, experiment in _run_folders(candidate.path):
        about = _meta(folder / _META)
        if about.get("lifecycle_stage", "active") in ("active", "1"):
            start = about.get("start_time", "")
            run = _of_folder(candidate.text, folder, about, experiment)
            found.append((int(start) if start.isdecimal() else 0, run))
    return [run for _, run in sorted(found, key=lambda pair: pair[0])]


def _run_folders(top: Path) -> Iterator[tuple[Path, str]]:
    """The folders of runs, each with the name of its experiment."""
    if _is_run(top):
        yield top, _meta(top.parent / _META).get("name", "")
        return
    for experiment in [top] if (top / _META).is_file() else sorted(top.iterdir()):
        about = _meta(experiment / _META)
        if about and about.get("lifecycle_stage", "active") == "active":
            for folder in sorted(experiment.iterdir()):
                if _is_run(folder):
                    yield folder, about.get("name", "")


def _of_folder(store: str, folder: Path, about: Mapping[str, str], experiment: str) -> _MlflowRun:
    run = _MlflowRun(
        store=store,
        facts={
            "name": about.get("run_name", ""),
            "experiment": experiment,
            "run_id": about.get("run_id", "") or about.get("run_uuid", ""),
            "state": _STATES.get(about.get("status", ""), ""),
        },
    )
    run.params |= {name: _text(path) for name, path in _files(folder / "params")}
    run.tags |= {name: _text(path) for name, path in _files(folder / "tags")}
    run.facts["name"] = run.facts["name"] or run.tags.get("mlflow.runName", "")
    for name, path in _files(folder / "metrics"):
        for point in _points(path):
            _add(run, (point[0], point[1], name, point[2]))
    return run


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    """The files of a folder and of those within, by what they are of: `val/acc` lies in `val`."""
    for within, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(within, name)
            yield path.relative_to(folder).as_posix(), path


def _points(path: Path) -> Iterator[tuple[int, int, float]]:
    """Step, time and value of each line; the oldest files have no steps."""
    for place, line in enumerate(_text(path).splitlines()):
        try:
            time, value, step, *_ = [*line.split(), "0"]
            yield int(step), int(time), float(value)
        except ValueError:
            raise DataError(f"{path}, line {place + 1}: {line[:60]!r} is no metric") from None


def _meta(path: Path) -> Mapping[str, str]:
    """Parse one of MLflow's small YAML files: a line for each name, without structure."""
    if not path.is_file():
        return {}
    found = dict[str, str]()
    for line in _text(path).splitlines():
        name, colon, value = line.partition(":")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1].replace("''", "'")
        if colon and not line.startswith((" ", "-", "#")):
            found[name] = "" if value == "null" else value
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise DataError(f"{path} has more than {_MOST_BYTES:,} bytes")
    return content.decode("utf-8", errors="replace")


IMPORTER = Importer(
    name="mlflow",
    about="MLflow: a folder mlruns, or the SQLite database that it keeps runs in",
    recognises=_recognises,
    read=_read,
)
