"""Setups compared over the tasks of a suite, from stored runs."""

import json

import numpy as np
import pytest
from scipy.stats import ttest_rel

import seedwise
from helpers.studies import DIVERGED, Studies, measured
from seedwise.comparison import Rule
from seedwise.errors import ConfigError, DataError, StudyError, Unsettled

RNG = np.random.default_rng(1)
NOISE = RNG.normal(size=(2, 8, 3)) * 0.01  # setups, seeds, tasks


def runs_of(table, metric="acc"):
    """Records by seed of a table seeds x tasks, NaN for no run of a task."""
    return {
        seed: measured(
            **{f"t{task}/{metric}": float(x) for task, x in enumerate(row) if np.isfinite(x)}
        )
        for seed, row in enumerate(table)
    }


@pytest.fixture
def make(tmp_path):
    studies = Studies(tmp_path)

    def make_study(tables, *, tasks=3, metric="acc", **options):
        runs = {
            name: each if isinstance(each, dict) else runs_of(each, metric)
            for name, each in tables.items()
        }
        with studies.make(runs, classes=0, **options) as store:
            for task in range(tasks):
                store.fix_choice(f"task:t{task}", True)
            return seedwise.Study(store.path)

    return make_study


def test_tasks_count_the_same_and_pairs_are_those_of_one_seed(make):
    a, b = 0.8 + NOISE[0], 0.82 + NOISE[1]
    (found,) = make({"a": a, "b": b}).compare_tasks()
    expected = ttest_rel(b.mean(axis=1), a.mean(axis=1))
    assert found.difference.estimate == pytest.approx((b - a).mean())
    assert found.difference.p_value == pytest.approx(expected.pvalue)
    assert found.paired
    assert found.outcome == "better"
    assert found.standing.confirmatory
    assert str(found).startswith("b is better than a over 3 tasks: the mean acc is ")


def test_a_verdict_is_not_fooled_by_unequal_counts(make):
    a, b = 0.5 + NOISE[0], 0.55 + NOISE[1]
    a[:, 0] += 0.4
    b[:, 0] += 0.4
    a[:2, 0], a[2:, 1] = a[:2, 0], np.nan  # A mostly on the easy task, B on the hard ones
    b[2:, 0] = np.nan
    pooled = [np.nanmean(each) for each in (a, b)]
    assert pooled[1] < pooled[0]
    (found,) = make({"a": a, "b": b}).compare_tasks()
    assert found.difference.estimate == pytest.approx(0.05, abs=0.02)
    assert found.counted.losses == 0


def test_verdicts_of_tasks_are_corrected_over_tasks_and_candidates(make):
    tables = {"a": 0.8 + NOISE[0], "b": 0.81 + NOISE[1], "c": 0.8 + NOISE[1][::-1]}
    study = make(tables)
    found = study.compare_tasks()
    raw = [
        study.compare("a", name, metric=f"t{task}/acc", paired=True).deciding.difference.p_value
        for name in "bc"
        for task in range(3)
    ]
    corrected = [each.verdict.p_value for suite in found for each in suite.tasks.values()]
    assert min(corrected) == pytest.approx(min(1, 6 * min(raw)))
    assert found[0].verdict.p_value >= found[0].difference.p_value
    (alone,) = study.compare_tasks(["a", "b"])  # one of two that were planned
    assert min(each.verdict.p_value for each in alone.tasks.values()) >= min(corrected[:3]) * 0.99
    assert alone.verdict.p_value == pytest.approx(min(1, 2 * alone.difference.p_value))


def test_lower_is_better_where_the_name_says_so(make):
    a, b = 0.8 + NOISE[0], 0.82 + NOISE[1]
    (found,) = make({"a": a, "b": b}, metric="wer").compare_tasks()
    assert found.outcome == "worse"
    assert found.difference.estimate > 0
    assert "wer is 0.0" in str(found)
    assert "higher" in found.view.headline


