import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from seedwise.errors import ConfigError, DataError
from seedwise.stats.capped import capped_bounds
from seedwise.stats.sequential import Rule, decide, outcomes

REAL = Path(__file__).parents[1] / "golden/real_runs.npz"
CAPPED = Rule(difference=0.005, max_pairs=20)
ANYTIME = Rule(difference=0.005)
STUDIES = 4_000

differences = arrays(
    np.float64, st.integers(1, 15), elements=st.integers(-50, 50).map(lambda k: k / 1000)
)


def real_pairs(setup):
    """B - A of accuracy and of matched accuracy over the 16 seeds."""
    with np.load(REAL) as runs:
        places = {
            name: np.flatnonzero(runs["setup"] == name)[
                np.argsort(runs["init"][runs["setup"] == name])
            ]
            for name in ("A", setup)
        }
        return tuple(
            runs[metric][places[setup]] - runs[metric][places["A"]]
            for metric in ("accuracy", "matched_accuracy")
        )


def at_most(count, studies, rate):
    """Whether a rate is no higher than stated; bound at one in a million."""
    return stats.binomtest(int(count), studies, rate, "greater").pvalue > 1e-6


def test_real_runs_end_as_they_should():
    """ReLU is worse, a higher learning rate better, and no label smoothing no different."""
    found = {setup: decide(CAPPED, *real_pairs(setup)) for setup in "BCD"}
    assert [found[setup].verdict for setup in "BCD"] == ["worse", "better", "equivalent"]
    assert [found[setup].metric for setup in "BCD"] == ["matched_accuracy"] * 2 + ["accuracy"]
    assert max(each.n for each in found.values()) <= 10


@pytest.mark.parametrize("rule", [CAPPED, ANYTIME])
def test_the_interval_is_the_rules_own(rule):
    accuracy, matched = real_pairs("C")
    found = decide(rule, accuracy, matched)
    d = matched[: found.n]
    half = rule.bounds(found.n, 0.05)[-1] * d.std(ddof=1) / math.sqrt(found.n)
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert found.low > 0
    assert found.confidence == 0.95
    last = found.trace[-1]
    assert len(found.trace) == last.n == found.n
    assert (last.matched.low, last.matched.high) == (found.low, found.high)


def test_equivalence_is_two_one_sided_tests_with_their_interval():
    accuracy = np.random.default_rng(0).normal(0.0002, 0.002, 20)
    found = decide(CAPPED, accuracy)
    assert (found.verdict, found.confidence) == ("equivalent", 0.9)
    assert -0.005 < found.low < found.high < 0.005
    d = accuracy[: found.n]
    half = capped_bounds(20, 0.1)[found.n - 1] * d.std(ddof=1) / math.sqrt(found.n)
    assert found.high == pytest.approx(d.mean() + half)


@given(differences, st.booleans())
def test_swapping_the_setups_swaps_better_and_worse(accuracy, capped):
    rule = CAPPED if capped else ANYTIME
    forth, back = decide(rule, accuracy), decide(rule, -accuracy)
    swapped = {"better": "worse", "worse": "better"}
    assert back.verdict == swapped.get(forth.verdict, forth.verdict)
    assert (forth.n, forth.reason) == (back.n, back.reason)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(differences, st.integers(0, 14))
def test_pairs_after_the_stop_change_nothing(accuracy, more):
    found = decide(CAPPED, accuracy)
    if found.reason == "running":
        return
    longer = np.concatenate([accuracy, np.full(min(more, 20 - len(accuracy)), 0.04)])
    assert decide(CAPPED, longer) == found


@pytest.mark.parametrize("rule", [CAPPED, ANYTIME])
def test_many_studies_at_once_stop_where_each_of_them_does(rule):
    rng = np.random.default_rng(1)
    accuracy = rng.normal(0.002, 0.004, (60, 20))
    matched = accuracy / 2 + rng.normal(0, 0.001, (60, 20))
    many = outcomes(rule, accuracy, matched)
    names = ("undecided", "better", "worse", "equivalent")
    for i in range(60):
        one = decide(rule, accuracy[i], matched[i])
        got = (many.pairs[i], names[many.verdicts[i]], many.futile[i])
        assert got == (one.n, one.verdict, one.reason == "futile")
    assert len(set(many.verdicts.tolist())) > 1


@pytest.mark.parametrize("cap", [3, 5, 10, 20])
@pytest.mark.parametrize("r", [0.0, 0.8])
def test_under_no_difference_a_winner_is_named_at_the_stated_rate(cap, r):
    """The whole rule, whether accuracy and matched accuracy go together or not."""
    e = np.random.default_rng(cap).normal(size=(2, STUDIES, cap))
    matched = 0.0013 * (r * e[0] + math.sqrt(1 - r * r) * e[1])
    rules = (Rule(difference=1e-6, max_pairs=cap), Rule(difference=1e-6))
    for rule in rules:
        verdicts = outcomes(rule, 0.003 * e[0], matched).verdicts
        assert at_most((verdicts > 0).sum(), STUDIES, 0.05)


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
def test_a_difference_of_the_size_of_the_margin_is_not_called_equivalent(sd):
    e = np.random.default_rng(7).normal(size=(STUDIES, 20))
    blind = np.random.default_rng(8).normal(0, 0.003, (STUDIES, 20))
    for rule in (CAPPED, ANYTIME):
        verdicts = outcomes(rule, 0.005 * (1 + sd * e), blind).verdicts
        assert at_most((verdicts == 3).sum(), STUDIES, 0.05)


