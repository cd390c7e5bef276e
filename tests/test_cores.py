"""Count of the cores that a process may use."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seedwise import cores as module
from seedwise.cores import cores

SOURCES = Path(module.__file__).parent


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A process on a machine of 16 cores, whose control groups are the files that are given."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(module, "_ROOT", tmp_path)

    def group(lines, files):
        for name, content in {"proc/self/cgroup": lines, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return cores()

    return group


V1 = "4:cpu,cpuacct:/job\n3:memory:/job\n"


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/\n", {}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "nonsense\n"}, 16),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "300000 100000\n"}, 3),
        (
            "0::/a/b\n",
            {
                "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n",
            },
            2,
        ),
        (
            V1,
            {
                "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "50000\n",
            },
            5,
        ),
        (
            V1,  # in a container, whose own group is the top
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            V1,
            {
                "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
            },
            16,
        ),
        ("", {}, 16),
    ],
)
def test_a_quota_of_a_control_group_is_kept_to(group, lines, files, expected):
    assert group(lines, files) == expected


def test_without_control_groups_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROOT", tmp_path / "nowhere")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert cores() == 2


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset, of util-linux")
def test_a_process_that_is_pinned_to_a_core_makes_its_runs_there():
    """Threads and processes of runs are chosen by it, whatever the machine has."""
    code = """
import json
from seedwise.cores import cores
from seedwise.train.machine import choose
machine = choose(device="cpu", runs=8)
print(json.dumps([cores(), machine.workers, machine.threads]))
"""
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(
        ["taskset", "-c", core, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == [1, 1, 1]


def test_nothing_else_counts_cores():
    counting = ("os.cpu_count", "os.sched_getaffinity", "os.process_cpu_count")
    found = {
        file.relative_to(SOURCES).as_posix()
        for file in SOURCES.rglob("*.py")
        if any(word in file.read_text(encoding="utf-8") for word in counting)
    }
    assert found == {"cores.py"}
