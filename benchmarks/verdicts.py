"""Error rates of verdicts where runs collapse, and where soft metrics move and accuracy does not.

    python benchmarks/verdicts.py [--studies 400] [--parts PART ...] [-o FILE]

Runs of metrics alone go through the whole program: a study file, recorded runs, `compare` or the
stopping rule. Studies with predictions are too large for thousands of files; there the functions
that the program calls are given the metrics of each run, and `agree` holds some of them to what
the whole program says of the same logits. Rates have the interval of Clopper and Pearson, 95 %.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from seedwise.comparison import Stop, StoppingRule
from seedwise.comparison.rule import Rule, plan_of
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import PLAN, Store
from seedwise.study import Study

RUNS = (3, 5, 10, 20)
SD, SHARED = 0.0035, 0.8
"""Of a run's accuracy, and the correlation of runs of one seed."""

COLLAPSE, DEPTH, MARGIN = 0.1, 0.05, 0.003
"""The share of B's seeds that collapse, by how much, and the margin of equivalence."""

NOW = datetime(2026, 11, 28, tzinfo=UTC)
REFERENCE = Path(__file__).parents[2] / "shared/reference/runs/runs.npz"


def interval(hits, studies):
    from scipy.stats import binomtest

    found = binomtest(hits, studies).proportion_ci(0.95, method="exact")
    return [round(100 * each, 2) for each in (hits / studies, found.low, found.high)]


# Whole programs on runs of accuracy alone


def whole(folder, a, b, *, stop=None, margin=MARGIN):
    """What the program says of two setups; a NaN is a diverged run."""
    path = Path(folder) / "study.db"
    with Store.open(path, create=True) as store:
        rule = Rule(margin=None if stop else margin)
        seeds = [] if stop else [Seed.of(seed) for seed in range(len(a))]
        ruled = stop and dict(StoppingRule(stop=stop, baseline="a", candidates=("b",)).to_json())
        store.fix_choice(PLAN, plan_of(["a", "b"], seeds, rule, stop=ruled))
        for name, values in (("a", a), ("b", b)):
            store.add_setup(name, Setup(train=ELSEWHERE))
            for seed, value in enumerate(values):
                lost = RunRecord(state="diverged", error="the loss was NaN", seconds=1.0)
                run = RunRecord(state="finished", metrics={"accuracy": float(value)}, seconds=1.0)
                store.add_run(name, Seed.of(seed), lost if np.isnan(value) else run, ended_at=NOW)
    found = Study(path).compare("a", "b")
    path.unlink()
    return found


def pair(rng, n, shift, *, depth=DEPTH):
    """Accuracies of A and B, and which of B's runs collapsed."""
    shared, own = rng.normal(size=(2, n))
    a = 0.9 + SD * shared
    b = 0.9 + shift + SD * (SHARED * shared + (1 - SHARED**2) ** 0.5 * own)
    lost = rng.random(n) < COLLAPSE
    return a, np.clip(b - depth * lost, 0, 1), lost


NULLS = {
    "means equal, collapses included": COLLAPSE * DEPTH,
    "mean at the margin, collapses included": COLLAPSE * DEPTH - MARGIN,
    "other runs equal": 0.0,
    "other runs at the margin": -MARGIN,
}
"""By how much the runs of B that do not collapse are better."""


def collapse(studies, rng):
    for title, shift in NULLS.items():
        for n in RUNS:
            yield row_of(f"collapse: {title}", n, studies, rng, shift, None)


def stopped(studies, rng):
    for title, shift in NULLS.items():
        stop = Stop(difference=MARGIN, max_runs=20)
        yield row_of(f"[stop]: {title}", 20, studies, rng, shift, stop)


def row_of(title, n, studies, rng, shift, stop):
    said, seen, of_seen = Counter(), 0, Counter()
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        for _ in range(studies):
            a, b, lost = pair(rng, n, shift)
            found = whole(folder, a, b, stop=stop)
            used = n if stop is None else found.stopping.decision.n
            said[found.outcome] += 1
            if lost[:used].any():
                seen += 1
                of_seen[found.outcome] += 1
    return {
        "case": title,
        "n": n,
        "studies": studies,
        **{name: interval(said[name], studies) for name in ("better", "equivalent", "worse")},
        "saw a collapse": seen,
        **{
            f"{name}, of those": interval(of_seen[name], seen) if seen else None
            for name in ("better", "equivalent")
        },
    }


