"""Error rates of the stopping rules, and the mean runs to a verdict beside fixed rules.

python benchmarks/stopping.py > benchmarks/records/2026-11-24-stopping/figures.json

Real runs are those of tests/golden/real_runs.npz: 16 seeds of A, B, C and D, paired by seed. A
study is made by drawing pairs from the 16 with replacement, or ("none twice") in any order
without. An effect is scaled by shifting all its pair differences: the mean is multiplied by a
factor, the same for every metric, and the residuals stay. The unpaired rules get the same shift on
the candidate's runs. Intervals are the delete-one-seed jackknife, 1.96 standard errors, less the
variance of the simulation itself.
"""

import json
import sys
from pathlib import Path

import numpy as np

from seedwise.stats.anytime import anytime_bounds
from seedwise.stats.capped import SHAPES, capped_bounds
from seedwise.stats.sequential import Pairs, SequentialRule, outcomes

STUDIES = 20_000
FEWER = 5_000  # for each of the 16 pools that lack a seed
NEVER_FUTILE = 1 - 1e-9  # as a power: the rates promise nothing that needs the futility stop
RUNS = Path(__file__).parents[1] / "tests/golden/real_runs.npz"
METRICS = ("accuracy", "matched_accuracy", "ranked_accuracy", "smoothed_accuracy")
JUDGES = 3  # the metrics that the rule asks: all but smoothed accuracy
VERDICTS = ("undecided", "better", "worse", "equivalent")
SCALED = {"B": 0.36, "C": 0.26}  # Welch on accuracy: 100 runs a setup for 80 %


def main():
    rng = np.random.default_rng(20261124)
    found = {}
    for name, part in (
        ("simulated nulls", simulated_nulls),
        ("margin nulls", margin_nulls),
        ("shapes and rules", shapes_and_rules),
        ("real runs", real_runs),
        ("beside fixed rules", beside_fixed_rules),
        ("misled", misled),
        ("accuracy apart", accuracy_apart),
        ("simulated nulls of few pairs", few_pairs),
    ):
        print(name, file=sys.stderr, flush=True)
        found[name] = part(rng)
    json.dump(found, sys.stdout, indent=1)


def rules(difference, cap, power=0.8):
    return {
        f"capped {cap}": SequentialRule(difference=difference, max_pairs=cap, power=power),
        f"anytime, seen to {cap}": SequentialRule(difference=difference),
    }


def rates(rule, *judges):
    got = outcomes(
        rule, Pairs(**dict(zip(("accuracy", "matched", "ranked"), judges, strict=False)))
    )
    shares = {name: float((got.verdicts == i).mean()) for i, name in enumerate(VERDICTS)}
    return {
        "pairs": float(got.pairs.mean()),
        **{name: round(share, 4) for name, share in shares.items()},
        "futile": round(float(got.futile.mean()), 4),
    }


# Simulated null comparisons: accuracy with sd 0.32 points, matched accuracy with 0.13 and ranked
# accuracy with 0.12; r of accuracy and each of them 0.8 and 0.7, of the two 0.9 (setup C: 0.81,
# 0.65, 0.68; B: 0.77, 0.71, 0.96)


def noise(kind, rng, shape):
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "exponential":
        return rng.exponential(size=shape) - 1
    if kind == "lognormal":
        sd = np.sqrt((np.e - 1) * np.e)
        return (rng.lognormal(size=shape) - np.exp(0.5)) / sd
    raise AssertionError(kind)


def soft(e):
    """Matched and ranked accuracy, in points, from noise of which e[0] is accuracy's."""
    matched = 0.8 * e[0] + 0.6 * e[1]
    ranked = 0.7 * e[0] + 0.5667 * e[1] + 0.4346 * e[2]
    return 0.13 * matched, 0.12 * ranked


