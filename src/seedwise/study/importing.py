"""Runs made elsewhere, put into a study file."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from seedwise.comparison.metrics import (
    DECIDING,
    check_better,
    direction_of,
    directions_note,
    state_directions,
    stated_directions,
)
from seedwise.comparison.study_runs import CALLED, FOLDS_KEPT, TASK, StudyRuns
from seedwise.errors import ConfigError, DataError, SeedwiseError, StudyError, UnknownName
from seedwise.executors.outcome import as_record, metrics_record
from seedwise.importers.cells import Number, in_one_unit
from seedwise.importers.mapped import Mapped
from seedwise.importers.reading import read_runs
from seedwise.importers.runs import ReadRun, RunsRead
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store, StoredRun
from seedwise.study.examples import keep_called, keep_examples
from seedwise.study.known import already_there, result_of

__all__ = ["Imported", "import_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Result of an import: what was read, and what became of it.

    Attributes:
        taken: What was taken as what, in words.
        directions: Which way the metrics point, in words; empty where there can be no doubt.
        notes: What was made of numbers, and which are missing, in words.
        left_out: What was left out and why, in words.
        setups: Names of the setups.
        stored: Runs that this import stored.
        known: Runs that the study had already, with the same metrics.
        runs: The runs as they were read.
    """

    taken: tuple[str, ...]
    directions: str
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    setups: tuple[str, ...]
    stored: int
    known: int
    runs: tuple[ReadRun, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _NewRun:
    setup: str
    seed: Seed
    where: str
    record: RunRecord


def import_runs(
    wheres: str | PathLike[str] | Sequence[str | PathLike[str]],
    path: str | PathLike[str],
    mapped: Mapped | None = None,
    *,
    better: Mapping[str, str] | None = None,
    store: bool = True,
    called: str | None = None,
) -> Imported:
    """Put the runs of files, folders and trackers into a study file, made if there is none.

    All of it is read and checked before anything is stored. A run that the study has already
    with the same metrics is left alone, so that a longer export may be imported over a shorter.

    Args:
        wheres: What is to be read: a file, a folder or the address of a tracker, or several.
        path: The study file.
        mapped: Which column is what, as far as it is not to be guessed, and which rows count.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric, where the
            name does not settle it; under "" of the only metric that needs it. Kept in the file.
        store: Store the runs; if not, only find out what would be stored.
        called: What the examples are called, as a plural: questions; kept in the file.

    Raises:
        ConfigError: A column that is needed cannot be guessed, or a direction cannot be used.
        DataError: A log cannot be read, or a row cannot be used; the message names its place.
        MissingPackage: The library that reads such logs is not installed.
        StudyError: The study file cannot be used, trains one of the setups itself, or has other
            metrics for one of the runs.
        UnknownName: There is no such column.
    """
    said, given = mapped or Mapped(), better or {}
    several = [wheres] if isinstance(wheres, str | PathLike) else list(wheres)
    read = read_runs([str(where) for where in several], said, given)
    source = Path(read.name).name
    runs = [_as_run(run, read, source) for run in read.runs]
    names = tuple(
        dict.fromkeys(
            name for each in runs for name in (*each.record.metrics, *each.record.not_finite)
        )
    )
    ways = check_better(_directions(given, names))
    with _opened(Path(path), store=store) as kept:
        stated = stated_directions(StudyRuns(kept), ways)
        open_ = {
            name: way
            for name, way in read.better.items()
            if name in names and direction_of(name, stated) is None
        }
        ways, stated = check_better({**open_, **ways}), {**open_, **stated}
        _check_units(kept, runs)
        folds = _folds(kept, read, said)
        fresh = _fresh(kept, runs, read, said)
        failed = _failed(kept, read, source)
        if store:
            with kept.together():
                state_directions(kept, ways)
                keep_called(kept, called or _by_format(kept, read))
                if folds is not None:
                    kept.fix_choice(FOLDS_KEPT, folds)
                for name in read.tasks:
                    kept.fix_choice(f"{TASK}{name}", True)
                for name in read.setups:
                    kept.add_setup(name, Setup(train=ELSEWHERE))
                _add(kept, [*fresh, *failed])
    return Imported(
        taken=read.taken,
        directions=directions_note(names, stated),
        notes=read.notes,
        left_out=read.left_out,
        setups=read.setups,
        stored=len(fresh),
        known=len(runs) - len(fresh),
        runs=read.runs,
    )


def _by_format(kept: Store, read: RunsRead) -> str | None:
    """Word of the format for its examples, for a study that has none yet."""
    empty = kept.choice(CALLED) is None and kept.examples() is None and kept.dataset() is None
    return read.called if empty else None


@contextmanager
def _opened(path: Path, *, store: bool) -> Iterator[Store]:
    """The study file; to look only, also where there is none."""
    if store or path.exists():
        with Store.open(path, create=store, readonly=not store) as kept:
            yield kept
        return
    with TemporaryDirectory() as folder, Store.open(Path(folder) / path.name, create=True) as kept:
        yield kept


def _directions(better: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    """The directions that were given, each of a metric of the file."""
    for name in better:
        if name != DECIDING and name not in names:
            raise UnknownName("metric", name, names)
    if DECIDING not in better:
        return better
    open_ = [name for name in names if direction_of(name, better) is None] or list(names)
    if len(open_) != 1:
        raise ConfigError(
            f"--better {better[DECIDING]} does not say which metric; write e.g. "
            f"--better {open_[0]}={better[DECIDING]}; there are {', '.join(open_)}"
        )
    return {open_[0]: better[DECIDING], **{k: v for k, v in better.items() if k != DECIDING}}


def _add(store: Store, runs: Sequence[_NewRun]) -> None:
    """Store runs, those with scores one by one."""
    now = datetime.now(UTC)
    plain = ((each.setup, each.seed, each.record) for each in runs if not each.record.scores)
    store.add_results(plain, ended_at=now)
    for each in runs:
        if each.record.scores:
            store.add_run(each.setup, each.seed, keep_examples(store, each.record), ended_at=now)


def _record(run: ReadRun, source: str) -> RunRecord:
    """The record of a run that was read."""
    if not run.scores:
        metrics = run.metrics or {"metric": math.nan}
        return metrics_record(metrics, seconds=run.seconds, source=source)
    about = {"scores": run.scores, "examples": run.examples, "groups": run.groups}
    given = {what: each for what, each in about.items() if each}
    record = as_record(given, seconds=run.seconds)
    return replace(record, made_by={**record.made_by, "imported_from": source})


def _as_run(run: ReadRun, read: RunsRead, source: str) -> _NewRun:
    try:
        record = _record(run, source)
    except SeedwiseError as error:
        raise DataError(f"{read.at(run.where)}: {error}") from None
    if run.diverged:
        lost = record.not_finite if run.metrics else ()
        record = replace(
            record, state="diverged", error=f"diverged, says {source}", not_finite=lost
        )
    return _NewRun(setup=run.setup, seed=run.seed, where=run.where, record=record)


def _fresh(store: Store, runs: Sequence[_NewRun], read: RunsRead, mapped: Mapped) -> list[_NewRun]:
    """The runs that the study lacks; those that it has must be the same."""
    results = [run for run in store.runs() if run.state != "failed"]
    if read.numbered:
        return _numbered(results, runs, mapped, apart=read.apart)
    stored = {(run.setup, run.seed): run for run in results}
    fresh = list[_NewRun]()
    for each in runs:
        known = stored.get((each.setup, each.seed))
        if known is None:
            fresh.append(each)
        elif dict(known.metrics) != dict(each.record.metrics) or known.has_logits:
            raise StudyError(
                f"{store.path} has other results for setup {each.setup!r} with seed "
                f"{each.seed} than {each.where}; runs never change: give the setup "
                "another name, or use another study file"
            )
    return fresh


def _failed(store: Store, read: RunsRead, source: str) -> list[_NewRun]:
    """The runs without a result that the study does not know of: failed tries, which count."""
    known = {(run.setup, str(run.seed)) for run in (*store.runs(), *read.runs)}
    return [
        _NewRun(
            setup=each.setup,
            seed=each.seed,
            where="",
            record=RunRecord(
                state="failed", made_by={"imported_from": source}, error=f"{source}: {each.error}"
            ),
        )
        for each in read.failed
        if (each.setup, str(each.seed)) not in known and each.setup in read.setups
    ]


def _numbered(
    results: Sequence[StoredRun], runs: Sequence[_NewRun], mapped: Mapped, *, apart: bool
) -> list[_NewRun]:
    """The runs that are new, numbered after all seeds that the study has of whatever setup."""
    known = [False] * len(runs)
    if not mapped.rows_are_runs:
        new = [result_of(each.setup, each.record.metrics, each.record.not_finite) for each in runs]
        known = already_there(new, results, apart=apart)
    first = max((run.seed.init + 1 for run in results), default=0)
    fresh = [each for each, there in zip(runs, known, strict=True) if not there]
    return [replace(each, seed=Seed.of(first + place)) for place, each in enumerate(fresh)]


def _folds(store: Store, read: RunsRead, mapped: Mapped) -> Mapping[str, float] | None:
    """Choice that is kept of runs that are folds, which makes their differences dependent.

    Raises:
        StudyError: The study has runs that are none, or of another number of folds.
        DataError: There is one fold only.
    """
    known = store.choice(FOLDS_KEPT)
    if read.folds is None:
        if known is not None:
            raise StudyError(f"{store.path} has folds of a cross-validation; give --fold COLUMN")
        return None
    if read.folds < 2 and mapped.test_ratio is None:
        raise DataError(f"the column {mapped.fold} has one fold only; there must be two or more")
    if known is None and any(run.state != "failed" for run in store.runs()):
        raise StudyError(f"{store.path} has runs that are no folds; use another study file")
    ratio = 1 / (read.folds - 1) if mapped.test_ratio is None else mapped.test_ratio
    return {"folds": read.folds, "test_to_train": ratio}


def _check_units(store: Store, runs: Sequence[_NewRun]) -> None:
    """Refuse a metric in per cent where the study has fractions, or the other way round."""
    stored = [run for run in store.runs() if run.state == "finished"]
    for name in dict.fromkeys(name for each in runs for name in each.record.metrics):
        numbers = [
            Number(
                value=run.metrics[name],
                percent=False,
                where=f"{run.setup} with seed {run.seed} in {store.path}",
            )
            for run in stored
            if name in run.metrics
        ] + [
            Number(value=each.record.metrics[name], percent=False, where=each.where)
            for each in runs
            if name in each.record.metrics
        ]
        in_one_unit(name, numbers)
