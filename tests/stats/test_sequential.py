import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from helpers.real_runs import of_setup
from seedwise.errors import ConfigError, DataError
from seedwise.stats.capped import capped_bounds
from seedwise.stats.sequential import Pairs, SequentialRule, decide, outcomes

ROOT = Path(__file__).parents[2]
RECORD = json.loads((ROOT / "benchmarks/records/2026-11-24-stopping/figures.json").read_text())
CAPPED = SequentialRule(difference=0.005, max_pairs=20)
ANYTIME = SequentialRule(difference=0.005)
STUDIES = 4_000

differences = arrays(
    np.float64, st.integers(1, 15), elements=st.integers(-50, 50).map(lambda k: k / 1000)
)


def real_pairs(setup, *, centred=False):
    """B - A over the 16 seeds, by each of the metrics that are asked."""
    found = [
        of_setup(metric, setup) - of_setup(metric, "A")
        for metric in ("accuracy", "matched_accuracy", "ranked_accuracy")
    ]
    return as_pairs(*((d - d.mean() for d in found) if centred else found))


def as_pairs(accuracy, matched=None, ranked=None):
    return Pairs(accuracy=accuracy, matched=matched, ranked=ranked)


def together(e, r):
    """Matched and ranked accuracy of noise e[0..2], each with correlation r to accuracy."""
    rest = math.sqrt(1 - r * r)
    return 0.0013 * (r * e[0] + rest * e[1]), 0.0012 * (r * e[0] + rest * (e[1] + e[2]) / 2**0.5)


def at_most(count, studies, rate):
    """Whether a rate is no higher than stated; bound at one in a million."""
    return stats.binomtest(int(count), studies, rate, "greater").pvalue > 1e-6


def as_recorded(count, studies, rate):
    """Whether a count is of the rate that the record has from 20,000 studies of its own."""
    table = [[count, studies - count], [round(rate * 20_000), round((1 - rate) * 20_000)]]
    return stats.fisher_exact(table).pvalue > 1e-6


def test_real_runs_end_as_they_should():
    """ReLU is worse, a higher learning rate better, and no label smoothing no different."""
    found = {setup: decide(CAPPED, real_pairs(setup)) for setup in "BCD"}
    assert [found[setup].verdict for setup in "BCD"] == ["worse", "better", "equivalent"]
    assert [found[setup].metric for setup in "BCD"] == ["matched_accuracy"] * 2 + ["accuracy"]
    assert max(each.n for each in found.values()) <= 10


@pytest.mark.parametrize("rule", [CAPPED, ANYTIME])
def test_the_interval_is_the_rules_own(rule):
    pairs = real_pairs("C")
    found = decide(rule, pairs)
    d = pairs.matched[: found.n]
    half = rule.bounds(found.n, 0.05)[-1] * d.std(ddof=1) / math.sqrt(found.n)
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert found.low > 0
    assert found.confidence == 0.95
    last = found.trace[-1]
    assert len(found.trace) == last.n == found.n
    assert (last.matched.low, last.matched.high) == (found.low, found.high)
    assert last.ranked.estimate == pytest.approx(pairs.ranked[: found.n].mean())


def test_equivalence_is_two_one_sided_tests_with_their_interval():
    accuracy = np.random.default_rng(0).normal(0.0002, 0.002, 20)
    found = decide(CAPPED, as_pairs(accuracy))
    assert (found.verdict, found.confidence) == ("equivalent", 0.9)
    assert -0.005 < found.low < found.high < 0.005
    d = accuracy[: found.n]
    half = capped_bounds(20, 0.1)[found.n - 1] * d.std(ddof=1) / math.sqrt(found.n)
    assert found.high == pytest.approx(d.mean() + half)


@given(differences, st.booleans())
def test_swapping_the_setups_swaps_better_and_worse(accuracy, capped):
    rule = CAPPED if capped else ANYTIME
    forth, back = (decide(rule, as_pairs(sign * accuracy)) for sign in (1, -1))
    swapped = {"better": "worse", "worse": "better"}
    assert back.verdict == swapped.get(forth.verdict, forth.verdict)
    assert (forth.n, forth.reason, forth.direction) == (back.n, back.reason, -back.direction)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(differences, st.integers(0, 14))
