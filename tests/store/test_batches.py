"""Many runs that were there before, stored together."""

import sqlite3
from datetime import UTC, datetime

import pytest

from seedwise.errors import RunExists, StudyError
from seedwise.executors.outcome import as_record, metrics_record
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store, check_study

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def results(seeds, **metrics):
    record = metrics_record(metrics or {"f1": 0.5}, seconds=3.0, source="x.csv")
    return [("a", Seed.of(seed), record) for seed in seeds]


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "s.db", create=True) as store:
        store.add_setup("a", Setup(train=ELSEWHERE))
        yield store


def test_runs_that_are_stored_together_are_those_that_are_stored_alone(store, tmp_path):
    metrics = {"f1": 0.5, "wer": float("nan"), "accuracy": 1.0000001}
    store.add_results(results([0], **metrics), ended_at=NOW)
    store.add_run("a", Seed.of(1), as_record(metrics, seconds=3.0), ended_at=NOW)
    one, other = store.runs()
    assert one.made_by == {**other.made_by, "imported_from": "x.csv"}
    for field in ("state", "seconds", "metrics", "not_finite", "error", "ended_at", "views"):
        assert getattr(one, field) == getattr(other, field), field
    assert dict(one.metrics) == {"f1": 0.5, "accuracy": 1.0}
    health = check_study(tmp_path / "s.db")
    assert (health.rows["runs"], health.faults) == (2, ())


def test_a_second_result_leaves_none_of_them(store):
    store.add_results(results([3]), ended_at=NOW)
    with pytest.raises(RunExists, match="already"):
        store.add_results(results([1, 2, 3]), ended_at=NOW)
    assert [run.seed.init for run in store.runs()] == [3]


def test_what_goes_wrong_together_leaves_nothing(store):
    def fails():
        with store.together():
            store.add_setup("b", Setup(train=ELSEWHERE))
            store.add_results(results([1]), ended_at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert store.runs() == []
    assert list(store.setups()) == ["a"]
    store.add_results(results([1]), ended_at=NOW)
    assert len(store.runs()) == 1


def test_others_wait_while_runs_are_stored_together(store, tmp_path):
    with store.together():
        store.add_results(results([1]), ended_at=NOW)
        other = sqlite3.connect(tmp_path / "s.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    assert len(store.runs()) == 1


def test_a_study_that_is_only_read_takes_none(store, tmp_path):
    with (
        Store.open(tmp_path / "s.db", readonly=True) as reader,
        pytest.raises(StudyError),
        reader.together(),
    ):
        reader.add_results(results([1]), ended_at=NOW)