def diverged(studies, rng):
    """4 of 10 runs of B diverge, and the others are as good as A's."""
    said = Counter()
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        for _ in range(studies):
            a, b, _ = pair(rng, 10, 0.0, depth=0.0)
            b[:4] = np.nan
            said[whole(folder, a, b).outcome] += 1
    yield {
        "case": "4 of 10 runs of B diverged, no classes known",
        "n": 10,
        "studies": studies,
        **{name: interval(said[name], studies) for name in ("better", "equivalent", "worse")},
    }


def shared_memory():
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


LAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential, tail to the worse": lambda rng, n: -rng.exponential(size=n),
    "lognormal, tail to the worse": lambda rng, n: -rng.lognormal(size=n),
    "Student's t, 3 df": lambda rng, n: rng.standard_t(3, size=n),
    "Student's t, 5 df": lambda rng, n: rng.standard_t(5, size=n),
    "normal, spreads 3 to 1": lambda rng, n: rng.normal(size=n),
}


def detector(studies, rng):
    """Studies in which some run is taken for far, of those without and with a collapse."""
    from seedwise.stats.collapse import far_from_rest

    for n in (3, 4, 5, 7, 10, 20, 40):
        for title, law in LAWS.items():
            wider = 3 if "3 to 1" in title else 1
            pairs = ((wider * law(rng, n), law(rng, n)) for _ in range(studies))
            hits = sum(any(each.any() for each in far_from_rest(*both)) for both in pairs)
            yield {"case": f"false flags: {title}", "n": n, "far": interval(hits, studies)}
        for depth in (10, 15, 30):
            hits = 0
            for _ in range(studies):
                a, b = rng.normal(size=(2, n))
                b[0] -= depth
                far = far_from_rest(a, b)
                hits += bool(far[1][0]) and far[0].sum() + far[1].sum() == 1
            yield {
                "case": f"one run of B lower by {depth} sd, found and no other",
                "n": n,
                "far": interval(hits, studies),
            }


# Soft metrics that move while accuracy does not


def signs_of(contrasts):
    from seedwise.comparison.verdict import deciding

    found = deciding(contrasts, "matched_accuracy")
    return found.direction if found.p_value < 0.05 else 0


def contrasts_of(a, b, *, paired):
    from holding import contrast

    return {name: contrast(name, a[name], b[name], paired=paired) for name in a}


METRICS = ("accuracy", "matched_accuracy", "ranked_accuracy")
NOISE = 1e-2 * np.array([0.32, 0.13, 0.12])
MIX = np.linalg.cholesky(np.array([[1, 0.8, 0.7], [0.8, 1, 0.9], [0.7, 0.9, 1]]))
SHIFT = 1e-2 * np.array([0, 0.14, 0.04])
"""Standard deviations, between setups of the same accuracy, of what the soft metrics move by."""


def shifts(studies, rng):
    """Nulls of accuracy, matched and ranked accuracy moved by a little, each at random."""
    from seedwise.stats.sequential import Pairs, SequentialRule, outcomes

    for factor in (0, 1, 2):
        for n in RUNS:
            hits = 0
            for _ in range(studies):
                moved = factor * SHIFT * rng.normal(size=3)
                b = (rng.normal(size=(n, 3)) @ MIX.T) * NOISE + moved
                values = dict(zip(METRICS, b.T, strict=True))
                none = {name: np.zeros(n) for name in METRICS}
                hits += signs_of(contrasts_of(none, values, paired=True)) != 0
            yield {
                "case": f"shifts of soft metrics x {factor}",
                "n": n,
                "better or worse": interval(hits, studies),
            }
        many = 10 * studies
        for difference in (0.002, 0.003, 0.005):
            for cap in (20, 40):
                moved = factor * SHIFT * rng.normal(size=(many, 1, 3))
                d = (rng.normal(size=(many, cap, 3)) @ MIX.T) * NOISE + moved
                rule = SequentialRule(difference=difference, max_pairs=cap)
                pairs = Pairs(accuracy=d[..., 0], matched=d[..., 1], ranked=d[..., 2])
                verdicts = outcomes(rule, pairs).verdicts
                hits = int(np.isin(verdicts, (1, 2)).sum())
                yield {
                    "case": f"[stop], shifts x {factor}, difference {difference}",
                    "n": cap,
                    "better or worse": interval(hits, many),
                }


