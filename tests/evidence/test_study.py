"""The published study says what its runs say, and its runs are those that the code would make."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import make
import questions
import tell
from seedwise import Setup
from seedwise.stats.sequential import Pairs

ROOT = Path(__file__).parents[2]
NAMES = [*(each.name for each in questions.STUDIES), "verdict-1", "verdict-2", "verdict-3"]
CHOICES = {"precision": "bf16", "deterministic": True, "loader": "cache"}


def test_the_page_has_the_tables_that_the_runs_give():
    page = tell.PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- end -->") == len(tell.TEXTS)
    assert tell.filled(page) == page, "python evidence/tell.py makes the tables anew"


def test_other_runs_would_give_other_tables(monkeypatch):
    page = tell.PAGE.read_text(encoding="utf-8")
    found = dict(tell.study("small-split"))
    worse = {**found["page-v1"].values, "accuracy": found["page-v1"]["accuracy"] - 0.01}
    runs = found["page-v1"]
    found["page-v1"] = tell.Runs(values=worse, classes=runs.classes, targets=runs.targets)
    real = tell.study
    monkeypatch.setattr(tell, "study", lambda name: found if name == "small-split" else real(name))
    monkeypatch.setattr(tell, "TEXTS", {"table": tell.main_table})
    assert tell.filled(page) != page


@pytest.mark.parametrize("name", NAMES)
def test_accuracies_are_those_of_the_shipped_classes(name):
    for setup, runs in tell.study(name).items():
        counted = (runs.classes == runs.targets).mean(axis=(1, 2))
        # accuracy counts ties for the largest logit as shares, where an argmax decides them
        few = 5 / runs.classes[0].size
        assert np.allclose(counted, runs["accuracy"], rtol=0, atol=few), setup


@pytest.mark.parametrize("wanted", questions.STUDIES, ids=lambda each: each.name)
def test_every_run_that_a_study_wants_is_there_and_of_that_setup(wanted):
    known = json.loads((ROOT / "evidence" / "results" / "environment.json").read_text())
    made = tell.study(wanted.name)
    for part in wanted.parts:
        for name, setup in part.setups.items():
            assert set(range(part.seeds)) <= set(made[name]["order"].astype(int)), name
            stored = Setup(**known[wanted.name]["setups"][name])
            assert stored.resolved(CHOICES) == setup.resolved(CHOICES), name


@pytest.mark.parametrize("name", NAMES)
def test_no_run_was_left_out(name):
    with (tell.RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        assert {row["state"] for row in csv.DictReader(file)} == {"finished"}


def test_the_null_verdicts_follow_from_their_differences():
    found = json.loads((tell.RESULTS / "nulls.json").read_text(encoding="utf-8"))
    pairs = Pairs(
        **{name: np.array(found[name]) for name in ("accuracy", "matched", "ranked")},
        resolution=found["resolution"],
    )
    assert make.null_verdicts(pairs, questions.NULLS.stop)[:200] == found["verdicts"]


def test_null_verdicts_see_a_difference_and_use_no_seed_twice():
    rng = np.random.default_rng(5)
    shifted = {name: rng.normal(0.02, 0.002, 60) for name in ("accuracy", "matched", "ranked")}
    found = make.null_verdicts(Pairs(**shifted, resolution=1 / 5000), questions.NULLS.stop)
    assert {each["verdict"] for each in found} == {"better"}
    ends = [each["first_seed"] + each["pairs"] for each in found]
    assert [each["first_seed"] for each in found] == [0, *ends[:-1]]


def test_the_reduced_size_changes_the_same_one_thing():
    base = questions.reduced(questions.BASE)
    for name, setup in questions.CHANGES.items():
        small = questions.reduced(setup)
        if small is None:
            assert name == "fastai-stem"
        else:
            assert set(base.differences(small)) == set(questions.BASE.differences(setup)), name