def test_a_direction_is_stated_once_for_all_tasks(make):
    study = make({"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]}, metric="score")
    with pytest.raises(Unsettled):
        study.compare_tasks()
    assert study.compare_tasks(better="higher")[0].outcome == "better"
    assert (
        seedwise.Study(study.path, better={"score": "lower"}).compare_tasks()[0].outcome == "worse"
    )


def test_the_margin_is_in_the_metrics_unit_and_gives_equivalence(make):
    a, b = 0.8 + NOISE[0], 0.8 + NOISE[1]
    (found,) = make({"a": a, "b": b}, rule=Rule(margin=0.02)).compare_tasks()
    assert found.outcome == "equivalent"
    assert found.shown_not_worse
    assert found.standing.confirmatory
    assert (found.counted.wins, found.counted.ties) == (0, 3)


def test_the_way_over_tasks_is_fixed_beforehand(make):
    study = make({"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]}, rule=Rule(over="iqm"))
    (found,) = study.compare_tasks()
    assert found.rule.over == "iqm"
    assert found.standing.confirmatory
    (other,) = study.compare_tasks(over="mean")
    assert other.standing.reasons == ("over is mean here, and iqm was fixed",)


def test_an_unknown_way_over_tasks_is_refused():
    with pytest.raises(
        ConfigError, match="over must be one of mean, standardised, iqm, got 'max'"
    ):
        Rule(over="max")


def test_no_better_rests_on_runs_that_diverged(make):
    a, b = 0.8 + NOISE[0], 0.82 + NOISE[1]
    runs = runs_of(b)
    runs[7] = DIVERGED
    (found,) = make({"a": a, "b": runs}).compare_tasks()
    assert found.outcome == "undecided"
    assert found.verdict.withheld == "better"
    assert "rests on runs that diverged or collapsed" in found.view.headline
    (turned,) = make({"a": b, "b": {**runs_of(a), 7: DIVERGED}}).compare_tasks()
    assert turned.outcome == "worse"


def test_one_collapsed_run_makes_no_setup_better(make):
    a, b = np.tile(0.8 + NOISE[0], (2, 1)), np.tile(0.8 + NOISE[1], (2, 1))
    a += np.random.default_rng(3).normal(size=a.shape) * 0.003
    b += np.random.default_rng(4).normal(size=b.shape) * 0.003
    a[3] = 0.1  # in every task
    (found,) = make({"a": a, "b": b}).compare_tasks()
    assert found.difference.estimate > 0.03
    assert found.outcome == "undecided"


def test_tasks_that_a_setup_lacks_are_left_out_and_named(make):
    a, b = 0.8 + NOISE[0], 0.82 + NOISE[1]
    b[:, 2] = np.nan
    (found,) = make({"a": a, "b": b}).compare_tasks()
    assert tuple(found.tasks) == ("t0", "t1")
    assert found.lacking == ("t2",)
    assert any("Left out" in caution and "t2" in caution for caution in found.view.cautions)


def test_one_common_task_is_no_suite(make):
    a, b = 0.8 + NOISE[0], 0.82 + NOISE[1]
    b[:, 1:] = np.nan
    with pytest.raises(StudyError, match="1 task with acc in common"):
        make({"a": a, "b": b}).compare_tasks()


def test_per_cent_beside_fractions_is_refused(make):
    a, b = 0.8 + NOISE[0], 0.82 + NOISE[1]
    for each in (a, b):
        each[:, 1] *= 100
    with pytest.raises(DataError, match=r"acc is in two units: .* looks like a fraction"):
        make({"a": a, "b": b}).compare_tasks()


def test_a_task_that_outweighs_all_others_is_told(make):
    a, b = 8 + NOISE[0], 8 + NOISE[1]
    for each in (a, b):
        each[:, 1] *= 1000
    (found,) = make({"a": a, "b": b}, metric="reward").compare_tasks(better="higher")
    assert any("The task t1 makes up most of the noise" in each for each in found.view.cautions)


def test_ranks_are_told_from_ten_tasks_on(make):
    noise = np.random.default_rng(9).normal(size=(2, 5, 10)) * 0.01
    (found,) = make({"a": 0.8 + noise[0], "b": 0.85 + noise[1]}, tasks=10).compare_tasks()
    assert found.ranks is not None
    assert found.ranks.ranks.ranks == (2.0, 1.0)
    assert "b from a are apart" in found.view.ranks
    assert make({"a": 0.8 + NOISE[0], "b": 0.85 + NOISE[1]}).compare_tasks()[0].ranks is None


def test_one_run_each_is_undecided_and_says_why(make):
    (found,) = make({"a": 0.8 + NOISE[0][:1], "b": 0.9 + NOISE[1][:1]}).compare_tasks()
    assert found.outcome == "undecided"
    assert any("One run says nothing" in each for each in found.view.cautions)


def test_json_says_what_the_view_says(make):
    (found,) = make({"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]}).compare_tasks()
    said = json.loads(found.to_json())
    assert said["sentence"] == found.view.headline
    assert said["outcome"] == "better"
    assert list(said["tasks"]) == ["t0", "t1", "t2"]
    assert said["tasks"]["t0"]["verdict"]["p_value"] == found.tasks["t0"].verdict.p_value


def test_a_study_without_tasks_is_no_suite(make):
    study = make({"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]}, tasks=0)
    assert not study.is_suite()
    with pytest.raises(StudyError, match="has no tasks; import them with --task COLUMN"):
        study.compare_tasks()


def test_one_task_alone_is_no_suite(make):
    study = make({"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]})
    assert study.is_suite()
    assert study.is_suite("acc")
    assert not study.is_suite("t0/acc")
    assert study.compare("a", "b", metric="t0/acc").deciding.metric == "t0/acc"


def test_a_tasks_name_says_nothing_of_the_direction(tmp_path):
    """`1/acc` would be a formula, and `error/acc` two directions."""
    runs = {
        name: {
            seed: measured(**{"1/acc": float(row[0]), "error/acc": float(row[1])})
            for seed, row in enumerate(table)
        }
        for name, table in {"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]}.items()
    }
    with Studies(tmp_path).make(runs, classes=0) as store:
        for task in ("1", "error"):
            store.fix_choice(f"task:{task}", True)
        study = seedwise.Study(store.path)
    assert study.compare_tasks()[0].outcome == "better"


def test_a_test_may_expect_a_verdict_over_the_tasks(make):
    (found,) = make({"a": 0.8 + NOISE[0], "b": 0.82 + NOISE[1]}).compare_tasks()
    assert found.expect("better") is found
    with pytest.raises(ConfigError, match="needs a margin; give one to compare_tasks"):
        found.expect("not worse")
    (turned,) = make({"a": 0.82 + NOISE[0], "b": 0.8 + NOISE[1]}).compare_tasks(margin=0.001)
    with pytest.raises(AssertionError) as failed:
        turned.expect("not worse")
    first, *rest = str(failed.value).split("\n")
    assert first.startswith("expected b against a, over 3 tasks: not worse by 0.00")
    assert turned.view.headline in rest
