"""Ray with several machines, one of which goes away: played by processes on this one."""

import importlib.util
import os
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.faulty import assert_nothing_lost
from seedwise.errors import ConfigError
from seedwise.setups import Setup
from seedwise.study import RayExecutor, Study

pytestmark = pytest.mark.ray
TESTS = Path(__file__).parents[1]
QUIET = "--include-dashboard=false", "--disable-usage-stats"
TOML = """
[executor]
kind = "ray"
address = "{address}"
[setups.a]
train = "seedwise.study.fake:train"
[setups.b]
train = "seedwise.study.fake:train"
"""


@pytest.fixture
def cluster():
    """A head without cores, and a way to add machines; no other Ray may be connected."""
    if importlib.util.find_spec("ray") is None:
        if os.environ.get("SEEDWISE_REQUIRE_RAY"):
            pytest.fail("SEEDWISE_REQUIRE_RAY is set, but the package ray is not installed")
        pytest.skip("needs the package ray; pip install 'seedwise[ray]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        import ray
        from ray.cluster_utils import Cluster

        if ray.is_initialized():
            pytest.skip("another test's Ray is connected; run this file alone")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_machine_that_is_lost_takes_no_run_with_it(cluster, tmp_path):
    """Its runs are made by a machine that joins later; None of them has failed."""
    first = cluster.add_node(num_cpus=2)
    told, stored = [], set()

    def watch(event):
        told.append(event)
        if type(event).__name__ == "RunStored":
            stored.add((event.setup, str(event.seed)))
            if len(stored) == 3:
                cluster.remove_node(first, allow_graceful=False)
                cluster.add_node(num_cpus=2)

    path = tmp_path / "study.db"
    summary = Study(path).run(
        {"a": Setup(train="helpers.slowly:train_for_seconds")},
        seeds=8,
        executor=RayExecutor(address=cluster.address),
        watch=watch,
    )
    assert [(row.finished, row.failed) for row in summary.setups] == [(8, 0)]
    assert len(assert_nothing_lost(path, stored)) == 8
    assert any("was lost" in event.text for event in told if type(event).__name__ == "Notice")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_cluster_at_an_address_is_one_line(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ConfigError) as caught:
        Study(tmp_path / "s.db").run(
            {"a": Setup(train="seedwise.study.fake:train")},
            seeds=1,
            executor=RayExecutor(address="127.0.0.1:1"),
        )
    assert str(caught.value).startswith("no Ray at '127.0.0.1:1': ")
    assert "\n" not in str(caught.value)


def command(*words, cwd, **environment):
    """A program that has ended; `ray` and `seedwise` are those of this environment."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment},
    )


def test_the_command_line_names_the_files_executor_and_keeps_its_address(tmp_path):
    """`--executor ray` where the file has a Ray of its own: else it would start another one."""
    pytest.importorskip("ray")
    (tmp_path / "study.toml").write_text("seeds = 2" + TOML.format(address="127.0.0.1:1"))
    said = command("seedwise", "run", "study.toml", "--executor", "ray", cwd=tmp_path)
    assert said.returncode == 2, said.stderr
    assert said.stderr.startswith("seedwise: no Ray at '127.0.0.1:1': "), said.stderr


@contextmanager
def head(home, port):
    """`ray start --head` on this machine, once it listens."""
    ray = Path(sys.executable).with_name("ray")
    started = subprocess.Popen(
        [ray, "start", "--head", f"--port={port}", "--num-cpus=1", "--block", *QUIET],
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in started.stdout:
            if "Ray runtime started" in line:
                break
        yield f"127.0.0.1:{port}"
    finally:
        started.terminate()
        started.communicate(timeout=60)


@pytest.mark.slow
def test_a_cluster_that_asks_for_a_token_says_how_it_is_given(tmp_path):
    """One that lies in ~/.ray, where any Ray of one machine leaves it: a head asks for it."""
    pytest.importorskip("ray")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("5" * 64)
    with head(tmp_path, 26391) as address:
        (tmp_path / "study.toml").write_text("seeds = 2" + TOML.format(address=address))
        run = "seedwise", "run", "study.toml"
        refused = command(*run, cwd=tmp_path, HOME=str(tmp_path))
        assert refused.returncode == 2
        line = refused.stderr.splitlines()[-1]  # those before are of Ray's compiled part
        assert line.startswith(f"seedwise: no Ray at '{address}': ")
        assert line.endswith("; it may ask for your token: export RAY_AUTH_MODE=token")
        taken = command(*run, cwd=tmp_path, HOME=str(tmp_path), RAY_AUTH_MODE="token")
        assert taken.returncode == 0, taken.stderr
        assert "finished" in taken.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_machines_that_are_missing_come_and_go_are_told(cluster, tmp_path, monkeypatch):
    """A Slurm job has three nodes, Ray two of them; one joins while the study runs."""
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "3")
    cluster.add_node(num_cpus=1)
    told, late = [], []

    def watch(event):
        if type(event).__name__ == "Notice":
            told.append(event.text)
        if type(event).__name__ == "RunStored" and not late:
            late.append(cluster.add_node(num_cpus=1))

    Study(tmp_path / "study.db").run(
        {"a": Setup(train="helpers.slowly:train_for_seconds")},
        seeds=5,
        executor=RayExecutor(address=cluster.address),
        watch=watch,
    )
    assert told == [
        "Ray has 2 of the 3 nodes of this Slurm job; the others make runs once they join",
        "a machine came: Ray has 3 now, and had 2",
    ]
