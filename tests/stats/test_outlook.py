import numpy as np
import pytest

from seedwise.stats.sequential import HORIZON, Pairs, SequentialRule, decide, pairs_to_go


def steady(mean, sd, n):
    """Differences whose mean and standard deviation stay as they are: mean + sd, mean - sd, ..."""
    return mean + sd * np.resize([1.0, -1.0], n)


def after(rule, accuracy, *soft):
    """What the rule says after these pairs."""
    matched, ranked = soft or (None, None)
    return decide(rule, Pairs(accuracy=accuracy, matched=matched, ranked=ranked))


@pytest.mark.parametrize("cap", [None, 40])
@pytest.mark.parametrize(
    ("mean", "sd"), [(0.004, 0.004), (-0.004, 0.004), (0.0, 0.004), (0.007, 0.009)]
)
def test_it_is_where_the_rule_stops_if_all_goes_on_as_before(cap, mean, sd):
    rule = SequentialRule(difference=0.005, max_pairs=cap, power=0.99)
    differences = steady(mean, sd, 400)
    found = after(rule, differences)
    assert found.reason == "decided"
    stop = found.n
    for n in range(4, stop, 2):  # with even numbers the mean so far is the mean
        guess = n + pairs_to_go(rule, after(rule, differences[:n]))
        # The variance with ddof 1 is n / (n - 1) times what it will be, and pairs go with it.
        assert 0.9 * stop - 1 <= guess <= 1.1 * stop * n / (n - 1) + 2


def test_the_sharper_metric_tells_the_sign():
    rule = SequentialRule(difference=0.005)
    rough, sharp = steady(0.004, 0.01, 8), steady(0.004, 0.003, 8)
    alone = pairs_to_go(rule, after(rule, rough))
    both = pairs_to_go(rule, after(rule, rough, sharp, sharp))
    assert both < alone
    weaker = pairs_to_go(rule, after(rule, rough, sharp, rough / 4))
    assert weaker > both  # both have to show it


def test_it_names_no_number_that_it_does_not_know():
    rule, capped = (
        SequentialRule(difference=0.005),
        SequentialRule(difference=0.005, max_pairs=10, power=0.99),
    )
    assert pairs_to_go(rule, after(rule, steady(0.004, 0.004, 2))) is None  # no interval yet
    assert pairs_to_go(rule, after(rule, np.full(5, 0.004))) is None  # no spread
    assert pairs_to_go(capped, after(capped, steady(0.004, 0.01, 6))) is None  # not by the cap
    wild = after(rule, steady(0.004, 1.0, 6))
    assert pairs_to_go(rule, wild) is None
    assert HORIZON >= 1000
