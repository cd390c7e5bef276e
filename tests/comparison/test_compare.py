import math
import re

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.stats import binomtest

from helpers.studies import (
    DIVERGED,
    FAILED,
    IMAGES,
    TARGETS,
    finished,
    measured,
    rescaled,
    runs_of,
)
from seedwise import stats
from seedwise.comparison import Rule, compare, compare_several, compare_with_target
from seedwise.comparison.settling import settled
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError, UnknownName
from seedwise.report.charts.differences import trace_chart
from seedwise.stats.catalog import BuiltInMetric
from seedwise.stats.intervals import paired_difference, unpaired_difference
from seedwise.stats.overlap import overlapping_difference
from seedwise.stats.populations import paired_on_new_images
from seedwise.words import Comparison
from seedwise.words.cautions import cautions
from seedwise.words.verdict import basis, more_runs, target_sentence, verdict_sentence

POOR, SAME, GOOD = 1.0, 1.0001, 1.3


def said(found):
    return " ".join(cautions(found))


def test_a_better_setup_is_better_and_seen_from_the_other_side_worse(studies):
    with studies.make({"poor": runs_of(POOR), "good": runs_of(1.2)}) as store:
        forth, back = (
            compare(StudyRuns(store), *pair, Rule())
            for pair in (("poor", "good"), ("good", "poor"))
        )
    assert (forth.outcome, back.outcome) == ("better", "worse")
    assert forth.verdict.decided_by == "matched_accuracy"
    assert verdict_sentence(forth).startswith("good is better than poor: accuracy is ")
    assert re.search(r"lower \(95 % interval [\d.]+ to [\d.]+, 6 pairs of", verdict_sentence(back))
    assert forth.deciding.difference.estimate == -back.deciding.difference.estimate
    assert str(Comparison.of(forth)) == verdict_sentence(forth)
    assert forth.standing.confirmatory
    assert "about 5 % of the time" in basis(forth)


def test_figures_are_those_of_the_metrics_on_the_pairs(studies):
    a, b = runs_of(POOR), runs_of(GOOD)
    with studies.make({"a": a, "b": b}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule(confidence=0.9))
    for metric in ("accuracy", "matched_accuracy", "ranked_accuracy", "smoothed_accuracy"):
        values = [stats.METRICS[metric](runs, TARGETS) for runs in (a, b)]
        wanted = paired_difference(*values, confidence=0.9)
        got = found.contrasts[metric]
        assert got.difference.low == pytest.approx(wanted.low, abs=1e-7)
        assert got.values_b == pytest.approx(values[1], abs=1e-7)
    right = [BuiltInMetric.parse("accuracy").image_scores(runs, TARGETS) for runs in (a, b)]
    assert found.accuracy.new_images == paired_on_new_images(*right, confidence=0.9)
    predicted = [runs.argmax(-1).reshape(6, -1) for runs in (a, b)]
    assert found.churn.pairs == pytest.approx((predicted[0] != predicted[1]).mean())


