"""The share by which costs are lower: against scipy, by its own inversion, coverage, one run."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from seedwise.errors import DataError
from seedwise.stats.cheaper import saving_of


def drawn(seed, runs=(8, 8), means=(100.0, 80.0)):
    rng = np.random.default_rng(seed)
    return tuple(mean + 5 * rng.normal(size=n) for mean, n in zip(means, runs, strict=True))


def test_the_test_is_students_of_pairs_and_welchs_of_others():
    a, b = drawn(0)
    found = saving_of(a, b, wanted=0.15, paired=True, alpha=0.05)
    expected = scipy.stats.ttest_rel(b, 0.85 * a, alternative="less")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    a, b = drawn(1, runs=(6, 9))
    found = saving_of(a, b, wanted=0.15, paired=False, alpha=0.05)
    expected = scipy.stats.ttest_ind(b, 0.85 * a, equal_var=False, alternative="less")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_ends_where_the_test_shows_nothing(seed, alpha):
    a, b = drawn(seed)
    found = saving_of(a, b, wanted=0.0, paired=True, alpha=alpha)
    assert found.low <= found.estimate <= found.high
    if found.low >= 0:
        at = saving_of(a, b, wanted=found.low, paired=True, alpha=alpha)
        assert at.p_value == pytest.approx(alpha, rel=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
def test_the_unit_of_cost_is_nothing(seed, unit):
    a, b = drawn(seed)
    found = saving_of(a, b, wanted=0.1, paired=True, alpha=0.05)
    scaled = saving_of(unit * a, unit * b, wanted=0.1, paired=True, alpha=0.05)
    assert scaled.p_value == pytest.approx(found.p_value, rel=1e-6)
    assert (scaled.low, scaled.high) == pytest.approx((found.low, found.high), rel=1e-6)


@pytest.mark.parametrize("paired", [True, False])
def test_a_saving_that_is_just_the_share_is_rarely_called_more(paired):
    shown = held = 0
    for seed in range(1500):
        a, b = drawn([seed, 5], means=(100.0, 90.0))
        found = saving_of(a, b, wanted=0.1, paired=paired, alpha=0.05)
        shown += found.p_value < 0.05
        held += found.low <= 0.1 <= found.high
    assert shown / 1500 == pytest.approx(0.05, abs=0.017)  # 1,500 studies: 0.05 ± 0.011
    assert held / 1500 == pytest.approx(0.90, abs=0.024)


def test_one_run_shows_nothing_and_costs_that_never_vary_are_exact():
    one = saving_of(np.array([10.0]), np.array([1.0]), wanted=0.1, paired=True, alpha=0.05)
    assert (one.p_value, one.high) == (1.0, math.inf)
    a, b = np.full(3, 10.0), np.full(3, 8.0)
    assert saving_of(a, b, wanted=0.1, paired=False, alpha=0.05).p_value == 0
    assert saving_of(a, b, wanted=0.3, paired=False, alpha=0.05).p_value == 1


def test_costs_that_keep_a_ratio_exactly_have_that_saving():
    a, _ = drawn(3)
    found = saving_of(a, 0.8 * a, wanted=0.1, paired=True, alpha=0.05)
    assert (found.low, found.high) == pytest.approx((0.2, 0.2), abs=1e-6)
    assert found.p_value < 1e-6


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_costs_are_above_0(bad):
    with pytest.raises(DataError, match="costs must be numbers above 0 in every run, got "):
        saving_of(np.array([1.0, bad]), np.array([1.0, 2.0]), wanted=0.1, paired=True, alpha=0.05)
