"""Verdicts where runs diverge or collapse, through stored studies."""

import numpy as np
import pytest
from scipy.stats import binomtest

from helpers.studies import DIVERGED, measured
from seedwise.comparison import Rule, Stop, compare
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.study_runs import StudyRuns
from seedwise.stats.sequential import Pairs, SequentialRule, decide
from seedwise.words.cautions import cautions
from seedwise.words.verdict import verdict_sentence

RNG = np.random.default_rng(12)
BASE = 0.912 + 0.003 * RNG.normal(size=10)
BETTER = BASE + 0.005 + 0.001 * RNG.normal(size=10)
SAME = BASE + 0.0005 * RNG.normal(size=10)


def accuracies(values):
    return [DIVERGED if np.isnan(v) else measured(accuracy=float(v)) for v in values]


def compared(studies, a, b, rule=Rule(margin=0.003), **made):  # noqa: B008
    setups = {"base": accuracies(a), "cand": accuracies(b)}
    with studies.make(setups, rule=rule, **made) as store:
        study = StudyRuns(store)
        return compare(study, "base", "cand", fixed_rule(study))


def but(values, changes):
    changed = values.copy()
    for seed, value in changes.items():
        changed[seed] = value
    return changed


def test_equivalent_and_not_worse_are_withheld_where_diverged_runs_carry_them(studies):
    """Nobody can say what a diverged run would get: there are no classes to guess among."""
    lost = but(SAME, dict.fromkeys((1, 4, 6, 8), np.nan))
    found = compared(studies, BASE, lost, classes=0)
    assert (found.outcome, found.verdict.withheld) == ("undecided", "equivalent")
    assert found.verdict.direction == 0
    assert not found.verdict.not_worse
    text = verdict_sentence(found)
    assert text.startswith("Undecided: that cand and base are equivalent rests on diverged runs,")
    assert "not worse" not in text
    assert compared(studies, BASE, SAME, classes=0).outcome == "equivalent"


def test_not_worse_is_not_said_of_an_undecided_verdict_with_diverged_runs(studies):
    near = BASE + 0.0015 + 0.0063 * np.random.default_rng(3).permutation(np.linspace(-1, 1, 10))
    rule = Rule(margin=0.0032)
    whole = compared(studies, BASE, near, rule, classes=0)
    assert (whole.outcome, whole.verdict.not_worse) == ("undecided", True)
    assert "cand is not worse than base by 0.32 points or more" in verdict_sentence(whole)
    lost = compared(studies, np.append(BASE, 0.9), np.append(near, np.nan), rule, classes=0)
    assert lost.equivalence.not_worse
    assert not lost.verdict.not_worse
    assert "not worse" not in verdict_sentence(lost)


def test_equivalent_that_rests_on_pairs_of_which_both_diverged_is_withheld(studies):
    """Both count as chance: a difference of 0, six times."""
    both = dict.fromkeys(range(4, 10), np.nan)
    wide = BASE + np.array([0.004, -0.004, 0.003, -0.003, *[0.0] * 6])
    found = compared(studies, but(BASE, both), but(wide, both))
    assert (found.outcome, found.verdict.withheld) == ("undecided", "equivalent")
    assert "Equivalent is withheld: without the diverged runs it would be undecided." in cautions(
        found
    )


def test_worse_is_withheld_where_the_baseline_diverged_and_nobody_can_say_what_it_got(studies):
    found = compared(studies, but(BETTER, {2: np.nan, 5: np.nan}), BASE, classes=0)
    assert (found.outcome, found.verdict.withheld) == ("undecided", "worse")
    other = compared(studies, BETTER, but(BASE, {2: np.nan, 5: np.nan}), classes=0)
    assert other.outcome == "worse"


def test_collapsed_runs_are_said_first_with_their_share_and_the_verdict_without_them(studies):
    found = compared(studies, BASE, but(BETTER, {3: 0.5, 7: 0.48}), Rule())
    text = verdict_sentence(found)
    assert text.startswith(
        "2 of 10 runs of cand collapsed: seeds 3, 7 (between 2.5 % and 55.6 % of its seeds do). "
        "Undecided: these runs can't tell cand from base"
    )
    assert "Without the collapsed runs cand is better than base: accuracy differs by +0." in text
    assert [str(seed) for seed in found.far_b.collapsed] == ["3", "7"]
    assert found.far_a.seeds == frozenset()
    assert found.runs_for_seen is None


