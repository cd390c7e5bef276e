"""Studies that stop by a rule, with training functions whose accuracy is known."""

import math
import os
import sys

import numpy as np
import pytest

from seedwise.comparison import Rule, Stop, StoppingRule, decisions
from seedwise.comparison.stopping import TRIES, left_out
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError, UnknownName
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import Study

HALF = Stop(difference=0.01, max_runs=12)


def setups(*names):
    return {name: Setup(train=f"known_accuracies:{name}") for name in names}


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """Accuracies that the seed decides; `clear` is far better, `same` differs by chance only."""
    (tmp_path / "known_accuracies.py").write_text(
        """
from pathlib import Path

import numpy as np


def noise(seed, stream, sd):
    return float(np.random.default_rng([seed.init, stream]).normal(0, sd))


def base(seed):
    return {"accuracy": 0.8 + noise(seed, 0, 0.005)}


def clear(seed):
    return {"accuracy": 0.83 + noise(seed, 0, 0.005) + noise(seed, 1, 0.003)}


def same(seed):
    return {"accuracy": 0.8 + noise(seed, 0, 0.005) + noise(seed, 2, 0.004)}


def wild(seed):
    return {"accuracy": 0.8 + noise(seed, 3, 0.05)}


def first_comes_late(seed):
    # Where runs go side by side, that of seed 0 waits until that of seed 2 is nearly over.
    gate = Path(__file__).with_name("gate")
    if gate.exists() and seed.init == 0:
        gate.read_text()
    if gate.exists() and seed.init == 2:
        gate.write_text("go on")
    return clear(seed)


def diverges(seed):
    return {"accuracy": float("nan")} if seed.init == 1 else clear(seed)


def fails_once(seed):
    if seed.init == 2:
        raise RuntimeError("the disk is on fire")
    return clear(seed)


def fails(seed):
    raise OSError("always")


def interrupted(seed):
    if seed.init == 2:
        raise KeyboardInterrupt
    return clear(seed)


def number(seed):
    return 0.8
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield
    sys.modules.pop("known_accuracies", None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def runs(path, state=None):
    with Store.open(path, readonly=True) as store:
        return [run for run in store.runs() if state in (None, run.state)]


def seeds_of(path, setup):
    return sorted(run.seed.init for run in runs(path) if run.setup == setup)


class Looks:
    def __init__(self):
        self.seen = []

    def __call__(self, event):
        if type(event).__name__ == "Looked":
            self.seen.append((event.setup, event.decision.n, event.decision.verdict))


def test_a_study_stops_when_its_rule_has_decided(path):
    looks = Looks()
    study = Study(path)
    summary = study.run(setups("base", "clear"), until=HALF, watch=looks)
    found = study.decisions()["clear"]
    assert (found.verdict, found.reason, found.metric) == ("better", "decided", "accuracy")
    assert found.n < 8
    assert [row.finished for row in summary.setups] == [found.n, found.n]
    assert looks.seen == [
        ("clear", n, "better" if n == found.n else "undecided") for n in range(1, found.n + 1)
    ]


def test_candidates_stop_one_by_one_and_the_baseline_goes_on(path):
    Study(path).run(setups("base", "clear", "same", "wild"), until=HALF)
    found = Study(path).decisions()
    verdicts = {name: each.verdict for name, each in found.items()}
    assert verdicts == {"clear": "better", "same": "equivalent", "wild": "undecided"}
    assert found["wild"].reason == "futile"
    assert {name: len(seeds_of(path, name)) for name in found} == {
        name: each.n for name, each in found.items()
    }
    longest = max(each.n for each in found.values())
    assert len({each.n for each in found.values()}) > 1
    assert seeds_of(path, "base") == list(range(longest))


def test_alpha_is_shared_out_among_the_candidates_fixed_at_the_start(path):
    Study(path).run(setups("base", "clear", "same"), until=HALF)
    assert Study(path).decisions()["clear"].confidence == pytest.approx(0.975)
    with Store.open(path, readonly=True) as store:
        assert StoppingRule.of(StudyRuns(store)).for_one().alpha == 0.025
    with pytest.raises(StudyError, match=r"candidates .'clear', 'same'. there, .'clear'. here"):
        Study(path).run(setups("base", "clear"), until=HALF)


@pytest.mark.parametrize("jobs", [1, 3])
def test_looks_go_in_seed_order_whatever_ends_first(path, tmp_path, jobs):
    """Later seeds of the candidate are stored before its seed 0, and looked at after it."""
    looks = Looks()
    if jobs > 1:
        os.mkfifo(tmp_path / "gate")
    Study(path).run(setups("base", "first_comes_late"), until=HALF, jobs=jobs, watch=looks)
    found = Study(path).decisions()["first_comes_late"]
    rng = [np.random.default_rng([seed, 1]).normal(0, 0.003) for seed in range(found.n)]
    means = [look.accuracy.estimate for look in found.trace]
    assert means == pytest.approx([0.03 + np.mean(rng[: n + 1]) for n in range(found.n)])
    assert [n for _, n, _ in looks.seen] == sorted(n for _, n, _ in looks.seen)
    assert len(seeds_of(path, "first_comes_late")) <= found.n + jobs


def test_runs_that_were_under_way_are_kept_and_change_nothing(path, tmp_path):
    one, many = tmp_path / "one.db", tmp_path / "many.db"
    Study(one).run(setups("base", "clear"), until=HALF)
    Study(many).run(setups("base", "clear"), until=HALF, jobs=4)
    assert Study(one).decisions() == Study(many).decisions()
    assert len(runs(many)) >= len(runs(one))


def test_a_study_that_was_killed_ends_with_the_same_decision(path, tmp_path):
    whole = tmp_path / "whole.db"
    names = {"base": Setup(train="known_accuracies:base")}
    Study(whole).run({**names, "b": Setup(train="known_accuracies:clear")}, until=HALF)
    with pytest.raises(KeyboardInterrupt):
        Study(path).run({**names, "b": Setup(train="known_accuracies:interrupted")}, until=HALF)
    assert len(runs(path)) == 5
    assert Study(path).decisions()["b"].reason == "running"
    source = (tmp_path / "known_accuracies.py").read_text()
    (tmp_path / "known_accuracies.py").write_text(source.replace("raise Keyboard", "Keyboard"))
    sys.modules.pop("known_accuracies")
    again = {**names, "b": Setup(train="known_accuracies:interrupted")}
    Study(path).run(again, until=HALF, code_unchanged=True)  # but for what killed it
    assert Study(path).decisions() == Study(whole).decisions()


def test_the_same_call_again_makes_no_run(path):
    Study(path).run(setups("base", "clear"), until=HALF)
    before = [run.id for run in runs(path)]
    looks = Looks()
    Study(path).run(setups("base", "clear"), until=HALF, watch=looks)
    assert ([run.id for run in runs(path)], looks.seen) == (before, [])


def test_more_seeds_by_hand_leave_the_decision_as_it_is(path):
    Study(path).run(setups("base", "clear"), until=HALF)
    found = Study(path).decisions()
    Study(path).run(setups("base", "clear"), seeds=20)
    assert len(seeds_of(path, "clear")) == 20
    assert Study(path).decisions() == found


def test_without_a_cap_it_goes_on_until_decided(path):
    study = Study(path)
    study.run(setups("base", "clear", "same"), until=Stop(difference=0.01))
    assert {name: each.reason for name, each in study.decisions().items()} == {
        "clear": "decided",
        "same": "decided",
    }


def test_the_difference_that_matters_is_the_margin_of_verdicts_too(path):
    rule = Rule(confidence=0.9)
    Study(path).run(setups("base", "clear"), until=HALF, rule=rule)
    with Store.open(path, readonly=True) as store:
        assert store.choice("plan")["rule"]["margin"] == 0.01
    Study(path).run(setups("base", "clear"), until=HALF, rule=rule)  # the same rule, not another
    Study(path).run(setups("base", "clear"), seeds=2, rule=rule)
    found = Study(path).compare("base", "clear")
    assert (found.outcome, found.equivalence.margin) == ("better", 0.01)
    with pytest.raises(StudyError, match=r"confidence is 0\.8 here"):
        Study(path).run(setups("base", "clear"), until=HALF, rule=Rule(confidence=0.8))


def test_the_rule_is_kept_before_the_first_run_and_cannot_change(path):
    with pytest.raises(KeyboardInterrupt):
        Study(path).run(
            {"base": Setup(train="known_accuracies:interrupted"), **setups("clear")}, until=HALF
        )
    with Store.open(path, readonly=True) as store:
        assert store.choice("plan")["stop"] == {
            "difference": 0.01,
            "alpha": 0.05,
            "power": 0.8,
            "max_runs": 12,
            "baseline": "base",
            "candidates": ["clear"],
        }
    with pytest.raises(StudyError, match="max_runs 12 there, 40 here; what it promises"):
        Study(path).run(setups("base", "clear"), until=Stop(difference=0.01, max_runs=40))


def test_a_study_that_was_begun_with_seeds_takes_no_rule(path):
    Study(path).run(setups("base", "clear"), seeds=3)
    with pytest.raises(StudyError, match="begun without a stopping rule"):
        Study(path).run(setups("base", "clear"), until=HALF)
    assert Study(path).decisions() == {}


def test_a_diverged_run_counts_as_chance(path):
    """Without predictions nobody knows the classes, and chance is 0."""
    Study(path).run(setups("base", "diverges"), until=HALF)
    found = Study(path).decisions()["diverges"]
    base = 0.8 + np.random.default_rng([1, 0]).normal(0, 0.005)
    first = found.trace[0].accuracy.estimate
    assert found.trace[1].accuracy.estimate == pytest.approx((first - base) / 2)
    assert found.verdict == "undecided"


def test_a_run_that_keeps_failing_is_left_out_with_its_pair(path):
    Study(path).run(setups("base", "fails_once"), until=HALF, watch=Looks())
    found = Study(path).decisions()["fails_once"]
    assert found.verdict == "better"
    assert [run.seed.init for run in runs(path, "failed")] == [2] * TRIES
    noise = [np.random.default_rng([seed, 1]).normal(0, 0.003) for seed in (0, 1, 3)]
    assert found.trace[2].accuracy.estimate == pytest.approx(0.03 + np.mean(noise))


def test_a_run_is_left_out_only_once_its_setup_has_worked_again(path):
    """Else a mistake that fails everything, and is mended, would cost the first seeds for good."""
    Study(path).run(setups("base", "fails"), until=HALF, watch=Looks())
    assert len(runs(path, "failed")) == 3 * TRIES
    assert left_out(runs(path)) == frozenset()
    found = Study(path).decisions()["fails"]
    assert (found.n, found.reason) == (0, "running")
    assert math.isnan(found.estimate)
    Study(path).run(setups("base", "fails"), until=HALF, watch=Looks())
    assert len(runs(path, "failed")) == 6 * TRIES


def test_the_baseline_may_be_any_setup(path):
    Study(path).run(setups("clear", "base"), until=HALF, baseline="base")
    assert Study(path).decisions()["clear"].verdict == "better"
    with pytest.raises(UnknownName, match="did you mean 'base'"):
        Study(path).run(setups("clear", "base"), until=HALF, baseline="bass")


def test_predictions_are_judged_by_matched_accuracy_too(path):
    names = {name: Setup(train=f"helpers.trainings:{name}") for name in ("plain", "better")}
    Study(path).run(names, until=Stop(difference=0.02, max_runs=10))
    found = Study(path).decisions()["better"]
    assert (found.verdict, found.metric) == ("better", "matched_accuracy")
    with Store.open(path, readonly=True) as store:
        rule = StoppingRule.of(StudyRuns(store))
        by_hand = [store.metric_values("matched_accuracy", range(1, 99))]
        assert len(by_hand[0]) == 2 * found.n
        again = decisions(StudyRuns(store), rule)["better"]
    assert again == found
    assert found.trace[-1].ranked.low > 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigError, "give either seeds=10 or until=Stop.*, got neither"),
        ({"seeds": 3, "until": HALF}, ConfigError, "got both"),
        (
            {"until": HALF, "rule": Rule(metric="loss", paired=False)},
            ConfigError,
            "leave out metric = loss and paired = false, or name seeds",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(path, arguments, error, message):
    with pytest.raises(error, match=message):
        Study(path).run(setups("base", "clear"), **arguments)


def test_one_setup_is_no_comparison(path):
    with pytest.raises(ConfigError, match="needs two setups or more"):
        Study(path).run(setups("base"), until=HALF)


def test_a_plain_number_is_not_taken_for_accuracy(path):
    with pytest.raises(StudyError, match="must return predictions and targets, or"):
        Study(path).run(setups("number", "base"), until=HALF)
