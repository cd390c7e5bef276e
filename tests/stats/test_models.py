"""Two models on the same examples: against scipy, symmetries, coverage, one example."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from seedwise.errors import DataError
from seedwise.stats.models import difference_of_models


def answers(both, only_a, only_b, neither):
    a = [1] * both + [1] * only_a + [0] * only_b + [0] * neither
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return np.array(a), np.array(b)


COUNTS = [(30, 4, 15, 51), (12, 3, 9, 2), (90, 1, 5, 4), (200, 40, 44, 216)]


@pytest.mark.parametrize("counts", COUNTS)
def test_right_and_wrong_have_mcnemars_exact_p(counts):
    found = difference_of_models(*answers(*counts))
    _, only_a, only_b, _ = counts
    expected = scipy.stats.binomtest(min(only_a, only_b), only_a + only_b).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-12)
    assert found.estimate == pytest.approx((only_b - only_a) / sum(counts))


def tango(only_a, only_b, n, side):
    """Tango's interval by maximising the likelihood under each difference."""

    def score(delta):
        def negative(p_b):  # of P(B only), P(A only) = p_b - delta
            p_a, rest = p_b - delta, 1 - 2 * p_b + delta
            if min(p_a, p_b, rest) <= 0:
                return 1e9
            log = only_a * math.log(p_a) + only_b * math.log(p_b)
            return -(log + (n - only_a - only_b) * math.log(rest))

        bounds = (max(0, delta) + 1e-12, (1 + delta) / 2 - 1e-12)
        p_b = minimize_scalar(negative, bounds=bounds, method="bounded", options={"xatol": 1e-12})
        variance = n * (2 * p_b.x - delta - delta**2)
        return (only_b - only_a - n * delta) / math.sqrt(variance)

    z, middle = 1.959963984540054, (only_b - only_a) / n
    ends = (middle, 0.999) if side > 0 else (-0.999, middle)
    return brentq(lambda delta: score(delta) + side * z, *ends)


@pytest.mark.parametrize("counts", COUNTS)
def test_right_and_wrong_have_tangos_interval(counts):
    found = difference_of_models(*answers(*counts))
    _, only_a, only_b, _ = counts
    low, high = (tango(only_a, only_b, sum(counts), side) for side in (-1, 1))
    if found.p_value >= 0.05:
        low, high = min(low, 0), max(high, 0)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


def test_other_scores_have_a_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    found, expected = difference_of_models(a, b), scipy.stats.ttest_rel(b, a)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)


@given(st.tuples(*[st.integers(0, 40)] * 4).filter(any), st.sampled_from([0.8, 0.95, 0.99]))
def test_test_and_interval_agree_and_turn_round_together(counts, confidence):
    a, b = answers(*counts)
    found = difference_of_models(a, b, confidence=confidence)
    turned = difference_of_models(b, a, confidence=confidence)
    assert (turned.estimate, turned.p_value) == (-found.estimate, found.p_value)
    assert (-turned.high, -turned.low) == pytest.approx((found.low, found.high), abs=1e-9)
    assert found.low <= found.estimate <= found.high
    assert -1 <= found.low <= found.high <= 1
    assert found.clear_of_zero == (found.p_value < 1 - confidence) or not found.clear_of_zero
    if found.p_value >= 1 - confidence:
        assert found.low <= 0 <= found.high


@pytest.mark.parametrize(("n", "difference"), [(50, 0.0), (50, 0.3), (500, 0.05), (5000, 0.0)])
def test_the_interval_covers(n, difference):
    rng, held, studies = np.random.default_rng(n), 0, 1000
    for _ in range(studies):
        both, only_b = 0.5, 0.1 + difference
        answer = rng.choice(4, n, p=[both, 0.1, only_b, 1 - both - 0.1 - only_b])
        found = difference_of_models(np.isin(answer, (0, 1)) * 1, np.isin(answer, (0, 2)) * 1)
        held += found.low <= difference <= found.high
    assert held / studies >= 0.935  # 1,000 studies: 0.95 ± 0.014


def test_one_example_tells_nothing():
    assert math.isinf(difference_of_models(np.array([0.2]), np.array([0.7])).high)
    found = difference_of_models(np.array([0]), np.array([1]))
    assert (found.p_value, found.low <= 0 <= found.high) == (1, True)
    assert math.isinf(difference_of_models(np.zeros(5), np.full(5, 0.3)).low)


def test_models_that_answer_alike_are_as_close_as_the_examples_tell():
    found = difference_of_models(np.ones(100), np.ones(100))
    assert (found.estimate, found.p_value) == (0, 1)
    assert found.low == pytest.approx(-found.high)
    assert found.high == pytest.approx(1.96**2 / (100 + 1.96**2), rel=1e-3)


def test_other_examples_are_refused():
    with pytest.raises(DataError, match="must score the same examples"):
        difference_of_models(np.zeros(3), np.zeros(4))
    with pytest.raises(DataError, match="not finite"):
        difference_of_models(np.zeros(2), np.array([0, np.nan]))


@pytest.mark.parametrize("apart", [2, 4, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_few_grades_that_all_rise_show_nothing(apart, sign):
    """Student's t takes five of forty for p = .02; sign flips cannot show so few."""
    differences = np.zeros(40)
    differences[:apart] = sign * np.array([0.5, 0.5, 0.25, 0.5, 0.25])[:apart]
    found = difference_of_models(np.zeros(40), differences)
    flips = scipy.stats.permutation_test(
        (differences[:apart],), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert found.p_value == pytest.approx(flips.pvalue)
    assert not found.clear_of_zero
    assert found.estimate == pytest.approx(differences.mean())


def test_it_is_students_t_where_more_examples_differ_or_most_do():
    some = np.array([0.5, 1.0, 0.75, 0.25, 0.5, 0.75])
    mixed = some * [1, 1, 1, -1, 1, 1]
    for values, count in ((mixed, 40), (some[:5], 9), (mixed[:4], 40)):
        differences = np.zeros(count)
        differences[: len(values)] = values
        found = difference_of_models(np.zeros(count), differences)
        student = scipy.stats.ttest_1samp(differences, 0)
        assert found.p_value == pytest.approx(student.pvalue, rel=1e-9)
        ends = student.confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_grades_show_on_as_few_examples_as_right_and_wrong():
    """Halves in place of ones: McNemar's test and this one begin to show at six of forty."""
    for apart, shown in ((5, False), (6, True)):
        right = np.arange(40) < apart
        for scale in (1.0, 0.5):
            found = difference_of_models(np.zeros(40), scale * right)
            assert (found.p_value < 0.05) == found.clear_of_zero == shown
