"""Intervals hold as often as they say, or as often as docs/statistics.md says they do.

Bounds are binomial, at one in a million, so that no test flakes. benchmarks/holding.py has more
studies and more kinds of data.
"""

import numpy as np
import pytest
from scipy.stats import binomtest

from helpers.real_runs import of_setup
from seedwise.stats.equivalence import equivalence
from seedwise.stats.intervals import paired_difference, unpaired_difference
from seedwise.stats.populations import paired_on_new_images, unpaired_on_new_images

STUDIES = 1_000
RUNS = [3, 5, 10, 20]
NOISE = {
    "normal": lambda rng, n: rng.normal(size=n),
    "discrete": lambda rng, n: rng.binomial(200, 0.8, n) / 200 - 0.8,
    "skewed": lambda rng, n: rng.exponential(size=n) - 1,
}
PAIRED_IF_SKEWED = {3: 0.88, 5: 0.88, 10: 0.90, 20: 0.916}
WELCH_IF_SKEWED = {3: 0.945, 5: 0.931, 10: 0.932, 20: 0.931}


def holds(hits, stated):
    return binomtest(int(hits), STUDIES, stated).pvalue > 1e-6


@pytest.mark.parametrize("n", RUNS)
@pytest.mark.parametrize("kind", NOISE)
def test_paired_intervals_hold(kind, n):
    rng = np.random.default_rng(n)
    found = [paired_difference(np.zeros(n), NOISE[kind](rng, n)) for _ in range(STUDIES)]
    hits = sum(each.low <= 0 <= each.high for each in found)
    assert holds(hits, PAIRED_IF_SKEWED[n] if kind == "skewed" else 0.95)


@pytest.mark.parametrize("n", RUNS)
@pytest.mark.parametrize("kind", NOISE)
def test_unpaired_intervals_hold(kind, n):
    rng, draw = np.random.default_rng(n), NOISE[kind]
    found = [unpaired_difference(draw(rng, n), 2 * draw(rng, n)) for _ in range(STUDIES)]
    hits = sum(each.low <= 0 <= each.high for each in found)
    assert holds(hits, WELCH_IF_SKEWED[n] if kind == "skewed" else 0.95)


@pytest.mark.parametrize("n", RUNS)
def test_equivalent_at_the_margin_is_as_rare_as_stated(n):
    rng = np.random.default_rng(n)
    found = [paired_difference(np.zeros(n), 4 + rng.normal(size=n)) for _ in range(STUDIES)]
    assert holds(sum(equivalence(each, 4.0).equivalent for each in found), 0.05)


@pytest.mark.parametrize("n", RUNS)
@pytest.mark.parametrize("kind", ["normal", "discrete"])
@pytest.mark.parametrize("form", [paired_on_new_images, unpaired_on_new_images])
def test_intervals_on_new_images_hold_for_new_images(form, kind, n):
    """New images in every study; neither setup is better over all images."""
    rng, hits = np.random.default_rng(n), 0
    for _ in range(STUDIES):
        image = 1.5 * rng.normal(size=60) + 0.5 * rng.normal(size=(2, 1, 60))
        scores = image + 0.2 * rng.normal(size=(2, n, 1)) + rng.normal(size=(2, n, 60))
        found = form(*((scores > 0).astype(np.float32) if kind == "discrete" else scores))
        hits += found.low <= 0 <= found.high
    assert holds(hits, 0.95)


def test_intervals_on_these_images_do_not_hold_for_new_ones():
    """What would be claimed by reading the one as the other."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(STUDIES):
        image = rng.normal(size=(2, 1, 60))
        a, b = (image + 0.05 * rng.normal(size=(2, 5, 60))).mean(axis=2)
        found = paired_difference(a, b)
        hits += found.low <= 0 <= found.high
    assert hits < 0.3 * STUDIES


@pytest.mark.parametrize("metric", ["accuracy", "matched_accuracy", "ranked_accuracy"])
@pytest.mark.parametrize("n", [3, 5, 8])
def test_intervals_hold_on_other_seeds_of_real_setups(metric, n):
    """Disjoint sets of the 16 seeds of each of four setups; the draws are not independent, so
    that the bound is that of the 64 runs there are, in sets of n."""
    rng, hits, draws = np.random.default_rng(n), 0, 250
    for setup in "ABCD":
        values = of_setup(metric, setup)
        for _ in range(draws):
            seeds = rng.permutation(16)
            found = unpaired_difference(values[seeds[:n]], values[seeds[n : 2 * n]])
            hits += found.low <= 0 <= found.high
    sets = 64 // (2 * n)
    assert binomtest(round(hits / (4 * draws) * sets), sets, 0.95).pvalue > 1e-3


@pytest.mark.parametrize("other", ["B", "C", "D"])
@pytest.mark.parametrize("metric", ["accuracy", "matched_accuracy", "ranked_accuracy"])
def test_paired_intervals_hold_on_the_noise_of_real_pairs(metric, other):
    """Real differences without their mean, turned round at random: 5 of 16 pairs at a time."""
    difference = of_setup(metric, other) - of_setup(metric, "A")
    rest, rng = difference - difference.mean(), np.random.default_rng(5)
    hits = 0
    for _ in range(STUDIES):
        drawn = rng.choice([-1, 1], 5) * rng.permutation(rest)[:5]
        found = paired_difference(np.zeros(5), drawn)
        hits += found.low <= 0 <= found.high
    assert hits / STUDIES > 0.9  # an error of 2 points: the record's, jackknifed over the seeds
