"""Six runs with known results that libraries write, and what `seedwise import` makes of them."""

import json
import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.store import Store
from seedwise.study import Study

SETUPS, SEEDS, EPOCHS = ("base", "wide"), (0, 1, 2), 3
RUNS = [(setup, seed) for setup in SETUPS for seed in SEEDS]

_LAST = {
    ("base", 0): 0.800,
    ("base", 1): 0.812,
    ("base", 2): 0.795,
    ("wide", 0): 0.899,
    ("wide", 1): 0.915,
    ("wide", 2): 0.890,
}


def accuracy(setup, seed, epoch=EPOCHS - 1):
    """Rises, is best in the last but one epoch, and differs from run to run."""
    return round(_LAST[setup, seed] + (-0.2, 0.01, 0.0)[epoch], 4)


def loss(setup, seed, epoch=EPOCHS - 1):
    return round(1 - accuracy(setup, seed, epoch), 4)


def wanted(epoch=EPOCHS - 1):
    return {run: accuracy(*run, epoch) for run in RUNS}


def written(code, where):
    """Files that a program leaves in a folder; some libraries leave threads and programs too."""
    env = {**os.environ, "HOME": str(where), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=where,
        env=env,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    return where


def words(*said):
    """Output of `seedwise` with some words, and its exit code."""
    done = CliRunner().invoke(cli, [str(word) for word in said])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def imported(where, *options, metric="accuracy"):
    """A metric of the runs that an import of `where` stores, by setup and seed, as they are there.

    Nothing may be written where the log lies, and nobody be called.
    """
    study = where.parent / "imported.db"
    study.unlink(missing_ok=True)
    before = _snapshot(where)
    connect, socket.socket.connect = socket.socket.connect, _refuse
    try:
        done = words("import", where, study, *options)
    finally:
        socket.socket.connect = connect
    assert done.exit_code == 0, done.output
    assert _snapshot(where) == before
    with Store.open(study, readonly=True) as store:
        return {(run.setup, run.seed.init): run.metrics[metric] for run in store.runs()}


def verdict(where, metric="accuracy", setups=SETUPS, *, of):
    """The verdict on the runs that were imported from `where`.

    Args:
        where: The place.
        metric: The metric that decides.
        setups: The setups.
        of: Format and library that wrote it. The verdict is told to benchmarks/formats.py, which
            makes a table of them all.
    """
    study = where.parent / "imported.db"
    found = Study(study).compare(*setups, metric=metric).verdict.outcome
    if told := os.environ.get("SEEDWISE_FORMATS"):
        form, library = of
        with Store.open(study, readonly=True) as store:
            runs = len(list(store.runs()))
        row = {"format": form, "library": library, "version": version(library), "runs": runs}
        with Path(told).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "verdict": found}) + "\n")
    return found


def _refuse(*_):
    raise AssertionError("an import called somebody")


def _snapshot(where):
    """Content and time of change of each file of a place."""
    files = [where] if where.is_file() else sorted(where.rglob("*"))
    files += sorted(where.parent.glob(f"{where.name}-*"))
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in files
    }
