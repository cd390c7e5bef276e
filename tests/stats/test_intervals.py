import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from seedwise.errors import DataError
from seedwise.stats.equivalence import equivalence
from seedwise.stats.intervals import (
    Sample,
    difference_from_target,
    paired_difference,
    sign_flip_floor,
    sign_flip_p,
    unpaired_difference,
)
from seedwise.stats.moments import skewness, usual_skewness

RNG = np.random.default_rng(0)
A, B = RNG.normal(0.93, 0.002, 10), RNG.normal(0.932, 0.002, 10)
LONG_B = RNG.normal(0.932, 0.004, 7)
accuracies = arrays(np.float64, st.integers(2, 12), elements=st.floats(0, 1, width=32))


def test_paired_agrees_with_scipy():
    found, wanted = paired_difference(A, B), scipy_stats.ttest_rel(B, A)
    interval = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.p_value, found.freedom) == pytest.approx((wanted.pvalue, 9))


def test_unpaired_agrees_with_scipy():
    found = unpaired_difference(A, LONG_B, confidence=0.9)
    wanted = scipy_stats.ttest_ind(LONG_B, A, equal_var=False)
    interval = wanted.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.p_value, found.freedom) == pytest.approx((wanted.pvalue, wanted.df))


def test_a_target_agrees_with_scipy():
    found, wanted = difference_from_target(A, 0.931), scipy_stats.ttest_1samp(A, 0.931)
    interval = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low - 0.931, interval.high - 0.931))
    assert found.p_value == pytest.approx(wanted.pvalue)


@pytest.mark.parametrize("margin", [0.001, 0.003, 0.01])
def test_equivalence_agrees_with_statsmodels(margin):
    found = equivalence(paired_difference(A, B), margin)
    wanted, above, _ = ttost_paired(B, A, -margin, margin)
    assert (found.p_value, found.p_not_worse) == pytest.approx((wanted, above[1]))
    unpaired = equivalence(unpaired_difference(A, LONG_B), margin)
    wanted, above, _ = ttost_ind(LONG_B, A, -margin, margin, usevar="unequal")
    assert (unpaired.p_value, unpaired.p_not_worse) == pytest.approx((wanted, above[1]))


@given(st.floats(1e-4, 0.02))
def test_equivalent_is_an_interval_of_1_less_2_alpha_within_the_margin(margin):
    found = equivalence(paired_difference(A, B), margin)
    assert found.equivalent == (-margin < found.low and found.high < margin)
    assert found.not_worse == (-margin < found.low)


def test_sign_flips_agree_with_scipy():
    exact = scipy_stats.permutation_test(
        (B - A,), np.mean, permutation_type="samples", n_resamples=10_000
    )
    assert sign_flip_p(B - A) == pytest.approx(exact.pvalue)


def test_ties_stay_ties_among_sign_flips():
    """Accuracies are multiples of 1/examples, so ties are common; exact p is 4/16 by fractions."""
    assert sign_flip_p(np.array([-0.6, -1.0, -1.0, 0.3])) == 0.25


@pytest.mark.parametrize("pairs", [1, 2, 5, 6])
def test_no_sign_flip_test_goes_below_its_floor(pairs):
    assert sign_flip_p(np.arange(1.0, pairs + 1)) == sign_flip_floor(pairs)


def test_too_many_pairs_for_all_flips_is_said():
    with pytest.raises(DataError, match="1 to 16 pairs, got 17"):
        sign_flip_p(np.ones(17))


@given(accuracies, st.integers(0, 2**32), st.booleans())
def test_swapping_the_setups_negates_the_difference(a, seed, paired):
    b = np.random.default_rng(seed).permutation(a)
    between = paired_difference if paired else unpaired_difference
    forth, back = between(a, b), between(b, a)
    assert forth.estimate == -back.estimate
    assert (forth.low, forth.high) == (-back.high, -back.low)
    assert forth.p_value == back.p_value


@given(st.floats(-1, 1), st.booleans())
def test_adding_a_constant_to_all_runs_changes_no_p_value(constant, paired):
    between = paired_difference if paired else unpaired_difference
    moved = between(A + constant, B + constant)
    assert moved.p_value == pytest.approx(between(A, B).p_value, rel=1e-6)


