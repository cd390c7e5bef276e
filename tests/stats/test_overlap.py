"""Pairs of one seed and runs without a partner, together."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from seedwise.errors import DataError
from seedwise.stats.intervals import paired_difference
from seedwise.stats.overlap import overlapping_difference, overlapping_weights
from seedwise.stats.populations import overlapping_on_new_images, paired_on_new_images

NONE = np.empty(0)


def drawn(rng, n, rest, r, wide=1.0):
    """Pairs that correlate by r, and runs without a partner; B varies `wide` times as much."""
    shared = rng.normal(size=n)
    a, b = (math.sqrt(r) * shared + math.sqrt(1 - r) * rng.normal(size=n) for _ in range(2))
    return (a, wide * b), (rng.normal(size=rest[0]), wide * rng.normal(size=rest[1]))


def test_without_a_rest_it_is_the_paired_t_test():
    pairs, _ = drawn(np.random.default_rng(0), 7, (0, 0), 0.5)
    found = overlapping_difference(pairs, (NONE, NONE))
    wanted = scipy_stats.ttest_rel(pairs[1], pairs[0])
    interval = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert (found.n_a, found.rest_a, found.rest_b) == (7, 0, 0)


@pytest.mark.parametrize("rest", [(18, 0), (0, 3), (1, 1), (4, 9)])
def test_the_estimate_is_that_of_generalised_least_squares(rest):
    """Two pairs tell nothing of their correlation: the usual .6 is what weights are made for."""
    (a, b), (alone_a, alone_b) = drawn(np.random.default_rng(1), 2, rest, 0.3)
    values = np.concatenate([a, alone_a, b, alone_b])
    of_a = 2 + rest[0]
    covariance = np.eye(len(values))
    for pair in (0, 1):
        covariance[pair, of_a + pair] = covariance[of_a + pair, pair] = 0.6
    design = np.zeros((len(values), 2))
    design[:of_a, 0] = design[of_a:, 1] = 1
    precision = np.linalg.inv(covariance)
    means = np.linalg.solve(design.T @ precision @ design, design.T @ precision @ values)
    found = overlapping_difference((a, b), (alone_a, alone_b))
    assert found.estimate == pytest.approx(means[1] - means[0])


@pytest.mark.parametrize("rest", [(15, 0), (6, 6)])
def test_the_error_is_the_spread_of_simulated_estimates(rest):
    rng = np.random.default_rng(2)
    found = [overlapping_difference(*drawn(rng, 10, rest, 0.5, 2.0)) for _ in range(1_500)]
    spread = np.std([each.estimate for each in found])
    assert np.sqrt(np.mean([each.error**2 for each in found])) == pytest.approx(spread, rel=0.06)


@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(0, 5), st.integers(0, 5))
def test_swapping_the_setups_negates_and_a_constant_shifts_the_difference(seed, n, more_a, more_b):
    (a, b), (alone_a, alone_b) = drawn(np.random.default_rng(seed), n, (more_a, more_b), 0.5)
    forth = overlapping_difference((a, b), (alone_a, alone_b))
    back = overlapping_difference((b, a), (alone_b, alone_a))
    moved = overlapping_difference((a, b + 3), (alone_a, alone_b + 3))
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    assert (moved.low, moved.high) == pytest.approx((forth.low + 3, forth.high + 3))


@pytest.mark.parametrize("wide", [0.5, 1, 2])
@pytest.mark.parametrize("r", [0, 0.3, 0.7, 0.9])
@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_intervals_of_pairs_and_the_rest_hold(n, r, wide):
    """With Satterthwaite's degrees of freedom they held 87 % of the time with two pairs."""
    rng, studies = np.random.default_rng(n), 250
    for rest in ((1, 1), (20, 0), (0, 20), (20, 2)):
        found = [overlapping_difference(*drawn(rng, n, rest, r, wide)) for _ in range(studies)]
        hits = sum(each.low <= 0 <= each.high for each in found)
        assert scipy_stats.binomtest(hits, studies, 0.95, alternative="less").pvalue > 1e-4


def test_fifteen_more_runs_of_the_baseline_make_the_interval_shorter():
    rng, ratios = np.random.default_rng(3), []
    for _ in range(200):
        pairs, rest = drawn(rng, 5, (15, 0), 0.3)
        both, alone = overlapping_difference(pairs, rest), paired_difference(*pairs)
        ratios.append((both.high - both.low) / (alone.high - alone.low))
    assert np.median(ratios) < 0.9


def test_one_pair_and_pairs_that_do_not_vary_say_nothing():
    one = overlapping_difference((np.ones(1), np.ones(1)), (np.arange(4.0), NONE))
    same = overlapping_difference((np.arange(3.0), np.arange(3.0)), (np.arange(4.0), NONE))
    assert math.isinf(one.high)
    assert math.isinf(same.high)
    with pytest.raises(DataError, match="score diverged runs"):
        overlapping_difference((np.arange(3.0), np.ones(3)), (np.array([math.nan]), NONE))


def test_pairs_that_correlate_more_are_given_more_weight():
    rng = np.random.default_rng(4)
    weak, strong = (
        np.mean([overlapping_weights(drawn(rng, 8, (0, 0), r)[0], (8, 0)).a for _ in range(50)])
        for r in (0.0, 0.95)
    )
    assert weak + 0.1 < strong < 1


@pytest.mark.parametrize("rest", [(4, 0), (1, 1), (0, 6)])
def test_on_new_images_the_estimate_is_the_same_and_the_interval_no_shorter(rest):
    rng = np.random.default_rng(5)
    image = rng.normal(size=40)
    a, b = (image + 0.2 * rng.normal(size=(4, 40)) for _ in range(2))
    alone_a, alone_b = (image + 0.2 * rng.normal(size=(n, 40)) for n in rest)
    wide = overlapping_on_new_images((a, b), (alone_a, alone_b))
    narrow = overlapping_difference(
        (a.mean(axis=1), b.mean(axis=1)), (alone_a.mean(axis=1), alone_b.mean(axis=1))
    )
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.low <= narrow.low + 1e-12
    assert wide.high >= narrow.high - 1e-12
    found = overlapping_on_new_images((a, b), (alone_a[:0], alone_b[:0]))
    wanted = paired_on_new_images(a, b)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("rest", [(10, 0), (3, 3)])
def test_on_new_images_intervals_of_pairs_and_the_rest_hold(rest):
    rng, hits, studies = np.random.default_rng(6), 0, 300
    for _ in range(studies):
        image = 1.5 * rng.normal(size=60) + 0.5 * rng.normal(size=(2, 1, 60))
        shared = 0.2 * rng.normal(size=(5, 1))
        pairs = image + shared + 0.1 * rng.normal(size=(2, 5, 1)) + rng.normal(size=(2, 5, 60))
        alone_a, alone_b = (
            image[i] + 0.22 * rng.normal(size=(n, 1)) + rng.normal(size=(n, 60))
            for i, n in enumerate(rest)
        )
        found = overlapping_on_new_images((pairs[0], pairs[1]), (alone_a, alone_b))
        hits += found.low <= 0 <= found.high
    assert scipy_stats.binomtest(hits, studies, 0.95).pvalue > 1e-4
