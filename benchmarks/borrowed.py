"""What borrowing strength saves under a stopping rule: variances of other setups, unrelated runs.

    python benchmarks/borrowed.py [--studies 10000] [--whole 500] [-o FILE]

`spreads` are the standard deviations of the real runs in evidence/results and tests/golden, and
limma's prior degrees of freedom fitted to them (Smyth 2004). `moderated` draws normal runs, looks
after every pair from the third to the 40th, and compares tests whose one nominal level is set so
that no difference is called one in 5 % of the studies in the worst case allowed: runs of one seed
not negatively correlated, and the spread of the comparison at most 1.25 times what was borrowed.
`banked` does the same with all of a bank's runs of the baseline at every look.
`rule` and `whole` are of `[stop]` with `paired = false` as it is, by its statistics alone and
through a study file and `compare`. Rates have Clopper and Pearson's 95 % interval.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
from scipy.special import polygamma, stdtr

from seedwise.comparison import Stop
from seedwise.stats.sequential import Pairs, SequentialRule, outcomes
from verdicts import METRICS, interval, shared_memory, whole

ROOT = Path(__file__).parents[1]
CAP, EFFECTS, WORST = 40, (0.75, 1.0, 1.35, 1.6, 2.7, 4.8), 1.25
N = np.arange(1, CAP + 1)


# Real spreads


def prior_freedom(variances, freedom):
    """limma's d0 from variances with as many degrees of freedom; infinity if all are alike."""
    z = np.log(variances)
    excess = z.var(ddof=1) - polygamma(1, np.array(freedom) / 2).mean()
    if excess <= 0:
        return "infinite"
    low, high = 1e-3, 1e6
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if polygamma(1, middle / 2) > excess else (low, middle)
    return round(float(low), 1)


