"""AdaStop (version 0.1.3, from PyPI, in an environment of its own) on the runs of stopping.py.

pip install adastop==0.1.3 numpy
python benchmarks/stopping_adastop.py > benchmarks/records/2026-11-24-stopping/adastop.json

It compares unpaired runs by permutations, after every n of each setup, up to K times.
"""

import json
import sys
from pathlib import Path

import numpy as np
from adastop import MultipleAgentsComparator

RUNS = Path(__file__).parents[1] / "tests/golden/real_runs.npz"
STUDIES = 400
PERMUTATIONS = 2_000


def accuracies(name):
    with np.load(RUNS) as runs:
        return runs["accuracy"][runs["setup"] == name]


def study(rng, a, b, n, k):
    comparator = MultipleAgentsComparator(
        n=n, K=k, B=PERMUTATIONS, alpha=0.05, seed=int(rng.integers(2**31))
    )
    x, y = a[rng.integers(0, len(a), n * k)], b[rng.integers(0, len(b), n * k)]
    for look in range(1, k + 1):
        comparator.partial_compare({"a": x[: n * look], "b": y[: n * look]}, verbose=False)
        if comparator.is_finished:
            break
    return n * look, comparator.decisions["[0 1]"] in ("larger", "smaller")


def main():
    rng = np.random.default_rng(20261124)
    a, found = accuracies("A"), {}
    for setup, factor, n, k in (
        ("B", 1, 5, 5),
        ("B", 1, 4, 10),
        ("B", 0, 5, 5),
        ("C", 1, 5, 5),
        ("C", 1, 4, 10),
        ("C", 0, 5, 5),
    ):
        b = accuracies(setup)
        b = b + (factor - 1) * (b.mean() - a.mean())
        runs, decided = np.array([study(rng, a, b, n, k) for _ in range(STUDIES)]).T
        key = f"{setup} x {factor}, {n} runs a look, up to {k} looks"
        found[key] = {"runs": float(runs.mean()), "decided": float(decided.mean())}
        print(key, found[key], file=sys.stderr, flush=True)
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
