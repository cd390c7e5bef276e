"""A suite that stops as soon as the verdict over its tasks is decided."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.special import gamma

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


def test_what_is_no_number_of_one_pair_is_refused_before_anything_is_trained(path):
    with pytest.raises(ConfigError, match=r"one number a pair.* over = 'iqm' is of all runs"):
        Study(path, tasks=TASKS).run({"a": a, "b": b}, until=STOP, rule=Rule(over="iqm"))
    assert not path.exists()


def loud(seed, *, task):
    """The same as `a`, a hundred times as large in one task."""
    return {"reward": drawn(seed, 0, task) * (100 if task == 2 else 1)}


def louder(seed, *, task):
    return {"reward": (drawn(seed, 1, task) + 0.2) * (100 if task == 2 else 1)}


def test_standardised_differences_have_the_units_of_the_first_five_pairs(path):
    study = Study(path, tasks=TASKS, better={"reward": "higher"})
    stop = replace(STOP, difference=0.2)
    study.run({"a": loud, "b": louder}, until=stop, rule=Rule(over="standardised"))
    found = stopped(path)["b"]
    with Store.open(path, readonly=True) as store:
        runs = {
            (run.setup, run.seed.init): [run.metrics[f"{task}/reward"] for task in TASKS]
            for run in store.runs()
        }
    table = np.array([[runs[name, seed] for seed in range(found.n)] for name in "ab"])
    spread = np.sqrt(table[:, :5].var(axis=1, ddof=1).mean(axis=0))
    hedges = gamma(8 / 2) / gamma(7 / 2) / np.sqrt(8 / 2)
    means = ((table[1] - table[0]) / spread * hedges).mean(axis=1)
    assert found.n >= 5
    assert found.verdict == "better"
    assert found.estimate == pytest.approx(means.mean())
    rule = SequentialRule(difference=0.2, max_pairs=12)
    assert decide(rule, Pairs(accuracy=means)).low == pytest.approx(found.low)
    (over,) = study.compare_tasks()
    assert over.outcome == "better"
    assert "reward in standard deviations is" in over.view.headline
    study.run({"a": loud, "b": louder}, until=stop)  # the way over tasks is the study's
    assert stopped(path)["b"] == found
    with pytest.raises(StudyError, match="over is mean here, and standardised was fixed"):
        study.run({"a": loud, "b": louder}, until=stop, rule=Rule())


def test_a_task_at_its_ceiling_counts_as_no_difference(path):
    def capped(function):
        def training(seed, *, task):
            # seed 6 is the first that task 0 tells from the others
            return {"reward": 1.0 - (seed.init == 6)} if task == 0 else function(seed, task=task)

        return training

    study = Study(path, tasks=TASKS, better={"reward": "higher"})
    stop = replace(STOP, difference=0.01)
    given = {"a": capped(a), "b": capped(lambda seed, task: {"reward": drawn(seed, 2, task)})}
    study.run(given, until=stop, rule=Rule(over="standardised"))
    found = stopped(path)["b"]
    assert found.n > 5
    assert np.isfinite([found.low, found.high]).all()
    assert str(study.compare_tasks()[0])


def test_standardised_differences_are_not_looked_at_before_the_fifth_pair(path):
    stop, rule = replace(STOP, max_runs=4), Rule(over="standardised")
    with pytest.raises(
        ConfigError, match="take 5 pairs before the first look; max_runs must be 5 or more, got 4"
    ):
        Study(path, tasks=TASKS).run({"a": a, "b": b}, until=stop, rule=rule)
    assert not path.exists()


def test_a_metric_that_points_nowhere_is_refused_before_anything_is_trained(path):
    stop = Stop(difference=0.05, metric="thing", max_runs=12)
    with pytest.raises(Unsettled, match="whether lower or higher thing is better"):
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


@pytest.mark.parametrize("tasks", [None, TASKS])
def test_to_name_the_metric_that_decides_anyway_is_no_change(path, tasks):
    def training(seed, task=0):
        return a(seed, task=task)

    def other(seed, task=0):
        return b(seed, task=task)

    study = Study(path, tasks=tasks, better={"reward": "higher"})
    study.run({"a": training, "b": other}, seeds=3)
    compare = study.compare_several if tasks is None else study.compare_tasks
    for metric in (None, "reward"):
        (found,) = compare(["a", "b"], metric=metric)
        assert found.standing.reasons == ()
