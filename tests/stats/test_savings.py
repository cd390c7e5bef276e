"""Which metric needs the fewest runs."""

import math

import numpy as np
import pytest
from scipy import stats

from helpers.real_runs import of_setup
from seedwise.errors import DataError
from seedwise.stats.savings import signal

COVARIANCE = np.array(
    [[1, 0.3, 0.6, 0.3], [0.3, 1, 0.3, 0.6], [0.6, 0.3, 0.6, 0.4], [0.3, 0.6, 0.4, 0.6]]
)
"""Of accuracy of A and of B, and of another metric of A and of B."""


def drawn(rng, pairs, effect):
    means = [0, effect, 0, 0.8 * effect]
    return rng.multivariate_normal(means, COVARIANCE, size=pairs).T


def found(a, b, accuracy_a, accuracy_b):
    return signal(a, b, accuracy_a=accuracy_a, accuracy_b=accuracy_b)


def test_the_factor_is_the_ratio_of_runs_that_a_power_formula_asks_for():
    """Normal approximation: runs = (z sd / difference)^2."""
    accuracy_a, accuracy_b, a, b = drawn(np.random.default_rng(0), 30, 1.0)
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    unpaired = z**2 * (accuracy_a.var(ddof=1) + accuracy_b.var(ddof=1))
    unpaired /= (accuracy_b - accuracy_a).mean() ** 2
    paired = z**2 * (b - a).var(ddof=1) / (b - a).mean() ** 2
    got = found(a, b, accuracy_a, accuracy_b)
    assert got.saved_paired.value == pytest.approx(unpaired / paired)
    assert got.correlation == pytest.approx(stats.pearsonr(a, b).statistic)


def test_swapping_setups_and_rescaling_the_metric_change_no_factor():
    accuracy_a, accuracy_b, a, b = drawn(np.random.default_rng(1), 12, 1.0)
    one = found(a, b, accuracy_a, accuracy_b)
    other = found(3 - 7 * b, 3 - 7 * a, accuracy_b, accuracy_a)
    for name in ("value", "low", "high"):
        assert getattr(other.saved_paired, name) == pytest.approx(getattr(one.saved_paired, name))


@pytest.mark.parametrize("pairs", [5, 10, 20])
@pytest.mark.parametrize("effect", [0.5, 2.0])
def test_the_interval_covers_at_its_stated_rate(pairs, effect):
    true = (0.8 * effect) ** 2 / (0.6 + 0.6 - 0.8) / (effect**2 / 2)
    rng = np.random.default_rng(pairs)
    hits = 0
    for _ in range(600):
        accuracy_a, accuracy_b, a, b = drawn(rng, pairs, effect)
        saved = found(a, b, accuracy_a, accuracy_b).saved_paired
        hits += saved.low <= true <= saved.high
    assert stats.binomtest(hits, 600, 0.95, alternative="less").pvalue > 1e-6


def test_unpaired_accuracy_saves_nothing_against_itself():
    accuracy_a, accuracy_b, *_ = drawn(np.random.default_rng(2), 8, 1.0)
    got = found(accuracy_a, accuracy_b, accuracy_a, accuracy_b)
    assert (got.saved_unpaired.low, got.saved_unpaired.value, got.saved_unpaired.high) == (1, 1, 1)


def test_real_runs_show_what_pairing_and_matching_save():
    """Over 25 pairs it was about 4 (B) and 19 (C), against unpaired accuracy on both views."""
    for name, least, most in (("B", 2, 12), ("C", 9, 40)):
        got = signal(
            of_setup("matched_accuracy", "A"),
            of_setup("matched_accuracy", name),
            accuracy_a=of_setup("accuracy", "A"),
            accuracy_b=of_setup("accuracy", name),
        )
        assert least < got.saved_paired.value < most
        assert got.saved_paired.low > 1
        assert got.saved_paired.value > got.saved_unpaired.value


def test_no_spread_or_no_difference_leaves_the_factor_unknown():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 6))
    for one, other in ((a, a), (np.ones(6), np.zeros(6))):
        got = found(one, other, a, b)
        assert math.isnan(got.saved_paired.value)
        assert (got.saved_paired.low, got.saved_paired.high) == (0, math.inf)


@pytest.mark.parametrize("pairs", [1, 2])
def test_two_pairs_are_no_signal(pairs):
    values = np.arange(float(pairs))
    with pytest.raises(DataError, match="at least 3 pairs"):
        found(values, values, values, values)


def test_a_run_that_diverged_is_refused():
    values = np.array([1.0, 2, 3, np.nan])
    with pytest.raises(DataError, match="not finite"):
        found(values, values, values, values)
