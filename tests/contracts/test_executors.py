"""What every executor has to do, whatever makes its runs."""

import os
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import pytest

from helpers import pictures
from helpers.fakes import FakeExecutor
from seedwise.data import Split
from seedwise.errors import ConfigError, MissingPackage
from seedwise.executors.job import DataReference, Job
from seedwise.executors.registry import as_executor
from seedwise.live.events import Logged
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import LocalExecutor, RayExecutor, Study

EXECUTORS = {
    "fake": FakeExecutor(),
    "here": LocalExecutor(workers=1),
    "processes": LocalExecutor(workers=2),
    "threads": LocalExecutor(workers=2, share=True),
    "ray": RayExecutor(workers=2),
    "ray in groups": RayExecutor(workers=2, pack=3),
    "ray sharing a GPU": RayExecutor(workers=2, gpus=0.5),
}


def parameters(*names):
    return [
        pytest.param(name, marks=[pytest.mark.ray] if name.startswith("ray") else [])
        for name in names
    ]


def executor_named(request):
    if request.param.startswith("ray"):
        request.getfixturevalue("ray")
    return EXECUTORS[request.param]


@pytest.fixture(params=parameters(*EXECUTORS))
def executor(request):
    return executor_named(request)


@pytest.fixture(params=parameters("processes", "ray", "ray in groups"))
def apart(request):
    """Executors whose runs have processes of their own."""
    return executor_named(request)


def job(name, seed):
    return Job(
        name=name,
        setup=Setup(train=f"helpers.trainings:{name}"),
        seed=Seed.of(seed),
        data=None,
        device="cpu",
        threads=1,
    )


def orders(*jobs):
    waiting = list(jobs)
    return lambda: waiting.pop(0) if waiting else None


def made(executor, *jobs, watch=lambda _: None):
    return list(executor.run(orders(*jobs), watch))


def test_every_job_comes_back_once_with_its_record(executor):
    jobs = [job("number", seed) for seed in range(7)]
    done = made(executor, *jobs)
    assert len(done) == len(jobs)
    assert {j: record.metrics["value"] for j, record in done} == {
        j: 0.9 + j.seed.init / 1000 for j in jobs
    }


def test_predictions_come_back_bit_for_bit(executor):
    ((_, record),) = made(executor, job("plain", 3))
    ((_, here),) = made(EXECUTORS["here"], job("plain", 3))
    assert record.logits.tobytes() == here.logits.tobytes()
    assert record.targets.tolist() == here.targets.tolist()


def test_what_a_function_logs_is_told_and_comes_back_with_its_record(executor):
    told = []
    done = made(executor, *(job("logs", seed) for seed in range(3)), watch=told.append)
    for j, record in done:
        expected = [
            (
                e,
                {
                    "loss": pytest.approx(1 / e),
                    "val/acc": pytest.approx(0.1 * e + j.seed.init / 100),
                },
            )
            for e in range(1, 6)
        ]
        assert [(each.epoch, dict(each.figures)) for each in record.epochs] == expected
    heard = {event.seed for event in told if isinstance(event, Logged)}
    assert heard == {j.seed for j, _ in done}


def test_the_next_job_is_taken_only_when_a_worker_is_free(executor):
    """So that whoever gives the jobs may look at the runs that have ended."""
    ended, most_under_way, given = 0, 0, 0

    def take():
        nonlocal given, most_under_way
        if given == 12:
            return None
        given += 1
        most_under_way = max(most_under_way, given - ended)
        return job("number", given)

    for _ in executor.run(take, lambda _: None):
        ended += 1
    assert ended == 12
    each = executor.pack if isinstance(executor, RayExecutor) and executor.pack != "auto" else 1
    assert most_under_way <= executor.workers * each


def test_jobs_may_come_later_than_none_was_to_be_had(executor):
    """A failed run is ordered again once it has come back."""
    waiting = [job("number", 0)]
    seen = []
    for done, _ in executor.run(lambda: waiting.pop() if waiting else None, lambda _: None):
        seen.append(done.seed.init)
        if done.seed.init == 0:
            waiting.append(job("number", 1))
    assert seen == [0, 1]


def test_nothing_to_do_is_done_at_once(executor):
    assert made(executor) == []


def test_failures_come_back_as_records_and_are_not_tried_again(executor):
    ((_, record),) = made(executor, job("fails_on_odd_seeds", 1))
    assert record.state == "failed"
    assert "no luck with 1" in record.error


