"""What a study's stopping rule says of its runs, and how a comparison speaks of it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from helpers.studies import DIVERGED, rescaled, runs_of
from seedwise.comparison import Rule, Stop, StoppingRule, compare, compare_several, decisions
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import StudyError
from seedwise.records import RunRecord
from seedwise.words.cautions import cautions
from seedwise.words.verdict import basis, exploratory_sentence, verdict_sentence

STOP = Stop(difference=0.05, max_runs=12)
PAIR = {"base": runs_of(1.0, 12), "good": runs_of(1.5, 12)}


def decided(store):
    return decisions(StudyRuns(store), StoppingRule.of(StudyRuns(store)))


@pytest.mark.parametrize("growth", [-0.4, 0.5])
@pytest.mark.parametrize("max_runs", [12, None])
def test_rescaled_logits_never_make_better_or_worse(studies, growth, max_runs):
    """The predictions are the same, to a few ties."""
    base = runs_of(1.0, 12)
    setups = {"base": base, "stretched": rescaled(base, growth)}
    with studies.make(setups, stop=Stop(difference=1e-6, max_runs=max_runs)) as store:
        found = decided(store)["stretched"]
    moved = found.trace[-1].matched
    assert not moved.low <= 0 <= moved.high
    assert found.verdict == "undecided"


@pytest.mark.parametrize(
    "other", [runs_of(1.3, 12), runs_of(0.9, 12), rescaled(runs_of(1.0, 12), 0.5)]
)
def test_the_rule_and_a_fixed_number_of_runs_ask_the_same_metric(studies, other):
    """At a level that no look reaches, the last look is at what `compare` sees."""
    stop = Stop(difference=1e-6, alpha=1e-12)
    with studies.make({"base": runs_of(1.0, 12), "other": other}, stop=stop) as store:
        found = compare(StudyRuns(store), "base", "other", Rule())
    decision = found.stopping.decision
    assert decision.n == 12
    for metric in ("accuracy", "matched", "ranked"):
        contrast = found.contrasts[metric if metric == "accuracy" else f"{metric}_accuracy"]
        look = getattr(decision.trace[-1], metric)
        assert look.estimate == pytest.approx(contrast.difference.estimate, abs=1e-6)


def test_a_comparison_speaks_of_the_rule_whichever_way_round(studies):
    with studies.make(PAIR, stop=STOP) as store:
        decision = decided(store)["good"]
        forth, back = (
            compare(StudyRuns(store), *pair, fixed_rule(StudyRuns(store)))
            for pair in (("base", "good"), ("good", "base"))
        )
    assert decision.verdict == "better"
    assert decision.n < 12
    assert (forth.outcome, back.outcome) == ("better", "worse")
    assert forth.stopping.decision == back.stopping.decision == decision
    for found in (forth, back):
        assert verdict_sentence(found).startswith(
            f"good is better than base, after {decision.n} pairs of runs: acc"
        )
        assert "5 % false alarms over 1 candidate" in basis(found)
        assert "a stopping rule looked after every pair" in cautions(found)[0]
    assert "base is worse than good: acc" in exploratory_sentence(back)
    assert forth.deciding.difference.n_a == 12  # the figures are of all runs


def test_undecided_by_the_rule_is_undecided_whatever_the_figures_say(studies):
    """All twelve pairs, looked at once, show the sign; their looks have a stricter level."""
    setups = {"base": runs_of(1.0, 12), "good": runs_of(1.06, 12, own=0.1)}
    with studies.make(setups, stop=Stop(difference=1e-4, alpha=1e-6, max_runs=12)) as store:
        found = compare(StudyRuns(store), "base", "good", Rule())
    assert found.verdict.outcome == "better"
    assert found.outcome == "undecided"
    assert verdict_sentence(found).startswith("Undecided: good against base, after ")


def test_the_difference_of_the_rule_is_the_usual_margin(studies):
    with studies.make(PAIR, stop=STOP) as store:
        assert fixed_rule(StudyRuns(store)) == Rule(margin=0.05)
        assert (
            compare(
                StudyRuns(store), "base", "good", fixed_rule(StudyRuns(store))
            ).equivalence.margin
            == 0.05
        )
    with studies.make(PAIR, stop=STOP, rule=Rule(margin=0.2)) as store:
        assert fixed_rule(StudyRuns(store)).margin == 0.2


def test_two_candidates_are_no_matter_of_the_rule(studies):
    setups = PAIR | {"other": runs_of(1.2, 12)}
    with studies.make(setups, stop=STOP) as store:
        found = compare_several(
            StudyRuns(store), list(setups), fixed_rule(StudyRuns(store)), against="all"
        )
    assert [each.stopping is None for each in found] == [False, False, True]
    assert found[2].outcome == found[2].verdict.outcome


def test_better_is_withheld_where_it_rests_on_diverged_runs(studies):
    """Seven of the baseline's runs diverge; where it does not, the other is no better."""
    base = [*runs_of(1.0, 12)]
    base[1:8] = [DIVERGED] * 7
    setups = {"base": base, "same": runs_of(1.0001, 12, own=0.05)}
    with studies.make(setups, stop=Stop(difference=0.1, max_runs=12)) as store:
        found = compare(StudyRuns(store), "base", "same", fixed_rule(StudyRuns(store)))
    decision = found.stopping.decision
    assert (decision.verdict, decision.withheld) == ("undecided", "better")
    assert decision.trace[7].matched.low > 0
    assert decision.reason == "withheld"
    assert "that same is better than base rests on diverged or collapsed runs" in verdict_sentence(
        found
    )


