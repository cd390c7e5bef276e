"""Scores of single examples in the study file."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from helpers.store_records import ENDED, run
from helpers.study_files import assert_sound
from seedwise.errors import StudyError
from seedwise.records import Examples, kept_scores
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Conflicts, Store, check_study, files, merge_studies, repair_study
from seedwise.store.schema import checksum

RNG = np.random.default_rng(5)
RIGHT = (RNG.random(5000) < 0.7).astype(np.float32)
GRADED = kept_scores(RNG.random(5000))
CLOCK = kept_scores(1.7e9 + RNG.random(5000))


def scored(**scores):
    """A run that came with these scores."""
    means = {name: float(values.mean(dtype=np.float64)) for name, values in scores.items()}
    return run(logits=None, views=(), metrics=means, scores=scores)


def add(path, record, seed=0, setup="mish"):
    with Store.open(path, create=True) as store:
        store.add_setup(setup, Setup())
        return store.add_run(setup, Seed.of(seed), record, ended_at=ENDED)


def test_scores_come_back_bit_for_bit(path):
    add(path, scored(right=RIGHT, graded=GRADED, clock=CLOCK))
    with Store.open(path, readonly=True) as store:
        assert store.runs()[0].scored == {"right", "graded", "clock"}
        for name, values in {"right": RIGHT, "graded": GRADED, "clock": CLOCK}.items():
            found = store.scores(name, [1])
            assert found is not None
            assert found.dtype == values.dtype
            np.testing.assert_array_equal(found[0], values)
        assert store.scores("other", [1]) is None
    assert check_study(path).faults == ()


def test_zeros_and_ones_are_kept_as_bits_and_others_as_float32(path):
    add(path, scored(right=RIGHT, graded=GRADED, clock=CLOCK))
    with closing(sqlite3.connect(path)) as raw:
        sizes = dict(raw.execute("SELECT metric, length(data) FROM scores"))
    assert sizes == {"right": 625, "graded": 20_000, "clock": 40_000}


def test_float64_is_kept_only_where_its_digits_tell():
    assert kept_scores(np.array([0.1, 0.7, 0.3])).dtype == np.float32
    assert kept_scores(np.array([1e300, 0.0])).dtype == np.float64
    assert kept_scores(np.array([1e9, 1e9 + 1])).dtype == np.float64
    assert not np.signbit(kept_scores(np.array([-0.0, 1.0]))).any()


def test_every_run_scores_as_many_examples(path):
    add(path, scored(right=RIGHT))
    with pytest.raises(StudyError, match=r"scores of 40 examples, but .* was made with 5,000"):
        add(path, scored(right=RIGHT[:40]), seed=1)


def test_names_and_groups_are_said_once_and_may_be_said_later(path):
    names, groups = tuple("abcd"), tuple("xxyy")
    with Store.open(path, create=True) as store:
        assert store.examples() is None
        store.set_examples(Examples(count=4, groups=groups))
        store.set_examples(Examples(count=4, names=names))
        store.set_examples(Examples(count=4))
        assert store.examples() == Examples(count=4, names=names, groups=groups)
        with pytest.raises(StudyError, match="2 of 4 examples have other groups"):
            store.set_examples(Examples(count=4, groups=tuple("xyxy")))
        with pytest.raises(StudyError, match=r"scores of 5 examples, but .* with 4"):
            store.set_examples(Examples(count=5))
    assert check_study(path).faults == ()


@pytest.mark.parametrize(
    ("examples", "kind", "data"),
    [
        (5000, "bits", b"\0" * 624),
        (2**62, "bits", b"\0"),
        (-1, "<f4", b""),
        (0, "bits", b""),
        (2, "<f4", b"\0" * 7),
        (1, "<f8", np.array([np.inf]).tobytes()),
        (1, "<f4", np.array([np.nan], np.float32).tobytes()),
        (1, "|O8", b"\0" * 8),
        (1, "<M8[s]", b"\0" * 8),
    ],
)
def test_scores_that_seedwise_never_wrote_are_damage(path, examples, kind, data):
    add(path, scored(right=RIGHT))
    row = (1, "right", examples, kind)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DELETE FROM scores")
        raw.execute(
            "INSERT INTO scores VALUES (1, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row, data), data)
        )
        raw.commit()
    with (
        Store.open(path, readonly=True) as store,
        pytest.raises(StudyError, match="damaged: right of each example in run 1"),
    ):
        store.scores("right", [1])
    assert any("scores" in fault for fault in check_study(path).faults)


def test_a_file_of_the_format_before_has_none_until_it_is_written(path):
    files.connect(path, create=True, readonly=False, steps=3).close()
    with Store.open(path, readonly=True) as store:
        assert (store.examples(), store.scores("right", [1]), store.runs()) == (None, None, [])
    add(path, scored(right=RIGHT))
    with Store.open(path, readonly=True) as store:
        assert store.scores("right", [1]) is not None
    assert_sound(path)


def test_scores_are_merged_and_repaired_with_their_runs(tmp_path):
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    add(one, scored(right=RIGHT))
    add(two, scored(right=RIGHT))
    add(two, scored(right=1 - RIGHT), seed=1)
    merge_studies([one, two], tmp_path / "both.db")
    repair_study(tmp_path / "both.db", tmp_path / "new.db")
    with Store.open(tmp_path / "new.db", readonly=True) as store:
        found = store.scores("right", [run.id for run in store.runs()])
        assert found is not None
        np.testing.assert_array_equal(found, [RIGHT, 1 - RIGHT])


def test_runs_of_one_seed_with_other_scores_are_not_merged(tmp_path):
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    add(one, scored(right=RIGHT))
    add(two, scored(right=RIGHT[::-1].copy()))  # the mean is the same
    with pytest.raises(Conflicts, match="right of each example in the run of setup 'mish'"):
        merge_studies([one, two], tmp_path / "both.db")