def simulated_nulls(rng, caps=(10, 20, 40)):
    found = {}
    for kind in ("normal", "exponential", "lognormal", "multiples of 1/2500"):
        for cap in caps:
            e = noise("normal" if "/" in kind else kind, rng, (3, STUDIES, cap))
            accuracy = 0.0032 * e[0]
            matched, ranked = (each / 100 for each in soft(e))
            if "/" in kind:  # coarse beside the sd: -1, 0 or 1 image for the most part
                accuracy = matched = ranked = np.round(0.7 * e[0]) / 2500
            for name, rule in rules(1e-9, cap, NEVER_FUTILE).items():
                alone, both = rates(rule, accuracy), rates(rule, accuracy, matched, ranked)
                found[f"{kind}, {name}"] = {
                    "one metric": round(alone["better"] + alone["worse"], 4),
                    "whole rule": round(both["better"] + both["worse"], 4),
                    "better": both["better"],
                    "worse": both["worse"],
                }
    return found


def few_pairs(_):
    return simulated_nulls(np.random.default_rng(2), caps=(3, 5))


def margin_nulls(rng):
    """How often a difference as large as the margin is called equivalent."""
    found = {}
    for sd in (0.5, 1.0, 2.0):  # of accuracy, in margins
        for cap in (10, 20, 40):
            e = rng.normal(size=(3, STUDIES, cap))
            accuracy = 0.005 * (1 + sd * e[0])
            blind = [0.005 * sd * each / 0.32 for each in soft(e)]  # to the difference
            for name, rule in rules(0.005, cap, NEVER_FUTILE).items():
                found[f"sd {sd} margins, {name}"] = {
                    "one metric": rates(rule, accuracy)["equivalent"],
                    "others blind": rates(rule, accuracy, *blind)["equivalent"],
                }
    return found


# Mean pairs of bounds of the same level, on one normal metric


def first_crossing(values, bounds):
    n = np.arange(1, values.shape[1] + 1)
    mean = np.cumsum(values, axis=1) / n
    squares = np.cumsum(values**2, axis=1) - n * mean**2
    sd = np.sqrt(np.maximum(squares, 1e-300) / np.maximum(n - 1, 1))
    crossed = (np.abs(mean) * np.sqrt(n) >= bounds * sd) & np.isfinite(bounds)
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, values.shape[1]), crossed.any(
        1
    )


def calibrated_anytime(cap, level, null):
    """The anytime bounds whose measured rate of false alarms up to the cap is the level."""
    low, high = level, 0.5
    for _ in range(30):
        middle = (low * high) ** 0.5
        _, alarms = first_crossing(null, open_from_three(anytime_bounds(cap, middle)))
        low, high = (middle, high) if alarms.mean() < level else (low, middle)
    return open_from_three(anytime_bounds(cap, low)), low


def open_from_three(bounds):
    return np.where(np.arange(len(bounds)) < 2, np.inf, bounds)


def shapes_and_rules(rng):
    found = {}
    for cap in (10, 20, 40):
        null = rng.normal(size=(STUDIES, cap))
        bounds = {shape: capped_bounds(cap, 0.05, shape) for shape in SHAPES}
        bounds["anytime g = 4"] = open_from_three(anytime_bounds(cap, 0.05))
        bounds["anytime g = 1"] = open_from_three(anytime_bounds(cap, 0.05, 1.0))
        tuned, level = calibrated_anytime(cap, 0.05, null)
        bounds[f"anytime g = 4 at nominal {level:.3f}"] = tuned
        for name, each in bounds.items():
            row = {"false alarms": round(float(first_crossing(null, each)[1].mean()), 4)}
            for effect in (0.5, 0.75, 1.0, 1.35, 1.6, 2.7, 4.8):
                pairs, hit = first_crossing(rng.normal(effect, 1, (STUDIES, cap)), each)
                row[f"effect {effect}"] = [
                    round(float(pairs.mean()), 2),
                    round(float(hit.mean()), 3),
                ]
            found[f"cap {cap}, {name}"] = row
    null = rng.normal(size=(10 * STUDIES, 50))
    for g in (1.0, 4.0):
        _, alarms = first_crossing(null, open_from_three(anytime_bounds(50, 0.05, g)))
        found[f"anytime g = {g:.0f}, false alarms by 50 pairs"] = round(float(alarms.mean()), 4)
    return found


# Real runs


def of_setup(name):
    with np.load(RUNS) as runs:
        places = np.flatnonzero(runs["setup"] == name)
        places = places[np.argsort(runs["init"][places])]
        return {metric: runs[metric][places] for metric in METRICS}