def real(name):
    """The metrics of the runs of a study of evidence/results, by setup and seed."""
    if name == "small runs":
        with np.load(ROOT / "tests/golden/real_runs.npz") as runs:
            return {
                setup: {
                    int(seed): values
                    for seed, *values in zip(
                        runs["init"][of], *(runs[metric][of] for metric in METRICS), strict=True
                    )
                }
                for setup in "ABCD"
                if (of := (runs["setup"] == setup) & (runs["init"] < 16)).any()
            }
    found = {}
    with (ROOT / f"evidence/results/{name}.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            values = [float(row[metric]) for metric in METRICS]
            found.setdefault(row["setup"], {})[int(row["order"])] = values
    return found


NEAR_TWINS = ("twin", "page-v2", "decay-v2", "schedule-v2")


def spreads():
    for name in ("five-epochs", "twenty-epochs", "small runs"):
        setups = {k: v for k, v in real(name).items() if k not in NEAR_TWINS}
        base = "A" if name == "small runs" else "page-v1"
        for place, metric in enumerate(METRICS):
            runs = {k: np.array([each[place] for each in v.values()]) for k, v in setups.items()}
            pairs = {
                k: np.array([v[s][place] - setups[base][s][place] for s in v if s in setups[base]])
                for k, v in setups.items()
                if k != base
            }
            for what, of in (("runs", runs), ("paired differences", pairs)):
                sd = {k: float(each.std(ddof=1)) for k, each in of.items()}
                yield {
                    "part": "spreads",
                    "study": name,
                    "metric": metric,
                    "of": what,
                    "sd, points": {k: round(100 * each, 3) for k, each in sd.items()},
                    "n": {k: len(each) for k, each in of.items()},
                    "largest over smallest": round(max(sd.values()) / min(sd.values()), 2),
                    "limma's prior df": prior_freedom(
                        np.array([*sd.values()]) ** 2, [len(each) - 1 for each in of.values()]
                    ),
                }


# Tests at one nominal level


def squares(x):
    return np.maximum(np.cumsum(x * x, -1) - np.cumsum(x, -1) ** 2 / N, 0)


def p_values(d, variance, freedom):
    t = np.abs(np.cumsum(d, -1)) / np.sqrt(N * np.maximum(variance, 1e-300))
    found = 2 * stdtr(np.maximum(freedom, 1).astype(float), -t)
    found[:, :2] = 1
    return found


def moderated_pairs(d0, others):
    """Variance of differences, drawn towards the other candidates' as by d0 pairs more."""

    def p(a, b):
        k = np.minimum(d0, len(others) * (N - 1))
        freedom = N - 1 + k
        own = squares(b - a)
        prior = sum(squares(each) for each in others) / (len(others) * np.maximum(N - 1, 1))
        return p_values(b - a, (k * prior + own) / np.maximum(freedom, 1), freedom)

    return p


def own_runs(d0):
    """Variance of differences, drawn towards that of unrelated runs of the same two setups."""

    def p(a, b):
        k = np.minimum(d0, N - 1)
        runs = (squares(a) + squares(b)) / np.maximum(N - 1, 1)
        freedom = N - 1 + k
        return p_values(b - a, (k * runs + squares(b - a)) / np.maximum(freedom, 1), freedom)

    return p


def unrelated(d0=0, others=()):
    """The two-sample t, its variance drawn towards that of the runs of other setups."""

    def p(a, b):
        own = squares(a) + squares(b)
        freedom, total = 2 * (N - 1), 2 * own
        if d0:
            k = np.minimum(d0, len(others) * (N - 1))
            prior = 2 * sum(squares(each) for each in others)
            total = total + k * prior / (len(others) * np.maximum(N - 1, 1))
            freedom = freedom + k
        return p_values(b - a, total / np.maximum(freedom, 1), freedom)

    return p


def paired(a, b):
    return p_values(b - a, squares(b - a) / np.maximum(N - 1, 1), N - 1)


def stops(p, level):
    hit = p <= level
    return np.where(hit.any(1), hit.argmax(1) + 1, CAP)


def row(title, p, nulls, shifted):
    """One test: its level, its rates on each null, its mean pairs under each shift."""
    least = {name: p(*ab).min(1) for name, (ab, _) in nulls.items()}
    level = min(np.quantile(least[name], 0.05) for name, (_, counts) in nulls.items() if counts)
    return {
        "part": "moderated",
        "test": title,
        "level": round(float(level), 5),
        "false alarms": {
            name: interval(int((each <= level).sum()), len(each)) for name, each in least.items()
        },
        "pairs at 0.75, 1, 1.35, 1.6, 2.7, 4.8 sd": {
            name: [round(float(stops(p(*ab(e)), level).mean()), 2) for e in EFFECTS]
            for name, ab in shifted.items()
        },
    }


def moved(drawn):
    """Runs of two setups by correlation, the second moved by e standard deviations of a pair."""
    return {
        f"r = {r}": lambda e, r=r: (drawn[r][0], drawn[r][1] + e * np.sqrt(2 * (1 - r)))
        for r in drawn
    }


def moderated(studies, rng):
    shape = (studies, CAP)
    for count in (1, 4, 9):  # of other candidates, whose differences share the baseline
        shared = rng.normal(size=shape) / 2**0.5
        own, *others = (shared + rng.normal(size=shape) / 2**0.5 for _ in range(count + 1))
        none = np.zeros(shape)
        nulls = {f"sd x {f}": ((none, f * own), f <= WORST) for f in (1, WORST, 1.5, 2.4)}
        shifted = {"": lambda e, own=own, none=none: (none, own + e)}
        if count == 1:
            yield row("paired t", paired, nulls, shifted)
        for d0 in (2, 4, 10):
            title = f"differences of {count} others, d0 = {d0}"
            yield row(title, moderated_pairs(d0, others), nulls, shifted)

    others = [rng.normal(size=shape) for _ in range(4)]

    def runs(r, wide=(1, 1)):
        seed = np.sqrt(r) * rng.normal(size=shape)
        return [f * (seed + np.sqrt(1 - r) * rng.normal(size=shape)) for f in wide]

    nulls = {
        f"r = {r}, sd x {f}": (runs(r, (1, f)), f <= WORST)
        for r in (0, 0.3, 0.6)
        for f in (1, WORST, 1.5)
    }
    nulls |= {f"r = 0, both sd x {WORST}": (runs(0, (WORST, WORST)), False)}
    drawn = {r: runs(r) for r in (0, 0.3, 0.6, 0.9)}
    shifted = moved(drawn)
    for title, p in (
        ("paired t", paired),
        ("two-sample t", unrelated()),
        ("pairs, drawn to their own runs, d0 = 2", own_runs(2)),
        ("two-sample t, runs of 4 others, d0 = 4", unrelated(4, others)),
        ("two-sample t, runs of 4 others, d0 = 10", unrelated(10, others)),
    ):
        yield row(title, p, nulls, shifted)


def all_of_baseline(count):
    """Welch's t with as many runs of A at every look; more only where the looks pass them."""

    def p(a, b):
        runs = np.maximum(N, count)
        first = a[:, :count]
        within = count >= N
        mean = np.where(within, first.mean(1, keepdims=True), np.cumsum(a, -1) / N)
        spread = first.var(1, ddof=1, keepdims=True)
        error_a = np.where(within, spread, squares(a) / np.maximum(N - 1, 1)) / runs
        error_b = squares(b) / np.maximum(N - 1, 1) / N
        total = np.maximum(error_a + error_b, 1e-300)
        freedom = total**2 / np.maximum(
            error_a**2 / (runs - 1) + error_b**2 / np.maximum(N - 1, 1), 1e-300
        )
        t = np.abs(np.cumsum(b, -1) / N - mean) / np.sqrt(total)
        found = 2 * stdtr(np.maximum(freedom, 1), -t)
        found[:, :2] = 1
        return found

    return p


def banked(studies):
    """All of 10, 20 or 40 runs of the baseline from the first look on; those of its seeds pair."""
    rng, shape = np.random.default_rng(3), (studies, CAP)

    def runs(r, wide=1.0):
        seed = np.sqrt(r) * rng.normal(size=shape)
        a, b = seed + np.sqrt(1 - r) * rng.normal(size=(2, *shape))
        return a, wide * b

    nulls = {
        f"r = {r}, sd x {f}": (runs(r, f), True) for r in (0, 0.3, 0.6) for f in (0.8, 1, WORST)
    }
    drawn = {r: runs(r) for r in (0, 0.3, 0.6)}
    shifted = moved(drawn)
    for title, p in (
        ("paired t", paired),
        ("two-sample t", unrelated()),
        *((f"Welch's t, {count} runs of A", all_of_baseline(count)) for count in (10, 20, 40)),
    ):
        yield row(title, p, nulls, shifted) | {"part": "banked"}


# The rule of the program


def correlated(rng, shape, r):
    """Two setups whose runs of one seed correlate, also negatively."""
    seed = np.sqrt(abs(r)) * rng.normal(size=shape)
    rest = np.sqrt(1 - abs(r)) * rng.normal(size=(2, *shape))
    return seed + rest[0], np.sign(r or 1) * seed + rest[1]


def rule(studies, rng):
    for cap in (3, 5, 10, 20, 40, 100, 300):
        for r, wide in ((0, 1), (0, 1.25), (0, 1.5), (0.3, 1), (-0.2, 1)):
            many = studies if cap <= 100 else studies // 2
            a, b = correlated(rng, (many, cap), r)
            b = wide * b
            pairs = Pairs(accuracy=b - a, added=Pairs(accuracy=b + a))
            for most in (cap, None):
                one = SequentialRule(difference=1e-9, max_pairs=most, power=1 - 1e-9, paired=False)
                hits = int((outcomes(one, pairs).verdicts > 0).sum())
                yield {
                    "part": "rule",
                    "looks to": cap,
                    "bounds": "anytime" if most is None else "capped",
                    "r": r,
                    "sd of B": wide,
                    "false alarms": interval(hits, many),
                }


def by_chance(studies):
    """Whole rules on real runs: all three metrics of the 32-pixel runs, drawn with replacement.

    A's and B's runs are drawn apart (r = 0), or with their seeds. Without a difference the mean of
    each metric is taken out.
    """
    rng, runs = np.random.default_rng(4), real("small runs")
    base, names = np.array([*runs["A"].values()]), ("accuracy", "matched", "ranked")
    for setup in "BC":
        other = np.array([*runs[setup].values()])
        for seeds in ("drawn apart", "shared"):
            for null in (True, False):
                at = rng.integers(0, len(base), (studies, CAP))
                of = at if seeds == "shared" else rng.integers(0, len(other), (studies, CAP))
                shift = (other - base).mean(0) if null else 0.0
                a, b = np.moveaxis(base[at], -1, 0), np.moveaxis((other - shift)[of], -1, 0)
                pairs = Pairs(
                    **dict(zip(names, b - a, strict=True)),
                    added=Pairs(**dict(zip(names, b + a, strict=True))),
                )
                for is_paired in (True, False):
                    one = SequentialRule(difference=0.005, max_pairs=CAP, paired=is_paired)
                    found = outcomes(one, pairs)
                    named = int(np.isin(found.verdicts, (1, 2)).sum())
                    yield {
                        "part": "real",
                        "setup": setup,
                        "seeds": seeds,
                        "difference": "taken out" if null else "as it is",
                        "paired": is_paired,
                        "better or worse": interval(named, studies),
                        "mean pairs": round(float(found.pairs.mean()), 2),
                    }


def through_program(studies, rng):
    """`[stop]` with difference 0.003 and 20 runs at most; runs of sd .35 points."""
    for is_paired in (True, False):
        stop = Stop(difference=0.003, max_runs=20, paired=is_paired)
        for r, gap in ((0, 0), (0.3, 0), (0, 0.0067), (0.3, 0.0067)):
            named, pairs = 0, 0
            with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
                for _ in range(studies):
                    a, b = correlated(rng, (20,), r)
                    found = whole(folder, 0.9 + 0.0035 * a, 0.9 + gap + 0.0035 * b, stop=stop)
                    named += found.outcome in ("better", "worse")
                    pairs += found.stopping.decision.n
            yield {
                "part": "whole",
                "paired": is_paired,
                "r": r,
                "difference, points": 100 * gap,
                "better or worse": interval(named, studies),
                "mean pairs": round(pairs / studies, 2),
            }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--studies", type=int, default=10_000)
    options.add_argument("--whole", type=int, default=500)
    options.add_argument("-o", "--output", type=Path, required=True)
    said = options.parse_args()
    rng = np.random.default_rng(20261129)
    with said.output.open("w") as file:
        for part in (
            spreads(),
            through_program(said.whole, rng),
            rule(said.studies, rng),
            moderated(said.studies, rng),
            banked(said.studies),
            by_chance(said.studies),
        ):
            for each in part:
                file.write(json.dumps(each) + "\n")
                file.flush()


if __name__ == "__main__":
    main()
