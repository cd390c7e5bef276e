"""Figures that a training function logs: taken as people write them, refused in one line."""

import copy
import math
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import trainings
from seedwise.errors import DataError, TrainingFailed
from seedwise.executors.job import Job, perform
from seedwise.executors.logged import MOST_EPOCHS, RunLog
from seedwise.live.events import Logged
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.study import Study


def log_of(told=None):
    return RunLog("mine", Seed.of(3), (lambda _: None) if told is None else told.append)


def logged(*calls):
    """Epochs that are kept of some calls, as (epoch, figures)."""
    log = log_of()
    for call in calls:
        log(call)
    return [(each.epoch, dict(each.figures)) for each in log.epochs]


def performed(function):
    job = Job(
        name="mine",
        setup=Setup(train="somewhere:function"),
        seed=Seed.of(3),
        data=None,
        device="cpu",
        threads=1,
        function=function,
    )
    return perform(job, lambda _: None)


def test_calls_for_one_epoch_add_up_and_the_last_of_a_figure_counts():
    calls = {"epoch": 1, "loss": 2.0}, {"epoch": 1, "acc": 0.5}, {"epoch": 1, "loss": 1.0}
    assert logged(*calls, {"epoch": 2, "acc": 0.6}) == [
        (1, {"loss": 1.0, "acc": 0.5}),
        (2, {"acc": 0.6}),
    ]


def test_numbers_are_taken_as_people_have_them():
    torch = pytest.importorskip("torch")
    calls = [
        {"epoch": np.int64(0), "loss": np.float32(0.5)},
        {"epoch": 0.25, "loss": np.array([0.25])},
        {"epoch": 1.0, "loss": torch.tensor(0.125, requires_grad=True)},
        {"epoch": 2, "loss": 3},
    ]
    found = logged(*calls)
    assert found == [
        (0, {"loss": 0.5}),
        (0.25, {"loss": 0.25}),
        (1, {"loss": 0.125}),
        (2, {"loss": 3.0}),
    ]
    assert [type(epoch) for epoch, _ in found] == [int, float, int, int]


def test_a_loss_that_is_not_finite_is_a_figure():
    ((_, nan), (_, inf)) = logged({"epoch": 1, "loss": math.nan}, {"epoch": 2, "loss": math.inf})
    assert math.isnan(nan["loss"])
    assert inf["loss"] == math.inf


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([{"epoch": 3, "acc": "high"}], "acc of epoch 3 must be a number, got 'high'"),
        ([{"epoch": 3, "acc": True}], "acc of epoch 3 must be a number, got True"),
        ([{"epoch": 3, "acc": None}], "acc of epoch 3 must be a number, got None"),
        ([{"epoch": 3, "acc": np.zeros(4)}], r"must be a number, got ndarray of shape \(4,\)"),
        ([{"epoch": 3, "accuracy": 93}], "a fraction from 0 to 1, got 93; divide it by 100"),
        ([{"epoch": 3, "acc": 10**400}], "must be a number, got 1000"),
        ([{"epoch": 3, 7: 0.5}], "needs a printable name, got 7 in epoch 3"),
        ([{"epoch": 3, " ": 0.5}], "needs a printable name, got ' ' in epoch 3"),
        ([{"epoch": 3, "\x1b[2J": 0.5}], "needs a printable name"),
        ([{"epoch": 3}], "epoch 3 was logged without a figure"),
        ([{"loss": 0.5}], "needs the epoch that the figures are of: .*; got 'loss'"),
        ([{"step": 7, "loss": 0.5}], "of steps, epoch=step / steps"),
        ([{}], "needs the epoch .*got nothing"),
        ([3], r"figures and their epoch have names, seed\.log\(epoch=3, .*; got 3"),
        ([[("epoch", 3)]], "figures and their epoch have names"),
        ([{"epoch": -1, "loss": 0.5}], "epoch must be a number, 0 or more, got -1"),
        ([{"epoch": "3", "loss": 0.5}], "epoch must be a number, 0 or more, got '3'"),
        ([{"epoch": True, "loss": 0.5}], "epoch must be a number, 0 or more, got True"),
        ([{"epoch": math.nan, "loss": 0.5}], "epoch must be a number, 0 or more, got nan"),
        (
            [{"epoch": 5, "loss": 1.0}, {"epoch": 3, "loss": 0.5}],
            "epoch 3 was logged after epoch 5; log the epochs of a run in their order",
        ),
        (
            [{"epoch": 1, **{f"layer{place}": 0.5 for place in range(51)}}],
            "a run may log 50 figures, and 'layer50' is one more",
        ),
    ],
)
def test_what_cannot_be_logged_is_refused_in_one_line(calls, message):
    log = log_of()
    for call in calls[:-1]:
        log(call)
    with pytest.raises(DataError, match=message) as caught:
        log(calls[-1])
    assert "\n" not in str(caught.value)
    assert log.refused is caught.value