def test_pairs_after_the_stop_change_nothing(accuracy, more):
    found = decide(CAPPED, as_pairs(accuracy))
    if found.reason == "running":
        return
    longer = np.concatenate([accuracy, np.full(min(more, 20 - len(accuracy)), 0.04)])
    assert decide(CAPPED, as_pairs(longer)) == found


@pytest.mark.parametrize("rule", [CAPPED, ANYTIME])
def test_many_studies_at_once_stop_where_each_of_them_does(rule):
    rng = np.random.default_rng(1)
    accuracy = rng.normal(0.002, 0.004, (60, 20))
    matched, ranked = (accuracy / 2 + rng.normal(0, 0.001, (60, 20)) for _ in range(2))
    many = outcomes(rule, as_pairs(accuracy, matched, ranked))
    names = ("undecided", "better", "worse", "equivalent")
    for i in range(60):
        one = decide(rule, as_pairs(accuracy[i], matched[i], ranked[i]))
        got = (many.pairs[i], names[many.verdicts[i]], many.futile[i])
        assert got == (one.n, one.verdict, one.reason == "futile")
    assert len(set(many.verdicts.tolist())) > 1


@pytest.mark.parametrize("cap", [3, 5, 10, 20])
@pytest.mark.parametrize("r", [0.0, 0.8])
def test_under_no_difference_a_winner_is_named_at_the_stated_rate(cap, r):
    """The whole rule, whether accuracy and the others go together or not."""
    e = np.random.default_rng(cap).normal(size=(3, STUDIES, cap))
    pairs = as_pairs(0.003 * e[0], *together(e, r))
    for rule in (SequentialRule(difference=1e-6, max_pairs=cap), SequentialRule(difference=1e-6)):
        verdicts = outcomes(rule, pairs).verdicts
        assert at_most((verdicts == 1).sum(), STUDIES, 0.025)
        assert at_most((verdicts == 2).sum(), STUDIES, 0.025)


UNPAIRED = {
    "capped": SequentialRule(difference=1e-6, max_pairs=20, paired=False),
    "anytime": SequentialRule(difference=1e-6, paired=False),
}


def runs_of_pairs(a, b):
    return Pairs(accuracy=b - a, added=Pairs(accuracy=b + a))


@pytest.mark.parametrize("rule", UNPAIRED.values(), ids=UNPAIRED)
def test_a_rule_of_unrelated_runs_has_the_t_of_two_samples(rule):
    a, b = np.random.default_rng(1).normal([[0.6], [0.61]], 0.01, (2, 9))
    found = decide(rule, runs_of_pairs(a, b))
    for look in found.trace[3:]:
        test = stats.ttest_ind(b[: look.n], a[: look.n])
        bound = rule.bounds(look.n, rule.alpha)[-1]
        error = look.accuracy.estimate / test.statistic
        assert look.accuracy.high - look.accuracy.estimate == pytest.approx(bound * error)


@pytest.mark.parametrize("wider", [1.0, 1.25])
@pytest.mark.parametrize("rule", UNPAIRED.values(), ids=UNPAIRED)
def test_unrelated_runs_name_a_winner_at_the_stated_rate_at_most(rule, wider):
    a, b = np.random.default_rng(2).normal(size=(2, 2 * STUDIES, 20))
    found = (outcomes(rule, runs_of_pairs(a, wider * b)).verdicts > 0).sum()
    assert at_most(found, 2 * STUDIES, 0.05)
    assert found > 2 * STUDIES * (0.035 if rule.max_pairs else 0.01)


def test_of_unrelated_runs_fewer_are_needed_and_of_related_ones_more():
    rng = np.random.default_rng(3)
    a, b, shared = rng.normal(size=(3, 1000, 40))
    as_pairs = SequentialRule(difference=1e-6, max_pairs=40)
    unrelated = SequentialRule(difference=1e-6, max_pairs=40, paired=False)

    def needed(pairs):
        return [outcomes(rule, pairs).pairs.mean() for rule in (as_pairs, unrelated)]

    paired, unpaired = needed(runs_of_pairs(a, b + 2.2))
    assert unpaired < 0.85 * paired
    paired, unpaired = needed(runs_of_pairs(shared + 0.5 * a, shared + 0.5 * b + 1.1))
    assert unpaired > 1.2 * paired


