"""Costly mistakes are told at once: by every executor alike."""

import errno

import pytest

from seedwise.comparison import Stop
from seedwise.errors import TrainingFailed
from seedwise.store import Store
from seedwise.study import Study


def percent(seed):
    return {"accuracy": 93.0}


def text(seed):
    return {"accuracy": 0.93, "model": "resnet"}


def wrong_shape(seed):
    return {"predictions": [[0.5, 0.5]] * 3, "targets": [0, 1]}


def bug(seed):
    raise KeyError("lr")


def other_bug(seed):
    return undefined_name  # noqa: F821


def works(seed):
    return 0.5 + int(seed) / 100


def bug_on_odd_seeds(seed):
    return {}["lr"] if int(seed) % 2 else 0.5


def ends(seed):
    raise SystemExit("no data")


def full_disk(seed):
    raise OSError(errno.ENOSPC, "No space left on device")


def wrapped_full_disk(seed):
    try:
        full_disk(seed)
    except OSError as error:
        raise RuntimeError("cannot save the checkpoint") from error


def no_memory(seed):
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def worker_killed(seed):
    raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")


def no_file(seed):
    return open(f"/nowhere/{seed}").read()  # noqa: PTH123


@pytest.fixture(
    params=[
        {},
        {"jobs": 2},
        pytest.param({"executor": "ray", "jobs": 2}, marks=pytest.mark.ray),
    ],
    ids=["here", "processes", "ray"],
)
def how(request):
    return {**request.param, "watch": lambda event: None}


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path / "s.db")


def tries(study):
    with Store.open(study.path, readonly=True) as store:
        return [(run.setup, int(run.seed), run.state) for run in store.runs()]


def failed(study, setup):
    return [seed for name, seed, state in tries(study) if name == setup and state == "failed"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (percent, "a, seed 0: DataError: accuracy must be a fraction from 0 to 1, got 93"),
        (text, "must return predictions, .*metrics or a number"),
        (wrong_shape, "targets must be 3 class numbers"),
    ],
)
def test_the_first_return_that_is_no_run_ends_the_study(study, function, message):
    with pytest.raises(TrainingFailed, match=message):
        study.run({"a": function, "b": works}, seeds=20, watch=lambda event: None)
    assert tries(study) == [("a", 0, "failed")]


def test_a_return_that_is_no_run_ends_the_study_whoever_makes_runs(study, how):
    with pytest.raises(TrainingFailed, match="no more runs were made"):
        study.run({"a": percent, "b": percent}, seeds=20, **how)
    assert len(tries(study)) == 1


def test_code_of_two_setups_that_fails_in_a_row_ends_the_study(study, how):
    with pytest.raises(TrainingFailed, match=r"(a and b|b and a) fail, and no more .*status"):
        study.run({"a": bug, "b": other_bug}, seeds=20, **how)
    assert len(tries(study)) <= 3  # of two side by side, one setup may be tried twice first


def test_a_setup_whose_code_fails_is_given_up_and_the_others_go_on(study, how):
    study.run({"a": works, "b": bug}, seeds=6, **how)
    assert len(failed(study, "b")) <= 2 + how.get("jobs", 1) - 1
    assert sorted(seed for name, seed, state in tries(study) if state == "finished") == [*range(6)]


def test_the_last_setup_whose_code_fails_ends_the_study(study):
    with pytest.raises(TrainingFailed, match=r"a failed 2 times without a result.*'lr'"):
        study.run({"a": bug}, seeds=20, watch=lambda event: None)
    assert len(tries(study)) == 2


def test_a_seed_that_fails_by_code_that_can_train_is_tried_once_and_the_others_go_on(study, how):
    study.run({"a": bug_on_odd_seeds, "b": bug_on_odd_seeds}, seeds=4, **how)
    assert sorted(tries(study)) == sorted(
        (name, seed, "failed" if seed % 2 else "finished") for name in "ab" for seed in range(4)
    )


@pytest.mark.parametrize(
    ("function", "times"),
    [
        (bug, 1),
        (ends, 1),
        (no_file, 1),
        (full_disk, 2),
        (wrapped_full_disk, 2),
        (no_memory, 2),
        (worker_killed, 2),
    ],
)
def test_errors_of_the_machine_are_tried_again_and_those_of_the_code_are_not(
    study, function, times
):
    study.run({"a": function}, seeds=1, watch=lambda event: None)
    assert failed(study, "a") == [0] * times


def test_a_stopping_rule_gives_up_as_well(study):
    stop = Stop(difference=0.05, max_runs=10)
    with pytest.raises(TrainingFailed, match="a failed 2 times without a result"):
        study.run({"a": bug, "b": bug}, until=stop, watch=lambda event: None)
    assert len(tries(study)) == 2
