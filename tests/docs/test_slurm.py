"""The Slurm scripts of docs/cluster.md, as they stand, on a cluster of two nodes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.faulty import assert_nothing_lost
from helpers.slurm import NEEDED, Slurm, wait_for
from helpers.walkthrough import ROOT, blocks
from seedwise.errors import StudyError
from seedwise.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.slurm, pytest.mark.timeout(1200)]
ARRAY, RAY = [
    block.text
    for block in blocks(ROOT / "docs" / "cluster.md")
    if block.language == "bash" and "#SBATCH" in block.text
]
STUDY = """
seeds = {seeds}
{more}
[setups.a]
train = "helpers.slowly:train_for_seconds"
[setups.b]
train = "helpers.slowly:train_for_seconds"
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The cluster; skipped without Slurm, and a failure where it must be there."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing:
        if os.environ.get("SEEDWISE_REQUIRE_SLURM"):
            pytest.fail(f"SEEDWISE_REQUIRE_SLURM is set, but there is no {missing[0]}")
        pytest.skip(f"needs {missing[0]}: apt-get install slurm-wlm munge")
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    yield slurm
    slurm.close()


@pytest.fixture
def submitted(slurm, tmp_path):
    """Submit a script of the page, with a study beside it; the number of its job."""

    def submit(script, *words, seeds, more=""):
        (tmp_path / "study.toml").write_text(STUDY.format(seeds=seeds, more=more))
        (tmp_path / "job.sh").write_text(script)
        ours = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        modules = f"{ROOT / 'tests'}:{os.environ.get('PYTHONPATH', '')}"
        return slurm.submit(tmp_path / "job.sh", *words, PATH=ours, PYTHONPATH=modules)

    yield submit
    slurm("scancel", "--state=RUNNING")
    slurm("scancel", "--state=PENDING")
    wait_for(lambda: not slurm("squeue", "-h"), "no jobs")
    for file in sorted(tmp_path.glob("*.out")) + sorted(tmp_path.glob("*.log")):
        print(f"---- {file.name}\n{file.read_text()}")  # noqa: T201 - shown where a test fails


def stored(path):
    """The runs of a study that another process writes, by setup and first seed."""
    try:
        with Store.open(path, readonly=True) as store:
            return {(run.setup, str(run.seed)) for run in store.runs() if run.state == "finished"}
    except StudyError:  # not there yet, or just begun
        return set()


def ended(slurm, job):
    return slurm.job(job)["JobState"] not in ("RUNNING", "PENDING", "COMPLETING", "REQUEUED")


def test_a_job_array_whose_part_is_killed_and_requeued_is_whole_when_it_is_merged(
    slurm, submitted, tmp_path
):
    """Part 1 as by a node that fails; part 2 by SIGTERM, as before its time limit."""
    array = submitted(ARRAY, seeds=40)
    parts = [tmp_path / f"part{part}.db" for part in range(4)]
    wait_for(lambda: len(stored(parts[1])) > 2, "some runs of part 1")
    slurm("scontrol", "requeue", f"{array}_1")
    before = stored(parts[1])
    slurm.start_now(f"{array}_1")
    wait_for(lambda: len(stored(parts[2])) > 2, "some runs of part 2", seconds=240)
    slurm("scancel", "--batch", "--signal=TERM", f"{array}_2")
    wait_for(lambda: slurm.job(f"{array}_2").get("Restarts") == "1", "part 2 to ask for more")
    stopped = stored(parts[2])
    slurm.start_now(f"{array}_2")
    wait_for(lambda: not slurm("squeue", "-h"), "the jobs to end", seconds=600)
    states = {part: slurm.job(f"{array}_{part}") for part in range(4)}
    assert {part: job["JobState"] for part, job in states.items()} == dict.fromkeys(
        range(4), "COMPLETED"
    )
    assert [job["Restarts"] for job in states.values()] == ["0", "1", "1", "0"]
    assert assert_nothing_lost(parts[1], before) == stored(parts[1])
    assert assert_nothing_lost(parts[2], stopped) == stored(parts[2])
    words = [sys.executable, "-m", "seedwise", "merge", *map(str, parts), "-o", "study.db"]
    merged = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert merged.returncode == 0, merged.stderr
    assert len(stored(tmp_path / "study.db")) == 80


def test_a_study_by_ray_that_its_time_limit_ends_is_requeued_and_goes_on(
    slurm, submitted, tmp_path
):
    job = submitted(
        RAY,
        "--nodes=2",
        "--cpus-per-task=2",
        "--time=3",
        seeds=60,
        more='executor = {kind = "ray", address = "auto"}',
    )
    wait_for(lambda: slurm.job(job).get("Restarts") == "1", "the job to be requeued", seconds=300)
    before = stored(tmp_path / "study.db")
    assert 4 < len(before) < 120
    slurm("scontrol", "update", f"JobId={job}", "TimeLimit=20")
    slurm.start_now(job)
    wait_for(lambda: ended(slurm, job), "the study's end", seconds=600)
    assert slurm.job(job)["JobState"] == "COMPLETED"
    assert len(assert_nothing_lost(tmp_path / "study.db", before)) == 120
    said = (tmp_path / f"slurm-{job}.out").read_text()
    assert "seedwise: stopped; stored runs are kept, and the same command continues" in said


def test_a_job_that_its_user_cancels_is_not_requeued(slurm, submitted, tmp_path):
    """It is ended by a SIGTERM too."""
    job = submitted(ARRAY, "--array=0", seeds=40)
    wait_for(lambda: len(stored(tmp_path / "part0.db")) > 0, "a run")
    slurm("scancel", f"{job}_0")
    wait_for(lambda: ended(slurm, f"{job}_0"), "the job to end")
    assert slurm.job(f"{job}_0")["JobState"] == "CANCELLED"
    assert slurm.job(f"{job}_0")["Restarts"] == "0"
