"""How often each printed interval and claim holds, at n = 3, 5, 10 and 20 runs a setup.

python benchmarks/holding.py benchmarks/records/DATE-coverage

Simulated data are normal, skewed (exponential; lognormal is worse and stands beside it) and
discrete (accuracies on 200 images). Real nulls come from tests/golden/real_runs.npz: unpaired ones
are disjoint sets of seeds of one setup; paired ones are pairs of two setups, their mean difference
taken away and its rest turned round at random, so that neither can be better and the noise is that
of real pairs. 16 seeds give only 16 independent pieces of evidence, however often they are drawn:
standard errors are jackknifed over the seeds.
"""

import json
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.verdict import deciding
from seedwise.seeds import Seed
from seedwise.stats.agreement import chance_of_better, correlation
from seedwise.stats.equivalence import equivalence
from seedwise.stats.intervals import (
    Sample,
    difference_from_target,
    paired_difference,
    sign_flip_p,
    unpaired_difference,
)
from seedwise.stats.populations import paired_on_new_images, unpaired_on_new_images

RUNS = (3, 5, 10, 20)
STUDIES = 4_000
STUDIES_ON_IMAGES = 1_500
IMAGES = 200
DRAWS_OF_REAL_RUNS = 1_000
REAL = Path(__file__).parents[1] / "tests/golden/real_runs.npz"
METRICS = ("accuracy", "matched_accuracy", "ranked_accuracy", "smoothed_accuracy")

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

NOISE: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
    "very skewed": lambda rng, shape: rng.lognormal(size=shape) - np.exp(0.5),
    "discrete": lambda rng, shape: rng.binomial(200, 0.8, shape) / 200 - 0.8,
}


def simulated(rng: np.random.Generator) -> Iterator[dict]:
    for kind, draw in NOISE.items():
        for n in RUNS:
            counts = dict.fromkeys(CLAIMS, 0)
            for _ in range(STUDIES):
                for name, claim in CLAIMS.items():
                    counts[name] += claim(draw, rng, n)
            for name, hits in counts.items():
                if n < LEAST_RUNS.get(name, 0):
                    continue
                yield row(name, kind, n, hits / STUDIES, binomial_error(hits, STUDIES))