@pytest.mark.parametrize("growth", [-0.4, 0.0, 0.5, 3.0])
@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("paired", [True, False])
def test_rescaled_logits_never_make_better_or_worse(studies, growth, factor, paired):
    """Every prediction stays as it is: by one factor, and by one that depends on the margin."""
    runs = runs_of(POOR, runs=10)
    with studies.make({"a": runs, "b": rescaled(runs, growth, factor)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule(paired=paired))
    assert found.outcome == "undecided"
    assert found.verdict.direction == 0


def test_of_null_comparisons_with_rescaled_logits_no_more_are_decided_than_stated(studies):
    """Matched accuracy moves with hardly any noise, and accuracy's estimate agrees by luck: the
    two of them alone would call a winner far too often. Ranked accuracy has to show it too."""
    decided = misled = 0
    for seed in range(60):
        twins = [runs_of(skill, runs=6, seed=seed, own=0.05) for skill in (POOR, SAME)]
        with studies.make({"a": twins[0], "b": rescaled(twins[1], 3.0)}) as store:
            found = compare(StudyRuns(store), "a", "b", Rule())
        matched = found.contrasts["matched_accuracy"]
        agrees = matched.advantage * found.accuracy.advantage > 0
        misled += matched.difference.clear_of_zero and agrees
        decided += found.outcome != "undecided"
    assert binomtest(decided, 60, 0.05, alternative="greater").pvalue > 1e-3
    assert binomtest(misled, 60, 0.05, alternative="greater").pvalue < 1e-3


def test_accuracy_decides_where_it_does_not_agree(studies):
    """B is a little worse, and its logits so much sharper that matched accuracy says better."""
    a, b = rescaled(runs_of(GOOD), factor=0.2), runs_of(GOOD - 0.05)
    with studies.make({"a": a, "b": b}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule(metric="smoothed_accuracy"))
    assert found.contrasts["smoothed_accuracy"].advantage > 0 > found.accuracy.advantage
    assert found.verdict.instead_of == "smoothed_accuracy"
    assert found.deciding.metric == "accuracy"
    assert found.outcome in ("worse", "undecided")
    assert "does not have the sign of smoothed accuracy" in said(found)


def test_a_difference_within_the_margin_is_equivalent_even_if_its_sign_is_clear(studies):
    with studies.make(
        {"a": runs_of(POOR, 12), "b": runs_of(1.06, 12)}, rule=Rule(margin=0.1)
    ) as store:
        found = compare(StudyRuns(store), "a", "b", Rule(margin=0.1))
    assert found.outcome == "equivalent"
    assert found.verdict.direction == 1
    assert verdict_sentence(found).endswith("b is better, but by less than the margin.")
    assert found.equivalence.not_worse


def test_not_worse_is_said_of_an_undecided_comparison(studies):
    """B's interval reaches from a little below 0 to beyond the margin: [-0.2, 1.1] points."""
    rule = Rule(margin=0.005)
    with studies.make({"a": runs_of(POOR, 12), "b": runs_of(1.02, 12)}, rule=rule) as store:
        found = compare(StudyRuns(store), "a", "b", rule)
        turned = compare(StudyRuns(store), "b", "a", rule)
    difference = found.accuracy.difference
    assert -0.005 < difference.low < 0 < 0.005 < difference.high
    assert found.outcome == turned.outcome == "undecided"
    assert found.equivalence.not_worse
    assert not found.equivalence.equivalent
    assert "is not worse than a by" in verdict_sentence(found)
    assert not turned.equivalence.not_worse
    assert "not worse" not in verdict_sentence(turned)


def test_an_undecided_comparison_says_how_many_runs_would_do(studies):
    with studies.make({"a": runs_of(POOR, 3), "b": runs_of(1.03, 3)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.outcome == "undecided"
    assert verdict_sentence(found).startswith(
        "Undecided: these runs can't tell b from a; accuracy"
    )
    assert "pairs would show it in 4 of 5 studies; there are 3." in more_runs(found)


def test_unshared_seeds_are_compared_as_unrelated(studies):
    a, b = runs_of(POOR), runs_of(GOOD, 4)
    setups = {"a": a, "b": dict(enumerate(b, start=5))}
    with studies.make(setups) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
        values = [stats.matched_accuracy(runs, TARGETS) for runs in (a, b)]
        assert found.deciding.difference.low == pytest.approx(
            unpaired_difference(*values).low, abs=1e-7
        )
        forced = compare(StudyRuns(store), "a", "b", Rule(paired=True))
    assert not found.paired
    assert found.deciding.correlation is None
    assert "6 runs of a and 4 runs of b, unrelated" in basis(found)
    assert "Seeds that are shared: 1 only; the runs are compared as unrelated" in said(found)
    assert math.isinf(forced.deciding.difference.high)
    assert "One pair says nothing about how much runs vary" in said(forced)
    assert "paired is True here, and by the seeds was fixed" in said(forced)


def test_runs_without_a_partner_are_said(studies):
    with studies.make({"a": runs_of(POOR, 9), "b": runs_of(GOOD, 6)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.paired
    assert found.deciding.difference.n_a == 6
    assert "3 of 9 runs of a have no partner of the same seed" in said(found)
    assert "6 of the 9 planned runs of 'b' are stored: this is an interim look" in said(found)


def returned(values):
    return {seed: measured(accuracy=0.8 + 0.01 * value) for seed, value in values.items()}


@pytest.mark.parametrize("seeds_b", [range(5), [0, 1, 50], [3, 4, 5, 90, 91, 92]])
def test_runs_without_a_partner_count_beside_the_pairs(studies, seeds_b):
    rng = np.random.default_rng(8)
    a = dict(enumerate(rng.normal(size=20)))
    b = {seed: 0.5 * a.get(seed, 0.0) + rng.normal() for seed in seeds_b}
    with studies.make({"a": returned(a), "b": returned(b)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    shared = [seed for seed in b if seed in a]
    own_a, own_b = ([each[s] for s in each if s not in shared] for each in (a, b))
    wanted = overlapping_difference(
        tuple(0.8 + 0.01 * np.array([each[s] for s in shared]) for each in (a, b)),
        tuple(0.8 + 0.01 * np.array(each) for each in (own_a, own_b)),
    )
    difference = found.deciding.difference
    assert (difference.low, difference.high) == pytest.approx((wanted.low, wanted.high))
    assert (difference.n_a, difference.rest_a) == (len(shared), 20 - len(shared))
    assert difference.rest_b == len(b) - len(shared)
    assert f"{20 - len(shared)} of 20 runs of a have no partner of the same seed; they" in said(
        found
    )
    settling = settled(found, "accuracy")
    assert (len(settling.steps), settling.alone) == (len(shared), len(own_a) + len(own_b))
    assert f"counts {len(own_a) + len(own_b)} runs without a partner" in str(
        trace_chart(settling, "@a").spec
    )
    more = f" and {len(own_b)} of b" if own_b else ""
    assert (
        f"From {len(shared)} pairs of runs with the same seeds and, without a partner, "
        f"{20 - len(shared)} of a{more}." in basis(found)
    )


def test_one_run_and_two_runs_of_each_are_compared(studies):
    with studies.make({"a": runs_of(POOR, 1), "b": runs_of(GOOD, 1)}) as store:
        one = compare(StudyRuns(store), "a", "b", Rule())
    assert one.of_models
    assert one.contrasts["accuracy"].new_images is None
    assert "about no other seed" in verdict_sentence(one)
    with studies.make({"a": runs_of(POOR, 2), "b": runs_of(GOOD, 2)}) as store:
        two = compare(StudyRuns(store), "a", "b", Rule())
    assert two.deciding.difference.freedom == 1
    assert "No sign-flip test of 2 pairs can reach p = 0.05; the smallest is 0.5." in said(two)


def test_a_setup_compared_with_its_own_runs_is_undecided(studies):
    with studies.make({"a": runs_of(POOR), "b": runs_of(POOR)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule(margin=0.01))
    assert found.outcome == "undecided"
    assert "All differences are equal" in said(found)


def with_diverged(logits, *seeds):
    return {s: DIVERGED if s in seeds else finished(run) for s, run in enumerate(logits)}


def test_diverged_runs_count_as_chance(studies):
    runs = runs_of(GOOD, 8)
    with studies.make({"a": runs_of(POOR, 8), "b": with_diverged(runs, 2, 5)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.accuracy.values_b[2] == found.accuracy.values_b[5] == 0.2
    assert found.accuracy.sample_b.n == 8
    assert found.outcome != "better"
    assert found.verdict_without_diverged.outcome == "better"
    assert "0 of 8 runs of a, 2 of 8 of b (same rate: p = 0.47, Fisher)" in said(found)
    assert "Without the diverged runs the verdict would be better." in said(found)


def test_better_is_withheld_where_it_rests_on_diverged_runs(studies):
    """Every run of A but one diverged; the one that did not is as good as B's."""
    a = with_diverged(runs_of(POOR, 8), *range(7))
    setups = {"a": a, "b": runs_of(SAME, 8)}
    with studies.make(setups) as store:
        better, worse = (compare(StudyRuns(store), *p, Rule()) for p in (("a", "b"), ("b", "a")))
    assert (better.outcome, better.verdict.withheld) == ("undecided", "better")
    assert verdict_sentence(better).startswith("Undecided: that b is better rests on diverged run")
    assert "Better is withheld: without the diverged runs it would be undecided." in said(better)
    assert worse.outcome == "worse"  # who diverges is worse, and stays so
    assert better.divergence_p < 0.01


def test_a_setup_that_always_diverges_is_worse(studies):
    with studies.make({"a": runs_of(POOR, 5), "b": [DIVERGED] * 5}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
        back = compare(StudyRuns(store), "b", "a", Rule())
    assert found.outcome == "worse"
    assert found.churn is None
    assert back.verdict.withheld == "better"
    assert "without the diverged runs nothing is left to compare" in said(back)


def test_where_every_pair_has_a_diverged_run_nothing_is_left_without_them(studies):
    setups = {
        "a": with_diverged(runs_of(POOR, 4), 0, 1),
        "b": with_diverged(runs_of(POOR, 4), 2, 3),
    }
    with studies.make(setups) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.outcome == "undecided"
    assert found.verdict_without_diverged is None


@pytest.mark.parametrize("setting", ["level=0.9", "views=original"])
def test_matched_accuracy_needs_ranked_accuracy_whatever_its_settings(studies, setting):
    """A margin-dependent factor is all that B has."""
    decided, rule = 0, Rule(metric=f"matched_accuracy:{setting}")
    for seed in range(20):
        twins = [runs_of(skill, runs=6, seed=seed, own=0.05) for skill in (POOR, SAME)]
        with studies.make({"a": twins[0], "b": rescaled(twins[1], 3.0)}) as store:
            decided += compare(StudyRuns(store), "a", "b", rule).outcome != "undecided"
    assert binomtest(decided, 20, 0.05, alternative="greater").pvalue > 1e-3


def test_failed_tries_are_no_results(studies):
    runs = {**dict(enumerate(runs_of(GOOD, 5))), 5: FAILED}
    with studies.make({"a": runs_of(POOR, 6), "b": runs}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert (found.b.finished, found.b.failed) == (5, 1)
    assert "No result: 1 of 6 runs of b failed" in said(found)


def test_numbers_that_runs_returned_are_compared_the_right_way_up(studies):
    losses = {"a": [measured(loss=1 + 0.01 * i) for i in range(6)]}
    losses["b"] = [measured(loss=0.9 + 0.011 * i) for i in range(6)]
    with studies.make(losses) as store:
        lower = compare(StudyRuns(store), "a", "b", Rule())
        higher = compare(StudyRuns(store), "a", "b", Rule(metric="loss:better=higher"))
    assert (lower.outcome, higher.outcome) == ("better", "worse")
    assert verdict_sentence(lower).startswith("b is better than a: loss is 0.0975 lower")
    assert lower.accuracy is None
    assert lower.deciding.new_images is None


def test_a_returned_accuracy_decides_where_there_are_no_predictions(studies):
    runs = {
        name: [measured(accuracy=start + 0.001 * i, loss=1.0) for i in range(6)]
        for name, start in (("a", 0.8), ("b", 0.8))
    }
    runs["b"] = [measured(accuracy=0.81 + 0.0011 * i, loss=1.0) for i in range(6)]
    with studies.make(runs) as store:
        found = compare(StudyRuns(store), "a", "b", Rule(margin=0.02))
    assert found.outcome == "equivalent"
    assert found.verdict.direction == 1
    assert found.deciding.metric == "accuracy"


def test_several_returned_metrics_need_a_choice(studies):
    runs = [measured(bleu=0.3, loss=1.0 + 0.1 * i) for i in range(3)]
    with studies.make({"a": runs, "b": runs}) as store:
        with pytest.raises(ConfigError, match=r"have several metrics \(bleu, loss\); choose one"):
            compare(StudyRuns(store), "a", "b", Rule())
        with pytest.raises(UnknownName, match="unknown metric 'blue'; did you mean 'bleu'"):
            compare(StudyRuns(store), "a", "b", Rule(metric="blue"))


def test_diverged_runs_of_which_nobody_knows_the_chance_are_left_out_and_block_better(studies):
    a = [measured(loss=1 + 0.01 * i) for i in range(6)]
    b = [measured(loss=0.9 + 0.011 * i) for i in range(5)]
    with studies.make({"a": a, "b": [*b, DIVERGED]}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.outcome == "undecided"
    assert found.verdict.withheld == "better"


def witnesses_p(found):
    """The uncorrected p-value: all three at levels of their own, or accuracy at a stricter one."""
    accuracy, matched, ranked = (
        found.contrasts[name].difference.p_value
        for name in ("accuracy", "matched_accuracy", "ranked_accuracy")
    )
    return min(max(matched, ranked, accuracy / 1.6), accuracy / 0.4)


def test_several_setups_are_compared_with_the_first_and_corrected_by_holm(studies):
    setups = {"base": runs_of(POOR, 8), "same": runs_of(SAME, 8), "good": runs_of(GOOD, 8)}
    with studies.make(setups) as store:
        found = compare_several(StudyRuns(store), list(setups), Rule())
        alone = compare(StudyRuns(store), "base", "good", Rule())
        every = compare_several(
            StudyRuns(store), list(setups), Rule(), against="all", correction="bh"
        )
    assert [(each.a.name, each.b.name) for each in found] == [("base", "same"), ("base", "good")]
    assert [each.outcome for each in found] == ["undecided", "better"]
    # One of two that were planned is one of two, whether the other is shown or not.
    assert found[1].verdict.p_value == alone.verdict.p_value
    assert "corrected for 2 comparisons that were planned (Holm)" in said(alone)
    assert found[1].verdict.p_value == pytest.approx(2 * witnesses_p(found[1]))
    assert "corrected for 2 comparisons (Holm)" in said(found[0])
    assert len(every) == 3
    assert every[0].family.correction == "bh"
    assert "a screening" in basis(every[0])


FIVE = {"base": 0.0, "c1": 0.028, "c2": 0.002, "c3": -0.001, "c4": 0.0005, "c5": 0.004}


def of_five(studies, setups=tuple(FIVE), **made):
    """Six pairs of a base and five candidates, of which only c1 is clearly better."""
    rng = np.random.default_rng(5)
    base = 0.8 + 0.01 * rng.normal(size=6)
    own = {name: 0.01 * rng.normal(size=6) for name in FIVE}
    values = {name: base + shift + own[name] - own[name].mean() for name, shift in FIVE.items()}
    return studies.make({n: [measured(accuracy=x) for x in values[n]] for n in setups}, **made)


def test_one_of_five_planned_comparisons_is_one_of_five_alone_too(studies):
    with of_five(studies) as store:
        alone, back = (
            compare(StudyRuns(store), *each, Rule()) for each in (("base", "c1"), ("c1", "base"))
        )
        every = compare_several(StudyRuns(store), list(FIVE), Rule())
        two = compare_several(StudyRuns(store), ["base", "c1", "c5"], Rule())
    assert alone.verdict.p_value == every[0].verdict.p_value == two[0].verdict.p_value
    assert alone.verdict.p_value == pytest.approx(5 * alone.deciding.difference.p_value)
    assert back.verdict.p_value == alone.verdict.p_value
    assert "corrected for 5 comparisons that were planned (Holm)" in said(alone)
    assert "in any of the 5 comparisons about 5 % of the time" in basis(alone)


def test_planned_comparisons_that_cannot_be_made_yet_count(studies):
    with of_five(studies) as store:
        every = compare_several(StudyRuns(store), list(FIVE), Rule())
        plan = dict(store.choice("plan"))
    some = {name: [measured(accuracy=x) for x in (0.8, 0.81, 0.79)] for name in ("base", "c1")}
    some["base"] = [measured(accuracy=x) for x in (0.7, 0.72, 0.705)]
    with studies.make(some, plan=False) as store:
        store.fix_choice("plan", {**plan, "seeds": ["0", "1", "2"]})
        found = compare(StudyRuns(store), "base", "c1", Rule())
    assert found.family.size == 5
    assert found.verdict.p_value == pytest.approx(5 * found.deciding.difference.p_value)
    assert found.standing.confirmatory
    assert every[0].family.shown == 5


def test_a_comparison_that_was_not_planned_says_so(studies):
    with of_five(studies) as store:
        found = compare(StudyRuns(store), "c1", "c2", Rule())
        every = compare_several(StudyRuns(store), list(FIVE), Rule(), against="all")
    assert found.standing.reasons == (
        "'c2' against 'c1' is not one of the 5 planned comparisons, each with 'base'",
    )
    assert found.family is None
    assert {each.family.size for each in every} == {15}
    assert all(each.standing.confirmatory for each in every)


def test_the_baseline_that_was_planned_need_not_be_the_first_setup(studies):
    with of_five(studies, baseline="c5") as store:
        found, stray = (
            compare(StudyRuns(store), *each, Rule()) for each in (("c5", "c1"), ("base", "c1"))
        )
    assert found.family.size == 5
    assert "each with 'c5'" in said(stray)


def test_not_worse_is_corrected_like_the_rest(studies):
    """At p = .03 alone it is no longer said of one of five; the others show nothing."""
    with of_five(studies) as store:
        error = compare(StudyRuns(store), "base", "c5", Rule()).deciding.difference.error
        margin = 2.4 * error - 0.004  # t of 2.4 with 5 degrees of freedom: p = .031
        (_, *_, fifth) = compare_several(StudyRuns(store), list(FIVE), Rule(margin=margin))
    assert fifth.equivalence.p_not_worse == pytest.approx(scipy_stats.t.sf(2.4, 5))
    assert fifth.verdict.p_not_worse > 0.05
    assert "not worse" not in verdict_sentence(fifth)
    with of_five(studies, setups=("base", "c5")) as store:
        alone = compare(StudyRuns(store), "base", "c5", Rule(margin=margin))
    assert "c5 is not worse than base by" in verdict_sentence(alone)


def test_runs_that_would_do_are_for_the_corrected_level(studies):
    with of_five(studies) as store:
        of_family = compare(StudyRuns(store), "base", "c2", Rule())
    with of_five(studies, setups=("base", "c2")) as store:
        alone = compare(StudyRuns(store), "base", "c2", Rule())
    assert alone.deciding.difference == of_family.deciding.difference
    ratio = of_family.runs_for_seen / alone.runs_for_seen
    # (2.576 + .842)^2 / (1.960 + .842)^2 with the normal law; more, as the pilot is small
    assert 1.45 < ratio < 2


def of_differences(studies, differences, **rule):
    a = [0.8 + 0.01 * seed for seed in range(len(differences))]
    runs = {
        "a": [measured(accuracy=x) for x in a],
        "b": [measured(accuracy=x + d) for x, d in zip(a, differences, strict=True)],
    }
    with studies.make(runs, rule=Rule(**rule)) as store:
        return compare(StudyRuns(store), "a", "b", Rule(**rule))


def test_the_caution_about_skewness_names_that_of_these_differences(studies):
    even = 0.01 * np.array([-2, -1, -0.5, 0, 0, 0.5, 1, 2, 0.2, -0.2])
    skew = scipy_stats.skew(
        skewed := 0.001 * np.array([1, 1, 2, 2, 3, 3, 4, 5, 9, 30]), bias=False
    )
    usual, odd, few = (of_differences(studies, each) for each in (even, skewed, even[:4]))
    assert "The 10 differences have a skewness of +0.0 (normal ones rarely pass ±1.4). If" in said(
        usual
    )
    assert f"a skewness of {skew:+.1f} (normal ones rarely pass ±1.4). Since" in said(odd)
    assert "4 pairs are too few to tell how skewed their differences are. If" in said(few)


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (0.95, "a 95 % interval from 10 pairs holds about 90 % of the time"),
        (0.9, "a 90 % interval from 10 pairs holds about 85 % of the time"),
        (0.99, "a 99 % interval from 10 pairs holds about 96 % of the time"),
    ],
)
def test_the_confidence_that_was_asked_for_is_the_one_that_is_named(studies, confidence, words):
    found = of_differences(studies, 0.01 * np.arange(10) ** 1.5, confidence=confidence)
    assert words in said(found)
    assert ("95 %" in said(found)) == (confidence == 0.95)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ((10, 2), "2 runs beside 10: the interval has one degree of freedom"),
        ((3, 12), "3 runs beside 12: with so few of one setup the interval misses up to one and"),
        ((3, 3), "3 runs of a setup say little about how much they vary"),
    ],
)
def test_few_and_unequal_unpaired_runs_get_a_caution(studies, runs, words):
    rng = np.random.default_rng(0)
    made = {
        name: {start + i: measured(accuracy=0.8 + 0.01 * rng.normal()) for i in range(n)}
        for name, n, start in zip("ab", runs, (0, 100), strict=True)
    }
    with studies.make(made) as store:
        assert words in said(compare(StudyRuns(store), "a", "b", Rule()))
    enough = {
        n: {i + s: measured(accuracy=0.8 + i / 100) for i in range(5)}
        for n, s in (("a", 0), ("b", 9))
    }
    with studies.make(enough) as store:
        assert "beside" not in said(compare(StudyRuns(store), "a", "b", Rule()))


def test_several_setups_must_be_two_and_different(studies):
    with studies.make({"a": runs_of(POOR, 2)}) as store:
        for names in ([], ["a"], ["a", "a"]):
            with pytest.raises(ConfigError, match="two or more different setups"):
                compare_several(StudyRuns(store), names, Rule())


def test_metrics_that_disagree_clear_of_zero_are_warned_of(studies):
    """B is worse, and its logits are so sharp that smoothed accuracy is sure of the opposite."""
    a, b = rescaled(runs_of(GOOD, 10), factor=0.2), runs_of(1.1, 10)
    with studies.make({"a": a, "b": b}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.outcome != "better"
    assert "disagree, both clear of 0: trust neither alone" in said(found)
    assert "differ in how sharp their logits are" in said(found)


def test_a_fixed_target_is_compared_with_one_setup(studies):
    with studies.make({"a": runs_of(POOR, 8)}) as store:
        mean = float(np.mean(stats.accuracy(runs_of(POOR, 8), TARGETS)))
        low, near, high = (
            compare_with_target(StudyRuns(store), "a", mean + shift, Rule())
            for shift in (-0.2, 0, 0.2)
        )
        with pytest.raises(ConfigError, match="target must be a number, got nan"):
            compare_with_target(StudyRuns(store), "a", math.nan, Rule())
    assert [each.outcome for each in (low, near, high)] == ["better", "undecided", "worse"]
    assert target_sentence(low).startswith("a is better than the target")
    assert low.difference.estimate == pytest.approx(0.2)


def test_a_setup_without_results_is_said(studies):
    with (
        studies.make({"a": runs_of(POOR, 2), "b": [FAILED]}) as store,
        pytest.raises(StudyError, match="has no finished run; run it first"),
    ):
        compare(StudyRuns(store), "a", "b", Rule())


def test_hundreds_of_runs_are_compared_in_moments(studies):
    runs = runs_of(POOR, 400)
    with studies.make({"a": runs, "b": runs_of(1.1, 400)}) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.deciding.difference.n_a == 400
    assert found.sign_flip is None
    assert found.chance.low < found.chance.estimate < found.chance.high
    assert round(1 / found.accuracy.resolution) == IMAGES * 2
