"""Optuna's storages on this machine, databases and journals: a run is a trial."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seedwise.errors import DataError, MissingPackage
from seedwise.importers.databases import copy_of, tables_of
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["IMPORTER"]

_TABLES = {"studies", "trials", "trial_params", "trial_values"}
_JOURNAL = b'{"op_code":'


def _recognises(candidate: Candidate) -> bool:
    if candidate.is_folder:
        return False
    return candidate.head.startswith(_JOURNAL) or tables_of(candidate) >= _TABLES


def _read(candidate: Candidate) -> list[Log]:
    with _storage(candidate) as storage:
        return [
            _log(candidate.path, study, _names(study), trial)
            for study in storage.get_all_studies()
            for trial in storage.get_all_trials(study._study_id, deepcopy=False)
        ]


@contextmanager
def _storage(candidate: Candidate) -> Iterator[Any]:
    """The storage, opened as a copy: Optuna brings tables of an older version up to date."""
    try:
        import optuna  # pyright: ignore[reportMissingImports]
        from optuna.storages.journal import (  # pyright: ignore[reportMissingImports]
            JournalFileBackend,
        )
    except ModuleNotFoundError as error:
        raise MissingPackage(
            error.name or "optuna", "a storage of Optuna", extra="optuna"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            if candidate.head.startswith(_JOURNAL):
                with tempfile.TemporaryDirectory() as folder:
                    copy = shutil.copyfile(candidate.path, Path(folder) / "journal.log")
                    yield optuna.storages.JournalStorage(JournalFileBackend(str(copy)))
                return
            with copy_of(candidate.path) as copy:
                storage = optuna.storages.RDBStorage(
                    f"sqlite:///{copy}", skip_compatibility_check=True, skip_table_creation=True
                )
                try:
                    if storage.get_current_version() != storage.get_head_version():
                        storage.upgrade()
                    yield storage
                finally:
                    storage.remove_session()
                    storage.engine.dispose()
    except (DataError, MissingPackage):
        raise
    except OSError as error:
        raise DataError(f"{candidate.path} cannot be read: {error.strerror}") from None
    except Exception as error:  # SQLAlchemy's, Alembic's and Optuna's own have no base but this
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{candidate.path} cannot be read by Optuna {optuna.__version__}: {reason}"
        ) from None


def _names(study: Any) -> Sequence[str]:
    """Names of the values of a trial."""
    named = study.system_attrs.get("study:metric_names")
    count = len(study.directions)
    return named or (["value"] if count == 1 else [f"values_{place}" for place in range(count)])


def _log(path: Path, study: Any, names: Sequence[str], trial: Any) -> Log:
    values = dict(zip(names, trial.values or (), strict=False))  # of a failed trial there are none
    seconds = trial.duration.total_seconds() if trial.duration else None
    return Log(
        path=f"{path}/{study.study_name}",
        rows=[LogRow(where=f"trial {trial.number}", cells=flat(values))],
        facts={
            "study": study.study_name.strip(),
            "number": str(trial.number),
            "state": trial.state.name.lower(),
            **flat({"seconds": seconds}),
            **flat(trial.params, "params_"),
            **flat(trial.user_attrs, "user_attrs_"),
        },
        one_run=True,
    )


IMPORTER = Importer(
    name="optuna",
    about="Optuna: a SQLite storage or a journal; each trial is a run",
    recognises=_recognises,
    read=_read,
    extra="optuna",
)
