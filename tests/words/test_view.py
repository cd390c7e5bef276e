"""A comparison in words: one view, and what maps over it."""

import json

import pytest

import seedwise
from helpers.studies import Studies, runs_of
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
    assert repr(found) == str(found) == f"{told.headline} {told.basis}"
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