def test_words_for_each_way_a_rule_can_end(studies):
    def said(good, **stop):
        with studies.make({"a": runs_of(1.0, 12), "b": good}, stop=Stop(**stop)) as store:
            return verdict_sentence(
                compare(StudyRuns(store), "a", "b", fixed_rule(StudyRuns(store)))
            )

    near = runs_of(1.0001, 12, own=0.02)
    assert said(near, difference=0.1, max_runs=12).startswith("b and a are equivalent, after ")
    assert said(near[:2], difference=0.1).startswith("Not decided yet: b against a, after 2 pairs")
    assert ", which is the most allowed; acc" in said(
        near, difference=1e-5, max_runs=12, power=1 - 1e-9
    )
    assert "and 12 pairs would hardly decide it" in said(near, difference=1e-5, max_runs=12)


def scored(values):
    """Runs of accuracy alone."""
    return [
        RunRecord(state="finished", metrics={"accuracy": float(value)}, seconds=1.0)
        for value in values
    ]


def unrelated_and_paired(studies, a, b):
    """What the same runs give under both rules, through the file."""
    for paired in (False, True):
        stop = Stop(difference=0.002, max_runs=12, paired=paired)
        setups = {"a": scored(a), "b": scored(b)}
        with studies.make(setups, classes=0, stop=stop) as store:
            assert StoppingRule.of(StudyRuns(store)).stop == stop
            yield compare(StudyRuns(store), "a", "b", fixed_rule(StudyRuns(store)))


def test_a_rule_may_take_the_runs_as_unrelated(studies):
    a, b = np.random.default_rng(1).normal([[0.9], [0.906]], 0.003, (2, 12))
    found, paired = unrelated_and_paired(studies, a, b)
    decision = found.stopping.decision
    assert (decision.verdict, paired.stopping.decision.verdict) == ("better", "better")
    assert decision.n != paired.stopping.decision.n
    test = stats.ttest_ind(b[: decision.n], a[: decision.n])
    assert (decision.high + decision.low) / 2 == pytest.approx(decision.estimate)
    bound = found.stopping.rule.for_one().bounds(decision.n, 0.05)[-1]
    assert (decision.high - decision.low) / 2 == pytest.approx(
        bound * decision.estimate / test.statistic
    )
    assert "It takes runs of one seed as unrelated." in basis(found)
    assert "unrelated" not in basis(paired)


@pytest.mark.parametrize(
    ("sign", "caution"),
    [(1, "a paired rule would need fewer"), (-1, "it errs more often than stated"), (0, "")],
)
def test_what_a_rule_of_unrelated_runs_takes_for_granted_is_looked_at(studies, sign, caution):
    shared, a, b = np.random.default_rng(2).normal(0, 0.003, (3, 12))
    rest = 0.2 if sign else 1.0
    found, paired = unrelated_and_paired(
        studies, 0.9 + shared * (sign != 0) + rest * a, 0.9 + sign * shared + rest * b
    )
    said = [each for each in cautions(found) if "takes them as unrelated" in each]
    assert [caution in each for each in said] == [True] * (sign != 0)
    assert not any("as unrelated" in each for each in cautions(paired))


@pytest.mark.parametrize(
    "changed", [{"paired": False}, {"metric": "loss"}, {"difference": 0.1}, {"max_runs": 20}]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_study_begun_by_another_rule_names_what_differs(studies, changed, first):
    """Also of a choice that only one of the two makes."""
    rules = [
        StoppingRule(stop=each, baseline="base", candidates=("good",))
        for each in (STOP, replace(STOP, **changed))
    ]
    there, here = rules if first else rules[::-1]
    (name,) = changed
    with (
        studies.make(PAIR, stop=there.stop) as store,
        pytest.raises(StudyError, match=f"another stopping rule: {name} .* there, .* here; what"),
    ):
        here.check(StudyRuns(store))
