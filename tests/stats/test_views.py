"""The share of the noise that more views leave: foreseen from two views, and measured."""

from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import binom, pearsonr

from seedwise.errors import DataError
from seedwise.stats.views import FEWEST_RUNS, foreseen_share, measured_share


def flips(rng, runs, views, *, run=0.05, image=0.4, view=0.5, images=150):
    """Right and wrong of a probit model: what runs, images and views of images add is known."""
    hard = np.random.default_rng(0).normal(1.0, 1.5, (1, 1, images))
    moved = (
        rng.normal(0, run, (runs, 1, 1))
        + rng.normal(0, image, (runs, 1, images))
        + rng.normal(0, view, (runs, views, images))
    )
    return (hard + moved > 0).astype(np.int8)


@lru_cache
def truth(views, **noise):
    """The share of the variance over very many runs."""
    rng = np.random.default_rng(99)
    many = np.concatenate(
        [
            np.stack([right[:, :2].mean(axis=(1, 2)), right.mean(axis=(1, 2))])
            for right in (flips(rng, 400, views, **noise) for _ in range(8))
        ],
        axis=1,
    )
    return float(many[1].var() / many[0].var())


def test_the_part_of_single_views_is_that_of_a_loop_over_images():
    right = flips(np.random.default_rng(1), 12, 3)
    single = 0.0
    for image in range(right.shape[2]):
        table = right[:, :, image].astype(float)
        rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
        single += (rest**2).sum() / (11 * 2)
    single /= right.shape[2] ** 2
    total = right.mean(axis=(1, 2)).var(ddof=1)
    found = foreseen_share(right, views=16)
    want = max(1 - single * (1 / 3 - 1 / 16) / total, 3 / 16)
    assert found.share.value == pytest.approx(want, rel=1e-5)
    assert (found.views, found.runs, found.measured) == (16, 12, False)


def test_views_that_are_one_save_nothing_and_views_of_their_own_most():
    rng = np.random.default_rng(2)
    one = np.repeat(flips(rng, 20, 1), 2, axis=1)
    assert foreseen_share(one, views=16).share.value == pytest.approx(1)
    own = flips(rng, 40, 2, run=0, image=0, view=1)
    assert foreseen_share(own, views=16).share.value < 0.35
    assert foreseen_share(own, views=16).share.low == 2 / 16


def test_turning_the_differences_round_changes_nothing():
    right = flips(np.random.default_rng(3), 14, 2)
    apart = right[:7] - right[7:]
    apart = np.concatenate([apart, apart[::-1]])
    here, there = (foreseen_share(sign * apart, views=10).share for sign in (1, -1))
    assert (here.value, here.low, here.high) == pytest.approx((there.value, there.low, there.high))


@pytest.mark.parametrize("runs", [1, 2, FEWEST_RUNS - 1])
def test_few_runs_tell_nothing(runs):
    right = flips(np.random.default_rng(4), runs, 2)
    assert foreseen_share(right, views=16) is None
    means = right.mean(axis=(1, 2))
    assert measured_share(means, means, views=16) is None


def test_runs_that_do_not_vary_tell_nothing_either():
    same = np.repeat(flips(np.random.default_rng(5), 1, 2), 12, axis=0)
    assert foreseen_share(same, views=16) is None
    assert measured_share(np.ones(12), np.arange(12.0), views=16) is None
    assert foreseen_share(flips(np.random.default_rng(5), 12, 16), views=16) is None
    with pytest.raises(DataError, match=r"scores must be \(runs, views, images\)"):
        foreseen_share(same[0], views=16)


@pytest.mark.parametrize("runs", [10, 20])
@pytest.mark.parametrize("noise", [{}, {"run": 0.15, "view": 0.3}], ids=["flips", "runs"])
def test_the_intervals_hold_what_very_many_runs_say(runs, noise):
    """95 % stated, 100 studies: foreseen from two views, and measured with sixteen."""
    want, rng, studies = truth(16, **noise), np.random.default_rng(6), 100
    foreseen = measured = 0
    for _ in range(studies):
        right = flips(rng, runs, 16, **noise)
        first = foreseen_share(right[:, :2], views=16).share
        means = right[:, :2].mean(axis=(1, 2)), right.mean(axis=(1, 2))
        second = measured_share(*means, views=16).share
        foreseen += first.low <= want <= first.high
        measured += second.low <= want <= second.high
    least = binom.ppf(1e-4, studies, 0.93)
    assert foreseen >= least
    assert measured >= least


def test_an_end_of_the_measured_interval_is_a_ratio_that_a_test_just_rejects():
    """Pitman: x / sqrt(q) + y and x / sqrt(q) - y do not correlate where q is their ratio."""
    rng = np.random.default_rng(7)
    few = rng.normal(size=14)
    many = 0.5 * few + 0.3 * rng.normal(size=14)
    found = measured_share(few, many, views=10)
    assert found.share.value == pytest.approx(many.var() / few.var())
    for end in (found.share.low, found.share.high):
        scaled = many / np.sqrt(end)
        assert pearsonr(scaled + few, scaled - few).pvalue == pytest.approx(0.05, abs=1e-6)
