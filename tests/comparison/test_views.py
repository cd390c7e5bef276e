"""Studies whose runs end with more views than the notebook's two."""

import numpy as np
import pytest

from helpers.studies import CLASSES, TARGETS, Studies
from seedwise.comparison import Rule, Stop, decisions
from seedwise.comparison.compare import compare, compare_with_target
from seedwise.comparison.planning import plan_from_pilot
from seedwise.comparison.stop import StoppingRule
from seedwise.comparison.stop_planning import Question
from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.summary import run_table, summarise
from seedwise.comparison.variance import variance
from seedwise.crops import CROPS, view_names
from seedwise.errors import ConfigError
from seedwise.records import RunRecord
from seedwise.stats import accuracy

RUNS, VIEWS = 8, 10
MANY = f"accuracy:views={VIEWS}"


def predictions(skill, *, seed=0, views=VIEWS):
    """Logits of each run: an image is as hard in all views, and each view errs on its own too."""
    rng = np.random.default_rng(seed)
    right = np.eye(CLASSES)[TARGETS] * skill
    shared = rng.normal(size=(1, 1, len(TARGETS), CLASSES))
    own = rng.normal(size=(RUNS, VIEWS, len(TARGETS), CLASSES))
    return (right + shared + 0.8 * own).astype(np.float16)[:, :views]


SETUPS = {"a": predictions(1.0), "b": predictions(1.15)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Studies(tmp_path_factory.mktemp("views"))


@pytest.fixture(scope="module")
def ten(made):
    with made.make(SETUPS, views=view_names(CROPS)[:VIEWS]) as store:
        yield StudyRuns(store)


@pytest.fixture(scope="module")
def two(made):
    with made.make({name: logits[:, :2] for name, logits in SETUPS.items()}) as store:
        yield StudyRuns(store)


def of_all(name, views):
    return float(np.mean([accuracy(run[:views], TARGETS) for run in SETUPS[name]]))


def test_all_views_decide_and_say_how_many_they_are(ten):
    found = compare(ten, "a", "b", Rule(margin=0.05))
    assert (found.deciding.metric, found.margin_metric) == (MANY, MANY)
    assert found.accuracy is found.contrasts[MANY]
    for metric, views in ((MANY, VIEWS), ("accuracy", 2)):
        contrast = found.contrasts[metric]
        assert contrast.difference.estimate == pytest.approx(
            of_all("b", views) - of_all("a", views), abs=1e-6
        )


def test_all_other_figures_are_those_of_the_notebooks_two_views(ten, two):
    rule = Rule(metric="matched_accuracy", margin=0.05)
    here, there = compare(ten, "a", "b", rule), compare(two, "a", "b", rule)
    assert here.verdict == there.verdict
    assert set(here.contrasts) == {*there.contrasts, MANY}
    for name, contrast in there.contrasts.items():
        assert here.contrasts[name].difference == contrast.difference
    assert here.churn == there.churn


def test_the_first_views_can_be_asked_for_and_no_more_than_there_are(ten, two):
    found = compare(ten, "a", "b", Rule(metric="accuracy:views=2"))
    plain = compare(two, "a", "b", Rule(metric="accuracy"))
    assert found.deciding.difference == plain.deciding.difference
    with pytest.raises(ConfigError, match="needs 10 views of each image, and the runs have 2"):
        compare(two, "a", "b", Rule(metric=MANY))
    with pytest.raises(ConfigError, match="needs 16 views of each image, and the runs have 10"):
        compare(ten, "a", "b", Rule(metric="accuracy:views=16"))


def test_what_was_fixed_without_a_name_is_accuracy_over_all_views(ten):
    assert compare(ten, "a", "b", Rule(metric=MANY)).standing.confirmatory
    (reason,) = compare(ten, "a", "b", Rule(metric="matched_accuracy")).standing.reasons
    assert reason == f"metric is matched_accuracy here, and {MANY} was fixed"


def test_summaries_tables_plans_and_targets_name_the_views(ten):
    (summary, _) = summarise(ten).setups
    assert list(summary.metrics) == ["accuracy", MANY, "smoothed_accuracy"]
    assert summary.metrics[MANY].mean == pytest.approx(of_all("a", VIEWS))
    table = run_table(ten)
    column = [row[table.columns.index(MANY)] for row in table.rows[:RUNS]]
    assert np.mean(column) == pytest.approx(of_all("a", VIEWS))
    assert [noise.name for noise in variance(ten, "a").metrics][:2] == ["accuracy", MANY]
    assert compare_with_target(ten, "a", 0.5, Rule()).metric == MANY
    planned = plan_from_pilot(ten, ("a", "b"), Question(margin=0.02, max_runs=20))
    assert {each.metric for each in planned.forecasts} >= {"accuracy", MANY}
    assert planned.stop.known.judged == MANY
    assert planned.stop.known.noise.resolution == pytest.approx(1 / VIEWS / len(TARGETS))


def test_a_stopping_rule_judges_all_views(made):
    stop = Stop(difference=0.05, max_runs=RUNS)
    with made.make(SETUPS, views=view_names(CROPS)[:VIEWS], stop=stop) as store:
        study = StudyRuns(store)
        decision = decisions(study, StoppingRule.of(study))["b"]
    assert decision.judged == MANY
    seen = decision.trace[-1].accuracy.estimate
    runs = slice(0, decision.trace[-1].n)
    by_hand = [
        np.mean([accuracy(run, TARGETS) for run in SETUPS[name][runs]]) for name in ("a", "b")
    ]
    assert seen == pytest.approx(by_hand[1] - by_hand[0], abs=1e-6)


def test_views_of_somebodys_own_are_all_counted_as_ever(made):
    """Predictions of three views that were recorded are no crops of this program's."""
    logits = predictions(1.0, views=3)
    runs = [RunRecord(state="finished", logits=each, views=("x", "y", "z")) for each in logits]
    with made.make({"a": runs}) as store:
        (summary,) = summarise(StudyRuns(store)).setups
    assert list(summary.metrics) == ["accuracy", "smoothed_accuracy"]
    want = np.mean([accuracy(run, TARGETS) for run in logits])
    assert summary.metrics["accuracy"].mean == pytest.approx(want)
