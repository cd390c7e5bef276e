"""Studies in processes of their own, and what has to hold of a study after any fault."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from seedwise.executors.outcome import as_record
from seedwise.seeds import Seed
from seedwise.store import Store, check_study
from seedwise.study import fake

HERE = Path(__file__).parent


class Driver:
    """A running `driver.py`."""

    def __init__(self, path, executor, seeds, train, environment):
        words = [HERE / "driver.py", path, executor, seeds, train]
        self.process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )

    def wait_for(self, word):
        """Read on until it tells this, or ends; what it told until then."""
        told = []
        for line in self.process.stdout:
            told.append(line.split())
            if told[-1][0] == word:
                break
        return told

    def end(self, number=signal.SIGKILL):
        """Send it a signal; what it told since, its errors, and its exit code."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=240)
        return [line.split() for line in out.splitlines()], err, self.process.returncode

    def finish(self):
        """Wait for its own end; what it told."""
        out, err = self.process.communicate(timeout=240)
        assert self.process.returncode == 0, err
        return [line.split() for line in out.splitlines()]


def stored_in(told):
    return {(words[1], words[2]) for words in told if words[0] == "stored"}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def assert_they_end(pids):
    """These processes end by themselves; they are given two minutes, on whatever machine."""
    give_up = time.monotonic() + 120
    while any(map(is_alive, pids)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(map(is_alive, pids))


def assert_nothing_lost(path, reported):
    """Every run that was reported stored is there, whole and once; the file is sound."""
    assert check_study(path).faults == ()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with Store.open(path, readonly=True) as store:
        results = [run for run in store.runs() if run.state != "failed"]
        there = [(run.setup, str(run.seed)) for run in results]
        assert reported <= set(there)
        assert len(there) == len(set(there))
        for run in results:
            seed = Seed.of(run.seed.init)
            made = as_record(fake.train(seed), seconds=0.0).logits
            assert store.logits([run.id])[0].tobytes() == made.tobytes()
    return set(there)