def test_diverged_runs_are_results_and_not_made_again(executor):
    done = made(executor, *(job("diverges", seed) for seed in range(4)))
    states = {j.seed.init: record.state for j, record in done}
    assert states == {0: "finished", 1: "diverged", 2: "finished", 3: "diverged"}
    assert len(done) == 4


def test_workers_are_where_they_should_be(executor):
    pids = {
        int(record.metrics["value"])
        for _, record in made(executor, *(job("pid", s) for s in range(4)))
    }
    here = (EXECUTORS["fake"], EXECUTORS["here"], EXECUTORS["threads"])
    assert (pids == {os.getpid()}) == (executor in here)


def test_events_are_told_in_the_callers_thread_before_the_outcome(executor):
    threads, told = set(), []

    def watch(event):
        threads.add(threading.current_thread())
        told.append(event.seed)

    for j, _ in executor.run(orders(*(job("number", seed) for seed in range(3))), watch):
        assert j.seed in told
    assert threads == {threading.current_thread()}


def test_closing_early_ends_it(executor):
    given = map(partial(job, "number"), range(50))
    running = executor.run(lambda: next(given, None), lambda _: None)
    next(running)
    running.close()
    assert len(list(given)) > 35  # two workers have up to six each, and one has ended


def test_what_the_watcher_raises_gets_out_and_ends_it(executor):
    def watch(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(executor, *(job("number", seed) for seed in range(5)), watch=watch)


def test_a_study_holds_the_same_whatever_made_it(executor, tmp_path):
    names = ("plain", "fails_on_odd_seeds")
    setups = {name: Setup(train=f"helpers.trainings:{name}") for name in names}
    told = []
    Study(tmp_path / "s.db").run(setups, seeds=4, executor=executor, watch=told.append)
    Study(tmp_path / "here.db").run(setups, seeds=4, watch=told.append)
    assert held(tmp_path / "s.db") == held(tmp_path / "here.db")


def held(path):
    """What a study holds, whatever the order and the clock: results once, failures each time."""
    with Store.open(path, readonly=True) as store:
        return sorted(
            (
                run.setup,
                run.seed,
                run.state,
                sorted(run.metrics.items()),
                store.logits([run.id]).tobytes() if run.has_logits else b"",
            )
            for run in store.runs()
        )


@pytest.mark.timeout(300)
def test_closing_does_not_wait_for_a_run_that_hangs(apart):
    """It hangs for 600 seconds."""
    running = apart.run(
        orders(job("number", 0), job("hangs_on_odd_seeds", 1), job("hangs_on_odd_seeds", 3)),
        lambda _: None,
    )
    next(running)
    running.close()


LIMIT = 4
"""Seconds: a hundred times what a run that does not hang takes on an idle core."""


@pytest.mark.parametrize(
    "limited",
    [
        LocalExecutor(workers=1, time_limit=LIMIT),
        LocalExecutor(workers=2, share=True, time_limit=LIMIT),
        pytest.param(RayExecutor(workers=1, pack=4, time_limit=LIMIT), marks=pytest.mark.ray),
    ],
    ids=["one", "two", "ray"],
)
def test_a_run_that_hangs_is_ended_and_has_failed_and_the_others_are_made(limited, request):
    if isinstance(limited, RayExecutor):
        request.getfixturevalue("ray")
    done = made(limited, *(job("hangs_on_odd_seeds", seed) for seed in (0, 1, 2)))
    states = {j.seed.init: (record.state, record.error) for j, record in done}
    assert states == {
        0: ("finished", None),
        1: ("failed", "took longer than the time limit of 4 s, and was ended"),
        2: ("finished", None),
    }


def test_a_worker_that_dies_takes_only_its_run_with_it(apart):
    done = made(apart, *(job("dies", seed) for seed in range(4)))
    states = {j.seed.init: record.state for j, record in done}
    assert states == {0: "finished", 1: "failed", 2: "finished", 3: "finished"}
    assert len(done) == 4


def test_a_record_says_how_many_were_made_side_by_side():
    """And says nothing of a run that was made alone."""
    for name, beside in (("threads", 2), ("here", None)):
        ((_, record),) = made(EXECUTORS[name], job("number", 0))
        assert record.made_by.get("side_by_side") == beside


@pytest.mark.parametrize("pack", [0, "many"])
def test_no_runs_side_by_side_are_refused(pack):
    with pytest.raises(ConfigError, match=f"pack must be auto, or 1 or more, got {pack!r}"):
        LocalExecutor(pack=pack)
    with pytest.raises(ConfigError, match=f"pack must be auto, or 1 or more, got {pack!r}"):
        RayExecutor(pack=pack)


def without_room(nonce):
    return [job("needs_room", (seed, nonce, 0)) for seed in range(5)]


def built_in_without_room(folder, nonce):
    """Jobs of the built-in training on a GPU, which share it in threads; its function is ours."""

    def train(setup, seed, data, **_):
        from helpers.trainings import needs_room  # found where a worker has been told to look

        return RunRecord(state="finished", metrics={"value": needs_room(seed)})

    pictures.folders(folder, pictures.LAYOUT)
    data = DataReference(dataset=str(folder), split=Split(name="shipped"), cache=folder / "cache")
    return [
        replace(each, setup=Setup(), device="cuda", data=data, function=train)
        for each in without_room(nonce)
    ]


@pytest.mark.parametrize(
    ("narrowing", "built_in"),
    [
        pytest.param(LocalExecutor(workers=3), False, id="processes"),
        pytest.param(LocalExecutor(workers=3, share=True), False, id="threads"),
        *(
            pytest.param(executor, built_in, id=name, marks=pytest.mark.ray)
            for name, executor, built_in in (
                ("ray in groups", RayExecutor(workers=2, pack=3, gpus=0.5), True),
                ("ray sharing a GPU", RayExecutor(workers=3, gpus=0.25), False),
            )
        ),
    ],
)
def test_a_run_without_room_beside_others_is_made_again_with_fewer(
    narrowing, built_in, request, tmp_path
):
    """What runs out of memory beside others has not failed."""
    if isinstance(narrowing, RayExecutor):
        request.getfixturevalue("ray")
    nonce, told = time.monotonic_ns(), []
    jobs = built_in_without_room(tmp_path, nonce) if built_in else without_room(nonce)
    done = made(narrowing, *jobs, watch=told.append)
    assert sorted(j.seed.init for j, _ in done) == [0, 1, 2, 3, 4]
    assert [record.error for _, record in done] == [None] * 5
    notices = [event.text for event in told if type(event).__name__ == "Notice"]
    assert any("ran out of memory and is made again" in text for text in notices)


@pytest.mark.ray
def test_after_a_group_of_rays_had_no_room_the_next_ones_are_smaller(ray, tmp_path):
    waiting = built_in_without_room(tmp_path, time.monotonic_ns())
    taken, under_way = [], set()

    def take():
        if not waiting:
            return None
        under_way.add(waiting[0])
        taken.append(len(under_way))
        return waiting.pop(0)

    for done, _ in RayExecutor(workers=1, pack=3, gpus=1).run(take, lambda _: None):
        under_way.remove(done)
    assert taken == [1, 2, 3, 1, 1]


def test_a_run_without_room_even_alone_has_failed(executor):
    done = made(executor, *(job("never_has_room", seed) for seed in range(3)))
    assert {record.state for _, record in done} == {"failed"}
    assert all("CUDA out of memory" in record.error for _, record in done)
    assert len(done) == 3


@pytest.mark.ray
def test_lost_workers_are_told_and_their_runs_made_again(ray):
    told = []
    ((_, record),) = made(RayExecutor(workers=1), job("dies", 1), watch=told.append)
    assert record.error == "lost 3 times, at last: WorkerCrashedError"
    notices = [event.text for event in told if type(event).__name__ == "Notice"]
    assert notices == ["dies seed 1 was lost (WorkerCrashedError); made again"] * 2


@pytest.mark.parametrize("kind", [LocalExecutor, RayExecutor])
@pytest.mark.parametrize("bad", [{"workers": 0}, {"time_limit": 0.0}, {"time_limit": -1.0}])
def test_numbers_that_cannot_be_kept_to_are_refused(kind, bad):
    with pytest.raises(ConfigError, match="must be"):
        kind(**bad)


def test_an_executor_has_its_limits_from_where_it_is_named():
    ray = as_executor("ray", jobs=3, pack=None, time_limit=60.0)
    assert ray == RayExecutor(workers=3, time_limit=60.0)
    assert as_executor("ray", jobs=None, pack=4, time_limit=None) == RayExecutor(pack=4)
    assert as_executor("local", jobs=None, pack=None, time_limit=None) == LocalExecutor()
    assert as_executor("local", jobs=None, pack=4, time_limit=None) == LocalExecutor(pack=4)


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackage, match=r"pip install 'seedwise\[ray\]'"):
        made(RayExecutor(), job("number", 0))
