"""How often what a verdict says beside its sign holds: families, runs that would do, intervals.

python benchmarks/small_print.py SECTION >> benchmarks/records/DATE-verdicts/figures.jsonl

Each study is made up, and judged by the functions that `seedwise compare` calls, on runs of one
returned accuracy; tests/comparison holds that the whole program says the same. Rates are given
with Clopper and Pearson's 95 % interval.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
from scipy.special import betaincinv
from scipy.stats import ttest_ind, ttest_rel

from seedwise.comparison.judging import Setting, judged
from seedwise.comparison.measured import Measured, Measurements, RunCounts
from seedwise.comparison.metrics import ReturnedMetric
from seedwise.comparison.rule import Rule, Standing
from seedwise.seeds import Seed
from seedwise.stats.agreement import chance_of_better
from seedwise.stats.intervals import paired_difference, unpaired_difference
from seedwise.stats.multiplicity import adjusted
from seedwise.stats.overlap import overlapping_difference

METRIC = {"accuracy": ReturnedMetric(name="accuracy", higher_is_better=True)}
SD, MARGIN = 0.003, 0.004
LEVEL = 0.8


def measured(name: str, values: np.ndarray, first: int = 0) -> Measurements:
    """Runs of one setup with the seeds from `first` on."""
    n = len(values)
    counts = RunCounts(name=name, finished=n, diverged=0, failed=0, seconds=1.0)
    return Measurements(
        counts=counts,
        seeds=tuple(map(Seed.of, range(first, first + n))),
        diverged=np.zeros(n, bool),
        metrics={"accuracy": Measured(values=values, images=None)},
        predicted=None,
    )


def compared(base: Measurements, others: list[Measurements], rule: Rule) -> tuple:
    kept = Standing(confirmatory=True, reasons=())
    settings = [Setting(a=base, b=other, standing=kept) for other in others]
    return judged(settings, METRIC, rule, "holm")


def family(rng: np.random.Generator) -> Iterator[dict]:
    """Five candidates, each worse by just the margin: "not worse" or "equivalent" is an error."""
    for n, studies in ((3, 800), (5, 800), (10, 800), (20, 800)):
        hits = 0
        for _ in range(studies):
            runs = LEVEL + SD * rng.normal(size=(6, n))
            runs[1:] -= MARGIN
            base, *others = (measured(str(i), each) for i, each in enumerate(runs))
            found = compared(base, others, Rule(margin=MARGIN))
            hits += any(f.verdict.not_worse or f.verdict.outcome == "equivalent" for f in found)
        yield rate("any of five wrongly not worse or equivalent", f"{n} pairs", hits, studies)


def enough(rng: np.random.Generator) -> Iterator[dict]:
    """The true power of the number of runs that an undecided comparison says would do.

    The true difference is the one that was seen, as the sentence has it; the true spread is known
    here, and was not to who said the number.
    """
    for n in (3, 5, 10):
        yield power_of_said(rng, f"{n} pairs, one candidate", 1, (n, n), (1.0, 1.0))
    yield power_of_said(rng, "5 pairs, five candidates", 5, (5, 5), (1.0, 1.0))
    yield power_of_said(rng, "10 pairs, five candidates", 5, (10, 10), (1.0, 1.0))
    for sds in ((1.0, 1.0), (1.0, 2.0), (2.0, 1.0)):
        kind = f"10 unrelated runs against 4, sd {sds[0]:g} and {sds[1]:g}"
        yield power_of_said(rng, kind, 1, (10, 4), sds)


def power_of_said(
    rng: np.random.Generator, kind: str, candidates: int, n: tuple, sds: tuple, studies: int = 250
) -> dict:
    paired, shown, tried = n[0] == n[1], list[float](), 0
    while len(shown) < studies:
        tried += 1
        effects = rng.uniform(0.2, 1.2, candidates) * SD
        base = LEVEL + sds[0] * SD * rng.normal(size=n[0])
        runs = LEVEL + effects[:, None] + sds[1] * SD * rng.normal(size=(candidates, n[1]))
        first = 0 if paired else 100
        others = [measured(f"c{i}", each, first) for i, each in enumerate(runs)]
        found = compared(measured("base", base), others, Rule(paired=paired))
        one, seen = found[0], np.array([f.deciding.difference.estimate for f in found])
        said = one.runs_for_seen
        if one.outcome == "undecided" and said is not None and min(n) < said < 2_000:
            shown.append(often_shown(rng, seen, said, n, sds, paired=paired))
    power, error = float(np.mean(shown)), float(np.std(shown) / np.sqrt(len(shown)))
    low, high = np.quantile(shown, [0.1, 0.9])
    return {
        "claim": "power of the runs that are said to do",
        "data": kind,
        "studies": studies,
        "rate": power,
        "low": power - 1.96 * error,
        "high": power + 1.96 * error,
        "tenth": float(low),
        "ninetieth": float(high),
        "undecided": studies / tried,
    }


def often_shown(
    rng: np.random.Generator, seen: np.ndarray, said: int, n: tuple, sds: tuple, *, paired: bool
) -> float:
    """How often Holm's correction leaves the first candidate better or worse, of 200 studies."""
    runs_a, runs_b = (said, said) if paired else (max(said, each) for each in n)
    base = sds[0] * SD * rng.normal(size=(200, 1, runs_a))
    others = seen[:, None] + sds[1] * SD * rng.normal(size=(200, len(seen), runs_b))
    if paired:
        p_values = ttest_rel(others, np.broadcast_to(base, others.shape), axis=-1).pvalue
    else:
        p_values = ttest_ind(others, base, axis=-1, equal_var=False).pvalue
    return float(np.mean([adjusted(each, "holm")[0] < 0.05 for each in p_values]))


LAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "rounded normal": lambda rng, size: np.round(2 * rng.normal(size=size)),
    "exponential": lambda rng, size: rng.exponential(size=size),
}


def duels(rng: np.random.Generator) -> Iterator[dict]:
    """P(B > A): the interval holds the true chance; a missing interval is counted by itself."""
    for law, draw in LAWS.items():
        for true in (0.5, 0.75, 0.92, 0.97):
            many = np.sort(draw(rng, 400_000) - draw(rng, 400_000))
            up = -np.quantile(many, 1 - true)
            chance = (many > -up).mean() + (many == -up).mean() / 2
            for n in (3, 5, 10, 20):
                for paired in (False, True):
                    hits = given = 0
                    for _ in range(600):
                        shared = draw(rng, n) if paired else 0.0
                        a, b = (
                            (shared + draw(rng, n) for _ in range(2))
                            if law == "normal"
                            else (draw(rng, n) for _ in range(2))
                        )
                        scale = 2**0.5 if law == "normal" and paired else 1.0
                        found = chance_of_better(a, b + up * scale, paired=paired, confidence=0.95)
                        given += not np.isnan(found.low)
                        hits += found.low <= chance <= found.high
                    kind = f"{law}, true {chance:.2f}, n = {n}{', paired' if paired else ''}"
                    if given:
                        yield rate("interval of P(B > A) covers", kind, hits, given)


def unequal(rng: np.random.Generator) -> Iterator[dict]:
    """False alarms of unrelated normal runs, some setups with few."""
    for n in ((2, 2), (10, 2), (20, 2), (3, 3), (10, 3), (20, 3), (20, 5)):
        for wide in (1, 2):
            hits = 0
            for _ in range(4_000):
                a, b = rng.normal(size=n[0]), wide * rng.normal(size=n[1])
                hits += unpaired_difference(a, b).p_value < 0.05
            kind = f"{n[0]} and {n[1]} runs, sd 1 and {wide}"
            yield rate("better or worse of unrelated runs", kind, hits, 4_000)


def partners(rng: np.random.Generator) -> Iterator[dict]:
    """Setups that share some seeds: pairs and the rest together, and the pairs alone as before."""
    for n in (2, 3, 5, 10):
        for rest in ((1, 1), (5, 0), (20, 0), (0, 20), (20, 2)):
            for r in (0.0, 0.3, 0.7, 0.9):
                for wide in (1.0, 2.0):
                    kind = f"{n} pairs, {rest[0]} and {rest[1]} alone, r {r:g}, sd 1 and {wide:g}"
                    drawn = [shared_seeds(rng, n, rest, r, wide) for _ in range(400)]
                    both = [overlapping_difference(*each) for each in drawn]
                    yield interval_row("pairs and the rest cover", kind, both)
                    alone = [paired_difference(*pairs) for pairs, _ in drawn]
                    yield interval_row("pairs alone cover (before)", kind, alone)


def shared_seeds(rng: np.random.Generator, n: int, rest: tuple, r: float, wide: float) -> tuple:
    shared = np.sqrt(r) * rng.normal(size=n)
    a, b = (shared + np.sqrt(1 - r) * rng.normal(size=n) for _ in range(2))
    return (a, wide * b), (rng.normal(size=rest[0]), wide * rng.normal(size=rest[1]))


def interval_row(claim: str, kind: str, found: list) -> dict:
    """Coverage of 0, and the median half length in standard deviations of a run of A."""
    hits = sum(each.low <= 0 <= each.high for each in found)
    half = float(np.median([(each.high - each.low) / 2 for each in found]))
    return {**rate(claim, kind, hits, len(found)), "half_length": half}


SECTIONS = {
    "family": family,
    "enough": enough,
    "duels": duels,
    "unequal": unequal,
    "partners": partners,
}


def rate(claim: str, data: str, hits: int, studies: int) -> dict:
    low = float(betaincinv(hits, studies - hits + 1, 0.025)) if hits else 0.0
    high = float(betaincinv(hits + 1, studies - hits, 0.975)) if hits < studies else 1.0
    return {
        "claim": claim,
        "data": data,
        "studies": studies,
        "rate": hits / studies,
        "low": low,
        "high": high,
    }


def main() -> None:
    for name in sys.argv[1:] or SECTIONS:
        for row in SECTIONS[name](np.random.default_rng(7)):
            made = {"section": name, "seedwise": version("seedwise"), "numpy": version("numpy")}
            print(json.dumps({**made, **row}), flush=True)


if __name__ == "__main__":
    main()
