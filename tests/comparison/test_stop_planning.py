import numpy as np
import pytest

from helpers.studies import TARGETS, measured, runs_of
from seedwise import stats
from seedwise.comparison.planning import plan_from_figures, plan_from_pilot
from seedwise.comparison.stop_planning import ASSUMED_RATIO, Question
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError

ASKED = Question(differences=(0.01, 0.03), margin=0.02, max_runs=12)


def test_given_figures_plan_by_accuracy_alone():
    stop = plan_from_figures(ASKED, sd=0.01, r=0.8).stop
    assert stop.known.noise.sd == pytest.approx((0.01 * (2 * (1 - 0.8)) ** 0.5,))
    assert [each.difference for each in stop.expected] == [0, 0.01, 0.03]
    assert stop.expected_upper == stop.expected
    assert stop.known.pilot is None
    none, _, large = stop.expected
    assert none.equivalent > 0.9 > none.better
    assert large.better > 0.9


def test_nothing_is_simulated_unasked():
    assert plan_from_figures(Question(margin=0.02), sd=0.01, r=0.8).stop is None


def test_a_pilot_tells_the_noise_of_every_metric_and_how_far_an_effect_moves_it(studies):
    a, b = runs_of(1.0, 8), runs_of(1.1, 8)
    with studies.make({"a": a, "b": b}) as store:
        stop = plan_from_pilot(StudyRuns(store), ["a", "b"], ASKED).stop
        back = plan_from_pilot(StudyRuns(store), ["b", "a"], ASKED).stop
    d = stats.accuracy(b, TARGETS) - stats.accuracy(a, TARGETS)
    assert stop.known.noise.sd[0] == pytest.approx(d.std(ddof=1))
    assert stop.known.own_ratio
    assert stop.known.pilot == 8
    soft = stats.matched_accuracy(b, TARGETS) - stats.matched_accuracy(a, TARGETS)
    assert stop.known.noise.ratio[1] == pytest.approx(soft.mean() / d.mean(), rel=1e-4)
    assert stop.known.noise.correlation[0] == pytest.approx(np.corrcoef(d, soft)[0, 1], rel=1e-4)
    assert stop.known.noise.resolution == pytest.approx(1 / (2 * len(TARGETS)))
    pairs = [(x.pairs, y.pairs) for x, y in zip(stop.expected, stop.expected_upper, strict=True)]
    assert all(low < high for low, high in pairs)
    assert back.known.noise.ratio == pytest.approx(stop.known.noise.ratio)


def test_a_pilot_without_a_difference_cannot_tell_how_far_an_effect_moves_it(studies):
    with studies.make({"a": runs_of(1.0, 6), "b": runs_of(1.0001, 6)}) as store:
        stop = plan_from_pilot(StudyRuns(store), ["a", "b"], ASKED).stop
    assert not stop.known.own_ratio
    assert stop.known.noise.ratio == (1, ASSUMED_RATIO, ASSUMED_RATIO)


def test_accuracies_without_predictions_are_a_pilot_too(studies):
    rng = np.random.default_rng(0)
    runs = {
        name: [measured(accuracy=float(v)) for v in rng.normal(mean, 0.005, 6)]
        for name, mean in (("a", 0.8), ("b", 0.82))
    }
    with studies.make(runs) as store:
        stop = plan_from_pilot(StudyRuns(store), ["a", "b"], ASKED).stop
    assert len(stop.known.noise.sd) == 1
    assert stop.known.noise.resolution == 0


def test_the_simulation_is_the_seeds():
    first, again, other = (
        plan_from_figures(
            Question(margin=0.02, max_runs=12, differences=(0.01,), seed=seed), sd=0.01, r=0.0
        ).stop
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first.expected != other.expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_runs": 12, "margin": None}, "give margin / --margin too"),
        ({"max_runs": 2}, "max_runs of a plan must be from 3 to 300, got 2"),
        ({"max_runs": 301}, "from 3 to 300, got 301"),
        ({"differences": (2.0,)}, "difference is a fraction of accuracy, .* got 2"),
        ({"alpha": 0.6}, "alpha of a stopping rule must be below 0.5, got 0.6"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
    ],
)
def test_a_question_out_of_range_is_said(values, message):
    with pytest.raises(ConfigError, match=message):
        Question(**{"margin": 0.02, "max_runs": 12} | values)


def test_runs_of_unknown_correlation_are_no_pairs():
    with pytest.raises(ConfigError, match="give their correlation r / --r, 0 if they share"):
        plan_from_figures(ASKED, sd=0.01)


@pytest.mark.parametrize(
    ("setups", "message"),
    [
        ({"a": runs_of(1.0, 4)}, "compares two setups; name both"),
        ({"a": runs_of(1.0, 4), "b": runs_of(1.1, 2)}, "there are 2"),
        (
            {name: [measured(loss=1 + 0.1 * i) for i in range(4)] for name in "ab"},
            "which judges accuracy; these have none",
        ),
        (
            {name: [measured(accuracy=0.8 + 0.01 * i) for i in range(4)] for name in "ab"},
            "whose differences differ; there are 4",
        ),
    ],
)
def test_a_pilot_that_cannot_tell_is_refused(studies, setups, message):
    with studies.make(setups) as store, pytest.raises(ConfigError, match=message):
        plan_from_pilot(StudyRuns(store), list(setups), ASKED)


@pytest.mark.parametrize(("r", "offered"), [(0.0, True), (0.9, False)])
def test_a_pilot_of_unrelated_runs_tells_what_taking_them_as_such_would_save(studies, r, offered):
    shared, a, b = np.random.default_rng(4).normal(0, 0.005, (3, 12))
    runs = {
        name: [measured(accuracy=float(v)) for v in mean + r**0.5 * shared + (1 - r) ** 0.5 * own]
        for name, mean, own in (("a", 0.8, a), ("b", 0.82, b))
    }
    with studies.make(runs) as store:
        stop = plan_from_pilot(StudyRuns(store), ["a", "b"], ASKED).stop
    assert bool(stop.unpaired) == offered
    assert (stop.known.r < 0.3) == offered
    if offered:
        paired = {each.difference: each.pairs for each in stop.expected}
        assert [each.difference for each in stop.unpaired] == [*paired]
        assert all(each.pairs < 0.95 * paired[each.difference] for each in stop.unpaired[2:])


def test_runs_that_never_vary_or_mirror_each_other_are_planned_as_pairs(studies):
    values = np.random.default_rng(4).normal(0, 0.005, 6)
    for other in (np.zeros(6), -values):
        runs = {
            name: [measured(accuracy=float(v)) for v in 0.8 + each]
            for name, each in (("a", values), ("b", other))
        }
        with studies.make(runs) as store:
            stop = plan_from_pilot(StudyRuns(store), ["a", "b"], ASKED).stop
        assert stop.unpaired == ()