def test_a_rule_of_unrelated_runs_asks_for_their_values():
    with pytest.raises(DataError, match="unrelated runs needs their values"):
        decide(UNPAIRED["capped"], Pairs(accuracy=np.arange(5.0)))


@pytest.mark.parametrize("bias", [0.0005, 0.003])
@pytest.mark.parametrize("difference", [1e-6, 0.003])
def test_moving_matched_accuracy_alone_names_no_winner(bias, difference):
    """As logits do that are stretched by their margin: without ranked accuracy 11 to 67 %."""
    e = np.random.default_rng(16).normal(size=(3, STUDIES, 40))
    matched, ranked = together(e, 0.8)
    pairs = as_pairs(0.003 * e[0], bias + matched, ranked)
    verdicts = outcomes(SequentialRule(difference=difference, max_pairs=40), pairs).verdicts
    assert at_most((verdicts == 1).sum(), STUDIES, 0.025)
    assert at_most((verdicts == 2).sum(), STUDIES, 0.025)


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
def test_a_difference_of_the_size_of_the_margin_is_not_called_equivalent(sd):
    e = np.random.default_rng(7).normal(size=(STUDIES, 20))
    blind = np.random.default_rng(8).normal(0, 0.003, (2, STUDIES, 20))
    for rule in (CAPPED, ANYTIME):
        verdicts = outcomes(rule, as_pairs(0.005 * (1 + sd * e), *blind)).verdicts
        assert at_most((verdicts == 3).sum(), STUDIES, 0.05)


def test_discrete_differences_keep_the_rate():
    """Multiples of 1/2500, mostly -1, 0 and 1 of them."""
    e = np.random.default_rng(9).normal(size=(STUDIES, 20))
    pairs = as_pairs(np.round(0.7 * e) / 2500)
    verdicts = outcomes(SequentialRule(difference=1e-6, max_pairs=20), pairs).verdicts
    assert at_most((verdicts > 0).sum(), STUDIES, 0.05)


@pytest.mark.parametrize("law", ["exponential", "lognormal"])
@pytest.mark.parametrize("cap", [10, 20, 40])
def test_skewed_differences_break_the_rate_by_what_the_docs_say(law, cap):
    """The figure of the table in docs/stopping.md, within the chance of this many studies."""
    text = (ROOT / "docs/stopping.md").read_text()
    (cells,) = re.findall(rf"^\| {law} \|(.*)\|$", text, re.MULTILINE)
    documented = dict(zip((10, 20, 40), map(float, cells.split("|")[:3]), strict=True))
    e = getattr(np.random.default_rng(10), law)(size=(STUDIES, cap))
    mean = {"exponential": 1.0, "lognormal": math.exp(0.5)}[law]
    verdicts = outcomes(
        SequentialRule(difference=1e-6, max_pairs=cap), as_pairs(0.002 * (e - mean))
    ).verdicts
    alarms = int((verdicts > 0).sum())
    assert stats.binomtest(alarms, STUDIES, documented[cap] / 100).pvalue > 1e-6
    assert RECORD["simulated nulls"][f"{law}, capped {cap}"]["one metric"] == pytest.approx(
        documented[cap] / 100, abs=5e-4
    )


@pytest.mark.parametrize("setup", ["B", "C", "D"])
def test_real_pairs_with_their_signs_drawn_name_a_winner_as_often_as_recorded(setup):
    """In any order, none twice: a pair that comes twice looks like too little noise."""
    rng, pool = np.random.default_rng(11), real_pairs(setup, centred=True)
    at = rng.permuted(np.tile(np.arange(16), (STUDIES, 1)), axis=1)[:, :10]
    sign = rng.choice([-1, 1], (STUDIES, 10))
    drawn = as_pairs(*(d[at] * sign for d in (pool.accuracy, pool.matched, pool.ranked)))
    named = (outcomes(SequentialRule(difference=1e-6, max_pairs=10), drawn).verdicts > 0).sum()
    row = RECORD["real runs"][f"{setup} signs flipped, none twice, capped 10, no margin"]
    assert as_recorded(named, STUDIES, row["named a winner"][0])


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
    found = outcomes(CAPPED, as_pairs(accuracy))
    assert found.futile.mean() > 0.8
    assert found.pairs.mean() < 12
    never = SequentialRule(difference=0.005, max_pairs=20, power=1 - 1e-9)
    assert outcomes(never, as_pairs(accuracy)).pairs.mean() > 19


