"""A suite that stops as soon as the verdict over its tasks is decided."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.comparison import Rule, Stop, StoppingRule, decisions
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError, Unsettled
from seedwise.stats.sequential import Pairs, SequentialRule, decide
from seedwise.store import Store
from seedwise.study import Study
from seedwise.words.numbers import with_interval

TASKS = {f"game-{number}": {"task": number} for number in range(3)}
STOP = Stop(difference=0.05, metric="reward", max_runs=12)


def drawn(seed, setup, task):
    return float(np.random.default_rng([seed.init, setup, task]).normal(task, 0.1))


def a(seed, *, task):
    return {"reward": drawn(seed, 0, task)}


def b(seed, *, task):
    return {"reward": drawn(seed, 1, task) + 0.2}


def clear(seed, *, task):
    return {"reward": drawn(seed, 1, task) + 1}


def diverging(seed, *, task):
    lost = task == 1 and seed.init == 1
    return {"reward": np.nan if lost else drawn(seed, 1, task) + 1}


def over_tasks(function):
    """The same training as one number, the mean over the tasks."""
    return lambda seed: {
        "reward": np.mean([function(seed, **each)["reward"] for each in TASKS.values()])
    }


def stopped(path):
    with StudyRuns.open(path) as study:
        rule = StoppingRule.of(study)
        assert rule is not None
        return decisions(study, rule)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "suite.db"


@pytest.mark.parametrize("other", [b, clear])
@pytest.mark.parametrize(
    ("better", "paired"), [("higher", True), ("lower", True), ("higher", False)]
)
def test_it_decides_as_on_the_mean_over_the_tasks(path, other, better, paired):
    ways, stop = {"reward": better}, replace(STOP, paired=paired)
    Study(path, tasks=TASKS, better=ways).run({"a": a, "b": other}, until=stop)
    one = path.with_name("one.db")
    means = {"a": over_tasks(a), "b": over_tasks(other)}
    Study(one, better=ways).run(means, until=stop)
    found, expected = stopped(path)["b"], stopped(one)["b"]
    assert found.tasks == 3
    assert (found.verdict, found.reason, found.n) == (
        expected.verdict,
        expected.reason,
        expected.n,
    )
    assert found.verdict == ("better" if better == "higher" else "worse")
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )
    with Store.open(path, readonly=True) as store:
        assert len(store.runs()) == 2 * found.n


def test_its_own_verdict_is_printed_and_gated_either_way_round(path):
    study = Study(path, tasks=TASKS, better={"reward": "higher"})
    study.run({"a": a, "b": clear}, until=STOP)
    (found,) = study.compare_tasks()
    assert found.outcome == "better"
    assert str(found).startswith("b is better than a, over 3 tasks after 3 pairs of runs: reward")
    assert "over 3 tasks" in found.view.exploratory
    drawn = study.chart("tasks").table.rows[-1]  # the rule's own interval, which is the wider one
    said = found.stopping.decision
    assert drawn[1:] == ("all tasks", with_interval("reward", said))
    assert said.high - said.low > found.difference.high - found.difference.low
    (back,) = study.compare_tasks(["b", "a"])
    assert back.outcome == "worse"
    said = CliRunner().invoke(
        cli, ["compare", str(path), "b", "a", "--json", "--fail-if", "worse"]
    )
    assert (said.exit_code, json.loads(said.output)["outcome"]) == (1, "worse")


@pytest.mark.parametrize("over", ["iqm", "standardised"])
def test_what_is_no_number_of_one_pair_is_refused_before_anything_is_trained(path, over):
    with pytest.raises(
        ConfigError, match=f"mean of its differences over the tasks; over = '{over}'"
    ):
        Study(path, tasks=TASKS).run({"a": a, "b": b}, until=STOP, rule=Rule(over=over))
    assert not path.exists()


def test_a_metric_that_points_nowhere_is_refused_before_anything_is_trained(path):
    stop = Stop(difference=0.05, metric="thing", max_runs=12)
    with pytest.raises(Unsettled, match="whether a lower or a higher thing is better"):
        Study(path, tasks=TASKS).run({"a": a, "b": b}, until=stop)
    with Store.open(path, readonly=True) as store:
        assert not store.runs()


def test_tasks_without_one_metric_in_common_are_told(path):
    def mixed(seed, *, task):
        return {f"reward-{task}": 1.0, "f1": 0.5} if task else {"reward": 1.0}

    stop = Stop(difference=0.05, max_runs=12)
    with pytest.raises(StudyError, match=r"not one metric in common \(game-0: reward; game-1: f1"):
        Study(path, tasks=TASKS).run({"a": mixed, "b": mixed}, until=stop)


def test_a_run_that_diverged_in_one_task_keeps_better_back(path):
    study = Study(path, tasks=TASKS, better={"reward": "higher"})
    study.run({"a": a, "b": diverging}, until=STOP)
    found = stopped(path)["b"]
    assert found.verdict == "better"  # once the pairs without it show it too
    assert found.n == 4
    study = Study(path.with_name("clear.db"), tasks=TASKS, better={"reward": "higher"})
    study.run({"a": a, "b": clear}, until=STOP)
    assert stopped(path.with_name("clear.db"))["b"].n == 3


def test_a_run_that_collapsed_in_one_task_keeps_better_back():
    """The mean over eight tasks hides it, as six of them are noisy; its task does not."""
    rng = np.random.default_rng(4)
    baseline = 0.8 + rng.normal(size=(8, 12)) * np.array([0.002] * 2 + [0.05] * 6)[:, None]
    candidate = baseline + 0.002 + rng.normal(0, 0.004, size=(8, 12))
    baseline[0, 1] -= 0.1
    candidate[1, 1] -= 0.1
    values = list(zip(baseline, candidate, strict=True))
    tasks = tuple(Pairs(accuracy=b - a, baseline=a) for a, b in values)
    mean = {"accuracy": (candidate - baseline).mean(axis=0), "baseline": baseline.mean(axis=0)}
    rule = SequentialRule(difference=0.0001, max_pairs=12)
    assert decide(rule, Pairs(**mean)).n == 3
    kept = decide(rule, Pairs(**mean, tasks=tasks))
    assert kept.verdict == "better"
    assert kept.n > 3  # the second pair counts, and does not carry the verdict


def test_a_stopped_suite_goes_on_from_the_same_call(path):
    study = Study(path, tasks=TASKS, better={"reward": "higher"})
    study.run({"a": a, "b": b}, until=STOP)
    before = stopped(path)["b"]
    study.run({"a": a, "b": b}, until=STOP)
    assert stopped(path)["b"] == before
    with pytest.raises(StudyError, match="game-9 is new"):
        Study(path, tasks={**TASKS, "game-9": {"task": 9}}, better={"reward": "higher"}).run(
            {"a": a, "b": b}, until=STOP
        )
