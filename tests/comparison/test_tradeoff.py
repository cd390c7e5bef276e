"""Cheaper without worse: one verdict on a cost and on the margin."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import seedwise
from seedwise import Rule
from seedwise.comparison import compare_several
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, UnknownName
from seedwise.report.charts import chart
from seedwise.report.findings import Findings
from seedwise.study import Study, record


def recorded(path, *, seed=0, runs=8, **setups):
    """Runs with an accuracy, seconds and FLOP; of each setup its mean accuracy and seconds."""
    rng = np.random.default_rng(seed)
    for number in range(runs):
        for name, (accuracy, seconds) in setups.items():
            record(
                path,
                setup=name,
                seed=number,
                metrics={"accuracy": accuracy + 0.001 * rng.normal(), "flop": 2e9 * seconds},
                seconds=seconds + 3 * rng.normal(),
            )
    return Study(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s.db"


RULE = {"margin": 0.005, "cost": "seconds", "saving": 0.1}


def test_both_have_to_be_shown(path):
    study = recorded(
        path, old=(0.93, 100.0), fast=(0.93, 80.0), rash=(0.92, 60.0), slow=(0.94, 96.0)
    )
    shown = {
        name: study.compare("old", name, **RULE).tradeoff for name in ("fast", "rash", "slow")
    }
    assert {name: both.shown for name, both in shown.items()} == {
        "fast": True,
        "rash": False,
        "slow": False,
    }
    assert shown["fast"].saving.estimate == pytest.approx(0.2, abs=0.03)
    said = str(study.compare("old", "fast", **RULE))
    assert "Shown: fast is cheaper than old by more than 10 % and not worse by 0.50 points" in said
    assert "Not shown: that rash is cheaper" in str(study.compare("old", "rash", **RULE))


def test_the_p_value_is_that_of_the_weaker_claim(path):
    found = recorded(path, old=(0.93, 100.0), fast=(0.93, 80.0)).compare("old", "fast", **RULE)
    assert found.tradeoff.p_value == max(
        found.tradeoff.saving.p_value, found.equivalence.p_not_worse
    )


def test_several_are_corrected(path):
    recorded(path, old=(0.93, 100.0), fast=(0.93, 84.0), other=(0.93, 82.0))
    with StudyRuns.open(path) as study:
        found = compare_several(study, ("old", "fast", "other"), Rule(metric="accuracy", **RULE))
    raw = [max(e.tradeoff.saving.p_value, e.equivalence.p_not_worse) for e in found]
    assert found[raw.index(min(raw))].tradeoff.p_value == pytest.approx(2 * min(raw))


def test_a_metric_may_be_the_cost(path):
    study = recorded(path, old=(0.93, 100.0), fast=(0.93, 80.0))
    found = study.compare("old", "fast", margin=0.005, cost="flop", metric="accuracy")
    assert found.tradeoff.saving.estimate == pytest.approx(0.2)
    assert found.tradeoff.shown
    with pytest.raises(UnknownName, match="unknown cost 'dollars'"):
        study.compare("old", "fast", margin=0.005, cost="dollars", metric="accuracy")


def test_errors_at_the_edge_of_both_claims(path):
    """Exactly as much cheaper as asked, or worse by just the margin: called so in 5 % at most."""
    shown = 0
    for number in range(60):
        file = path.with_name(f"{number}.db")
        study = recorded(file, seed=number, runs=4, old=(0.93, 100.0), new=(0.925, 90.0))
        shown += study.compare("old", "new", metric="accuracy", **RULE).tradeoff.shown
    assert shown <= 4


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"cost": "seconds"}, "needs a margin beside the cost"),
        ({"saving": 0.1, "margin": 0.1}, "a saving is of a cost"),
        ({"cost": "seconds", "saving": 1.0, "margin": 0.1}, "saving must be a share from 0"),
    ],
)
def test_what_does_not_go_together_is_refused(said, message):
    with pytest.raises(ConfigError, match=message):
        Rule(**said)


def test_runs_without_their_time_are_told(path):
    for seed in range(3):
        record(path, setup="a", seed=seed, metrics={"accuracy": 0.9})
    with pytest.raises(ConfigError, match="have no time: record them with their seconds"):
        Study(path).compare("a", "a", **RULE)


def test_a_gate_fails_unless_it_is_shown(path):
    recorded(path, old=(0.93, 100.0), fast=(0.93, 80.0), slow=(0.93, 100.0), rash=(0.9, 50.0))
    gate = ("--margin", 0.005, "--fail-if", "not-shown")
    seedwise("compare", path, "old", "slow", *gate)
    seedwise("compare", path, "old", "rash", *gate, code=1)
    seedwise("compare", path, "old", "fast", *gate, "--cost", "seconds", "--saving", 0.1)
    seedwise("compare", path, "old", "slow", *gate, "--cost", "seconds", "--saving", 0.1, code=1)
    said = seedwise("compare", path, "old", "slow", "--fail-if", "not-shown", code=2)
    assert "needs two setups and a margin" in said


def test_the_report_has_the_verdict_on_both_as_compare_has_it(path, tmp_path):
    recorded(path, old=(0.93, 100.0), fast=(0.93, 80.0))
    file = tmp_path / "r.html"
    said = ("--margin", 0.005, "--cost", "seconds", "--saving", 0.1)
    seedwise("report", path, "old", "fast", *said, "-o", file)
    sentence = "fast is cheaper than old by more than 10 % and not worse by 0.50 points or more"
    assert sentence in seedwise("compare", path, "old", "fast", *said)
    page = file.read_text()
    assert sentence in re.sub("</?bdi>", "", page)
    assert "Accuracy against seconds" in page
    seedwise("report", path, "old", "fast", "-o", file)
    assert "cheaper" not in file.read_text()
    wrong = seedwise("report", path, "old", "fast", "--cost", "seconds", code=2)
    assert "needs a margin beside the cost" in wrong
    wrong = seedwise("report", path, "old", "fast", *said[:2], "--cost", "dollars", code=2)
    assert "unknown cost 'dollars'" in wrong


def test_what_study_toml_fixes_stands_in_the_report(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(
        'seeds = 4\n[verdict]\nmetric = "accuracy"\nmargin = 0.02\n'
        'cost = "flop"\nsaving = 0.1\n'
        '[setups.old]\ntrain = "trained:old"\n[setups.new]\ntrain = "trained:new"\n'
    )
    Path("trained.py").write_text(
        "def old(seed):\n"
        "    return {'accuracy': 0.9 + 0.001 * seed.numpy('init').normal(), 'flop': 10.0}\n\n\n"
        "def new(seed):\n"
        "    return {'accuracy': 0.9 + 0.001 * seed.numpy('init').normal(), 'flop': 5.0}\n"
    )
    seedwise("run", "study.toml", "--store", "t.db")
    seedwise("report", "t.db")
    page = re.sub("</?bdi>", "", Path("t.html").read_text())
    assert "new is cheaper than old by more than 10 % and not worse by 2" in page


def test_undecided_is_not_shown(path):
    recorded(path, runs=2, old=(0.93, 100.0), new=(0.93, 80.0))
    gate = ("--margin", 0.0005, "--fail-if")
    seedwise("compare", path, "old", "new", *gate, "worse")
    seedwise("compare", path, "old", "new", *gate, "not-shown", code=1)


def test_what_is_fixed_beforehand_is_kept_and_drawn(path):
    def train(accuracy):
        def trained(seed):
            return {"accuracy": accuracy + 0.001 * seed.numpy("init").normal(), "cost": accuracy}

        return trained

    rule = Rule(metric="accuracy", margin=0.02, cost="cost", saving=0.05)
    setups = {"old": train(0.9), "new": train(0.899)}
    study = Study(path)
    study.run(setups, seeds=4, rule=rule)
    study.run(setups, seeds=4, rule=rule)  # the same again is no change
    found = study.compare("old", "new")
    assert found.standing.confirmatory
    assert not found.tradeoff.shown
    with StudyRuns.open(path) as runs:
        drawn = chart("tradeoff", Findings(runs))
    assert len(drawn.table.rows) == 8
    assert "accuracy" in drawn.says
    told = json.loads(seedwise("compare", path, "--json"))
    assert told["tradeoff"]["cost"] == "cost"
