import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from seedwise.errors import ConfigError
from seedwise.stats.power import (
    Noise,
    Pilot,
    equivalence_power,
    power,
    reachable_difference,
    runs_needed,
    runs_to_show,
    sd_upper,
)


@pytest.mark.parametrize(("sd", "wanted"), [(0.0035, [50, 9, 4]), (0.0025, [26, 6, 3])])
def test_the_notebooks_spread_needs_the_published_numbers_of_runs(sd, wanted):
    noise = Noise(sd=sd)
    found = [
        runs_needed(lambda runs, d=d: power(d, runs, noise), 0.8) for d in (0.002, 0.005, 0.01)
    ]
    assert found == wanted


@pytest.mark.parametrize("runs", [2, 3, 5, 10, 40, 300])
@pytest.mark.parametrize("size", [0.0, 0.05, 0.3, 1, 2, 5])
def test_power_agrees_with_statsmodels(runs, size):
    unpaired = TTestIndPower().power(size, runs, 0.05)
    paired = TTestPower().power(size / math.sqrt(2 * (1 - 0.9)), runs, 0.05)
    for wanted, noise in ((unpaired, Noise(sd=1)), (paired, Noise(sd=1, r=0.9))):
        if not math.isnan(wanted):  # statsmodels has the same noncentral t, far out NaN
            assert power(size, runs, noise) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("runs", [2, 3, 11, 100])
def test_power_rises_to_1_however_far_out(runs):
    found = [power(size, runs, Noise(sd=1, r=0.95)) for size in np.linspace(0, 300, 400)]
    assert np.diff(found).min() > -1e-9
    assert found[0] == pytest.approx(0.05)
    assert found[-1] == pytest.approx(1)


@pytest.mark.parametrize("r", [None, 0.8])
@pytest.mark.parametrize("true", [0.0, 0.3])
def test_power_of_equivalence_agrees_with_simulation(r, true):
    runs, studies, rng = 8, 20_000, np.random.default_rng(1)
    noise = Noise(sd=0.5, r=r)
    freedom, error = noise.freedom(runs), noise.error(runs)
    estimates = true + error * rng.normal(size=studies)
    errors = error * np.sqrt(rng.chisquare(freedom, studies) / freedom)
    half = scipy_stats.t.ppf(0.95, freedom) * errors
    hits = int((np.abs(estimates) + half < 0.7).sum())
    expected = equivalence_power(0.7, runs, noise, difference=true)
    assert scipy_stats.binomtest(hits, studies, expected).pvalue > 1e-6


def test_the_reachable_difference_is_the_one_that_needs_so_many_runs():
    noise = Noise(sd=0.0035, r=0.7)
    difference = reachable_difference(12, noise, wanted=0.9)
    assert power(difference, 12, noise) == pytest.approx(0.9)
    assert runs_needed(lambda runs: power(difference * 1.0001, runs, noise), 0.9) == 12


def test_what_would_need_more_than_100000_runs_is_out_of_reach():
    assert runs_needed(lambda runs: power(1e-6, runs, Noise(sd=1)), 0.8) is None


def test_the_upper_bound_of_a_deviation_holds_as_often_as_it_says():
    rng, studies = np.random.default_rng(2), 20_000
    bounds = [sd_upper(sd, 4) for sd in rng.normal(size=(studies, 5)).std(axis=1, ddof=1)]
    hits = int((np.array(bounds) >= 1).sum())
    assert scipy_stats.binomtest(hits, studies, 0.8).pvalue > 1e-6
    assert math.isinf(sd_upper(0.5, 0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Noise(sd=0), "above 0, got 0"),
        (lambda: Noise(sd=math.nan), "above 0, got nan"),
        (lambda: Noise(sd=1, r=1), "from -1 to below 1, got 1"),
        (lambda: power(1, 1, Noise(sd=1)), "at least 2 runs of each setup, got 1"),
        (lambda: power(1, 3, Noise(sd=1), alpha=1), "between 0 and 1, got 1"),
    ],
)
def test_figures_out_of_range_are_said(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_after_a_large_pilot_runs_to_show_a_difference_are_those_of_statsmodels(alpha):
    wanted = TTestPower().solve_power(0.05, alpha=alpha, power=0.8)
    found = runs_to_show(0.05, Pilot(variances=(1.0,), runs=(2_000,)), alpha=alpha)
    assert found == pytest.approx(wanted, rel=0.003)
    wanted = TTestIndPower().solve_power(0.05, alpha=alpha, power=0.8)
    found = runs_to_show(0.05, Pilot(variances=(1.0, 1.0), runs=(2_000, 2_000)), alpha=alpha)
    assert found == pytest.approx(wanted, rel=0.003)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_true_power_of_what_a_small_pilot_says_is_about_the_one_wanted(n):
    """The spread is known here, and was not to the pilot. The estimate itself in its place gave
    a power of 0.57 to 0.76."""
    rng, powers = np.random.default_rng(n), list[float]()
    for variance in rng.chisquare(n - 1, 200) / (n - 1):
        said = runs_to_show(0.4, Pilot(variances=(variance,), runs=(n,)))
        error, freedom = 1 / math.sqrt(said), said - 1
        critical = scipy_stats.t.ppf(0.975, freedom)
        powers.append(scipy_stats.nct.sf(critical, freedom, 0.4 / error))
    assert 0.74 < np.mean(powers) < 0.9


def test_unequal_numbers_and_spreads_of_unpaired_runs_are_taken_as_they_are():
    """Of A there are 3,000 runs with a spread of 1, of B 200 with one of 4: more of B help."""
    pilot = Pilot(variances=(1.0, 16.0), runs=(3_000, 200))
    said = runs_to_show(0.7, pilot)
    rng, hits, studies = np.random.default_rng(0), 0, 1_000
    for _ in range(studies):
        a, b = rng.normal(0, 1, 3_000), rng.normal(0.7, 4, said)
        hits += scipy_stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05
    assert scipy_stats.binomtest(hits, studies, 0.8).pvalue > 1e-4