def test_discrete_differences_keep_the_rate():
    """Multiples of 1/2500, mostly -1, 0 and 1 of them."""
    e = np.random.default_rng(9).normal(size=(STUDIES, 20))
    verdicts = outcomes(Rule(difference=1e-6, max_pairs=20), np.round(0.7 * e) / 2500).verdicts
    assert at_most((verdicts > 0).sum(), STUDIES, 0.05)


@pytest.mark.parametrize(("law", "most"), [("exponential", 0.17), ("lognormal", 0.27)])
def test_skewed_differences_break_the_rate_no_more_than_the_docs_say(law, most):
    e = getattr(np.random.default_rng(10), law)(size=(STUDIES, 20))
    mean = {"exponential": 1.0, "lognormal": math.exp(0.5)}[law]
    verdicts = outcomes(Rule(difference=1e-6, max_pairs=20), 0.002 * (e - mean)).verdicts
    alarms = int((verdicts > 0).sum())
    assert alarms > 0.05 * STUDIES
    assert at_most(alarms, STUDIES, most)


def test_real_pairs_with_their_signs_drawn_keep_the_rate():
    """In any order, none twice: a pair that comes twice looks like too little noise.

    Sixteen seeds are few: 3.4 % (B), 5.9 % (C) and 7.7 % (D), each give or take 4, 5.7 % together.
    """
    rng, named = np.random.default_rng(11), 0
    for setup in "BCD":
        accuracy, matched = (d - d.mean() for d in real_pairs(setup))
        at = rng.permuted(np.tile(np.arange(16), (STUDIES, 1)), axis=1)
        sign = rng.choice([-1, 1], (STUDIES, 16))
        rule = Rule(difference=1e-6, max_pairs=16)
        named += (outcomes(rule, accuracy[at] * sign, matched[at] * sign).verdicts > 0).sum()
    assert at_most(named, 3 * STUDIES, 0.057)


def test_the_intervals_of_all_looks_together_hold_the_truth():
    rng = np.random.default_rng(12)
    for rule in (CAPPED, ANYTIME):
        bounds = rule.bounds(20, 0.05)
        d = rng.normal(0.004, 0.003, (STUDIES, 20))
        n = np.arange(1, 21)
        mean = np.cumsum(d, axis=1) / n
        sd = np.sqrt((np.cumsum(d**2, axis=1) - n * mean**2) / np.maximum(n - 1, 1))
        half = bounds[2:] * (sd / np.sqrt(n))[:, 2:]
        missed = (np.abs(mean[:, 2:] - 0.004) > half).any(axis=1)
        assert at_most(missed.sum(), STUDIES, 0.05)


def test_a_cap_that_cannot_decide_is_known_before_it_is_reached():
    """Accuracy varies by four margins: 20 pairs can show neither a winner nor equivalence."""
    accuracy = np.random.default_rng(13).normal(0, 0.02, (2_000, 20))
    found = outcomes(CAPPED, accuracy)
    assert found.futile.mean() > 0.8
    assert found.pairs.mean() < 12
    never = Rule(difference=0.005, max_pairs=20, power=1 - 1e-9)
    assert outcomes(never, accuracy).pairs.mean() > 19


def test_stopping_for_futility_costs_little_power():
    accuracy = np.random.default_rng(14).normal(0.003, 0.004, (STUDIES, 20))
    never = Rule(difference=0.001, max_pairs=20, power=1 - 1e-9)
    some = Rule(difference=0.001, max_pairs=20)
    found, wanted = ((outcomes(rule, accuracy).verdicts == 1).mean() for rule in (some, never))
    assert wanted - 0.05 < found <= wanted


def test_where_the_signs_differ_accuracy_decides():
    """Matched accuracy says worse without a doubt; accuracy has risen."""
    rng = np.random.default_rng(15)
    accuracy, matched = rng.normal(0.02, 0.004, 10), rng.normal(-0.01, 0.001, 10)
    found = decide(CAPPED, accuracy, matched)
    assert (found.verdict, found.metric) == ("better", "accuracy")


def test_one_pair_two_pairs_and_equal_pairs_say_nothing():
    for values in ([0.01], [0.01, 0.0101], [0.01] * 9, [0.0] * 9):
        for rule in (CAPPED, ANYTIME):
            found = decide(rule, np.array(values), np.array(values))
            assert (found.verdict, found.reason, found.n) == ("undecided", "running", len(values))
            assert (found.low, found.high) == (-math.inf, math.inf)
    nothing = decide(CAPPED, np.array([]))
    assert (nothing.n, nothing.trace, nothing.reason) == (0, (), "running")
    assert math.isnan(nothing.estimate)


def test_equal_differences_are_no_verdict_at_the_cap_either():
    found = decide(CAPPED, np.full(25, 0.01))
    assert (found.verdict, found.reason, found.n) == ("undecided", "cap", 20)


def test_differences_that_cannot_be_used_are_named():
    with pytest.raises(DataError, match="accuracy is not finite; score diverged runs"):
        decide(CAPPED, np.array([0.1, math.nan]))
    with pytest.raises(DataError, match=r"same pairs, got \(2,\) and \(3,\)"):
        decide(CAPPED, np.zeros(2), np.zeros(3))
    with pytest.raises(DataError, match="one row of differences"):
        decide(CAPPED, np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"difference": 0}, "difference must be above 0 and below 1, got 0"),
        ({"difference": 0.01, "alpha": 1}, "alpha must be above 0 and below 1, got 1"),
        ({"difference": 0.01, "power": 1.2}, "power must be"),
        ({"difference": 0.01, "max_pairs": 2}, "first looks after 3 pairs"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Rule(**settings)
