import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.nonparametric import rank_compare_2indep

from seedwise.stats.agreement import (
    chance_of_better,
    churn_between,
    churn_within,
    correlation,
    fisher_exact,
)

RNG = np.random.default_rng(0)


def test_correlation_agrees_with_scipy():
    a, b = RNG.normal(size=(2, 12))
    found = correlation(a, a + b, confidence=0.9)
    wanted = scipy_stats.pearsonr(a, a + b)
    interval = wanted.confidence_interval(0.9)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (wanted.statistic, interval.low, interval.high)
    )


@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_few_pairs_leave_the_correlation_open(pairs):
    found = correlation(np.arange(pairs) ** 2.0, np.arange(pairs) * 1.0, confidence=0.95)
    assert (found.low, found.high) == (-1, 1)
    assert math.isnan(found.estimate) == (pairs < 3)


def test_equal_runs_have_no_correlation():
    assert math.isnan(correlation(np.ones(5), np.arange(5.0), confidence=0.95).estimate)


@pytest.mark.parametrize("runs", [(25, 30), (40, 20)])
def test_chance_of_better_agrees_with_statsmodels(runs):
    a, b = RNG.normal(size=runs[0]), np.round(RNG.normal(0.3, 2, size=runs[1]), 1)
    found = chance_of_better(a, b, paired=False, confidence=0.95)
    wanted = rank_compare_2indep(b, a, use_t=True)
    assert found.estimate == pytest.approx(wanted.prob1)
    assert (found.low, found.high) == pytest.approx(wanted.conf_int(alpha=0.05))


def test_sharing_seeds_narrows_the_interval_of_the_chance():
    shared, a, b = RNG.normal(size=(3, 60))
    a, b = shared + 0.3 * a, shared + 0.3 * b
    paired, unpaired = (
        chance_of_better(a, b, paired=paired, confidence=0.95) for paired in (True, False)
    )
    assert paired.estimate == unpaired.estimate
    assert paired.high - paired.low < 0.7 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize("runs", [(5, 5), (19, 30), (3, 12)])
def test_few_runs_are_so_many_duels_at_most(runs):
    """Of whole duels the interval is Clopper and Pearson's, for as many as the fewer runs."""
    fewer = min(runs)
    a, b = np.arange(runs[0]) * 1.0, np.full(runs[1], 100.0)
    b[: runs[1] * 2 // fewer] = -1.0  # two of `fewer` parts of B's runs lose against all of A's
    found = chance_of_better(a, b, paired=False, confidence=0.9)
    won = round(found.estimate * fewer, 9)
    if won.is_integer():
        wanted = scipy_stats.binomtest(int(won), fewer).proportion_ci(0.9)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.low < found.estimate < found.high


@pytest.mark.parametrize("runs", [5, 30])
def test_setups_that_do_not_overlap_are_said_to_be_apart(runs):
    values = np.arange(runs) * 1.0
    found = chance_of_better(values, values + 50, paired=False, confidence=0.95)
    assert (found.estimate, found.apart, found.high) == (1.0, True, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / runs))
    back = chance_of_better(values + 50, values, paired=False, confidence=0.95)
    assert (back.low, back.high) == (0.0, pytest.approx(1 - found.low))


LAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "discrete": lambda rng, size: np.round(2 * rng.normal(size=size)),
    "skewed": lambda rng, size: rng.exponential(size=size),
}


@pytest.mark.parametrize("wide", [1, 3])
@pytest.mark.parametrize("true", [0.75, 0.92, 0.97])
@pytest.mark.parametrize("law", LAWS)
def test_the_interval_of_the_chance_holds_with_few_runs_and_near_1(law, true, wide):
    """Brunner and Munzel's holds 9 to 90 % of the time here, 52 to 80 % at 20 runs and .97."""
    rng, studies = np.random.default_rng(3), 200
    many = np.sort(wide * LAWS[law](rng, 200_000) - LAWS[law](rng, 200_000))
    up = -np.quantile(many, 1 - true)
    chance = (many > -up).mean() + (many == -up).mean() / 2
    for runs, shared in (((3, 3), 0), ((5, 5), 1), ((10, 3), 0), ((20, 20), 0), ((20, 20), 1)):
        hits = 0
        for _ in range(studies):
            a, b = (LAWS[law](rng, n) for n in runs)
            found = chance_of_better(a, wide * b + up, paired=bool(shared), confidence=0.95)
            hits += found.low <= chance <= found.high
        assert scipy_stats.binomtest(hits, studies, 0.95, alternative="less").pvalue > 1e-4


@given(st.integers(0, 2**32), st.booleans())
def test_swapping_the_setups_turns_the_chance_round(seed, paired):
    a, b = np.random.default_rng(seed).integers(0, 9, (2, 24)) * 1.0
    forth = chance_of_better(a, b, paired=paired, confidence=0.95)
    back = chance_of_better(b, a, paired=paired, confidence=0.95)
    assert (forth.estimate, forth.low, forth.high) == pytest.approx(
        (1 - back.estimate, 1 - back.high, 1 - back.low), nan_ok=True
    )


def test_churn_within_counts_every_pair_of_runs():
    predicted = RNG.integers(0, 3, (6, 50))
    pairs = [(predicted[i] != predicted[j]).mean() for i, j in combinations(range(6), 2)]
    assert churn_within(predicted) == pytest.approx(np.mean(pairs))
    assert math.isnan(churn_within(predicted[:1]))


def test_churn_between_compares_runs_of_one_seed():
    a, b = RNG.integers(0, 3, (2, 4, 50))
    by_seed = [np.mean(a[seed] != b[seed]) for seed in range(4)]
    assert churn_between(a, b) == pytest.approx(np.mean(by_seed))
    assert churn_between(a, a) == 0
    assert math.isnan(churn_between(a[:0], b[:0]))


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 20), st.integers(1, 20))
def test_fisher_agrees_with_scipy(hits_a, runs_a, hits_b, runs_b):
    hits_a, hits_b = min(hits_a, runs_a), min(hits_b, runs_b)
    table = [[hits_a, runs_a - hits_a], [hits_b, runs_b - hits_b]]
    assert fisher_exact(hits_a, runs_a, hits_b, runs_b) == pytest.approx(
        scipy_stats.fisher_exact(table).pvalue
    )


def test_one_run_leaves_the_chance_without_an_interval():
    found = chance_of_better(np.ones(1), np.arange(5.0), paired=False, confidence=0.95)
    assert found.estimate == 0.7
    assert math.isnan(found.low)
