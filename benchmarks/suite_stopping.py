"""Error rates of a stopping rule over the tasks of a suite, through the whole program.

    python benchmarks/suite_stopping.py [--studies 400] [--core 20000] [--cells 0 1 2] [-o FILE]

Each study is a `Study(tasks=...)` of two functions that return random numbers, run with
`until=Stop(...)` until it stops by itself. Counted are verdicts *better* or *worse* where the mean
difference over the tasks is 0, though tasks may differ one by one, and *equivalent* where it is
the margin. Many more such studies go through the rule alone. Rates have the interval of Clopper
and Pearson, 95 %.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from seedwise import Study
from seedwise.comparison import Rule, Stop
from seedwise.stats.sequential import Pairs, SequentialRule, outcomes
from seedwise.stats.suites import FOR_STANDARDISED

CAP = 12
CELLS = (
    # kind, tasks, margin, true difference in margins; a small margin leaves the sign to be shown
    *(
        (kind, tasks, 0.05, 0)
        for tasks in (2, 5, 20)
        for kind in ("alike", "correlated", "unequal")
    ),
    ("correlated", 5, 1.5, 1),
    *(("units", tasks, 0.05, 0) for tasks in (2, 5, 20)),
)
CORRELATION = {"alike": 0.0, "correlated": 0.8, "unequal": 0.5, "units": 0.5}
"""Of what one seed gives a setup in two tasks."""


def drawn(rng, kind, tasks, margin, truth, studies):
    """Runs (studies, setups, seeds, tasks), whose differences over the tasks are `truth` margins.

    Spreads of tasks are log-normal where they are unequal, B's runs vary twice as much as A's
    there, and A and B differ by as much as a run varies, one way or the other, task by task. Of
    tasks in other units, whose differences are standardised, only the spreads are unequal.
    """
    shape = (studies, 2, CAP, tasks)
    shared = CORRELATION[kind]
    noise = np.sqrt(shared) * rng.normal(size=(*shape[:3], 1))
    noise = noise + np.sqrt(1 - shared) * rng.normal(size=shape)
    noise += rng.normal(size=(studies, 1, CAP, tasks))  # what a seed is worth to both setups
    spread = np.ones(1)
    if kind in ("unequal", "units"):
        spread = np.exp(rng.normal(size=(studies, 1, 1, tasks)))
    runs = 10.0 * np.arange(tasks) + spread * noise
    if kind == "unequal":
        own = rng.normal(size=(studies, 1, tasks))
        runs = 10.0 * np.arange(tasks) + spread * noise * np.array([1.0, 2.0])[:, None, None]
        runs[:, 1] += own - own.mean(axis=-1, keepdims=True)
    runs[:, 1] += truth * margin
    return runs


def verdict(path, runs, kind, margin):
    """The verdict of the whole program on one study, and its pairs."""

    def a(seed, *, task):
        return {"reward": float(runs[0, int(seed), task])}

    def b(seed, *, task):
        return {"reward": float(runs[1, int(seed), task])}

    path.unlink(missing_ok=True)
    tasks = {f"game-{task}": {"task": task} for task in range(runs.shape[-1])}
    stop = Stop(difference=margin, metric="reward", max_runs=CAP)
    study = Study(path, tasks=tasks, better={"reward": "higher"})
    rule = Rule(over="standardised" if kind == "units" else "mean")
    study.run({"a": a, "b": b}, until=stop, rule=rule, watch=lambda event: None)
    (found,) = study.compare_tasks()
    return found.outcome, found.stopping.decision.n


def rate(hits, studies):
    found = binomtest(hits, studies).proportion_ci(0.95, method="exact")
    return [round(100 * each, 1) for each in (hits / studies, found.low, found.high)]


def alone(rng, kind, tasks, margin, truth, studies):
    """The verdicts of the rule alone: 1 better, 2 worse, 3 equivalent."""
    runs = drawn(rng, kind, tasks, margin, truth, studies)
    first = FOR_STANDARDISED if kind == "units" else 3
    if kind == "units":  # in standard deviations of the first runs
        runs /= np.sqrt(runs[:, :, :first].var(axis=2, ddof=1).mean(axis=1))[:, None, None]
    differences = (runs[:, 1] - runs[:, 0]).mean(axis=-1)
    rule = SequentialRule(difference=margin, max_pairs=CAP, first_look=first)
    return outcomes(rule, Pairs(accuracy=differences)).verdicts


def cell(rng, folder, studies, core, kind, tasks, margin, truth):
    wrong = ("equivalent",) if truth else ("better", "worse")
    found = [
        verdict(folder / "study.db", runs, kind, margin)
        for runs in drawn(rng, kind, tasks, margin, truth, studies)
    ]
    said = [outcome for outcome, _ in found]
    codes = alone(rng, kind, tasks, margin, truth, core)
    return {
        "kind": kind,
        "tasks": tasks,
        "truth": "margin" if truth else "none",
        "studies": studies,
        "wrong": rate(sum(outcome in wrong for outcome in said), studies),
        "verdicts": {each: said.count(each) for each in sorted(set(said))},
        "pairs": round(float(np.mean([pairs for _, pairs in found])), 1),
        "core": core,
        "alone": rate(int(np.isin(codes, (3,) if truth else (1, 2)).sum()), core),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--core", type=int, default=20_000)
    parser.add_argument("--cells", type=int, nargs="*", default=range(len(CELLS)))
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        for place in given.cells:
            rng = np.random.default_rng([15, 4, place])
            found = cell(rng, Path(folder), given.studies, given.core, *CELLS[place])
            line = json.dumps(found)
            print(line, flush=True)
            if given.output:
                with given.output.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