@given(st.integers(1, 6 * MOST_EPOCHS))
def test_of_many_epochs_evenly_spaced_ones_are_kept_and_the_last(count):
    log = log_of()
    for epoch in range(count):
        log({"epoch": epoch, "loss": epoch})
    kept = [each.epoch for each in log.epochs]
    assert len(kept) <= MOST_EPOCHS
    assert len(kept) == count or len(kept) >= MOST_EPOCHS // 2
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert len(set(np.diff(kept[:-1]))) <= 1
    assert all(each.figures == {"loss": each.epoch} for each in log.epochs)


def test_who_watches_is_told_what_the_epoch_has_so_far_and_not_too_often():
    told = []
    log = log_of(told)
    for step in range(1000):
        log({"epoch": step, "loss": 1.0})
    assert isinstance(told[0], Logged)
    assert (told[0].setup, told[0].seed, told[0].record.epoch) == ("mine", Seed.of(3), 0)
    assert len(told) < 500


def test_a_run_keeps_what_it_logged_whatever_became_of_it():
    def breaks(seed):
        seed.log(epoch=1, loss=0.5)
        raise RuntimeError("the disk is on fire")

    def diverges(seed):
        seed.log(epoch=1, loss=math.inf)
        return {"loss": math.nan}

    records = [performed(each) for each in (trainings.logs, breaks, diverges)]
    assert [(record.state, len(record.epochs)) for record in records] == [
        ("finished", 5),
        ("failed", 1),
        ("diverged", 1),
    ]


def test_a_malformed_log_ends_the_study_after_one_run_with_one_line(tmp_path):
    study = Study(tmp_path / "s.db")
    with pytest.raises(
        TrainingFailed, match="mine, seed 0: DataError: accuracy of epoch 1 must"
    ) as e:
        study.run({"mine": trainings.logs_words, "other": trainings.logs}, seeds=4)
    assert "\n" not in str(e.value)
    assert len(study.runs()) == 1


def test_outside_a_study_logging_does_nothing():
    assert trainings.logs(Seed.of(3)) == {"accuracy": 0.53}
    assert trainings.logs_words(Seed.of(3)) == 1.0


def test_a_seed_with_a_listener_is_the_same_seed_and_travels_without_it():
    heard = []
    seed = Seed(init=3, order=3, augment=4, listener=lambda given, more: heard.append(more))
    plain = Seed.of((3, 3, 4))
    assert (seed, hash(seed), repr(seed), str(seed)) == (
        plain,
        hash(plain),
        repr(plain),
        str(plain),
    )
    assert {plain: 1}[seed] == 1
    assert pickle.loads(pickle.dumps(seed)).listener is None
    for here in (seed, copy.copy(seed), copy.deepcopy({"seed": seed})["seed"], Seed.of(seed)):
        here.log(epoch=1, loss=0.5)
    assert heard == [{"epoch": 1, "loss": 0.5}] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_the_training_writes_nothing():
    """A loader's process would write into the pipe of the run."""
    told = []
    log = log_of(told)
    log._process = os.getpid() + 1
    log({"epoch": 1, "loss": 0.5})
    assert told == []
    assert log.epochs == ()
