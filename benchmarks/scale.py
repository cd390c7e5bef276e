"""How the cost of a study grows with its runs: local and Ray executors, with the fake training.

    python benchmarks/scale.py --executor local --executor ray --runs 100 --runs 1000 --runs 10000

For each executor and number of runs, in a process of its own: seconds and driver memory, the
milliseconds that the last 100 runs took to be stored, and the seconds of `status`, `compare`,
`check` and `report` on the file. Prints one JSON object a line.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXECUTORS = ("local", "processes", "ray", "ray-groups")
MEMORY_AT = (100, 1_000, 5_000, 10_000)


def resident_mb() -> float:
    """Memory of this process at this moment."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measured(executor: str, runs: int, path: Path) -> dict[str, object]:
    """A study of so many runs of two setups, made and measured in this process."""
    from seedwise import Setup, Study
    from seedwise.live.events import RunStored
    from seedwise.store import Store
    from seedwise.study import LocalExecutor, RayExecutor

    made_by = {
        "local": LocalExecutor(),
        "processes": LocalExecutor(workers=2),
        "ray": RayExecutor(workers=2),
        "ray-groups": RayExecutor(workers=2, pack=50),
    }[executor]
    storing: list[float] = []
    memory: dict[int, float] = {}
    add_run = Store.add_run

    def timed(self, *args, **named):
        started = time.perf_counter()
        try:
            return add_run(self, *args, **named)
        finally:
            storing.append(time.perf_counter() - started)

    Store.add_run = timed

    def watch(event):
        if isinstance(event, RunStored) and len(storing) in MEMORY_AT:
            memory[len(storing)] = round(resident_mb())

    setups = {
        "plain": Setup(train="seedwise.study.fake:train"),
        "better": Setup(train="seedwise.study.fake:better"),
    }
    started = time.perf_counter()
    Study(path).run(setups, seeds=runs // 2, executor=made_by, watch=watch)
    seconds = time.perf_counter() - started
    last = sorted(storing[-100:])
    return {
        "executor": executor,
        "runs": runs,
        "seconds": round(seconds, 2),
        "ms_a_run": round(1e3 * seconds / runs, 2),
        "driver_mb_at_run": memory,
        "store_ms_mean_of_last_100": round(1e3 * sum(last) / 100, 3),
        "store_ms_median": round(1e3 * last[50], 3),
        "store_ms_worst": round(1e3 * last[-1], 3),
        "file_mb": round(path.stat().st_size / 1e6, 1),
    }


def command_seconds(*words: str) -> float:
    """Seconds of a command, from the start of its process to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "seedwise", *words], check=True, capture_output=True)
    return round(time.perf_counter() - started, 2)


def forget_metrics(path: Path) -> None:
    """Delete the kept metric values, so that the next command computes them from the logits."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM metric_values")
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--executor", action="append", choices=EXECUTORS, required=True)
    parser.add_argument("--runs", action="append", type=int, required=True)
    parser.add_argument("--inner", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        print(json.dumps(measured(given.executor[0], given.runs[0], given.inner)))
        return
    for executor in given.executor:
        for runs in given.runs:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "study.db")
                words = ["--executor", executor, "--runs", str(runs), "--inner", str(path)]
                done = subprocess.run(
                    [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE
                )
                found = json.loads(done.stdout)
                found["status_s"] = command_seconds("status", str(path))
                found["compare_s"] = command_seconds("compare", str(path), "plain", "better")
                found["check_s"] = command_seconds("check", str(path))
                page = str(Path(folder, "report.html"))
                found["report_s"] = command_seconds("report", str(path), "-o", page)
                forget_metrics(path)
                found["compare_from_logits_s"] = command_seconds(
                    "compare", str(path), "plain", "better"
                )
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
