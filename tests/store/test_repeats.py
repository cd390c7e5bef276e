"""A run that is trained again is kept beside the run, not as a run."""

import sqlite3

import numpy as np
import pytest

from helpers.store_records import ENDED, dataset, run
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, files, schema


@pytest.fixture
def studied(store):
    store.set_dataset(dataset())
    for i in range(2):
        store.add_run("mish", Seed.of(i), run(value=i), ended_at=ENDED)
    return store


def test_a_repeat_comes_back_bit_for_bit_and_is_no_run(studied):
    record = run(value=0.25, seconds=12.5, made_by={"device": "cpu", "threads": 4})
    number = studied.add_repeat(2, record, ended_at=ENDED)
    (found,) = studied.repeats([1, 2])
    assert (found.id, found.run, found.state, found.seconds) == (number, 2, "finished", 12.5)
    assert (found.made_by, found.epochs, found.views) == (
        record.made_by,
        record.epochs,
        record.views,
    )
    assert (studied.repeat_logits(number) == record.logits).all()
    assert studied.repeats([1]) == []
    assert len(studied.runs()) == 2


def test_a_run_may_be_repeated_often(studied):
    for value in (1, 2, 3):
        studied.add_repeat(1, run(value=value), ended_at=ENDED)
    found = studied.repeats([1])
    assert [again.id for again in found] == [1, 2, 3]
    assert [studied.repeat_logits(again.id)[0, 0, 0] for again in found] == [1, 2, 3]


def test_a_repeat_may_end_otherwise_than_its_run(studied):
    number = studied.add_repeat(1, run(state="diverged", error="nan"), ended_at=ENDED)
    (found,) = studied.repeats([1])
    assert (found.state, found.has_logits, found.error) == ("diverged", False, "nan")
    with pytest.raises(StudyError, match=rf"repeat {number} of .* has no logits"):
        studied.repeat_logits(number)


def test_only_a_result_has_a_repeat(studied):
    studied.add_run("mish", Seed.of(7), run(state="failed", error="no disk"), ended_at=ENDED)
    with pytest.raises(StudyError, match=r"run 3 of .* failed; a repeat needs a result"):
        studied.add_repeat(3, run(), ended_at=ENDED)
    with pytest.raises(StudyError, match=r"run 9 of .* is not there"):
        studied.add_repeat(9, run(), ended_at=ENDED)
    with pytest.raises(StudyError, match="a repeat that failed is no repeat"):
        studied.add_repeat(1, run(state="failed"), ended_at=ENDED)
    with pytest.raises(StudyError, match=r"logits of shape \(2, 5, 2\), the run \(2, 6, 2\)"):
        studied.add_repeat(1, run(logits=np.zeros((2, 5, 2), np.float16)), ended_at=ENDED)
    assert studied.repeats([1, 2, 3]) == []


def test_a_study_without_the_table_gets_it_when_it_is_written(path, monkeypatch):
    monkeypatch.setattr(files, "MIGRATIONS", schema.MIGRATIONS[:1])
    with Store.open(path, create=True) as store:
        store.add_setup("mish", Setup())
        store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    monkeypatch.undo()
    with pytest.raises(StudyError, match=r"older format 1"):
        Store.open(path, readonly=True)
    with Store.open(path) as store:
        store.add_repeat(1, run(), ended_at=ENDED)
        assert len(store.repeats([1])) == 1
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    raw.close()