def test_stopping_for_futility_costs_little_power():
    accuracy = np.random.default_rng(14).normal(0.003, 0.004, (STUDIES, 20))
    never = SequentialRule(difference=0.001, max_pairs=20, power=1 - 1e-9)
    some = SequentialRule(difference=0.001, max_pairs=20)
    found, wanted = (
        (outcomes(rule, as_pairs(accuracy)).verdicts == 1).mean() for rule in (some, never)
    )
    assert wanted - 0.05 < found <= wanted


def test_where_the_signs_differ_accuracy_decides():
    """Matched accuracy says worse without a doubt; accuracy has risen."""
    rng = np.random.default_rng(15)
    accuracy, matched = rng.normal(0.02, 0.004, 10), rng.normal(-0.01, 0.001, 10)
    found = decide(CAPPED, as_pairs(accuracy, matched, matched))
    assert (found.verdict, found.metric) == ("better", "accuracy")


def test_ranked_accuracy_has_to_show_the_sign_too():
    rng = np.random.default_rng(17)
    accuracy, matched = rng.normal(0.01, 0.004, 6), rng.normal(0.01, 0.001, 6)
    clear, faint, against = rng.normal([[0.01], [0.001], [-0.01]], 0.001, (3, 6))
    faint += 0.001 * np.array([1, -1, 1, -1, 1, -1])
    verdicts = [
        decide(CAPPED, as_pairs(accuracy, matched, ranked)).verdict
        for ranked in (clear, faint, against)
    ]
    assert decide(CAPPED, as_pairs(accuracy)).verdict == "better"
    assert verdicts == ["better", "undecided", "undecided"]


def test_accuracy_has_to_show_the_sign_too():
    """Shown by the soft metrics without doubt, it still takes accuracy's own test."""
    rng = np.random.default_rng(17)
    noise, sharp = rng.normal(size=8), rng.normal(0.01, 0.0005, 8)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    verdicts = [
        decide(CAPPED, as_pairs(0.01 * (t / np.sqrt(8) + noise), sharp, sharp)).verdict
        for t in (1.0, 2.0, 4.0)
    ]
    assert verdicts == ["undecided", "undecided", "better"]


def test_clear_accuracy_decides_whatever_the_soft_metrics_show():
    rng = np.random.default_rng(18)
    accuracy, faint = rng.normal(0.01, 0.001, 8), rng.normal(0, 0.01, 8)
    for soft in (faint, -accuracy, accuracy):
        found = decide(CAPPED, as_pairs(accuracy, soft, soft))
        assert (found.verdict, found.direction) == ("better", 1)


def test_less_than_one_prediction_a_run_is_no_sign():
    """Rounding of logits makes and breaks a few ties."""
    sharp = np.random.default_rng(18).normal(0.001, 0.0001, 10)
    accuracy = np.random.default_rng(19).normal(0.00015, 0.00002, 10)
    known = Pairs(accuracy=accuracy, matched=sharp, ranked=sharp, resolution=1 / 5000)
    rule = SequentialRule(difference=1e-6, max_pairs=20)
    assert decide(rule, known).verdict == "undecided"
    assert decide(rule, as_pairs(accuracy, sharp, sharp)).verdict == "better"


def test_what_is_within_the_margin_is_equivalent_even_if_its_sign_is_clear():
    """As `compare` has it: the margin says what does not matter."""
    accuracy = 0.001 + 0.0001 * np.array([1.0, -1.0, 0.5, -0.5])
    for sign, shown in ((1, 1), (-1, -1)):
        found = decide(CAPPED, as_pairs(sign * accuracy))
        assert (found.verdict, found.direction) == ("equivalent", shown)
    assert (
        decide(SequentialRule(difference=1e-6, max_pairs=20), as_pairs(accuracy)).verdict
        == "better"
    )


DIVERGED = 0.7


