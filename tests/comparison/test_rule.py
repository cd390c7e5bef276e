"""Whether a verdict is held to what was fixed before the first run."""

import pytest

from helpers.studies import ENDED, finished, runs_of
from seedwise.comparison import Rule, compare
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.words.cautions import cautions
from seedwise.words.verdict import basis

PAIR = {"a": runs_of(1.0, 6), "b": runs_of(1.3, 6)}


def reasons(studies, rule=None, setups=PAIR, **made):
    with studies.make(setups, **made) as store:
        found = compare(StudyRuns(store), "a", "b", rule or fixed_rule(StudyRuns(store)))
    assert found.standing.confirmatory == (not found.standing.reasons)
    assert ("of the time" in basis(found)) == found.standing.confirmatory
    return "; ".join(found.standing.reasons)


def test_a_verdict_on_what_was_planned_keeps_its_error_rates(studies):
    assert reasons(studies) == ""
    rule = Rule(metric="accuracy", margin=0.01, confidence=0.9, paired=False)
    assert reasons(studies, rule=rule, planned=range(6)) != ""
    with studies.make(PAIR, rule=rule) as store:
        assert fixed_rule(StudyRuns(store)) == rule
        assert compare(
            StudyRuns(store), "a", "b", fixed_rule(StudyRuns(store))
        ).standing.confirmatory


def test_saying_what_holds_anyway_changes_nothing(studies):
    assert reasons(studies, rule=Rule(metric="matched_accuracy", paired=True)) == ""


def test_without_a_plan_a_verdict_is_exploratory(studies):
    assert reasons(studies, plan=False) == "nothing was fixed before the first run was stored"
    with studies.make(PAIR, plan=False) as store:
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert cautions(found)[0].startswith(
        "Exploratory, the stated error rates may not hold: nothing was fix"
    )


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule(metric="accuracy"), "metric is accuracy here, and matched_accuracy was fixed"),
        (Rule(margin=0.01), "margin is 0.01 here, and none was fixed"),
        (Rule(confidence=0.9), "confidence is 0.9 here, and 0.95 was fixed"),
        (Rule(paired=False), "paired is False here, and by the seeds was fixed"),
    ],
)
def test_a_rule_that_was_not_fixed_is_named(studies, rule, reason):
    assert reasons(studies, rule=rule) == reason


def test_seeds_that_were_added_later_are_more_looks(studies):
    assert "2 seeds were added after runs were stored, beyond the 4" in reasons(
        studies, planned=range(4)
    )


def test_seeds_that_are_missing_make_it_a_look_before_the_end(studies):
    text = reasons(studies, planned=range(10))
    assert "6 of the 10 planned runs of 'a' are stored: this is an interim look" in text


def test_a_setup_that_was_added_later_is_named(studies):
    with studies.make({"a": PAIR["a"]}) as store:
        store.add_setup("b", Setup(lr=1.0))
        for seed, run in enumerate(PAIR["b"]):
            store.add_run("b", Seed.of(seed), finished(run), ended_at=ENDED)
        found = compare(StudyRuns(store), "a", "b", Rule())
    assert found.standing.reasons == ("'b' was added after runs were stored",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margin": 0}, "margin must be above 0, got 0; half a point of accuracy is 0.005"),
        ({"confidence": 1}, "confidence must be between 0 and 1, got 1"),
    ],
)
def test_a_rule_refuses_values_out_of_range(values, message):
    with pytest.raises(ConfigError, match=message):
        Rule(**values)
