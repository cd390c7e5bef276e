"""The verdicts on real trainings that docs/statistics.md prints are what the program says."""

from pathlib import Path

import numpy as np
import pytest

from helpers.real_runs import of_setup
from helpers.studies import Studies
from seedwise.comparison import Rule, Stop, StoppingRule, compare
from seedwise.comparison.judging import SetupPair, judged
from seedwise.comparison.measured import Measured, Measurements, RunCounts
from seedwise.comparison.rule import Standing, fixed_rule
from seedwise.comparison.study_runs import StudyRuns
from seedwise.seeds import Seed
from seedwise.stats.catalog import BuiltInMetric
from seedwise.stats.sequential import Pairs, decide
from seedwise.words import Comparison
from seedwise.words.decision import decision_sentence
from seedwise.words.verdict import more_runs

RUNS = Path(__file__).parents[3] / "shared/reference/runs/runs.npz"
DOCS = Path(__file__).parents[2] / "docs/statistics.md"
NAMES = {"A": "baseline", "B": "relu", "C": "faster", "D": "unsmoothed"}
METRICS = {
    name: BuiltInMetric.parse(name)
    for name in ("matched_accuracy", "accuracy", "smoothed_accuracy", "ranked_accuracy")
}
KEPT = Standing(confirmatory=True, reasons=())
RULE = Rule(margin=0.005)
VERDICTS = [
    ("B", 16, "worse"),
    ("C", 16, "better"),
    ("D", 16, "equivalent"),
    ("B", 3, "undecided"),
]


def documented():
    """The quoted paragraphs."""
    return [line[2:] for line in DOCS.read_text().splitlines() if line.startswith("> ")]


def measurements(setup, runs):
    return Measurements(
        counts=RunCounts(name=NAMES[setup], finished=runs, diverged=0, failed=0, seconds=17.0),
        seeds=tuple(map(Seed.of, range(runs))),
        diverged=np.zeros(runs, bool),
        metrics={
            name: Measured(values=of_setup(name, setup)[:runs], images=None) for name in METRICS
        },
        predicted=None,
    )


def said(found):
    return f"{Comparison.of(found)} {more_runs(found)}".strip()


@pytest.mark.parametrize(("setup", "runs", "outcome"), VERDICTS)
def test_a_fixed_number_of_runs(setup, runs, outcome):
    setting = SetupPair(a=measurements("A", runs), b=measurements(setup, runs), standing=KEPT)
    (found,) = judged([setting], METRICS, RULE, None)
    assert found.outcome == outcome
    assert said(found) in documented()


@pytest.mark.parametrize(
    ("setup", "stop", "verdict"),
    [
        ("B", Stop(difference=0.005, max_runs=40), "worse"),
        ("C", Stop(difference=0.005, max_runs=40), "better"),
        ("D", Stop(difference=0.005, max_runs=40), "equivalent"),
        ("D", Stop(difference=0.0008, max_runs=16), "undecided"),
    ],
)
def test_a_stopping_rule(setup, stop, verdict):
    accuracy, matched, ranked = (
        of_setup(metric, setup) - of_setup(metric, "A")
        for metric in ("accuracy", "matched_accuracy", "ranked_accuracy")
    )
    pairs = Pairs(accuracy=accuracy, matched=matched, ranked=ranked, resolution=1 / 5000)
    rule = StoppingRule(stop=stop, baseline="baseline", candidates=(NAMES[setup],))
    found = decide(rule.for_one(), pairs)
    assert found.verdict == verdict
    assert decision_sentence(NAMES[setup], rule, found) in documented()


@pytest.mark.skipif(not RUNS.exists(), reason="no reference runs here")
@pytest.mark.parametrize(("setup", "runs", "outcome"), VERDICTS)
def test_the_whole_program_says_the_same_of_the_runs_themselves(tmp_path, setup, runs, outcome):
    with np.load(RUNS) as file:
        logits, names, seeds = file["logits"], file["setup"], file["init"]
        targets = file["targets"].astype(np.int64)
    setups = {
        NAMES[name]: {
            int(seed): one
            for seed, one in zip(seeds[names == name], logits[names == name], strict=True)
            if seed < runs
        }
        for name in ("A", setup)
    }
    with Studies(tmp_path).make(setups, rule=RULE, classes=10, targets=targets) as store:
        found = compare(StudyRuns(store), "baseline", NAMES[setup], fixed_rule(StudyRuns(store)))
    assert found.outcome == outcome
    assert said(found) in documented()
