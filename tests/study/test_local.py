"""What every executor has to do, whatever makes its runs."""

import os
import threading

import pytest

from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.study.local import LocalExecutor
from seedwise.study.runner import Job

EXECUTORS = {
    "here": LocalExecutor(workers=1),
    "processes": LocalExecutor(workers=2),
    "threads": LocalExecutor(workers=2, share=True),
}


def job(name, seed):
    return Job(
        name=name,
        setup=Setup(train=f"trainings:{name}"),
        seed=Seed.of(seed),
        data=None,
        device="cpu",
        threads=1,
    )


def orders(*jobs):
    waiting = list(jobs)
    return lambda: waiting.pop(0) if waiting else None


@pytest.fixture(params=EXECUTORS)
def executor(request):
    return EXECUTORS[request.param]


def test_every_job_comes_back_once_with_its_record(executor):
    jobs = [job("number", seed) for seed in range(5)]
    done = dict(executor.run(orders(*jobs), lambda _: None))
    assert {j: record.metrics["value"] for j, record in done.items()} == {
        j: 0.9 + j.seed.init / 1000 for j in jobs
    }


def test_the_next_job_is_taken_only_when_a_worker_is_free(executor):
    """So that whoever gives the jobs may look at the runs that have ended."""
    ended, most_under_way, given = 0, 0, 0

    def take():
        nonlocal given, most_under_way
        if given == 6:
            return None
        given += 1
        most_under_way = max(most_under_way, given - ended)
        return job("number", given)

    for _ in executor.run(take, lambda _: None):
        ended += 1
    assert ended == 6
    assert most_under_way <= executor.workers


def test_jobs_may_come_later_than_none_was_to_be_had(executor):
    """A failed run is ordered again once it has come back."""
    waiting = [job("number", 0)]
    seen = []
    for done, _ in executor.run(lambda: waiting.pop() if waiting else None, lambda _: None):
        seen.append(done.seed.init)
        if done.seed.init == 0:
            waiting.append(job("number", 1))
    assert seen == [0, 1]


def test_failures_come_back_as_records(executor):
    ((_, record),) = executor.run(orders(job("fails_on_odd_seeds", 1)), lambda _: None)
    assert record.state == "failed"
    assert "no luck with 1" in record.error


def test_workers_are_where_they_should_be(executor):
    pids = {
        int(record.metrics["value"])
        for _, record in executor.run(orders(*(job("pid", s) for s in range(4))), lambda _: None)
    }
    assert (pids == {os.getpid()}) == (executor is not EXECUTORS["processes"])


def test_events_are_told_in_the_callers_thread(executor):
    threads = set()
    jobs = [job("number", seed) for seed in range(3)]
    list(executor.run(orders(*jobs), lambda _: threads.add(threading.current_thread())))
    assert threads == {threading.current_thread()}


def test_closing_early_ends_it(executor):
    running = executor.run(orders(*(job("number", seed) for seed in range(50))), lambda _: None)
    next(running)
    running.close()
