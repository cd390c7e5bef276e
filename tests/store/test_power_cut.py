"""A power cut at any byte: what was written after the last sync may be there, in part or not.

A writer is watched by strace, so that all that it wrote, synced and reported is known in order.
The disk is then put together as a cut could have left it: what was synced, a random choice of the
writes after that, and the last of those cut in the middle.
"""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from helpers.study_files import assert_sound
from seedwise.seeds import Seed
from seedwise.store import Store, check_study

WRITER = """
import os
import sys
from datetime import UTC, datetime
import numpy as np
from seedwise.records import VIEWS, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
for part in range(3):
    with Store.open(sys.argv[1], create=True) as store:
        store.add_setup("mish", Setup())
        for i in range(10 * part, 10 * part + 10):
            logits = np.random.default_rng(i).normal(size=(2, 250, 10)).astype(np.float16)
            record = RunRecord(state="finished", logits=logits, views=VIEWS, seconds=i)
            store.add_run("mish", Seed.of(i), record, ended_at=datetime.now(UTC))
            os.write(1, b"%d\\n" % i)
"""
CALL = re.compile(
    r'(?:\d+ +)?(pwrite64|write|ftruncate|fsync|fdatasync|unlink)\((?:(\d+)<([^>]*)>|"([^"]*)")'
    r'(?:, "((?:\\x[0-9a-f]{2})*)")?(?:, (\d+))?(?:, (\d+))?\) = (\d+)'
)


def watched(path, tmp_path):
    """What a writer did to its files, and told, in order: (call, file, bytes or None, place)."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace: apt-get install strace")
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,write,ftruncate,fsync,fdatasync,unlink"
    words = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", calls, "-o", str(trace)]
    done = subprocess.run([*words, sys.executable, "-c", WRITER, str(path)], capture_output=True)
    if done.returncode and b"ptrace" in done.stderr.lower():
        pytest.skip("strace may not watch processes here")
    assert done.returncode == 0, done.stderr
    return [event for line in trace.read_text().splitlines() for event in _event(line, path)]


def _event(line, path):
    match = CALL.match(line)
    if match is None:
        return
    call, fd, by_fd, by_name, data, first, second, _ = match.groups()
    file = by_fd or bytes.fromhex((by_name or "").replace("\\x", "")).decode()
    if by_fd and "\\x" in by_fd:
        file = bytes.fromhex(by_fd.replace("\\x", "")).decode(errors="replace")
    content = None if data is None else bytes.fromhex(data.replace("\\x", ""))
    if call == "write" and fd == "1":
        yield "told", None, content, None
    elif file.startswith(str(path)) and not file.endswith("-shm"):
        yield call, file.removeprefix(str(path)), content, int(second or first or 0)


class Disk:
    """Files as they are synced, and the changes since."""

    def __init__(self):
        self.synced = {}
        self.since = {}

    def take(self, call, file, content, place):
        if call in ("fsync", "fdatasync"):
            for change in self.since.pop(file, []):
                self._apply(self.synced, file, *change)
        elif call == "unlink":
            self.synced.pop(file, None)
            self.since.pop(file, None)
        else:
            self.since.setdefault(file, []).append((call, content, place))

    @staticmethod
    def _apply(files, file, call, content, place):
        held = files.setdefault(file, bytearray())
        if call == "ftruncate":
            del held[place:]
            held.extend(bytes(place - len(held)))
        else:
            held.extend(bytes(max(0, place - len(held))))
            held[place : place + len(content)] = content

    def after_a_cut(self, rng, *, ordered):
        """The files as a cut leaves them.

        Args:
            rng: Chooses.
            ordered: The disk wrote in order, up to some byte; else any of the writes are there.
        """
        files = {file: bytearray(held) for file, held in self.synced.items()}
        for file, changes in self.since.items():
            kept = changes[: rng.integers(0, len(changes) + 1)]
            if not ordered:
                kept = [change for change in changes if rng.random() < 0.5]
            for number, (call, content, place) in enumerate(kept):
                if number == len(kept) - 1 and content:
                    content = content[: rng.integers(0, len(content) + 1)]
                self._apply(files, file, call, content, place)
        return files


def cut_again_and_again(tmp_path, cuts, seed):
    path = tmp_path / "written.db"
    events = watched(path, tmp_path)
    rng = np.random.default_rng(seed)
    # A power cut at each of these; half of them right after something was told.
    told_at = [i + 1 for i, (call, *_) in enumerate(events) if call == "told"]
    moments = sorted([*rng.integers(0, len(events), cuts // 2), *rng.choice(told_at, cuts // 2)])
    disk, told, position, found = Disk(), set(), 0, []
    for moment in moments:
        for call, file, content, place in events[position:moment]:
            if call == "told":
                told.add(int(content))
            else:
                disk.take(call, file, content, place)
        position = max(position, moment)
        files = disk.after_a_cut(rng, ordered=bool(rng.random() < 0.5))
        found.append(after_the_cut(tmp_path / "cut.db", files, told))
    return events, found


def after_the_cut(path, files, told):
    """Open what a cut left; it holds what was told, whole. How many runs it has."""
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    for end, content in files.items():
        path.with_name(path.name + end).write_bytes(content)
    with Store.open(path, create=True) as store:  # the same command continues
        runs = store.runs()
        assert told <= {run.seed.init for run in runs}
        for run in runs:
            made = np.random.default_rng(run.seed.init).normal(size=(2, 250, 10))
            assert store.logits([run.id])[0].tobytes() == made.astype(np.float16).tobytes()
            assert run.seed == Seed.of(run.seed.init)
    assert check_study(path).faults == ()
    assert_sound(path)
    return len(runs)


def test_a_power_cut_loses_nothing_that_was_reported(tmp_path):
    events, found = cut_again_and_again(tmp_path, 60, seed=0)
    assert sum(call == "told" for call, *_ in events) == 30
    assert sum(call in ("fsync", "fdatasync") for call, *_ in events) >= 30
    assert len(set(found)) > 10


@pytest.mark.slow
def test_two_thousand_power_cuts(tmp_path):
    _, found = cut_again_and_again(tmp_path, 2000, seed=1)
    assert len(found) == 2000
