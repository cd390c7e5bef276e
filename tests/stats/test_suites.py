"""Differences over tasks, against scipy, statsmodels and rliable, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, ttest_ind, ttest_rel

from seedwise.errors import DataError
from seedwise.stats.suites import (
    OVER,
    interquartile_mean,
    performance_profile,
    suite_difference,
    win_tie_loss,
)

NAN = math.nan


def difference(a, b, over="mean", *, paired=False, confidence=0.95, seed=0):
    rng = np.random.default_rng(seed)
    return suite_difference(a, b, over, paired=paired, confidence=confidence, rng=rng)


def apart(values):
    """The same runs, each task with seeds of its own."""
    seeds, tasks = values.shape
    table = np.full((seeds * tasks, tasks), NAN)
    for task in range(tasks):
        table[task * seeds : (task + 1) * seeds, task] = values[:, task]
    return table


@pytest.fixture
def runs():
    rng = np.random.default_rng(5)
    sds = np.array([0.1, 1.0, 3.0])
    return rng.normal(size=(6, 3)) * sds, rng.normal(size=(6, 3)) * sds + 0.4


def test_where_every_seed_has_every_task_it_is_the_t_test_of_their_means(runs):
    a, b = runs
    found = difference(a, b, paired=True)
    expected = ttest_rel(b.mean(axis=1), a.mean(axis=1))
    ends = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-12)
    assert found.freedom == pytest.approx(5)


def test_of_one_task_it_is_welchs(runs):
    a, b = (each[:, :1] for each in runs)
    found = difference(a[:4], b)
    expected = ttest_ind(b[:, 0], a[:4, 0], equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.freedom == pytest.approx(expected.df, rel=1e-12)


def test_where_no_seed_has_two_tasks_variances_add_up_as_welchs_do(runs):
    a, b = runs
    found = difference(apart(a), apart(b), paired=True)
    parts = (b - a).var(axis=0, ddof=1) / 6 / 9
    assert found.error == pytest.approx(math.sqrt(parts.sum()), rel=1e-12)
    assert found.freedom == pytest.approx(parts.sum() ** 2 / (parts**2 / 5).sum(), rel=1e-12)


def test_unequal_counts_fool_nobody():
    """Simpson: B is better in both tasks and worse in the pooled mean."""
    a, b = np.full((10, 2), NAN), np.full((10, 2), NAN)
    rng = np.random.default_rng(0)
    a[:8, 0], a[8:, 1] = 0.90 + 0.01 * rng.normal(size=8), 0.50 + 0.01 * rng.normal(size=2)
    b[:2, 0], b[2:, 1] = 0.95 + 0.01 * rng.normal(size=2), 0.55 + 0.01 * rng.normal(size=8)
    assert np.nanmean(b) < np.nanmean(a)
    for over in ("mean", "iqm"):
        assert difference(a, b, over).estimate > 0.03


@given(shift=st.floats(-5, 5), seed=st.integers(0, 99), over=st.sampled_from(OVER))
def test_swapping_negates_and_a_constant_in_a_task_changes_nothing(shift, seed, over):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 6, 3))
    found, swapped = difference(a, b, over, paired=True), difference(b, a, over, paired=True)
    assert swapped.estimate == pytest.approx(-found.estimate, abs=1e-12)
    assert swapped.p_value == pytest.approx(found.p_value, rel=1e-6, abs=1e-12)
    if over != "iqm":  # which looks at scores, and not at differences
        moved = np.array([shift, 0, -shift])
        assert difference(a + moved, b + moved, over, paired=True).p_value == pytest.approx(
            found.p_value, rel=1e-6
        )


def test_a_run_without_its_partner_does_not_count(runs):
    a, b = runs
    a, both = a.copy(), b.copy()
    a[5, 1] = both[5, 1] = NAN
    found = difference(a, b, paired=True)
    assert (found.n_a, found.n_b) == (5, 5)
    assert found == difference(a, both, paired=True)


@pytest.mark.parametrize("over", ["mean", "iqm"])
def test_a_task_with_one_run_leaves_the_interval_open(runs, over):
    a, b = runs
    b[1:, 2] = NAN
    found = difference(a, b, over)
    assert math.isinf(found.low)
    assert math.isinf(found.high)
    assert found.p_value == 1


def test_runs_that_are_all_the_same_tell_nothing():
    a = np.full((5, 3), 0.3)
    assert difference(a, a + 0.1, paired=True).p_value == 1
    assert difference(a, a).p_value == 1


def test_one_setup_may_be_deterministic():
    a, b = np.full((5, 2), 0.3), 0.3 + np.random.default_rng(1).normal(size=(5, 2))
    found = difference(a, b)
    expected = ttest_rel(b.mean(axis=1), a.mean(axis=1))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)


def test_a_task_without_a_run_is_refused(runs):
    a, b = runs
    a[:, 0] = NAN
    with pytest.raises(DataError, match="each task needs a run of each setup"):
        difference(a, b)


def test_standardised_differences_are_hedges_g(runs):
    from statsmodels.stats.meta_analysis import effectsize_smd

    a, b = runs
    sizes, _ = effectsize_smd(
        b.mean(axis=0), b.std(axis=0, ddof=1), 6, a.mean(axis=0), a.std(axis=0, ddof=1), 6
    )
    found = difference(a, b, "standardised")
    assert found.estimate == pytest.approx(sizes.mean(), rel=2e-3)  # an approximate correction
    scaled = difference(a * [1, 10, 100], b * [1, 10, 100], "standardised")
    assert scaled.p_value == pytest.approx(found.p_value, rel=1e-9)


def test_standard_deviations_of_few_or_equal_runs_are_no_unit(runs):
    a, b = runs
    with pytest.raises(DataError, match=r"takes 5 runs .* the fewest are 4"):
        difference(a[:4], b, "standardised")
    a[:, 0], b[:, 0] = 0.0, 1.0
    with pytest.raises(DataError, match="all the same in each setup"):
        difference(a, b, "standardised")


def test_a_task_at_its_ceiling_has_no_difference_in_any_unit(runs):
    a, b = runs
    found = difference(a, b, "standardised")
    ceiling = np.ones((len(a), 1))
    with_it = difference(np.hstack([a, ceiling]), np.hstack([b, ceiling]), "standardised")
    tasks = a.shape[1]
    assert with_it.estimate == pytest.approx(found.estimate * tasks / (tasks + 1))
    assert np.isfinite(with_it.high)


# Of the scores below by rliable 1.2.0: metrics.aggregate_iqm, and 20,000 draws of each setup by
# library.StratifiedBootstrap.update_indices.
RLIABLE_IQM = (0.50155, 0.5820333333333333)
RLIABLE_ERROR = 0.02695
RLIABLE_PROFILE = (0.9, 0.6916666666666667, 0.3333333333333333, 0.058333333333333334)


@pytest.fixture
def scores():
    rng = np.random.default_rng(3)
    a = np.round(rng.normal(0.5, 0.2, size=(20, 6)), 3)
    return a, np.round(rng.normal(0.58, 0.2, size=(20, 6)), 3)


def test_the_interquartile_mean_is_that_of_rliable(scores):
    assert tuple(map(interquartile_mean, scores)) == pytest.approx(RLIABLE_IQM, rel=1e-12)


def test_its_error_is_that_of_the_stratified_bootstrap(scores):
    """But for the sqrt(n / (n - 1)) of few runs, and numbers of runs that vary with the draw."""
    found = difference(*map(apart, scores), "iqm")
    assert found.error * math.sqrt(19 / 20) == pytest.approx(RLIABLE_ERROR, rel=0.08)


def test_a_profile_is_that_of_rliable(scores):
    at = np.array([0.2, 0.4, 0.6, 0.8])
    assert tuple(performance_profile(scores[0], at)) == pytest.approx(RLIABLE_PROFILE, rel=1e-12)


def test_a_profile_weights_tasks_the_same():
    values = np.array([[0.9, 0.1], [0.9, NAN], [0.9, NAN]])
    assert performance_profile(values, np.array([0.5]))[0] == pytest.approx(0.5)


def test_an_interquartile_mean_weights_tasks_the_same():
    values = np.full((100, 4), NAN)
    values[:, 0] = 10.0
    values[:2, 1:] = [[1.0, 2.0, 3.0]] * 2
    assert interquartile_mean(values) == pytest.approx(2.5)  # of 1, 2, 3, 10: the middle half


def test_wins_ties_and_losses_are_told_at_the_margin():
    found = win_tie_loss(np.array([0.02, 0.0, -0.02, 0.011]), 0.01)
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)


def studies(rng, tasks, counts, *, together, paired):
    """Runs of two setups of no difference: other spreads and counts in each task."""
    seeds, spread = max(counts), np.exp(rng.normal(size=tasks))
    noise = [
        rng.normal(size=(seeds, tasks)) + together * rng.normal(size=(seeds, 1)) for _ in range(2)
    ]
    shared = rng.normal(size=(seeds, tasks)) if paired else 0.0
    tables = [(shared + each) * spread for each in noise]
    here = np.arange(seeds)[:, None] < np.resize(counts, tasks)
    return [np.where(here, each, NAN) for each in tables]


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(
    ("over", "tasks", "counts"),
    [
        ("mean", 2, (3,)),
        ("mean", 5, (3, 8)),
        ("mean", 20, (5,)),
        ("mean", 2, (2, 8)),
        ("standardised", 5, (5, 8)),
    ],
)
def test_false_alarms_are_kept(over, tasks, counts, paired):
    rng, repeats = np.random.default_rng(11), 600
    alarms = sum(
        difference(
            *studies(rng, tasks, counts, together=1.0, paired=paired),
            over,
            paired=paired,
        ).p_value
        < 0.05
        for _ in range(repeats)
    )
    # 7 % is allowed, as the degrees of freedom are those of independent tasks.
    assert alarms <= binom.ppf(0.999, repeats, 0.07)
