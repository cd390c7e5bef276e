"""Runs far from the rest, and how rare they may be without being seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import binomtest

from seedwise.stats.collapse import far_from_rest, share_interval, unseen_share

LAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: -rng.exponential(size=n),
    "t of 3 df": lambda rng, n: rng.standard_t(3, size=n),
}
MOST = {"normal": 0.005, "exponential": 0.05, "t of 3 df": 0.05}
"""Shares of studies in which some run is taken for far, docs/statistics.md."""


def flagged(a, b, **grain):
    return [np.flatnonzero(each).tolist() for each in far_from_rest(a, b, **grain)]


@pytest.mark.parametrize("n", [3, 4, 5, 10, 20])
@pytest.mark.parametrize("law", LAWS)
def test_runs_of_one_law_are_seldom_taken_for_collapsed(law, n):
    rng = np.random.default_rng(n)
    alarms = sum(any(flagged(LAWS[law](rng, n), LAWS[law](rng, n))) for _ in range(400))
    assert binomtest(alarms, 400, MOST[law], alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("n", [3, 5, 10, 40])
def test_few_runs_far_down_are_found_and_no_others(n):
    rng = np.random.default_rng(n)
    found = 0
    for _ in range(100):
        few = rng.integers(1, int(0.4 * n) + 1)
        a, b = rng.normal(size=(2, n))
        b[:few] -= rng.uniform(100, 300, few)
        found += flagged(a, b) == [[], list(range(few))]
    assert found >= 90


def test_both_setups_may_have_collapsed_runs_and_lucky_ones():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 12))
    a[[2, 5]] -= 60
    b[7] -= 90
    b[3] += 70
    assert flagged(a, b) == [[2, 5], [3, 7]]


def test_the_other_setup_tells_what_three_runs_alone_cannot():
    b = np.array([0.912, 0.915, 0.62])
    assert flagged(np.array([0.91]), b) == [[], []]
    assert flagged(np.array([0.91, 0.918, 0.914, 0.911]), b) == [[], [2]]


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_units_and_sides_make_no_difference(seed, factor, shift):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 6))
    b[1] -= 50
    found = flagged(a, b)
    assert flagged(-factor * a + shift, -factor * b + shift) == found
    assert flagged(b, a) == found[::-1]


@pytest.mark.parametrize(
    ("b", "far"),
    [
        ([0.91, 0.91, 0.91, 0.92], []),  # a rounding, no gap
        ([0.91, 0.91, 0.91, 0.21], [3]),
        ([0.91, 0.3], []),
        ([0.91], []),
        ([0.1, 0.9, 0.1, 0.9], []),  # halves are no minority
        ([1e300, 0.91, 0.92, 0.91], [0]),
    ],
)
def test_rounded_few_and_huge_values(b, far):
    assert flagged(np.array([0.91, 0.91, 0.92, 0.91]), np.array(b)) == [[], far]


def test_a_gap_of_a_few_predictions_is_none():
    a, b = np.full(5, 0.9004), np.array([0.9004, 0.9004, 0.9004, 0.9004, 0.9012])
    assert flagged(a, b, grain=0.0004) == [[], []]
    b[4] = 0.9104
    assert flagged(a, b, grain=0.0004) == [[], [4]]


@pytest.mark.parametrize(("hits", "runs"), [(0, 5), (2, 10), (5, 5), (7, 40)])
def test_the_interval_of_a_share_is_scipys(hits, runs):
    wanted = stats.binomtest(hits, runs).proportion_ci(0.95, method="exact")
    assert share_interval(hits, runs, 0.95) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("runs", [1, 3, 5, 100])
def test_a_share_at_the_limit_is_unseen_in_one_study_of_twenty(runs):
    assert stats.binom.pmf(0, runs, unseen_share(runs, 0.95)) == pytest.approx(0.05)