def test_better_stands_where_the_pairs_without_diverged_runs_say_so_too():
    rng = np.random.default_rng(20)
    accuracy = rng.normal(0.02, 0.003, 20)
    accuracy[0] = 0.1  # the baseline diverged
    found = decide(CAPPED, as_pairs(accuracy), diverged=np.arange(20) == 0)
    assert (found.verdict, found.withheld) == ("better", "")
    assert found.n > decide(CAPPED, as_pairs(accuracy[1:])).n + 1


def test_better_is_withheld_while_it_rests_on_diverged_runs():
    """The baseline diverges again and again, and is no different where it does not."""
    rng = np.random.default_rng(21)
    bad = np.array([False, *[True] * 7, *[False] * 4])
    accuracy = np.where(bad, DIVERGED, 0) + rng.normal(0, 0.0005, 12)
    assert decide(CAPPED, as_pairs(accuracy)).verdict == "better"
    early = decide(CAPPED, as_pairs(accuracy[:8]), diverged=bad[:8])
    assert (early.verdict, early.reason, early.withheld) == ("undecided", "running", "better")
    found = decide(CAPPED, as_pairs(accuracy), diverged=bad)
    assert (found.verdict, found.reason, found.withheld) == ("undecided", "withheld", "better")
    assert found.direction == 0
    assert decide(CAPPED, as_pairs(accuracy[~bad])).verdict == "equivalent"
    assert decide(CAPPED, as_pairs(-accuracy), diverged=bad).verdict == "worse"


def test_where_every_pair_has_a_diverged_run_a_study_ends():
    accuracy = DIVERGED + np.random.default_rng(22).normal(0, 0.005, 5)
    for rule in (CAPPED, ANYTIME):
        found = decide(rule, as_pairs(accuracy), diverged=np.ones(5, bool))
        assert (found.verdict, found.reason) == ("undecided", "withheld")


@given(differences, st.integers(0, 2**15 - 1))
def test_diverged_runs_only_withhold_better_and_equivalent(accuracy, mask):
    bad = np.array([mask >> i & 1 for i in range(len(accuracy))], bool)
    found, plain = (
        decide(CAPPED, as_pairs(accuracy), diverged=bad),
        decide(CAPPED, as_pairs(accuracy)),
    )
    if plain.verdict not in ("better", "equivalent"):
        assert found == plain
    if found.verdict in ("better", "equivalent"):
        without = accuracy[: found.n][~bad[: found.n]]
        assert decide(CAPPED, as_pairs(without)).verdict == found.verdict


def test_one_pair_two_pairs_and_equal_pairs_say_nothing():
    for values in ([0.01], [0.01, 0.0101], [0.01] * 9, [0.0] * 9):
        for rule in (CAPPED, ANYTIME):
            found = decide(rule, as_pairs(*[np.array(values)] * 3))
            assert (found.verdict, found.reason, found.n) == ("undecided", "running", len(values))
            assert (found.low, found.high) == (-math.inf, math.inf)
    nothing = decide(CAPPED, as_pairs(np.array([])))
    assert (nothing.n, nothing.trace, nothing.reason) == (0, (), "running")
    assert math.isnan(nothing.estimate)


def test_equal_differences_are_no_verdict_at_the_cap_either():
    found = decide(CAPPED, as_pairs(np.full(25, 0.01)))
    assert (found.verdict, found.reason, found.n) == ("undecided", "cap", 20)


def test_differences_that_cannot_be_used_are_named():
    with pytest.raises(DataError, match="accuracy is not finite; score diverged runs"):
        as_pairs(np.array([0.1, math.nan]))
    with pytest.raises(DataError, match=r"same pairs, got \(2,\) and \(3,\)"):
        as_pairs(np.zeros(2), np.zeros(3), np.zeros(3))
    with pytest.raises(DataError, match="give both or none"):
        as_pairs(np.zeros(2), np.zeros(2))
    with pytest.raises(DataError, match="one row of differences"):
        decide(CAPPED, as_pairs(np.zeros((2, 3))))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"difference": 0}, "difference must be above 0, got 0"),
        ({"difference": 0.01, "alpha": 1}, "alpha must be above 0 and below 1, got 1"),
        ({"difference": 0.01, "power": 1.2}, "power must be"),
        ({"difference": 0.01, "max_pairs": 2}, "first looks after 3 pairs"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SequentialRule(**settings)
