import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from helpers.real_runs import REAL_RUNS
from seedwise.errors import DataError
from seedwise.stats.intervals import paired_difference, unpaired_difference
from seedwise.stats.populations import paired_on_new_images, unpaired_on_new_images

FORMS = {
    paired_on_new_images: paired_difference,
    unpaired_on_new_images: unpaired_difference,
}
forms = pytest.mark.parametrize("form", FORMS)


def layout(rng, runs=4, images=30, image=1.0, run=0.3, rest=0.5):
    """Scores of two setups, whose runs share nothing but the images."""
    by_image = rng.normal(size=(images)) + image * rng.normal(size=(2, 1, images))
    by_run = run * rng.normal(size=(2, runs, 1))
    return by_image + by_run + rest * rng.normal(size=(2, runs, images))


def test_the_paired_variance_is_that_of_an_independent_analysis_of_variance():
    a, b = layout(np.random.default_rng(0))
    found = paired_on_new_images(a, b)
    runs, images = np.indices(a.shape)
    cells = {"d": (b - a).ravel(), "run": runs.ravel(), "image": images.ravel()}
    table = pd.DataFrame(cells)
    squares = anova_lm(ols("d ~ C(run) + C(image)", table).fit())["mean_sq"]
    wanted = (squares["C(run)"] + squares["C(image)"] - squares["Residual"]) / a.size
    assert found.error**2 == pytest.approx(wanted)
    assert found.estimate == pytest.approx((b - a).mean())


def test_the_unpaired_variance_is_that_of_two_analyses_of_variance():
    a, b = layout(np.random.default_rng(1), runs=5)
    found = unpaired_on_new_images(a, b[:4])
    means = b[:4].mean(axis=0) - a.mean(axis=0)
    wanted = means.var(ddof=1) / 30
    for scores in (a, b[:4]):
        rest = scores - scores.mean(axis=0) - scores.mean(axis=1)[:, None] + scores.mean()
        residual = (rest**2).sum() / (len(scores) - 1) / 29
        wanted += scores.mean(axis=1).var(ddof=1) / len(scores) - residual / scores.size
    assert found.error**2 == pytest.approx(wanted)


@forms
def test_it_is_never_surer_than_on_these_images(form):
    rng = np.random.default_rng(2)
    for image, runs in ((0.0, 4), (1.0, 4), (1.0, 2), (0.3, 2), (0.3, 3)):
        a, b = layout(rng, runs=runs, image=image, rest=0.0 if image == 1 else 0.5)
        narrow = FORMS[form](a.mean(axis=1), b.mean(axis=1))
        wide = form(a, b)
        assert wide.error >= narrow.error * (1 - 1e-9)
        assert wide.low <= narrow.low + 1e-9
        assert wide.p_value >= narrow.p_value - 1e-9
        assert (wide.population, narrow.population) == ("new images", "these images")


@forms
@given(st.integers(0, 2**32))
def test_swapping_the_setups_negates_the_difference(form, seed):
    a, b = layout(np.random.default_rng(seed))
    forth, back = form(a, b), form(b, a)
    assert forth.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))


@forms
def test_one_run_and_one_image_say_nothing(form):
    a, b = layout(np.random.default_rng(3))
    assert math.isinf(form(a[:1], b[:1]).high)
    assert math.isinf(form(a[:, :1], b[:, :1]).high)


def test_pairs_that_are_all_equal_say_nothing():
    a, _ = layout(np.random.default_rng(3))
    assert math.isinf(paired_on_new_images(a, a).high)


@forms
def test_other_images_and_values_that_are_not_finite_are_refused(form):
    a, b = layout(np.random.default_rng(4))
    with pytest.raises(DataError, match="got shapes"):
        form(a, b[:, :-1])
    with pytest.raises(DataError, match="score diverged runs"):
        form(a, b + np.nan)


def test_pairs_of_other_seeds_are_refused():
    a, b = layout(np.random.default_rng(4))
    with pytest.raises(DataError, match="same seeds"):
        paired_on_new_images(a, b[:-1])


def test_half_of_the_real_images_foretell_the_other_half():
    """The estimates of two disjoint halves, from the same runs, differ no more than is said.

    Their difference has the images' share of both variances only: 1.96 standard errors hold it in
    95 % of cases or more.
    """
    shape = tuple(REAL_RUNS["shape"])
    right = np.unpackbits(REAL_RUNS["right"])[: np.prod(shape)].reshape(shape).mean(axis=1)
    runs = {s: right[(REAL_RUNS["setup"] == s) & (REAL_RUNS["init"] < 16)] for s in "ABC"}
    rng = np.random.default_rng(0)
    apart = []
    for _ in range(100):
        order = rng.permutation(shape[2])
        for other in "BC":
            halves = [
                paired_on_new_images(runs["A"][:, part], runs[other][:, part])
                for part in (order[:1250], order[1250:])
            ]
            error = math.hypot(*(half.error for half in halves))
            apart.append(abs(halves[0].estimate - halves[1].estimate) / error)
    held = int((np.array(apart) < 1.96).sum())
    assert binomtest(held, len(apart), 0.95, alternative="less").pvalue > 1e-6
    assert max(apart) > 0.5  # the halves do differ
