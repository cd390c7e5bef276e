import math

import numpy as np
import pytest

from helpers.studies import TARGETS, measured, runs_of
from seedwise import stats
from seedwise.comparison.planning import plan_from_figures, plan_from_pilot
from seedwise.comparison.rule import Rule
from seedwise.comparison.stop_planning import Question
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError
from seedwise.stats.power import sd_upper


def test_given_figures_reproduce_the_reference():
    found = plan_from_figures(Question(), sd=0.0035)
    assert [each.runs for each in found.forecasts] == [(50, 9, 4)]
    paired = plan_from_figures(Question(runs=10, margin=0.005), sd=0.0035, r=0.9).forecasts[1]
    assert paired.runs[0] < 10
    assert paired.reachable < 0.0025
    assert paired.equivalence_runs < 9


def test_a_pilot_gives_each_metric_paired_and_unpaired_with_its_uncertainty(studies):
    a, b = runs_of(1.0, 8), runs_of(1.1, 8)
    with studies.make({"a": a, "b": b}) as store:
        found = plan_from_pilot(StudyRuns(store), ["a", "b"], Question(margin=0.02))
    by_metric = {(each.metric, each.paired): each for each in found.forecasts}
    assert len(by_metric) == 8
    assert found.seconds == 17
    values = [stats.accuracy(runs, TARGETS) for runs in (a, b)]
    unpaired, paired = by_metric["accuracy", False], by_metric["accuracy", True]
    assert unpaired.noise.sd**2 == pytest.approx(np.mean([v.var(ddof=1) for v in values]))
    assert unpaired.pilot_freedom == 14
    assert paired.noise.error(8) == pytest.approx((values[1] - values[0]).std(ddof=1) / 8**0.5)
    assert all(low <= high for low, high in zip(paired.runs, paired.runs_upper, strict=True))
    assert paired.runs_upper[0] > paired.runs[0]
    assert sd_upper(1, 7) > 1
    assert paired.equivalence_runs is not None
    assert by_metric["matched_accuracy", True].equivalence_runs is None


def test_more_images_are_planned_as_runs_on_them_turn_out(studies):
    """From 100 images of 300, against all, paired and unpaired. So few tell it within a third."""
    whole = {"a": runs_of(1.0, 40), "b": runs_of(1.1, 40)}
    few = {name: runs[:, :, 1::3] for name, runs in whole.items()}
    asked = Question(images=300)
    with studies.make(whole) as store:
        true = plan_from_pilot(StudyRuns(store), ["a", "b"], Question()).forecasts
    with studies.make(few, targets=TARGETS[1::3]) as store:
        told = plan_from_pilot(StudyRuns(store), ["a", "b"], asked).forecasts
    sds = {(each.metric, each.paired): each.noise.error(1) for each in true}
    before = {(e.metric, e.paired): e.noise.error(1) for e in told if e.images is None}
    more = {(e.metric, e.paired): e.noise.error(1) for e in told if e.images == 300}
    assert more.keys() == sds.keys()
    for key, sd in more.items():
        assert sd == pytest.approx(sds[key], rel=0.35), key
        assert sd < 0.8 * before[key]


def test_more_images_need_predictions(studies):
    with (
        studies.make({"a": [measured(loss=1 + 0.1 * i) for i in range(4)]}) as store,
        pytest.raises(ConfigError, match="--images splits the noise by single images"),
    ):
        plan_from_pilot(StudyRuns(store), ["a"], Question(images=1000))


def test_one_setup_plans_unpaired_runs_only(studies):
    with studies.make({"a": runs_of(1.0, 4)}) as store:
        found = plan_from_pilot(StudyRuns(store), ["a"], Question())
    assert not any(each.paired for each in found.forecasts)


def test_runs_that_returned_a_number_are_a_pilot_too(studies):
    runs = {"a": [measured(loss=1 + 0.1 * i) for i in range(4)]}
    with studies.make(runs) as store:
        (only,) = plan_from_pilot(StudyRuns(store), ["a"], Question(differences=(0.1,))).forecasts
    assert only.metric == "loss"
    assert only.runs[0] > 5


def test_of_several_metrics_one_is_named(studies):
    runs = {"a": [measured(loss=1 + 0.1 * i, wer=0.2 + 0.01 * i) for i in range(4)]}
    with studies.make(runs) as store:
        study, asked = StudyRuns(store), Question(differences=(0.1,))
        with pytest.raises(ConfigError, match="choose one with --metric"):
            plan_from_pilot(study, ["a"], asked)
        (only,) = plan_from_pilot(study, ["a"], asked, "wer").forecasts
    assert only.metric == "wer"
    assert only.noise.sd == pytest.approx(0.01 * np.std(range(4), ddof=1))


def test_the_metric_that_the_study_fixed_is_planned(studies):
    runs = {"a": [measured(loss=1 + 0.1 * i, wer=0.2 + 0.01 * i) for i in range(4)]}
    with studies.make(runs, rule=Rule(metric="wer")) as store:
        (only,) = plan_from_pilot(StudyRuns(store), ["a"], Question()).forecasts
    assert only.metric == "wer"


def test_one_run_is_no_pilot(studies):
    with (
        studies.make({"a": runs_of(1.0, 1)}) as store,
        pytest.raises(ConfigError, match="two runs or more that differ are needed"),
    ):
        plan_from_pilot(StudyRuns(store), ["a"], Question())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"differences": ()}, "a difference must be above 0, got none"),
        ({"differences": (0.1, -1.0)}, "a difference must be above 0, got -1.0"),
        ({"differences": (math.inf,)}, "a difference must be above 0, got inf"),
        ({"runs": 1}, "runs must be 2 or more of each setup, got 1"),
        ({"images": 1}, "images must be 2 or more, got 1"),
        ({"margin": 0.0}, "margin is a fraction of accuracy, .* got 0"),
        ({"margin": 5}, "e.g. 0.005 for half a point, got 5"),
        ({"wanted": 0.01}, "power must be above alpha and below 1, got 0.01 and 0.05"),
    ],
)
def test_a_question_out_of_range_is_said(values, message):
    with pytest.raises(ConfigError, match=message):
        Question(**values)


def test_three_setups_are_no_pair(studies):
    with (
        studies.make({"a": runs_of(1.0, 2)}) as store,
        pytest.raises(ConfigError, match="a plan is for one or two setups, got 3"),
    ):
        plan_from_pilot(StudyRuns(store), ["a", "b", "c"], Question())
