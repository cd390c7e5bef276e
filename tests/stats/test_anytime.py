import numpy as np
import pytest
from scipy import integrate, stats

from seedwise.stats.anytime import anytime_bounds, log_evidence
from seedwise.stats.capped import crossing_rates


@pytest.mark.parametrize("g", [0.5, 4.0])
def test_the_evidence_is_a_mixture_of_t_densities(g):
    """Independently: the noncentral t density, mixed over effects by quadrature."""
    differences = np.random.default_rng(1).normal(0.7, 1.0, 12)
    for n in (2, 5, 12):
        t = stats.ttest_1samp(differences[:n], 0).statistic
        mixed, _ = integrate.quad(
            lambda theta, n=n, t=t: (
                stats.norm.pdf(theta, scale=np.sqrt(g)) * stats.nct.pdf(t, n - 1, theta * n**0.5)
            ),
            -12,
            12,
            limit=200,
        )
        want = np.log(mixed / stats.t.pdf(t, n - 1))
        assert log_evidence(differences, g)[n - 1] == pytest.approx(want, rel=1e-6)


def test_the_evidence_is_the_formula_of_wang_and_ramdas():
    """Their equation, with c^2 = 1 / g."""
    d, g = np.random.default_rng(2).normal(0.3, 2.0, 20), 4.0
    n, s, v, c2 = np.arange(1, 21), np.cumsum(d), np.cumsum(d**2), 1 / g
    paper = np.sqrt(c2 / (n + c2)) * ((n + c2) * v / ((n + c2) * v - s**2)) ** (n / 2)
    np.testing.assert_allclose(np.exp(log_evidence(d, g)), paper, rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_the_bounds_are_where_the_evidence_reaches_one_over_alpha(alpha):
    bounds = anytime_bounds(30, alpha)
    rng = np.random.default_rng(3)
    for n in np.flatnonzero(np.isfinite(bounds)) + 1:
        x = rng.normal(size=n)
        z = (x - x.mean()) / x.std(ddof=1)
        just = z + bounds[n - 1] / np.sqrt(n)
        assert log_evidence(just)[-1] == pytest.approx(-np.log(alpha))


@pytest.mark.parametrize("n", [4, 12])
def test_the_bounds_of_unrelated_runs_are_those_of_a_two_sample_t(n):
    """Independently: the noncentral t density with 2(n - 1) degrees of freedom, mixed."""
    t, g, freedom = anytime_bounds(n, 0.05, paired=False)[-1], 4.0, 2 * (n - 1)
    mixed, _ = integrate.quad(
        lambda theta: (
            stats.norm.pdf(theta, scale=np.sqrt(g)) * stats.nct.pdf(t, freedom, theta * n**0.5)
        ),
        -12,
        12,
        limit=200,
    )
    assert mixed / stats.t.pdf(t, freedom) == pytest.approx(1 / 0.05, rel=1e-5)


def test_swapping_the_setups_and_other_units_change_nothing():
    d = np.random.default_rng(4).normal(0.5, 1, (3, 15))
    np.testing.assert_allclose(log_evidence(-100 * d), log_evidence(d), rtol=1e-12)


def test_false_alarms_with_g_1_are_2_percent_by_50_pairs():
    """The quoted 2.1 %, exactly: each side is crossed with half of that."""
    assert 2 * crossing_rates(anytime_bounds(50, 0.05, 1.0)).sum() == pytest.approx(
        0.0255, abs=1e-3
    )


@pytest.mark.parametrize(("effect", "quoted"), [(1.0, 13.2), (1.5, 8.5), (2.0, 6.9)])
def test_mean_pairs_with_g_1_are_the_quoted_ones(effect, quoted):
    d = np.random.default_rng(5).normal(effect, 1, (4_000, 120))
    crossed = log_evidence(d, 1.0) >= np.log(20)
    assert crossed.any(axis=1).all()
    pairs = crossed.argmax(axis=1) + 1
    assert pairs.min() == 5
    error = pairs.std() / np.sqrt(len(pairs))
    assert pairs.mean() == pytest.approx(quoted, abs=5 * error + 0.05)


def test_the_confidence_sequence_holds_the_truth_at_all_pairs_together():
    """2,000 studies looked at after every one of 60 pairs; bound at one in a million."""
    d = np.random.default_rng(6).normal(0.4, 1, (2_000, 60))
    n = np.arange(1, 61)
    mean = np.cumsum(d, axis=1) / n
    sd = np.sqrt((np.cumsum(d**2, axis=1) - n * mean**2) / np.maximum(n - 1, 1))
    outside = np.abs(mean - 0.4) > anytime_bounds(60, 0.05) * np.where(n > 1, sd, 1) / np.sqrt(n)
    assert stats.binomtest(int(outside.any(axis=1).sum()), 2_000, 0.05, "greater").pvalue > 1e-6


def test_nothing_is_said_of_differences_that_are_all_zero_or_of_one_pair():
    assert log_evidence(np.zeros(5)).tolist() == [0.0] * 5
    assert log_evidence(np.array([0.3]))[0] < np.log(20)
    assert np.isinf(anytime_bounds(2, 0.05)).all()
