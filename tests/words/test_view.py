"""A comparison in words: one view, and what maps over it."""

import json

import pytest

import seedwise
from helpers.studies import Studies, measured, runs_of
from seedwise.comparison import Stop
from seedwise.errors import ConfigError
from seedwise.figures import html_table
from seedwise.words import View, view

SETUPS = {"base": runs_of(1.0), "one": runs_of(1.6), "<b>": runs_of(1.1)}


@pytest.fixture
def found(tmp_path):
    with Studies(tmp_path).make(SETUPS) as store:
        return seedwise.Study(store.path).compare("base", "one")


def test_a_comparison_prints_as_its_verdict_wherever_it_is_shown(found):
    told = found.view
    assert isinstance(told, View)
    assert repr(found) == str(found) == told.brief == told.headline
    assert told.headline.startswith("one is better than base")
    assert told.headline in found._repr_html_()


def test_json_says_what_the_view_says(found):
    said = json.loads(found.to_json())
    told = view(found)
    assert (said["sentence"], said["basis"]) == (told.headline, told.basis)
    assert tuple(said["cautions"]) == told.cautions
    assert said["outcome"] == "better"


def test_one_row_decides_and_accuracy_is_among_them(found):
    assert [row.metric for row in found.view.rows if row.decides] == [found.deciding.metric]
    row = next(row for row in found.view.rows if row.metric == "accuracy")
    assert row.difference == f"{row.estimate} {row.these}"
    assert row.runs == "6 pairs"


def test_a_frame_has_the_numbers_of_the_contrasts(found):
    pytest.importorskip("pandas")
    frame = found.to_frame().set_index("metric")
    for name, each in found.contrasts.items():
        assert frame.loc[name, "difference"] == each.difference.estimate
        assert frame.loc[name, "low"] == each.difference.low
    assert frame["decides"].sum() == 1


def test_names_are_text_in_html(tmp_path):
    with Studies(tmp_path).make(SETUPS) as store:
        page = seedwise.Study(store.path).compare("base", "<b>")._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert html_table("<i>", (), ()).startswith("<table><caption>&lt;i&gt;")


EXPECTED = {
    # outcome: the claims that hold
    "better": {"better", "not worse", "not shown worse"},
    "worse": set(),
    "equivalent": {"equivalent", "not worse", "not shown worse", "not shown different"},
    "undecided": {"not shown worse", "not shown different"},
}
VALUES = {
    "better": [0.900, 0.908, 0.933, 0.921],
    "worse": [0.700, 0.708, 0.733, 0.721],
    "equivalent": [0.801, 0.810, 0.829, 0.820],
    "undecided": [0.90, 0.70, 0.95, 0.75],
}


def measured_study(folder, values, **options):
    setups = {"a": [0.80, 0.81, 0.83, 0.82], "b": values}
    runs = {name: [measured(accuracy=x) for x in row] for name, row in setups.items()}
    with Studies(folder).make(runs, classes=0, **options) as store:
        return seedwise.Study(store.path)


@pytest.mark.parametrize("outcome", EXPECTED)
@pytest.mark.parametrize(
    "claim", ["better", "not worse", "equivalent", "not shown worse", "not shown different"]
)
def test_a_claim_that_is_not_shown_fails_with_the_verdict(tmp_path, outcome, claim):
    found = measured_study(tmp_path, VALUES[outcome]).compare("a", "b", margin=0.01)
    assert found.outcome == outcome
    if claim in EXPECTED[outcome]:
        assert found.expect(claim) is found
        return
    with pytest.raises(AssertionError) as failed:
        found.expect(claim)
    first, *rest = str(failed.value).split("\n")
    assert first.startswith(f"expected b against a: {claim}")
    assert found.view.headline in rest
    assert f"Note: {found.view.cautions[0]}" in rest


@pytest.mark.parametrize("claim", ["not worse", "equivalent"])
def test_a_claim_of_a_margin_needs_one(tmp_path, claim):
    found = measured_study(tmp_path, VALUES["better"]).compare("a", "b")
    with pytest.raises(ConfigError, match="needs a margin"):
        found.expect(claim)


def test_an_unknown_claim_is_refused_with_those_that_are_known(found):
    with pytest.raises(ConfigError, match=r"'not shown worse'.*got 'not-worse'"):
        found.expect("not-worse")


def test_a_stopping_rule_decides_what_is_shown(tmp_path):
    values = [0.81, 0.83, 0.86, 0.84]
    rule = Stop(difference=0.01, max_runs=20)
    found = measured_study(tmp_path, values, stop=rule).compare("a", "b")
    assert found.verdict.outcome == "better"  # as if the number of runs had been fixed
    assert found.outcome == "undecided"
    for claim in ("better", "not worse"):
        with pytest.raises(AssertionError, match="Not decided yet"):
            found.expect(claim)
    found.expect("not shown worse")


def test_a_target_is_expected_likewise(tmp_path):
    found = measured_study(tmp_path, VALUES["better"]).compare_with_target("b", 0.5)
    assert found.expect("better") is found
    (tmp_path / "2").mkdir()
    below = measured_study(tmp_path / "2", VALUES["better"]).compare_with_target("b", 0.99)
    with pytest.raises(AssertionError, match="b is worse than the target"):
        below.expect("not shown worse")
    with pytest.raises(ConfigError, match="needs a margin"):
        below.expect("not worse")