def differences(name, factor):
    a, b = of_setup("A"), of_setup(name)
    pairs = np.stack([b[metric] - a[metric] for metric in METRICS[:JUDGES]])
    return pairs + (factor - 1) * pairs.mean(axis=1, keepdims=True)


def drawn(rng, pool, cap, *, flip=False, twice=True, studies=STUDIES):
    seeds = pool.shape[1]
    if twice:
        at = rng.integers(0, seeds, (studies, cap))
    else:
        at = rng.permuted(np.tile(np.arange(seeds), (studies, 1)), axis=1)[:, :cap]
    signs = rng.choice([-1.0, 1.0], (studies, cap)) if flip else 1.0
    return pool[:, at] * signs


def of_pool(rng, rule, pool, cap, *, centred=False, flip=False, twice=True):
    """Rates on studies drawn from a pool of pairs, each with how much it depends on the seeds."""

    def measure(pool, studies):
        if centred:
            pool = pool - pool.mean(axis=1, keepdims=True)
        got = rates(rule, *drawn(rng, pool, cap, flip=flip, twice=twice, studies=studies))
        return got | {"named a winner": got["better"] + got["worse"]}

    whole, seeds = measure(pool, STUDIES), pool.shape[1]
    less = [measure(np.delete(pool, seed, axis=1), FEWER) for seed in range(seeds)]
    found = {}
    for name, value in whole.items():
        values = np.array([each[name] for each in less])
        simulated = 0.0 if name == "pairs" else value * (1 - value) / FEWER
        spread = (seeds - 1) * (values.var() - simulated)
        found[name] = [round(value, 4), round(1.96 * float(np.sqrt(max(spread, 0))), 4)]
    return found


def random_pairs(rng, cap):
    """Other seeds of A against each other: the null of unrelated runs."""
    a = of_setup("A")
    first = rng.integers(0, 16, (STUDIES, cap))
    second = (first + rng.integers(1, 16, (STUDIES, cap))) % 16
    return tuple(a[metric][second] - a[metric][first] for metric in METRICS[:JUDGES])


def real_runs(rng):
    found = {}
    sign_only = SequentialRule(difference=1e-9, max_pairs=10, power=NEVER_FUTILE)
    for setup in "BCD":
        found[f"{setup} signs flipped, none twice, capped 10, no margin"] = of_pool(
            rng, sign_only, differences(setup, 1), 10, centred=True, flip=True, twice=False
        )
    for cap, difference in ((10, 0.005), (20, 0.005), (40, 0.003)):
        for name, rule in rules(difference, cap).items():
            title = f"{name}, difference {difference}"
            found[f"A with other seeds of A, {title}"] = rates(rule, *random_pairs(rng, cap))
            for setup in "BCD":
                pool = differences(setup, 1)
                found[f"{setup}, {title}"] = of_pool(rng, rule, pool, cap)
                for flip in (False, True):
                    signs = "signs flipped" if flip else "centred"
                    found[f"{setup} {signs}, {title}"] = of_pool(
                        rng, rule, pool, cap, centred=True, flip=flip
                    )
    return found


# Fixed rules at the same measured error rate and power


