"""Error rates of folds of a cross-validation: one of two equal learners called better or worse.

    python benchmarks/folds.py [--studies 1000] [-o FILE]

Two learners see halves of the features that are drawn alike, so that in expectation over data
sets neither is better. Each study is a fresh data set, cross-validated; its scores go through the
whole program: a CSV file, `seedwise import --fold`, `seedwise compare --json`. Beside it, on the
same scores, stands the t test that takes folds for independent runs. Rates have the interval of
Clopper and Pearson, 95 %.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from scipy.stats import binomtest, ttest_rel

from seedwise.cli import cli

FEATURES = 5
CELLS = (
    # data, examples, folds, repetitions
    ("classes", 100, 5, 1),
    ("classes", 100, 10, 1),
    ("classes", 100, 5, 2),
    ("classes", 100, 10, 10),
    ("classes", 1000, 10, 1),
    ("numbers", 100, 5, 1),
    ("numbers", 100, 10, 1),
    ("numbers", 100, 10, 10),
    ("heavy tails", 100, 5, 1),
    ("heavy tails", 100, 10, 1),
    ("heavy tails", 100, 10, 10),
    ("near twins", 100, 10, 1),
    ("near twins", 100, 10, 10),
)


def drawn(rng, data, examples):
    """Features of two learners (examples, 2 x FEATURES), and what they are to predict."""
    x = rng.normal(size=(examples, 2 * FEATURES))
    signal = x.sum(axis=1) / np.sqrt(2 * FEATURES)
    noise = rng.standard_t(3, examples) if data == "heavy tails" else rng.normal(size=examples)
    y = signal + noise
    return x, (y > 0).astype(float) if data in ("classes", "near twins") else y


def scores(data, x, y, train, test):
    """Accuracy, or R2, of each learner on one fold: least squares on its features."""
    found = []
    for side in range(2):
        columns = np.arange(side * FEATURES, (side + 1) * FEATURES)
        if data == "near twins":  # all features but one, another for each
            columns = np.delete(np.arange(2 * FEATURES), side)
        design = np.column_stack([np.ones(len(y)), x[:, columns]])
        weights = np.linalg.lstsq(design[train], y[train], rcond=None)[0]
        said = design[test] @ weights
        if data in ("classes", "near twins"):
            found.append(np.mean((said > 0.5) == (y[test] > 0.5)))
        else:
            spread = np.sum((y[test] - y[train].mean()) ** 2)
            found.append(1 - np.sum((y[test] - said) ** 2) / spread)
    return found


def cross_validated(rng, data, examples, folds, repetitions):
    """One study's scores, (repetitions, folds, 2)."""
    x, y = drawn(rng, data, examples)
    found = np.empty((repetitions, folds, 2))
    for repetition in range(repetitions):
        parts = np.array_split(rng.permutation(examples), folds)
        for fold, test in enumerate(parts):
            train = np.setdiff1d(np.arange(examples), test)
            found[repetition, fold] = scores(data, x, y, train, test)
    return found


def verdict(folder, found, metric):
    """Outcome of learner b against a, through `import` and `compare`."""
    table, study = Path(folder) / "folds.csv", Path(folder) / "study.db"
    rows = [
        f"{'ab'[side]},{repetition},{fold},{float(value)!r}"
        for (repetition, fold, side), value in np.ndenumerate(found)
    ]
    table.write_text("\n".join((f"setup,repeat,fold,{metric}", *rows)) + "\n")
    study.unlink(missing_ok=True)
    runner = CliRunner()
    told = runner.invoke(cli, ["import", str(table), str(study), "--fold", "fold"])
    assert told.exit_code == 0, told.output
    told = runner.invoke(cli, ["compare", str(study), "a", "b", "--json"])
    assert told.exit_code == 0, told.output
    return json.loads(told.output)["outcome"]


def rate(hits, studies):
    found = binomtest(hits, studies).proportion_ci(0.95, method="exact")
    return [round(100 * each, 1) for each in (hits / studies, found.low, found.high)]


def cell(rng, folder, studies, data, examples, folds, repetitions):
    wrong = naive = 0
    metric = "accuracy" if data in ("classes", "near twins") else "r2"
    for _ in range(studies):
        found = cross_validated(rng, data, examples, folds, repetitions)
        wrong += verdict(folder, found, metric) in ("better", "worse")
        a, b = found.reshape(-1, 2).T
        naive += bool(np.ptp(b - a) and ttest_rel(b, a).pvalue < 0.05)
    return {
        "data": data,
        "examples": examples,
        "folds": folds,
        "repetitions": repetitions,
        "studies": studies,
        "wrong": rate(wrong, studies),
        "as independent": rate(naive, studies),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(15)
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        for each in CELLS:
            line = json.dumps(cell(rng, folder, given.studies, *each))
            print(line, flush=True)
            if given.output:
                with given.output.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
