"""Studies put together: each run once, and what does not go together named."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from helpers.store_records import ENDED, dataset, run
from helpers.study_files import assert_sound, change, filled, held
from seedwise.comparison import Rule
from seedwise.crops import as_crops, view_names
from seedwise.errors import StudyError
from seedwise.records import VIEWS, EpochRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import (
    PLAN,
    Conflicts,
    Store,
    check_study,
    merge_studies,
    repair_study,
)
from seedwise.store.schema import checksum
from seedwise.study import Study, fake


@pytest.fixture
def target(tmp_path):
    return tmp_path / "both.db"


def test_each_run_is_there_once(tmp_path, target):
    a = filled(tmp_path / "a.db", seeds=range(4))
    b = filled(tmp_path / "b.db", seeds=range(2, 6))
    before = a.read_bytes(), b.read_bytes()
    merge_studies([a, b], target)
    assert held(target) == held(a) | held(b)
    assert len(held(target)) == 2 * 6 + 1  # the failed try is one and the same
    assert (a.read_bytes(), b.read_bytes()) == before
    assert check_study(target).faults == ()
    assert_sound(target)
    assert not list(tmp_path.glob("*.part*"))


def test_setups_of_either_are_there_and_the_study_began_with_the_first(tmp_path, target):
    a = filled(tmp_path / "a.db", setups=("mish",))
    b = filled(tmp_path / "b.db", setups=("silu", "mish"), seeds=range(8, 9))
    merge_studies([a, b], target)
    with Store.open(a, readonly=True) as first, Store.open(target, readonly=True) as both:
        assert list(both.setups()) == ["mish", "silu"]
        assert both.facts == first.facts
        assert both.choice("auto") == {"precision": "float32"}
        assert both.dataset().names == dataset().names


def test_three_studies_in_any_order_hold_the_same(tmp_path, target):
    files = [filled(tmp_path / f"{i}.db", seeds=range(i, i + 3)) for i in range(3)]
    merge_studies(files, target)
    merge_studies(files[::-1], tmp_path / "other.db")
    assert held(target) == held(tmp_path / "other.db")


def test_figures_of_epochs_are_there_after_a_merge_and_a_repair(tmp_path, target):
    logged = (EpochRecord(epoch=0.5, figures={"wer": 0.25, "val/loss": float("inf")}),)
    a, b = filled(tmp_path / "a.db"), filled(tmp_path / "b.db", seeds=[7], epochs=logged)
    merge_studies([a, b], target)
    repair_study(target, tmp_path / "again.db")
    for path in (target, tmp_path / "again.db"):
        with Store.open(path, readonly=True) as store:
            found = {run.seed.init: run.epochs for run in store.runs("mish")}
        assert found[7] == logged
        assert found[0][0].figures["train_loss"] == 2.5


def test_a_result_wins_over_a_failed_try_of_the_same_run(tmp_path, target):
    a = filled(tmp_path / "a.db")
    b = filled(tmp_path / "b.db", seeds=(98, 99))
    merge_studies([a, b], target)
    states = sorted(
        state for name, seed, state, *_ in held(target) if (name, seed) == ("mish", "99")
    )
    assert states == ["failed", "finished"]


def test_the_clock_of_a_repeated_run_is_no_conflict(tmp_path, target):
    """Two machines that trained one run to the same predictions agree."""
    a, b = filled(tmp_path / "a.db"), tmp_path / "b.db"
    with Store.open(b, create=True) as store:
        store.set_dataset(dataset())
        store.add_setup("mish", Setup())
        logits = np.random.default_rng([0, 1]).normal(size=(2, 6, 2)).astype(np.float16)
        record = run(logits=logits, seconds=1e6, made_by={"device": "cuda"})
        store.add_run("mish", Seed.of(1), record, ended_at=ENDED)
    merge_studies([a, b], target)
    assert held(target) == held(a)


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        ({"lr": 0.5}, "setup 'mish' differs from the one before"),
        (
            {"epochs": (), "views": ("original", "other")},
            "the run of setup 'mish' with seed 0 differs from the one before",
        ),
    ],
)
def test_what_does_not_go_together_is_named_and_nothing_is_written(
    tmp_path, target, other, conflict
):
    a, b = filled(tmp_path / "a.db"), filled(tmp_path / "b.db", **other)
    with pytest.raises(Conflicts) as caught:
        merge_studies([a, b], target)
    assert f"{b}: {conflict}" in caught.value.conflicts
    assert not target.exists()
    assert not list(tmp_path.glob("*.part*"))


def test_other_predictions_another_dataset_and_other_choices_are_named(tmp_path, target):
    a, b = filled(tmp_path / "a.db"), tmp_path / "b.db"
    with Store.open(b, create=True) as store:
        store.set_dataset(dataset(fingerprint="cd" * 32))
        store.fix_choice("auto", {"precision": "bf16"})
        store.add_setup("mish", Setup())
        store.add_run("mish", Seed.of(1), run(), ended_at=ENDED)
    with pytest.raises(Conflicts) as caught:
        merge_studies([a, b], target)
    assert caught.value.conflicts == (
        f"{b}: choice 'auto' differs from the one before",
        f"{b}: dataset 'imagenette' differs from the one before",
        f"{b}: what was predicted by the run of setup 'mish' with seed 1 differs from the one "
        f"before",
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_runs_of_other_views_are_not_put_together(tmp_path, target, order):
    views = (VIEWS, view_names(as_crops(4)))
    paths = [tmp_path / "two.db", tmp_path / "four.db"]
    for path, names in zip(paths, views, strict=True):
        with Store.open(path, create=True) as store:
            store.set_dataset(dataset(views=names))
    with pytest.raises(Conflicts) as caught:
        merge_studies([paths[place] for place in order], target)
    assert caught.value.conflicts == (
        f"{paths[0]}: its runs have two views of each image, not more",
    )
    merge_studies([paths[1]], target)
    with Store.open(target) as store:
        assert store.dataset().views == views[1]


def test_repeats_stay_with_their_runs(tmp_path, target):
    a, b = filled(tmp_path / "a.db"), filled(tmp_path / "b.db", seeds=range(2, 5))
    for path, number in ((a, 3), (b, 1)):  # seed 2 of mish, in either file
        with Store.open(path) as store:
            again = run(seconds=number, value=number)
            store.add_repeat(number, again, ended_at=ENDED)
    merge_studies([b, a], target)
    assert check_study(target).faults == ()
    with Store.open(target, readonly=True) as both:
        (of,) = (found.id for found in both.runs("mish") if found.seed == Seed.of(2))
        repeats = both.repeats([found.id for found in both.runs()])
        assert [(each.run, each.seconds) for each in repeats] == [(of, 1), (of, 3)]
        assert [both.repeat_logits(each.id)[0, 0, 0] for each in repeats] == [1, 3]


def made(path, seeds, rule):
    functions = {"plain": fake.train, "better": fake.better}
    Study(path).run(functions, seeds=seeds, rule=rule)
    return path


def part(path, seeds, *, fixed, planned=None):
    """A part of a study; `fixed` and the runs that follow at once are hours of one day."""
    functions = {"plain": fake.train, "better": fake.better}
    Study(path).run(functions, seeds=seeds, planned=planned)
    with closing(sqlite3.connect(path)) as raw:
        (value,) = raw.execute("SELECT value FROM choices WHERE key = 'plan'").fetchone()
        at = f"2026-03-01T{fixed:02}:00:00+00:00"
        row = (at, checksum("plan", value, at))
        raw.execute("UPDATE choices SET fixed = ?, checksum = ? WHERE key = 'plan'", row)
        columns = ", ".join(name for _, name, *_ in raw.execute("PRAGMA table_info(runs)"))
        for number, *values, _ in raw.execute(f"SELECT {columns} FROM runs").fetchall():
            values[6] = f"2026-03-01T{fixed:02}:30:00+00:00"
            row = (values[6], checksum(*values), number)
            raw.execute("UPDATE runs SET ended = ?, checksum = ? WHERE id = ?", row)
        raw.commit()
    return path


def merged_standing(parts, target):
    merge_studies(parts, target)
    assert check_study(target).faults == ()
    return Study(target).compare("plain", "better").standing


def test_parts_that_were_planned_before_any_had_results_are_one_study(tmp_path, target):
    parts = [part(tmp_path / f"{i}.db", range(i, i + 3), fixed=9) for i in (0, 3, 6)]
    assert merged_standing(parts, target).confirmatory
    with Store.open(target, readonly=True) as store:
        assert store.choice(PLAN)["seeds"] == [str(seed) for seed in range(9)]


def test_a_part_that_was_planned_after_another_had_results_makes_it_exploratory(tmp_path, target):
    """Else whoever adds runs after a look would only have to put them into another file."""
    parts = [part(tmp_path / f"{i}.db", [i], fixed=9 + i) for i in (0, 1, 2)]
    standing = merged_standing(parts[:2], target)
    assert not standing.confirmatory
    assert standing.reasons[0].startswith("the seeds of 1.db were fixed after another part")
    # put together bit by bit it is no better
    standing = merged_standing([target, parts[2]], tmp_path / "all.db")
    assert [reason.split()[3] for reason in standing.reasons] == ["1.db", "2.db"]


def test_parts_of_one_plan_may_be_made_whenever(tmp_path, target):
    parts = [part(tmp_path / f"{i}.db", range(i, i + 3), planned=6, fixed=9 + i) for i in (0, 3)]
    (reason,) = Study(parts[0]).compare("plain", "better").standing.reasons[:1]
    assert reason.startswith("3 of the 6 planned runs of 'plain' are stored")
    assert merged_standing(parts, target).confirmatory


def test_parts_of_other_setups_are_held_to_the_first_plan(tmp_path, target):
    a, b = part(tmp_path / "a.db", 2, fixed=9), tmp_path / "b.db"
    Study(b).run({"plain": fake.train}, seeds=[2])
    reasons = merged_standing([a, b], target).reasons
    assert reasons[0].startswith("1 seed was added after runs were stored, beyond the 2")


def test_parts_with_different_rules_do_not_go_together(tmp_path, target):
    a, b = made(tmp_path / "a.db", [0, 1], None), made(tmp_path / "b.db", [2], Rule(margin=0.01))
    with pytest.raises(Conflicts) as caught:
        merge_studies([a, b], target)
    assert caught.value.conflicts == (
        f"{b}: the rule of its verdicts differs: margin is 0.01, not null",
    )


def test_a_damaged_study_is_not_merged(tmp_path, target):
    a, b = filled(tmp_path / "a.db"), filled(tmp_path / "b.db")
    change(b, "UPDATE runs SET seconds = 5 WHERE id = 3")
    with pytest.raises(StudyError, match=r"b\.db is damaged \(runs 3\); `seedwise check"):
        merge_studies([a, b], target)
    assert not target.exists()


def test_a_file_that_exists_is_not_written_over(tmp_path):
    a, b = filled(tmp_path / "a.db"), filled(tmp_path / "b.db")
    before = held(a)
    with pytest.raises(StudyError, match=r"a\.db exists"):
        merge_studies([a, b], a)
    assert held(a) == before


def said(path, setup, *, better=None, folds=False, value=0.5):
    """A study of one setup, whose metric points as stated."""
    with Store.open(path, create=True) as store:
        store.add_setup(setup, Setup(train="elsewhere"))
        for seed in range(2):
            metrics = RunRecord(state="finished", metrics={"score": value + seed / 10}, seconds=1)
            store.add_run(setup, Seed.of(seed), metrics, ended_at=ENDED)
        if better:
            store.fix_choice("better:score", better)
        if folds:
            store.fix_choice("folds", {"folds": 2, "test_to_train": 1.0})
    return path


def test_a_direction_stated_in_one_part_is_that_of_the_whole(tmp_path, target):
    parts = [said(tmp_path / "a.db", "a", better="lower"), said(tmp_path / "b.db", "b", value=0.2)]
    merge_studies(parts, target)
    assert Study(target).compare("a", "b").deciding.advantage > 0


def test_parts_that_state_opposite_directions_are_named(tmp_path, target):
    a = said(tmp_path / "a.db", "a", better="lower")
    b = said(tmp_path / "b.db", "b", better="higher")
    with pytest.raises(Conflicts) as error:
        merge_studies([a, b], target)
    assert error.value.conflicts == (f"{b}: choice 'better:score' differs from the one before",)
    assert not target.exists()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_folds_and_other_runs_are_not_put_together(tmp_path, target, order):
    """Independent runs would get the test for folds, or folds the test for independent runs."""
    parts = [said(tmp_path / "a.db", "a", folds=True), said(tmp_path / "b.db", "b")]
    with pytest.raises(Conflicts, match=r"b\.db: its runs are no folds of a cross-validation"):
        merge_studies([parts[place] for place in order], target)
    assert not target.exists()
