"""Average ranks, against scipy, scikit-posthocs and the figures of Demšar (2006)."""

import numpy as np
import pytest
from scipy.stats import f, friedmanchisquare, rankdata

from seedwise.errors import DataError
from seedwise.stats.ranks import average_ranks, ranked

SCORES = np.array(
    [
        [0.49, 0.26, 0.53, 2.91],
        [-1.98, 0.42, -0.12, 2.06],
        [-0.75, 0.91, -0.05, 0.85],
        [-0.57, -0.06, -0.06, 1.45],
        [-1.06, 0.8, 1.04, 1.49],
        [0.19, 0.78, 2.12, 1.47],
        [-0.46, -1.05, 1.59, 2.09],
        [0.47, 1.58, 2.99, 2.23],
        [0.5, 0.02, 1.71, 2.32],
        [-0.55, 1.57, -1.25, 0.58],
        [-1.27, -0.01, -0.02, 3.4],
        [0.14, -0.77, 0.8, 1.96],
    ]
)
# scikit-posthocs 0.17.1, posthoc_nemenyi_friedman(SCORES)
NEMENYI = {(0, 1): 0.436192, (0, 2): 0.067900, (0, 3): 0.000115}
NEMENYI |= {(1, 2): 0.778483, (1, 3): 0.028918, (2, 3): 0.264593}


def test_ranks_are_scipys():
    assert (ranked(SCORES) == rankdata(-SCORES, axis=1)).all()


def test_friedmans_test_is_scipys_ties_included():
    found, expected = average_ranks(SCORES), friedmanchisquare(*SCORES.T)
    assert found.chi_square == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_friedman == pytest.approx(expected.pvalue, rel=1e-10)
    statistic = 11 * expected.statistic / (12 * 3 - expected.statistic)
    assert found.p_value == pytest.approx(f.sf(statistic, 3, 33), rel=1e-10)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_setups_are_apart_where_scikit_posthocs_says_so(alpha):
    found = average_ranks(SCORES, alpha=alpha)
    for (one, other), p in NEMENYI.items():
        apart = abs(found.ranks[one] - found.ranks[other]) > found.critical
        assert apart == (p < alpha)


# Demšar (2006), table 5: q at 0.05 for 2 to 10 classifiers.
DEMSAR = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)


@pytest.mark.parametrize(("setups", "q"), list(enumerate(DEMSAR, start=2)))
def test_the_critical_difference_is_demsars(setups, q):
    scores = np.random.default_rng(0).normal(size=(14, setups))
    expected = q * np.sqrt(setups * (setups + 1) / (6 * 14))
    assert average_ranks(scores).critical == pytest.approx(expected, rel=4e-4)


def test_the_order_of_setups_and_the_scale_of_a_task_do_not_matter():
    found, turned = average_ranks(SCORES), average_ranks(SCORES[:, ::-1] * 10 + 3)
    assert turned.ranks == found.ranks[::-1]
    assert turned.p_value == pytest.approx(found.p_value)


def test_equal_setups_are_not_apart():
    assert average_ranks(np.ones((10, 3))).p_value == 1


def test_few_tasks_or_one_setup_are_refused():
    with pytest.raises(DataError, match="two setups and 10 tasks, got 3 and 9"):
        average_ranks(np.ones((9, 3)))
    with pytest.raises(DataError, match="got 1 and 12"):
        average_ranks(SCORES[:, :1])


def test_false_alarms_are_kept():
    rng, repeats = np.random.default_rng(2), 400
    alarms = sum(average_ranks(rng.normal(size=(12, 4))).p_value < 0.05 for _ in range(repeats))
    assert 5 <= alarms <= 36  # 99.9 % of such counts at 5 %