def paired_holds(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    found = paired_difference(np.zeros(n), draw(rng, (n,)))
    return found.low <= 0 <= found.high


def welch_holds(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    """Equal shapes, spreads 1 and 2: skewness does not cancel."""
    found = unpaired_difference(draw(rng, (n,)), 2 * draw(rng, (n,)))
    return found.low <= 0 <= found.high


def target_holds(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    found = difference_from_target(draw(rng, (n,)), 0.0)
    return found.low <= 0 <= found.high


def equivalent_wrongly(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    """The true difference is the margin: "equivalent" is an error."""
    spread = draw(rng, (10_000,)).std()
    found = paired_difference(np.zeros(n), 2 * spread + draw(rng, (n,)))
    return equivalence(found, 2 * spread).equivalent


def sign_flip_alarms(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    """The test knows up to 16 pairs; the first 16 of 20 are taken."""
    return sign_flip_p(draw(rng, (min(n, 16),))) < 0.05


def correlation_holds(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    shared, a, b = draw(rng, (3, n))
    found = correlation(shared + 0.5 * a, shared + 0.5 * b, confidence=0.95)
    return found.low <= 0.8 <= found.high


def chance_holds(draw: Draw, rng: np.random.Generator, n: int) -> bool:
    """Given from 20 runs on only."""
    found = chance_of_better(draw(rng, (n,)), draw(rng, (n,)), paired=False, confidence=0.95)
    return np.isnan(found.low) or found.low <= 0.5 <= found.high


CLAIMS = {
    "paired t interval covers": paired_holds,
    "Welch interval covers": welch_holds,
    "interval against a target covers": target_holds,
    "equivalent at the margin (error)": equivalent_wrongly,
    "sign-flip p < 0.05 (error)": sign_flip_alarms,
    "interval of r covers": correlation_holds,
    "interval of P(B > A) covers": chance_holds,
}
LEAST_RUNS = {"interval of r covers": 5, "interval of P(B > A) covers": 20}
"""Below these nothing is claimed."""


def on_new_images(rng: np.random.Generator) -> Iterator[dict]:
    """New images in every study; both setups are alike, and the true difference is 0."""
    forms = {
        "new images, paired, covers": (paired_on_new_images, True),
        "new images, unpaired, covers": (unpaired_on_new_images, False),
    }
    for kind in ("normal", "skewed", "discrete"):
        for n in RUNS:
            for name, (form, paired) in forms.items():
                hits = 0
                for _ in range(STUDIES_ON_IMAGES):
                    found = form(*scores(kind, rng, n, paired=paired))
                    hits += found.low <= 0 <= found.high
                error = binomial_error(hits, STUDIES_ON_IMAGES)
                yield row(name, kind, n, hits / STUDIES_ON_IMAGES, error)


def scores(kind: str, rng: np.random.Generator, n: int, *, paired: bool) -> np.ndarray:
    """Two setups' scores (2, runs, images), of which neither is better over all images."""
    draw = NOISE["skewed" if kind == "skewed" else "normal"]
    image = 1.5 * rng.normal(size=IMAGES) + 0.5 * draw(rng, (2, IMAGES))[:, None, :]
    run = 0.1 * draw(rng, (2, n))[:, :, None]
    rest = draw(rng, (2, n, IMAGES))
    if paired:  # the runs of a seed share most of what is random in them
        run, rest = (each[:1] + 0.4 * each for each in (run, rest))
    found = image + run + rest
    return (found > 0).astype(np.float32) if kind == "discrete" else found


def real_nulls(rng: np.random.Generator) -> Iterator[dict]:
    with np.load(REAL) as runs:
        setups, seeds = runs["setup"], runs["init"]
        values = {name: runs[name] for name in METRICS}
    main = {s: {m: values[m][(setups == s) & (seeds < 16)] for m in METRICS} for s in "ABCD"}
    for n in (3, 5, 8):
        for other in "BCD":
            yield from paired_nulls(main["A"], main[other], f"real A/{other}, centred", n, rng)
        for setup in "ABCD" if n < 8 else "":  # 16 seeds are needed beyond those of a draw
            yield from unpaired_nulls(main[setup], f"real {setup}, other seeds", n, rng)


def paired_nulls(a: dict, b: dict, kind: str, n: int, rng: np.random.Generator) -> Iterator[dict]:
    """Pairs of two setups without their mean difference, each turned round at random."""
    seeds = np.array([rng.permutation(16)[:n] for _ in range(DRAWS_OF_REAL_RUNS)])
    signs = rng.choice([-1, 1], seeds.shape)
    rests = {m: b[m] - a[m] - (b[m] - a[m]).mean() for m in METRICS}
    covered, alarms = [], []
    for chosen, sign in zip(seeds, signs, strict=True):
        found = {
            m: contrast(m, a[m][chosen], a[m][chosen] + sign * rests[m][chosen], paired=True)
            for m in METRICS
        }
        covered.append(not found["accuracy"].difference.clear_of_zero)
        alarms.append(deciding(found, "matched_accuracy").p_value < 0.05)
    yield from both_rows(kind, n, seeds, covered, alarms, "paired t interval covers")


def unpaired_nulls(a: dict, kind: str, n: int, rng: np.random.Generator) -> Iterator[dict]:
    """Two disjoint sets of seeds of one setup."""
    seeds = np.array([rng.permutation(16)[: 2 * n] for _ in range(DRAWS_OF_REAL_RUNS)])
    covered, alarms = [], []
    for chosen in seeds:
        found = {m: contrast(m, a[m][chosen[:n]], a[m][chosen[n:]], paired=False) for m in METRICS}
        covered.append(not found["accuracy"].difference.clear_of_zero)
        alarms.append(deciding(found, "matched_accuracy").p_value < 0.05)
    yield from both_rows(kind, n, seeds, covered, alarms, "Welch interval covers")


def both_rows(
    kind: str, n: int, seeds: np.ndarray, covered: list, alarms: list, interval: str
) -> Iterator[dict]:
    for name, hits in ((interval, covered), ("verdict better or worse (error)", alarms)):
        rate, error = clustered(np.array(hits, float), seeds)
        yield row(name, kind, n, rate, error)


def clustered(hits: np.ndarray, seeds: np.ndarray) -> tuple[float, float]:
    """A rate with its standard error jackknifed over the 16 seeds."""
    without = [hits[~(seeds == seed).any(axis=1)] for seed in range(16)]
    rates = np.array([each.mean() for each in without if len(each)])
    if len(rates) < 16:
        return float(hits.mean()), float("nan")
    return float(hits.mean()), float(np.sqrt(15 * rates.var()))


def contrast(metric: str, a: np.ndarray, b: np.ndarray, *, paired: bool) -> Contrast:
    between = paired_difference if paired else unpaired_difference
    return Contrast(
        metric=metric,
        higher_is_better=True,
        seeds_a=tuple(map(Seed.of, range(len(a)))),
        values_a=tuple(a),
        seeds_b=tuple(map(Seed.of, range(len(b)))),
        values_b=tuple(b),
        sample_a=Sample.of(a),
        sample_b=Sample.of(b),
        difference=between(a, b),
        new_images=None,
        correlation=None,
        resolution=1 / 5000,
    )


def binomial_error(hits: int, studies: int) -> float:
    return float(np.sqrt(hits * (studies - hits) / studies**3))


def row(claim: str, data: str, n: int, rate: float, error: float) -> dict:
    return {"claim": claim, "data": data, "n": n, "rate": rate, "standard_error": error}


def table(rows: list[dict]) -> str:
    """One line a claim and kind of data, one column a number of runs."""
    sizes = sorted({each["n"] for each in rows})
    lines = [f"| claim | data | {' | '.join(f'n = {n}' for n in sizes)} |"]
    lines.append("| --- | --- |" + " --- |" * len(sizes))
    for claim, data in dict.fromkeys((each["claim"], each["data"]) for each in rows):
        cells = {
            each["n"]: f"{100 * each['rate']:.1f} ± {100 * each['standard_error']:.1f}"
            for each in rows
            if (each["claim"], each["data"]) == (claim, data)
        }
        lines.append(f"| {claim} | {data} | {' | '.join(cells.get(n, '') for n in sizes)} |")
    return "\n".join(lines)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "Simulated runs": list(simulated(np.random.default_rng(1))),
        "Simulated runs and images": list(on_new_images(np.random.default_rng(2))),
        "Real runs": list(real_nulls(np.random.default_rng(3))),
    }
    record = {
        "script": "benchmarks/holding.py",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: version(name) for name in ("numpy", "scipy", "seedwise")},
        },
        "studies": STUDIES,
        "studies_on_images": STUDIES_ON_IMAGES,
        "draws_of_real_runs": DRAWS_OF_REAL_RUNS,
        "rates": parts,
    }
    (folder / "rates.json").write_text(json.dumps(record, indent=1) + "\n")
    text = "\n\n".join(f"## {title}\n\n{table(rows)}" for title, rows in parts.items())
    head = (
        "# Coverage and error rates\n\nMade by `python benchmarks/holding.py` (what each line "
        "means: docs/statistics.md). Per cent ± one standard error; nominal are 95 for intervals "
        "and 5 for errors. Raw figures and environment: rates.json."
    )
    (folder / "README.md").write_text(f"{head}\n\n{text}\n")


if __name__ == "__main__":
    main()