def welch(a, b):
    variance = (a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / a.shape[1]
    return (b.mean(axis=1) - a.mean(axis=1)) / np.sqrt(np.maximum(variance, 1e-300))


def best_fixed(rng, a, b, shift, alarms, power, *, paired):
    """The fewest runs a setup with this power, at the t with this measured rate of alarms."""

    def statistics(runs, shift):
        at_a = rng.integers(0, len(a), (STUDIES, runs))
        at_b = at_a if paired else rng.integers(0, len(b), (STUDIES, runs))
        moved = b[at_b] + shift
        if not paired:
            return welch(a[at_a], moved)
        d = moved - a[at_a]
        return d.mean(axis=1) / np.maximum(d.std(axis=1, ddof=1), 1e-12) * np.sqrt(runs)

    def found(runs):
        null = statistics(runs, a.mean() - b.mean())
        limit = np.quantile(np.abs(null), 1 - alarms)
        return (np.abs(statistics(runs, shift)) > limit).mean() >= power

    low, high = 2, 3
    while not found(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def peeking(rng, a, b, shift, cap):
    """Welch at 5 % after each run from the third on."""
    from scipy import stats

    x = a[rng.integers(0, len(a), (STUDIES, cap))]
    y = b[rng.integers(0, len(b), (STUDIES, cap))] + shift
    pairs = np.full(STUDIES, cap)
    alarmed = np.zeros(STUDIES, bool)
    for runs in range(3, cap + 1):
        some = (x[:, :runs], y[:, :runs])
        va, vb = (part.var(axis=1, ddof=1) / runs for part in some)
        freedom = (va + vb) ** 2 / np.maximum((va**2 + vb**2) / (runs - 1), 1e-300)
        now = ~alarmed & (np.abs(welch(*some)) > stats.t.isf(0.025, freedom))
        pairs[now], alarmed = runs, alarmed | now
    return {"runs": float(pairs.mean()), "decided": float(alarmed.mean())}


def beside_fixed_rules(rng):
    found = {}
    a = of_setup("A")
    for setup, factor, cap, difference in (
        ("B", 1, 40, 0.005),
        ("C", 1, 40, 0.005),
        ("B", SCALED["B"], 60, 0.002),
        ("C", SCALED["C"], 60, 0.002),
        ("B", SCALED["B"], 40, 0.001),
        ("C", SCALED["C"], 40, 0.001),
    ):
        b = of_setup(setup)
        verdict = "worse" if setup == "B" else "better"
        for name, rule in rules(difference, cap).items():
            ours = of_pool(rng, rule, differences(setup, factor), cap)
            null = of_pool(rng, rule, differences(setup, 1), cap, centred=True)
            alarms = null["named a winner"][0]
            power = min(ours[verdict][0], 0.99)
            row = {"ours": ours, "false alarms": null["named a winner"], "power": power}
            for metric, paired in (
                ("accuracy", False),
                ("smoothed_accuracy", False),
                ("accuracy", True),
                ("matched_accuracy", True),
            ):
                shift = (factor - 1) * (b[metric] - a[metric]).mean()
                runs = best_fixed(rng, a[metric], b[metric], shift, alarms, power, paired=paired)
                how = "paired t" if paired else "Welch"
                row[f"{how} on {metric}"] = runs
            shift = (factor - 1) * (b["accuracy"] - a["accuracy"]).mean()
            row["Welch on accuracy, at 5 % false alarms"] = best_fixed(
                np.random.default_rng(cap),
                a["accuracy"],
                b["accuracy"],
                shift,
                0.05,
                power,
                paired=False,
            )
            none = a["accuracy"].mean() - b["accuracy"].mean()
            row["peeking"] = peeking(rng, a["accuracy"], b["accuracy"], shift, cap)
            row["peeking, no effect"] = peeking(rng, a["accuracy"], b["accuracy"], none, cap)
            found[f"{setup} x {factor}, {name}, difference {difference}"] = row
    return found


def misled(rng):
    """A setup that moves matched accuracy by `bias` points and the two others not at all."""
    found = {}
    for bias in (0.0, 0.05, 0.1, 0.2, 0.3):
        for cap, difference in ((40, 0.005), (40, 0.003), (60, 0.002)):
            e = rng.normal(size=(3, STUDIES, cap))
            matched, ranked = soft(e)
            rule = SequentialRule(difference=difference, max_pairs=cap)
            found[f"bias {bias}, cap {cap}, difference {difference}"] = rates(
                rule, 0.0032 * e[0], (bias + matched) / 100, ranked / 100
            )
    return found


def accuracy_apart(_):
    """False alarms where ranked accuracy is matched accuracy, by their correlation to accuracy.

    Where the signs differ accuracy decides: two tests share the looks, each half of the time.
    """
    found, rng = {}, np.random.default_rng(1)
    for cap in (10, 40):
        rule = SequentialRule(difference=1e-9, max_pairs=cap, power=NEVER_FUTILE)
        for r in (-0.5, 0.0, 0.3, 0.6, 0.8, 0.95):
            named = 0.0
            for _ in range(5):
                e = rng.normal(size=(2, STUDIES, cap))
                others = 0.0013 * (r * e[0] + (1 - r * r) ** 0.5 * e[1])
                got = rates(rule, 0.0032 * e[0], others, others)
                named += (got["better"] + got["worse"]) / 5
            found[f"r {r}, cap {cap}"] = round(named, 4)
    return found


if __name__ == "__main__":
    main()
