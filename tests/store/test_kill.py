"""kill -9 at random moments: every run that was reported stored is there, whole, and once."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np

from seedwise.store import Store

KILLS = 20
WRITER = """
import sys
from datetime import UTC, datetime
import numpy as np
from seedwise.records import VIEWS, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store

store = Store.open(sys.argv[1], create=True)
store.add_setup("mish", Setup())
first = len(store.runs())
print("ready", flush=True)
for i in range(first, 1_000_000):
    logits = np.random.default_rng(i).normal(size=(2, 250, 10)).astype(np.float16)
    record = RunRecord(state="finished", logits=logits, views=VIEWS, seconds=i)
    store.add_run("mish", Seed.of(i), record, ended_at=datetime.now(UTC))
    print(i, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_reported(path):
    rng = np.random.default_rng(20260301)
    reported = set()
    for kill in range(KILLS):
        # The first kills come while the file is still being made.
        wait_for_ready = kill >= 5
        reported |= reports_until_killed(path, rng, wait_for_ready=wait_for_ready)
    with Store.open(path) as store:
        runs = store.runs()
        stored = [run.seed.init for run in runs]
        assert reported <= set(stored)
        assert len(stored) == len(set(stored))
        assert stored == list(range(len(stored)))  # each restart went on where the last ended
        assert len(stored) >= KILLS
        assert [run.seconds for run in runs] == stored
        logits = store.logits([run.id for run in runs])
    for seed, found in zip(stored, logits, strict=True):
        made = np.random.default_rng(seed).normal(size=(2, 250, 10)).astype(np.float16)
        assert found.tobytes() == made.tobytes()
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    raw.close()


def reports_until_killed(path, rng, *, wait_for_ready):
    """Seeds of the runs that a writer reported before it was killed at a random moment."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = []
    if wait_for_ready:
        assert writer.stdout.readline() == "ready\n"
        told = [writer.stdout.readline() for _ in range(rng.integers(2, 20))]
        time.sleep(rng.uniform(0, 0.005))
    else:
        time.sleep(rng.uniform(0.1, 0.4))
    os.kill(writer.pid, signal.SIGKILL)
    lines, _ = writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    return {int(line) for line in [*told, *lines.split()] if line != "ready"}
