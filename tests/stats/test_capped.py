import numpy as np
import pytest
from scipy import stats

from seedwise.errors import UnknownName
from seedwise.stats.capped import SHAPES, capped_bounds, crossing_rates


def t_statistics(differences):
    n = np.arange(1, differences.shape[-1] + 1)
    mean = np.cumsum(differences, axis=-1) / n
    squares = np.cumsum(differences**2, axis=-1) - n * mean**2
    sd = np.sqrt(squares / np.maximum(n - 1, 1))
    return np.where(n > 2, mean * np.sqrt(n) / np.where(n > 2, sd, 1), 0.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cap", [3, 4, 10, 20, 40])
def test_each_side_has_half_of_alpha(cap, shape):
    for alpha in (0.05, 0.01):
        bounds = capped_bounds(cap, alpha, shape)
        assert crossing_rates(bounds).sum() == pytest.approx(alpha / 2, rel=0.005)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_simulation_crosses_the_bounds_as_often_at_each_look(shape):
    """Independently: 200,000 simulated null studies; binomial bounds at one in a million."""
    cap, studies = 12, 200_000
    t = t_statistics(np.random.default_rng(0).normal(size=(studies, cap)))
    bounds = capped_bounds(cap, 0.05, shape)
    crossed = t >= bounds
    first = np.bincount(crossed.argmax(axis=1)[crossed.any(axis=1)], minlength=cap)
    for count, rate in zip(first, crossing_rates(bounds), strict=True):
        assert stats.binomtest(int(count), studies, float(rate)).pvalue > 1e-6


def test_one_look_is_students_t():
    assert capped_bounds(3, 0.05)[-1] == pytest.approx(stats.t.isf(0.025, 2), rel=1e-3)


@pytest.mark.parametrize(("cap", "nominal"), [(10, 0.0125), (20, 0.0077)])
def test_a_constant_level_is_the_one_that_was_found_by_simulation(cap, nominal):
    """The nominal levels of docs and statistics: 0.0125 for 3 to 10 pairs, 0.0077 for 3 to 20."""
    bounds = capped_bounds(cap, 0.05)
    levels = 2 * stats.t.sf(bounds[2:], np.arange(2, cap))
    np.testing.assert_allclose(levels, nominal, rtol=0.05)


def test_the_rates_of_shapes_are_those_they_are_named_for():
    """Lan and DeMets: the O'Brien-Fleming type spends late, the Pocock type evenly."""
    spent = {shape: np.cumsum(crossing_rates(capped_bounds(20, 0.05, shape))) for shape in SHAPES}
    half = stats.norm.sf(stats.norm.isf(0.0125) / np.sqrt(0.5)) * 2
    assert spent["obrien-fleming"][9] == pytest.approx(half, rel=1e-3)
    assert spent["pocock"][9] == pytest.approx(0.025 * np.log(1 + (np.e - 1) / 2), rel=1e-3)


def test_below_three_pairs_there_is_no_bound():
    assert np.isinf(capped_bounds(2, 0.05)).all()
    assert np.isinf(capped_bounds(9, 0.05)[:2]).all()


def test_an_unknown_shape_is_named():
    with pytest.raises(UnknownName, match="did you mean 'pocock'"):
        capped_bounds(10, 0.05, "pocok")