RESCALINGS = {
    "as they are": lambda logits, targets: logits,
    "margins of wrong predictions x 0.9": lambda logits, targets: wrong(logits, targets, 0.9),
    "margins of wrong predictions x 0.7": lambda logits, targets: wrong(logits, targets, 0.7),
    "margins of wrong predictions x 1.1": lambda logits, targets: wrong(logits, targets, 1.1),
    "x (1 + tanh(margin) / 2)": lambda logits, targets: by_margin(logits, 0.5),
    "x (1 - 0.4 tanh(margin))": lambda logits, targets: by_margin(logits, -0.4),
}


def wrong(logits, targets, factor):
    """The logits of wrong predictions drawn together: the same classes in the same order."""
    scale = np.where(logits.argmax(-1) == targets, 1.0, factor)[..., None]
    middle = logits.mean(-1, keepdims=True)
    return middle + (logits - middle) * scale


def by_margin(logits, growth):
    top = np.sort(logits, axis=-1)
    return logits * (1 + growth * np.tanh(top[..., -1:] - top[..., -2:-1]))


def rescaled(studies, rng):
    """8 seeds of a setup against its other 8, whose logits are rescaled; four setups."""
    from seedwise import stats

    with np.load(REFERENCE) as file:
        logits, setups = file["logits"], file["setup"]
        seeds, targets = file["init"], file["targets"].astype(np.int64)
    for title, rescale in RESCALINGS.items():
        named = Counter()
        for setup in "ABCD":
            runs = logits[(setups == setup) & (seeds < 16)].astype(np.float32)
            moved = rescale(runs, targets)
            assert (moved.argmax(-1) == runs.argmax(-1)).mean() > 0.999
            plain, other = (
                {name: stats.METRICS[name](each, targets) for name in METRICS}
                for each in (runs, moved.astype(np.float16))
            )
            for _ in range(studies // 4):
                order = rng.permutation(16)
                a = {name: plain[name][order[:8]] for name in METRICS}
                b = {name: other[name][order[8:]] for name in METRICS}
                named[signs_of(contrasts_of(a, b, paired=False))] += 1
        total = sum(named.values())
        yield {
            "case": f"rescaled: {title}",
            "n": 8,
            "better": interval(named[1], total),
            "worse": interval(named[-1], total),
        }


def apart(studies, rng):
    """Real setups whose soft metrics and accuracy part ways: label smoothing 0 at full size."""
    import csv

    for name in ("five-epochs", "twenty-epochs"):
        file = Path(__file__).parents[1] / f"evidence/results/{name}.csv"
        with file.open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["accuracy"]]
        by = {
            setup: {
                row["order"]: [float(row[metric]) for metric in METRICS]
                for row in rows
                if row["setup"] == setup
            }
            for setup in ("page-v1", "no-smoothing")
        }
        shared = sorted(set(by["page-v1"]) & set(by["no-smoothing"]))
        a, b = (np.array([by[s][seed] for seed in shared]) for s in ("page-v1", "no-smoothing"))
        for n in sorted({3, 5, min(10, len(shared))}):
            for null in (False, True):
                said = Counter()
                for _ in range(studies):
                    at = rng.permutation(len(shared))[:n]
                    d = (b - a)[at]
                    if null:  # accuracy's mean difference taken out, the soft ones left
                        d = d - np.array([(b - a)[:, 0].mean(), 0, 0])
                    none = {metric: np.zeros(n) for metric in METRICS}
                    values = dict(zip(METRICS, d.T, strict=True))
                    said[signs_of(contrasts_of(none, values, paired=True))] += 1
                yield {
                    "case": f"label smoothing 0, {name}"
                    + (", accuracy centred" if null else f", of {len(shared)} pairs"),
                    "n": n,
                    "mean": np.round(100 * (b - a).mean(0), 2).tolist(),
                    "better": interval(said[1], studies),
                    "worse": interval(said[-1], studies),
                }


