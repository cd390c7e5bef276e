import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("scipy", "sqlite3", "jinja2", "click", "rich", "torch", "ray")
OURS = ("adapters", "cli", "comparison", "report", "store", "study", "train")


def printed_by(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.split()


@pytest.mark.parametrize("module", ["local", "ray"])
def test_an_executor_loads_no_more_than_a_run_needs(module):
    """Statistics, SQLite and the store cost a worker 0.9 s of CPU beside 0.3 s of its own."""
    loaded = printed_by(f"import sys, seedwise.executors.{module}; print(*sys.modules)")
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(HEAVY)
    ours = {name.split(".")[1] for name in loaded if name.startswith("seedwise.")}
    assert ours.isdisjoint(OURS)
    assert len([name for name in loaded if name.startswith("seedwise")]) <= 30


def test_neither_does_a_worker_that_makes_a_run():
    code = """
import sys
sys.path.insert(0, "tests")
from seedwise import Seed, Setup
from seedwise.executors import job, local
setup = Setup(train="helpers.trainings:modules_loaded")
jobs = [job.Job(name="a", setup=setup, seed=Seed.of(0), data=None, device="cpu", threads=1)]
executor = local.LocalExecutor(workers=2)
for _, record in executor.run(lambda: jobs.pop() if jobs else None, lambda event: None):
    print(record.state, *record.metrics)
"""
    state, *loaded = printed_by(code)
    assert state == "finished"
    assert "seedwise.executors.job" in loaded
    assert set(loaded).isdisjoint([*HEAVY, *(f"seedwise.{name}" for name in OURS)])
