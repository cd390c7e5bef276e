"""A study of large runs: what it takes to record them, and then to read them.

    python benchmarks/large_runs.py FOLDER --runs 40 --examples 50000 --classes 1000

Two setups with half of the runs each, recorded one after another in one process, into a study in
FOLDER; then commands, each in a process of its own. Before "first compare" all that was worked out
when the runs were recorded is deleted, as in a study that an earlier seedwise made. Prints one
JSON object a line: seconds, seconds of processor time (user and system), and peak memory.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

COMMANDS = (
    ("compare", "base", "other"),
    ("status",),
    ("export", "-o", "runs.csv"),
    ("report", "-o", "report.html"),
    ("variance", "base"),
)
KEPT = "metric_values", "run_scores"


def record_all(path: Path, runs: int, examples: int, classes: int) -> None:
    from seedwise import record

    targets = np.arange(examples) % classes
    for seed in range(runs // 2):
        for shift, setup in ((1.0, "base"), (1.05, "other")):
            rng = np.random.default_rng([seed, int(100 * shift)])
            logits = rng.standard_normal((examples, classes), dtype=np.float32).astype(np.float16)
            logits[np.arange(examples), targets] += np.float16(3 * shift)
            started, spent = time.perf_counter(), time.process_time()
            record(path, setup=setup, seed=seed, predictions=logits, targets=targets)
            tell(
                "record",
                seconds=time.perf_counter() - started,
                cpu_seconds=time.process_time() - spent,
                peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            )


def tell(what: str, **figures: float) -> None:
    rounded = {name: round(value, 1) for name, value in figures.items()}
    print(json.dumps({"what": what, **rounded, "load": round(os.getloadavg()[0], 1)}), flush=True)


def command(what: str, path: Path, words: tuple[str, ...]) -> None:
    """A command in a process of its own, measured."""
    name, *more = words
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "seedwise", name, str(path), *more],
        cwd=path.parent,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    tell(
        what,
        code=os.waitstatus_to_exitcode(status),
        seconds=time.perf_counter() - started,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / 1e3,
    )


def forget(path: Path) -> None:
    """Delete all that can be computed again."""
    with sqlite3.connect(path) as connection:
        for table in KEPT:
            connection.execute(f"DELETE FROM {table}")
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1_000)
    given = parser.parse_args()
    path = given.folder / "large.db"
    # In a process of its own: one that is started counts the peak of whoever starts it as its own.
    spawned = multiprocessing.get_context("spawn").Process
    recording = spawned(target=record_all, args=(path, given.runs, given.examples, given.classes))
    recording.start()
    recording.join()
    tell("file", gigabytes=path.stat().st_size / 1e9)
    for words in COMMANDS:
        command(words[0], path, words)
    forget(path)
    command("first compare", path, COMMANDS[0])
    for words in COMMANDS:
        command(f"{words[0]} afterwards", path, words)


if __name__ == "__main__":
    main()
