"""Examples in groups: against statsmodels, symmetries, coverage, and one group."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from seedwise.errors import DataError
from seedwise.stats.groups import Groups
from seedwise.stats.models import difference_of_models
from seedwise.stats.populations import paired_on_new_images


def drawn(seed, groups=30, runs=1):
    """Groups of unequal size, whose examples err together, and scores of some runs."""
    rng = np.random.default_rng(seed)
    place = np.repeat(np.arange(groups), rng.integers(1, 30, groups))
    found = Groups.of([f"g{number}" for number in place])
    scores = rng.normal(size=(runs, len(place))) + rng.normal(size=groups)[place]
    return found, scores + rng.normal(size=(runs, groups))[:, place]


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_statsmodels_cluster_robust_one(seed):
    groups, scores = drawn(seed)
    found = difference_of_models(np.zeros(scores.shape[1]), scores[0], groups=groups)
    fitted = sm.OLS(scores[0], np.ones(scores.shape[1])).fit(
        cov_type="cluster", cov_kwds={"groups": groups.place}
    )
    assert found.estimate == pytest.approx(fitted.params[0], rel=1e-12)
    assert found.error == pytest.approx(fitted.bse[0], rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_degrees_of_freedom_are_those_of_the_quadratic_form(seed):
    groups, scores = drawn(seed)
    weights, count = groups.sizes / scores.shape[1], len(groups.names)
    center = np.eye(count) - np.outer(np.ones(count), weights)
    form = center.T @ np.diag(weights**2) @ center
    assert groups.freedom == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))


def test_groups_of_one_size_have_one_degree_less_than_there_are():
    assert Groups.of([str(i // 4) for i in range(80)]).freedom == pytest.approx(19)
    assert Groups.of(["a"] * 8 + ["b"]).freedom == pytest.approx(1)
    assert Groups.of(["a"] * 8).freedom == 0


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 4))
def test_groups_of_one_example_change_nothing(seed, examples, runs):
    scores = np.random.default_rng(seed).normal(size=(runs, examples))
    found = Groups.of([str(i) for i in range(examples)])
    np.testing.assert_allclose(found.tables(scores), scores, atol=1e-12)
    assert found.freedom == pytest.approx(examples - 1)


@given(st.integers(0, 2**32 - 1))
def test_the_mean_stays_and_order_is_nothing(seed):
    groups, scores = drawn(seed, groups=6, runs=3)
    tables = groups.tables(scores)
    np.testing.assert_allclose(tables.mean(axis=1), scores.mean(axis=1), atol=1e-12)
    order = np.random.default_rng(seed).permutation(scores.shape[1])
    mixed = Groups.of([groups.names[place] for place in groups.place[order]])
    a, b = (np.sort(each, axis=1) for each in (tables, mixed.tables(scores[:, order])))
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_scores_of_other_examples_are_refused():
    with pytest.raises(DataError, match="groups are of 3 examples, scores of 2"):
        Groups.of(["a", "b", "b"]).tables(np.zeros((1, 2)))


def coverage(sizes, runs, studies=600):
    """Coverage of the interval for new seeds and new groups, of a difference of 0.

    Each group has a shift of its own, each run too, and each run errs on groups and examples.
    """
    rng, held = np.random.default_rng([sum(sizes), runs]), 0
    place = np.repeat(np.arange(len(sizes)), sizes)
    groups = Groups.of([str(number) for number in place])
    for _ in range(studies):
        scores = rng.normal(size=(runs, len(place))) + rng.normal(size=len(sizes))[place]
        scores += 0.5 * rng.normal(size=(runs, len(sizes)))[:, place]
        scores += 0.3 * rng.normal(size=(runs, 1))
        zeros = np.zeros_like(scores)
        if runs == 1:
            found = difference_of_models(zeros[0], scores[0], groups=groups)
        else:
            tables = groups.tables(zeros), groups.tables(scores)
            found = paired_on_new_images(*tables, freedom=groups.freedom)
        held += found.low <= 0 <= found.high
    return held / studies


@pytest.mark.parametrize("sizes", [[5] * 20, [1, 2, 4, 8, 16, 32] * 5])
@pytest.mark.parametrize("runs", [2, 5])
def test_the_interval_covers(sizes, runs):
    assert coverage(sizes, runs) >= 0.92  # 600 studies: 0.95 ± 0.018


def test_independent_examples_would_not_cover():
    """Reason for groups: the same scores taken as of independent examples."""
    rng, held, studies = np.random.default_rng(1), 0, 300
    place = np.repeat(np.arange(20), 25)
    for _ in range(studies):
        scores = rng.normal(size=500) + rng.normal(size=20)[place]
        found = difference_of_models(np.zeros(500), scores)
        held += found.low <= 0 <= found.high
    assert held / studies < 0.6
