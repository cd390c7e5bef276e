import subprocess
import sys

import numpy as np
import pytest

import seedwise
from helpers import trainings
from seedwise.errors import ConfigError, DataError, RunExists, StudyError
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE
from seedwise.store import Store
from seedwise.study import Study, record

TARGETS = np.arange(50) % 5


def logits(seed):
    return np.random.default_rng(seed).normal(size=(50, 5))


def kept(rows):
    return (rows - rows.max(axis=-1, keepdims=True)).astype(np.float16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def test_recorded_predictions_are_compared_like_any(path):
    for seed in range(3):
        record(path, setup="a", seed=seed, predictions=logits(seed), targets=TARGETS)
        record(path, setup="b", seed=seed, predictions=logits(seed + 9), metrics={"f1": 0.5})
    comparison = Study(path).compare("a", "b")
    assert comparison.contrasts["accuracy"].difference.n_a == 3
    assert Study(path).compare("b", "b", metric="f1").contrasts["f1"].sample_a.mean == 0.5
    with Store.open(path, readonly=True) as store:
        assert {setup.train for setup in store.setups().values()} == {ELSEWHERE}
        np.testing.assert_array_equal(store.logits([1])[0, 0], kept(logits(0)))


def test_metrics_alone_are_enough(path):
    seedwise.record(path, setup="a", seed=(1, 2, 3), metrics={"accuracy": 0.93, "loss": 0.2})
    with Store.open(path, readonly=True) as store:
        (run,) = store.runs()
    assert (run.seed, run.metrics) == (Seed.of((1, 2, 3)), {"accuracy": 0.93, "loss": 0.2})
    assert Study(path).summary().setups[0].metrics["accuracy"].mean == 0.93


def test_a_run_has_curves_if_its_epochs_are_recorded(path):
    epochs = [{"epoch": 1, "f1": 0.25}, {"epoch": 2, "f1": np.float32(0.5)}]
    record(path, setup="a", seed=0, metrics={"f1": 0.5}, epochs=epochs)
    assert Study(path).chart("curves").says == "Mean after the last epoch: a 0.5."


def test_what_is_not_finite_has_diverged(path):
    record(path, setup="a", seed=0, metrics={"loss": float("nan")})
    assert Study(path).summary().setups[0].diverged == 1


def test_a_run_is_recorded_once(path):
    record(path, setup="a", seed=0, metrics={"loss": 1.0})
    with pytest.raises(RunExists, match="runs never change"):
        record(path, setup="a", seed=0, metrics={"loss": 2.0})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigError, "predictions, scores or metrics"),
        ({"targets": TARGETS, "metrics": {"f1": 0.5}}, ConfigError, "targets belong to predict"),
        ({"setup": " ", "metrics": {"f1": 0.5}}, ConfigError, "needs a printable name"),
        ({"seed": -1, "metrics": {"f1": 0.5}}, ConfigError, "seed must be an integer"),
        ({"metrics": {"f1": "good"}}, DataError, "'f1': str"),
        ({"metrics": {"accuracy": 93.0}}, DataError, "must be a fraction"),
        ({"metrics": {"f1": 0.5}, "epochs": [{"f1": 0.5}]}, DataError, "needs the epoch"),
        ({"metrics": {"f1": 0.5}, "epochs": [0.5]}, DataError, "have names, .*got 0.5"),
        ({"metrics": {"f1": 0.5}, "epochs": 3}, DataError, "epochs must be a list .*got 3"),
        ({"predictions": logits(0)}, StudyError, "but no targets"),
        ({"predictions": logits(0)[0], "targets": TARGETS}, DataError, "examples x classes"),
        (
            {"predictions": logits(0), "targets": TARGETS[:9]},
            DataError,
            "must be 50 class",
        ),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_leaves_no_run(path, arguments, error, message):
    with pytest.raises(error, match=message):
        record(path, **({"setup": "a", "seed": 0} | arguments))
    if path.exists():
        with Store.open(path, readonly=True) as store:
            assert store.runs() == []


def test_runs_from_elsewhere_and_runs_of_the_study_do_not_mix(path):
    record(path, setup="plain", seed=0, metrics={"accuracy": 0.5})
    ours = r"'helpers\.trainings:plain'"
    with pytest.raises(StudyError, match=rf"train 'elsewhere' there, {ours} here"):
        Study(path).run({"plain": trainings.plain}, seeds=1)
    Study(path).run({"other": trainings.plain}, seeds=1)
    with pytest.raises(StudyError, match=rf"train {ours} there, 'elsewhere' here"):
        record(path, setup="other", seed=5, metrics={"accuracy": 0.5})


JOBS = """
import multiprocessing, sys
from pathlib import Path
import numpy as np
from seedwise.study import record

def logits(seed):
    return np.random.default_rng(seed).normal(size=(50, 5))

def job(folder, number, together):
    targets = np.arange(50) % 5
    together.wait()
    for seed in range(20 * number, 20 * number + 20):
        made = {{"predictions": logits(seed), "targets": targets}}
        record(folder / "study.db", setup=f"s{{number % 2}}", seed=seed, **made)
    for i in range({studies}):  # each made by all jobs at once
        together.wait()
        record(folder / f"study{{i}}.db", setup="a", seed=number, metrics={{"f1": 0.5}})

context = multiprocessing.get_context("fork")  # one import of numpy instead of eight
together = context.Barrier(8, timeout=120)
jobs = [context.Process(target=job, args=(Path(sys.argv[1]), n, together)) for n in range(8)]
for each in jobs:
    each.start()
for each in jobs:
    each.join()
print([each.exitcode for each in jobs])
"""

STUDIES = 20
"""Before the checks of a file were of one moment, about half of 40 such studies had a job fail."""


def test_many_jobs_may_record_at_once_from_the_first_moment(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", JOBS.format(studies=STUDIES), tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{[0] * 8}\n", done.stderr
    with Store.open(tmp_path / "study.db", readonly=True) as store:
        found = {run.seed.init: run for run in store.runs()}
        assert sorted(found) == list(range(160))
        for seed, run in found.items():
            assert run.setup == f"s{seed // 20 % 2}"
            np.testing.assert_array_equal(store.logits([run.id])[0, 0], kept(logits(seed)))
    for i in range(STUDIES):
        with Store.open(tmp_path / f"study{i}.db", readonly=True) as store:
            assert {run.seed.init for run in store.runs()} == set(range(8))
