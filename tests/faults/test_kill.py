"""kill -9 at random moments, of drivers and of workers: nothing that was reported is lost."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.faulty import assert_nothing_lost, assert_they_end, is_alive, stored_in


def killed_again_and_again(start, path, executor, kills, seed, *, seconds):
    """The same study, killed so many times at random moments, then left to finish."""
    rng = np.random.default_rng(seed)
    reported, moments = set(), {"before it began": 0, "while it ran": 0, "at its end": 0}
    seeds = 5 * kills
    for _ in range(kills):
        driver = start(executor, seeds)
        told = []
        if rng.random() < 0.8:
            told = driver.wait_for("begun")
            time.sleep(rng.uniform(0, seconds))
        else:
            time.sleep(rng.uniform(0, 0.8))
        more, _, code = driver.end()
        told += more
        kind = "at its end" if code == 0 else "while it ran" if told else "before it began"
        moments[kind] += 1
        reported |= stored_in(told)
        if path.exists() and path.stat().st_size and reported:
            assert_nothing_lost(path, reported)
    told = start(executor, seeds).finish()
    assert told[-1] == ["finished"] or stored_in(told) == set()
    there = assert_nothing_lost(path, reported | stored_in(told))
    assert there == {(setup, str(s)) for setup in "ab" for s in range(seeds)}
    return moments


@pytest.mark.parametrize(
    ("executor", "kills", "seconds"), [("local", 6, 0.02), ("processes", 3, 0.6)]
)
def test_a_study_is_killed_and_started_again_and_ends_with_the_runs_that_were_asked_for(
    start, tmp_path, executor, kills, seconds
):
    moments = killed_again_and_again(
        start, tmp_path / "study.db", executor, kills, seed=1, seconds=seconds
    )
    assert moments["while it ran"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "kills", "seconds"), [("local", 140, 0.15), ("processes", 60, 0.6)]
)
def test_a_study_is_killed_two_hundred_times(start, tmp_path, executor, kills, seconds, capsys):
    moments = killed_again_and_again(
        start, tmp_path / "study.db", executor, kills, seed=2, seconds=seconds
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{executor}: {moments}\n")
    assert moments["while it ran"] > kills / 3


@pytest.mark.slow
@pytest.mark.ray
def test_a_driver_of_ray_is_killed_twelve_times(start, tmp_path, capsys):
    pytest.importorskip("ray")
    moments = killed_again_and_again(start, tmp_path / "study.db", "ray", 12, seed=3, seconds=2)
    with capsys.disabled():
        sys.stdout.write(f"\nray drivers: {moments}\n")


def workers_killed(start, tmp_path, executor, seeds, kills):
    """A study whose workers are killed while it goes on; how many were."""
    pids = tmp_path / "pids"
    pids.mkdir()
    (pids / "hold").touch()
    driver = start(
        executor,
        seeds,
        train="helpers.slowly:train",
        environment={"SEEDWISE_TEST_PIDS": str(pids)},
    )
    rng, killed, told = np.random.default_rng(4), 0, driver.wait_for("stored")
    while killed < kills and driver.process.poll() is None:
        time.sleep(rng.uniform(0.02, 0.3))
        for file in sorted(pids.glob("[0-9]*"), key=lambda file: rng.random()):
            file.unlink()
            if is_alive(int(file.name)):
                os.kill(int(file.name), signal.SIGKILL)
                killed += 1
                break
    (pids / "hold").unlink()
    reported = stored_in(told + driver.finish())
    # What failed twice in one call is tried again by the next one.
    reported |= stored_in(start(executor, seeds, train="helpers.slowly:train").finish())
    there = assert_nothing_lost(tmp_path / "study.db", reported)
    assert there == {(setup, str(s)) for setup in "ab" for s in range(seeds)}
    return killed


def test_workers_that_are_killed_are_replaced(start, tmp_path):
    assert workers_killed(start, tmp_path, "processes", 20, kills=2) == 2


@pytest.mark.slow
@pytest.mark.ray
def test_workers_of_ray_are_killed_fifteen_times(start, tmp_path):
    pytest.importorskip("ray")
    assert workers_killed(start, tmp_path, "ray", 1500, kills=15) == 15


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_driver_that_is_killed(start, tmp_path):
    """A run of an hour would go on for nobody, beside its successor."""
    pids = tmp_path / "pids"
    pids.mkdir()
    driver = start(
        "processes",
        500,
        train="helpers.slowly:train",
        environment={"SEEDWISE_TEST_PIDS": str(pids)},
    )
    driver.wait_for("stored")
    workers = [int(file.name) for file in pids.iterdir()]
    assert workers
    driver.end()
    assert_they_end(workers)