@pytest.mark.parametrize("between", [paired_difference, unpaired_difference])
def test_one_run_says_nothing(between):
    found = between(np.array([0.9]), np.array([0.99]))
    assert (found.low, found.high, found.p_value) == (-math.inf, math.inf, 1.0)
    assert not equivalence(found, 0.5).equivalent
    assert not equivalence(found, 0.5).not_worse


@pytest.mark.parametrize("between", [paired_difference, unpaired_difference])
def test_runs_that_are_all_equal_say_nothing(between):
    """0.1 + 0.2 differs from 0.3 by rounding: that is no spread."""
    found = between(np.array([0.1 + 0.2, 0.3, 0.3]), np.array([0.4, 0.4, 0.4]))
    assert (found.low, found.high, found.p_value) == (-math.inf, math.inf, 1.0)


def test_two_pairs_give_an_interval_with_one_degree_of_freedom():
    found = paired_difference(np.array([0.0, 0.0]), np.array([0.01, 0.02]))
    assert found.high - found.estimate == pytest.approx(12.706 * 0.005, rel=1e-4)


def test_thousands_of_runs_are_compared():
    a = np.random.default_rng(1).normal(0.9, 0.01, 5_000)
    assert paired_difference(a, a + 0.001 + 1e-4 * np.arange(5_000) / 5_000).p_value < 1e-300


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_difference(A, LONG_B), r"same seeds; got shapes \(10,\) and \(7,\)"),
        (lambda: paired_difference(A[:0], B[:0]), "at least one run, got 0 and 0"),
        (lambda: unpaired_difference(A, np.array([0.9, np.nan])), "score diverged runs"),
        (lambda: unpaired_difference(A, B, confidence=1), "between 0 and 1, got 1"),
        (lambda: equivalence(paired_difference(A, B), 0), "a number above 0, got 0"),
    ],
)
def test_what_cannot_be_compared_is_said(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_a_sample_of_nothing_and_of_one_has_no_deviation():
    assert math.isnan(Sample.of(np.array([])).mean)
    assert math.isnan(Sample.of(np.array([0.5])).sd)
    assert Sample.of(np.array([0.5])).sd0 == 0


@pytest.mark.parametrize("runs", [(10, 2), (2, 20), (3, 2)])
@pytest.mark.parametrize("wide", [1, 3])
def test_two_runs_beside_many_raise_no_more_false_alarms_than_stated(runs, wide):
    """Welch's degrees of freedom gave 10 to 12 % of a stated 5 at 10 runs and 2."""
    rng, studies = np.random.default_rng(0), 1_000
    alarms = 0
    for _ in range(studies):
        a, b = (rng.normal(size=n) for n in runs)
        alarms += unpaired_difference(a, wide * b).p_value < 0.05
    assert scipy_stats.binomtest(alarms, studies, 0.05, alternative="greater").pvalue > 1e-4
    assert unpaired_difference(a, b).freedom == 1


def test_two_runs_of_each_are_welchs():
    found = unpaired_difference(A[:2], B[:2])
    wanted = scipy_stats.ttest_ind(B[:2], A[:2], equal_var=False)
    assert (found.p_value, found.freedom) == pytest.approx((wanted.pvalue, wanted.df))


@given(arrays(np.float64, st.integers(3, 12), elements=st.floats(0, 1, width=16)))
def test_skewness_agrees_with_scipy(values):
    found = skewness(values)
    if values.std() < 1e-3:  # scipy calls them equal at another bound
        return
    assert found == pytest.approx(scipy_stats.skew(values, bias=False), abs=1e-9)
    assert skewness(-values) == pytest.approx(-found, abs=1e-9)


@pytest.mark.parametrize("n", [5, 10, 19, 40])
def test_normal_numbers_rarely_pass_the_usual_skewness(n):
    values = np.random.default_rng(n).normal(size=(4_000, n))
    passed = sum(abs(skewness(each)) > usual_skewness(n) for each in values)
    assert scipy_stats.binomtest(passed, 4_000, 0.045).pvalue > 1e-4
