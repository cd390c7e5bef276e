"""The verdicts on real trainings that docs/statistics.md prints are what the program says."""

import csv
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

EVIDENCE = Path(__file__).parents[2] / "evidence/results"
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


def full_size(name, setup, metric):
    """Metric of the full-size runs of a setup, by seed."""
    with (EVIDENCE / f"{name}.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["setup"] == setup]
    return {int(row["order"]): float(row[metric]) for row in rows}


@pytest.mark.parametrize(
    ("study", "matched_rises"), [("five-epochs", False), ("twenty-epochs", True)]
)
@pytest.mark.parametrize("paired", [True, False])
def test_without_label_smoothing_accuracy_decides(study, matched_rises, paired):
    """It falls at either length; matched accuracy rises by half a point after twenty epochs."""
    names = ("accuracy", "matched_accuracy", "ranked_accuracy")
    known = {
        metric: [full_size(study, setup, metric) for setup in ("page-v1", "no-smoothing")]
        for metric in names
    }
    seeds = sorted(set(known["accuracy"][0]) & set(known["accuracy"][1]))
    a, b = (
        np.array([[known[metric][side][seed] for seed in seeds] for metric in names])
        for side in (0, 1)
    )
    assert (b - a)[0].mean() < -0.005
    assert ((b - a)[1].mean() > 0.004) == matched_rises
    difference = dict(zip(("accuracy", "matched", "ranked"), b - a, strict=True))
    added = dict(zip(("accuracy", "matched", "ranked"), b + a, strict=True))
    pairs = Pairs(**difference, resolution=1 / 5000, added=Pairs(**added))
    for at in range(len(seeds)):  # whichever seed comes first
        order = np.roll(np.arange(len(seeds)), at)
        rule = Stop(difference=0.002, max_runs=40, paired=paired)
        rule = StoppingRule(stop=rule, baseline="page-v1", candidates=("no-smoothing",))
        found = decide(rule.for_one(), pairs[order])
        assert found.verdict in ("worse", "undecided")
        assert found.verdict == "worse" or study == "twenty-epochs" or not paired


def test_real_predictions_whose_margins_mislead_get_the_verdict_of_accuracy(tmp_path):
    """Twenty epochs: real predictions with and without label smoothing, through the file.

    The margins are made up, as logits are not kept: without smoothing a wrong prediction is not
    sure of itself, so that matched and ranked accuracy rise by far more than accuracy falls.
    """
    with np.load(EVIDENCE / "twenty-epochs.npz") as file:
        classes, setups, seeds = file["classes"], file["setup"], file["seed"]
        targets = file["targets"].astype(np.int64)
    runs = {}
    for setup, sure in (("page-v1", 6.0), ("no-smoothing", 0.5)):
        of = setups == setup
        logits = np.zeros((of.sum(), *classes.shape[1:], 10), np.float16)
        views, images = np.indices(classes.shape[1:])
        for run, said in zip(logits, classes[of], strict=True):
            run[views, images, targets] = 4.0
            wrong = said != targets
            run[views, images, said] += np.where(wrong, 4 + sure, 0).astype(np.float16)
        runs[setup] = dict(zip(seeds[of].tolist(), logits, strict=True))
    with Studies(tmp_path).make(runs, rule=Rule(), classes=10, targets=targets) as store:
        study = StudyRuns(store)
        found = compare(study, "page-v1", "no-smoothing", fixed_rule(study))
    assert found.outcome == "worse"
    assert found.verdict.decided_by == "accuracy"
    for metric in ("matched_accuracy", "ranked_accuracy"):
        assert found.contrasts[metric].difference.low > 0