def cost(studies, rng):
    """Pairs to a verdict on the real pairs of B and C, drawn with replacement."""
    from seedwise.stats.sequential import Pairs, SequentialRule, outcomes

    with np.load(Path(__file__).parents[1] / "tests/golden/real_runs.npz") as runs:
        of = {
            setup: np.stack(
                [
                    runs[metric][(runs["setup"] == setup) & (runs["init"] < 16)]
                    for metric in METRICS
                ]
            )
            for setup in "ABC"
        }
    for setup in "BC":
        pool = of[setup] - of["A"]
        for difference in (0.002, 0.005):
            at = rng.integers(0, 16, (10 * studies, 40))
            rule = SequentialRule(difference=difference, max_pairs=40)
            pairs = Pairs(**dict(zip(("accuracy", "matched", "ranked"), pool[:, at], strict=True)))
            found = outcomes(rule, pairs)
            named = int(np.isin(found.verdicts, (1, 2)).sum())
            yield {
                "case": f"{setup}, [stop], difference {difference}",
                "n": 40,
                "pairs": round(float(found.pairs.mean()), 2),
                "better or worse": interval(named, 10 * studies),
            }
        for n in range(3, 17):
            hits = 0
            for _ in range(studies):
                at = rng.permutation(16)[:n]
                values = dict(zip(METRICS, pool[:, at], strict=True))
                none = {metric: np.zeros(n) for metric in METRICS}
                hits += signs_of(contrasts_of(none, values, paired=True)) != 0
            yield {
                "case": f"{setup}, a fixed number of pairs",
                "n": n,
                "better or worse": interval(hits, studies),
            }
            if hits == studies:
                break


def agree(studies, rng):
    """The whole program, files and logits, beside the functions above, on the same runs."""
    from seedwise.records import VIEWS, DatasetRecord
    from seedwise.stats import METRICS as COMPUTED

    same = 0
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        for number in range(studies // 20):
            targets = np.arange(300) % 5
            base = 1.5 * rng.normal(size=(1, 2, 300, 5)) + 0.3 * rng.normal(size=(8, 2, 300, 5))
            base[..., np.arange(300), targets] += 1
            moved = base + 0.1 * rng.normal(size=base.shape)
            moved[..., np.arange(300), targets] += rng.normal(0, 0.03)
            runs = [each.astype(np.float16) for each in (base, wrong(moved, targets, 0.9))]
            path = Path(folder) / f"{number}.db"
            with Store.open(path, create=True) as store:
                store.set_dataset(
                    DatasetRecord(
                        name="made up",
                        fingerprint="ab" * 32,
                        split='"shipped"',
                        classes=tuple("abcde"),
                        names=tuple(f"{i}.png" for i in range(300)),
                        targets=targets,
                    )
                )
                for name, logits in zip("ab", runs, strict=True):
                    store.add_setup(name, Setup(train=ELSEWHERE))
                    for seed, one in enumerate(logits):
                        record = RunRecord(state="finished", logits=one, views=VIEWS, seconds=1.0)
                        store.add_run(name, Seed.of(seed), record, ended_at=NOW)
            said = Study(path).compare("a", "b").outcome
            path.unlink()
            a, b = ({name: COMPUTED[name](each, targets) for name in METRICS} for each in runs)
            sign = signs_of(contrasts_of(a, b, paired=True))
            same += said == {1: "better", -1: "worse", 0: "undecided"}[sign]
    yield {"case": "whole program and functions agree", "n": 8, "of": studies // 20, "same": same}


PARTS = {
    "detector": detector,
    "diverged": diverged,
    "collapse": collapse,
    "stop": stopped,
    "shifts": shifts,
    "rescaled": rescaled,
    "apart": apart,
    "cost": cost,
    "agree": agree,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.parts:
        for row in PARTS[name](arguments.studies, np.random.default_rng(20261128)):
            print(json.dumps(row), file=sys.stderr, flush=True)
            rows.append(row)
    text = json.dumps({"studies": arguments.studies, "rows": rows}, indent=1)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