def test_better_is_withheld_where_it_rests_on_collapsed_runs_of_the_baseline(studies):
    """Runs differ by nothing but collapses, which are alike enough for the t test to see."""
    a = np.r_[np.linspace(0.9, 0.904, 18), np.linspace(0.3, 0.304, 12)]
    b = np.linspace(0.9, 0.9045, 30)
    found = compared(studies, a, np.random.default_rng(1).permutation(b), Rule())
    assert len(found.far_a.collapsed) == 12
    assert (found.outcome, found.verdict.withheld) == ("undecided", "better")
    assert "that cand is better rests on collapsed runs" in verdict_sentence(found)
    back = compared(studies, b, a, Rule())
    assert back.outcome == "worse"


def test_lower_is_better_collapses_upwards(studies):
    losses = {
        "base": [measured(loss=1 + 0.01 * i) for i in range(6)],
        "cand": [measured(loss=0.95 + 0.011 * i) for i in range(5)] + [measured(loss=9.0)],
    }
    with studies.make(losses) as store:
        found = compare(StudyRuns(store), "base", "cand", Rule())
    assert verdict_sentence(found).startswith("1 of 6 runs of cand collapsed: seed 5 (")
    losses["cand"][5] = measured(loss=0.01)
    with studies.make(losses) as store:
        lucky = compare(StudyRuns(store), "base", "cand", Rule())
    assert verdict_sentence(lucky).startswith(
        "1 of 6 runs of cand got far better results than the rest: seed 5."
    )


@pytest.mark.parametrize(("runs", "share"), [(5, "45 %"), (10, "26 %")])
def test_what_so_many_runs_cannot_exclude_is_in_the_small_print(studies, runs, share):
    found = compared(studies, BASE[:runs], BETTER[:runs])
    note = f"{runs} pairs can't exclude collapses in up to {share} of the seeds"
    assert sum(note in line for line in cautions(found)) == 1
    assert not any(
        "can't exclude" in line
        for line in cautions(compared(studies, BASE, but(BETTER, {3: 0.5})))
    )


def test_collapsed_runs_withhold_under_a_stopping_rule_too(studies):
    """Both collapse at seeds 1 and 5: differences of about 0, which say nothing of the others."""
    rng = np.random.default_rng(2)
    a = 0.9 + 0.003 * rng.normal(size=12)
    b = a + 0.0004 * rng.normal(size=12)
    a[[1, 5]], b[[1, 5]] = [0.2, 0.21], [0.2001, 0.2102]
    stop = Stop(difference=0.0015, max_runs=12)
    found = compared(studies, a, b, Rule(), stop=stop).stopping.decision
    assert found.verdict == "equivalent"
    assert found.n >= 4  # three pairs of the others, at least
    plain = Pairs(accuracy=b - a)
    assert decide(SequentialRule(difference=0.0015, max_pairs=12), plain).n == 3
    once = compared(studies, a, b, Rule(), stop=stop)
    assert verdict_sentence(once).startswith("2 of 12 runs of base collapsed: seeds 1, 5 (")


def test_collapses_that_even_out_a_true_difference_hardly_make_better(studies):
    """One seed in ten of B collapses and the means are equal; of the studies that saw it."""
    rng = np.random.default_rng(5)
    seen = wrong = 0
    for _ in range(60):
        a = 0.9 + 0.003 * rng.normal(size=10)
        b = a + 0.003 + 0.001 * rng.normal(size=10)
        lost = rng.random(10) < 0.1
        b[lost] -= 0.03
        if lost.any():
            seen += 1
            found = compared(studies, a, b, Rule(margin=0.002))
            wrong += found.outcome in ("better", "equivalent")
    assert seen > 20
    assert binomtest(wrong, seen, 0.1, alternative="greater").pvalue > 1e-3
