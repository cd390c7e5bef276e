"""From what is shipped to what docs/study says: every table of it, from results/ alone.

    python evidence/tell.py [docs/study/index.md]

Needs no GPU and no images. A test holds the pages to what this writes.
"""

import argparse
import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, chi2, spearmanr

from questions import NULLS
from seedwise.stats.agreement import churn_between, churn_within, correlation
from seedwise.stats.intervals import paired_difference, unpaired_difference
from seedwise.stats.power import Noise, power, runs_needed
from seedwise.stats.sequential import Pairs, SequentialRule, outcomes

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "study" / "index.md"

PUBLISHED = {
    ("v1", "page-v1"): "88.3 ± 0.7",
    ("page", "page-v1"): "83.5 ± 0.35, smoothed 82.1 ± 0.25",
}
CHANGES = ("lr-1.3", "relu", "no-attention", "fastai-stem", "no-smoothing")
RESAMPLED, IN_JACKKNIFE = 20_000, 4_000
"""Resampled studies for each mean of pairs to a verdict, and with each seed left out."""

RUN = 2.1
"""Seconds that a run more takes on one H100, six side by side: 60 runs of five epochs took 122 to
132 s in make.py, captures included."""

MEASURED_PAIRS = 7
"""Pairs after which the three verdicts of verdict-seconds.json fell."""

FASTAI = 1_650
"""Images/s that fastai 2.8.12's Learner trained on that machine (benchmarks/records)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The finished runs of one setup.

    Attributes:
        values: Columns of the CSV by name, in the order of the seeds.
        classes: (runs, views, images), what each run predicts.
        targets: (images,).
    """

    values: Mapping[str, np.ndarray]
    classes: np.ndarray
    targets: np.ndarray

    def __getitem__(self, metric: str) -> np.ndarray:
        return self.values[metric]

    def first(self, count: int) -> "Runs":
        kept = {name: column[:count] for name, column in self.values.items()}
        return Runs(values=kept, classes=self.classes[:count], targets=self.targets)


@lru_cache
def study(name: str) -> Mapping[str, Runs]:
    """The runs of a study, by setup."""
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "finished"]
    with np.load(RESULTS / f"{name}.npz") as arrays:
        setups, seeds, classes = arrays["setup"], arrays["seed"], arrays["classes"]
        targets = arrays["targets"]
    found = {}
    for setup in dict.fromkeys(row["setup"] for row in rows):
        mine = sorted(
            (row for row in rows if row["setup"] == setup), key=lambda row: int(row["order"])
        )
        places = [
            np.flatnonzero((setups == setup) & (seeds == int(row["order"])))[0] for row in mine
        ]
        columns = (
            "order",
            "seconds",
            "accuracy",
            "smoothed_accuracy",
            "matched_accuracy",
            "ranked_accuracy",
        )
        found[setup] = Runs(
            values={name: np.array([float(row[name]) for row in mine]) for name in columns},
            classes=classes[places],
            targets=targets,
        )
    return found


@lru_cache
def images(name: str) -> tuple[str, ...]:
    with np.load(RESULTS / f"{name}.npz") as arrays:
        return tuple(arrays["images"].tolist())


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def points(value: float, *, sign: bool = False, digits: int = 2) -> str:
    return f"{100 * value:{'+' if sign else ''}.{digits}f}"


def between(low: float, high: float, *, sign: bool = True) -> str:
    return f"[{points(low, sign=sign)}, {points(high, sign=sign)}]"


def deviation(values: np.ndarray) -> str:
    """Both deviations, and the 95 % interval of the one with ddof 1 for normal values."""
    n, sd = len(values), values.std(ddof=1)
    low, high = (sd * np.sqrt((n - 1) / chi2.ppf(q, n - 1)) for q in (0.975, 0.025))
    return f"{points(values.std())} / {points(sd)} {between(low, high, sign=False)}"


def main_table() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for split, name in (("v1", "small-split"), ("page", "five-epochs")):
            for setup in ("page-v1", "page-v2"):
                runs = study(name)[setup]
                yield (
                    f"{split} ({len(runs.targets):,})",
                    setup,
                    str(len(runs["accuracy"])),
                    points(runs["accuracy"].mean()),
                    deviation(runs["accuracy"]),
                    points(runs["smoothed_accuracy"].mean()),
                    deviation(runs["smoothed_accuracy"]),
                    PUBLISHED.get((split, setup), ""),
                )

    return table(
        (
            "split (validation)",
            "setup",
            "runs",
            "accuracy, %",
            "sd, ddof 0 / 1 [95 %]",
            "smoothed, %",
            "sd, ddof 0 / 1 [95 %]",
            "published",
        ),
        rows(),
    )


def churn(a: Runs, b: Runs) -> tuple[float, float]:
    """Share of predictions that differ between runs of one seed, and between seeds of a."""
    n = min(len(a.classes), len(b.classes))
    flat = a.classes.reshape(len(a.classes), -1)
    return churn_between(flat[:n], b.classes[:n].reshape(n, -1)), churn_within(flat)


def runs_for_half_a_point(noise: Noise) -> int | None:
    """Runs of each setup that show half a point of accuracy in 80 % of studies."""
    return runs_needed(lambda runs: power(0.005, runs, noise), 0.8)


def saved(a: Runs, b: Runs, metric: str) -> str:
    """Unpaired runs by accuracy for each paired run by a metric, at the difference seen."""
    seen = (b["accuracy"] - a["accuracy"]).mean()
    alone = (a["accuracy"].var(ddof=1) + b["accuracy"].var(ddof=1)) / seen**2
    differences = b[metric] - a[metric]
    if differences.mean() * seen < 0:
        return "wrong sign"
    return f"{alone / (differences.var(ddof=1) / differences.mean() ** 2):.1f}"


def pair_row(label: str, a: Runs, b: Runs) -> tuple[str, ...]:
    """A setup against another one with the same seeds."""
    n = min(len(a["accuracy"]), len(b["accuracy"]))
    a, b = a.first(n), b.first(n)
    assert np.array_equal(a["order"], b["order"]), f"{label}: other seeds"
    difference = paired_difference(a["accuracy"], b["accuracy"])
    metrics = ("accuracy", "smoothed_accuracy", "matched_accuracy")
    r = [correlation(a[metric], b[metric], confidence=0.95) for metric in metrics]
    slope = (b["matched_accuracy"] - a["matched_accuracy"]).mean() / difference.estimate
    same, other = churn(a, b)
    small = abs(difference.estimate) < 0.001
    return (
        label,
        str(n),
        f"{points(difference.estimate, sign=True)} {between(difference.low, difference.high)}",
        f"{r[0].estimate:.2f} [{r[0].low:.2f}, {r[0].high:.2f}]",
        *(f"{each.estimate:.2f}" for each in r[1:]),
        f"{points(same, digits=1)} / {points(other, digits=1)}",
        "-" if small else f"{slope:.2f}",
        "-" if small else " / ".join(saved(a, b, metric) for metric in metrics),
    )


PAIR_HEAD = (
    "against page-v1, same seeds",
    "pairs",
    "accuracy, points [95 %]",
    "r of accuracy [95 %]",
    "r of smoothed",
    "r of matched",
    "predictions that differ, %: same seed / others",
    "slope of matched",
    "runs saved: accuracy / smoothed / matched",
)


def pair_rows() -> Iterator[tuple[str, ...]]:
    """Every pair of setups of the question whether pairing holds."""
    five, twenty, precision = study("five-epochs"), study("twenty-epochs"), study("precision")
    small = study("small-split")
    for name in ("twin", *CHANGES):
        yield pair_row(f"{name}, 5 epochs", five["page-v1"], five[name])
    for name in CHANGES:
        yield pair_row(f"{name}, 20 epochs", twenty["page-v1"], twenty[name])
    for kind in ("fp16", "float32", "free"):
        yield pair_row(f"relu, {kind}", precision[kind], precision[f"{kind}-relu"])
    yield pair_row("relu, split v1", small["page-v1"], small["relu"])


def pair_table() -> str:
    """Differences and correlations."""
    return table(PAIR_HEAD[:6], (row[:6] for row in pair_rows()))


def saving_table() -> str:
    """What pairs share, and what that saves."""
    return table((PAIR_HEAD[0], *PAIR_HEAD[6:]), ((row[0], *row[6:]) for row in pair_rows()))


def recipe_table() -> str:
    five, small = study("five-epochs"), study("small-split")

    def rows() -> Iterator[tuple[str, ...]]:
        for name in ("page-v2", "decay-v2", "schedule-v2", "twin"):
            yield pair_row(name, five["page-v1"], five[name])
        yield pair_row("page-v2, split v1", small["page-v1"], small["page-v2"])

    return table(PAIR_HEAD[:-2], (row[:-2] for row in rows()))


def precision_table() -> str:
    """Kinds of arithmetic against bf16 with deterministic kernels, and runs made once more."""
    base, precision = study("five-epochs")["page-v1"].first(10), study("precision")
    again, alone = study("again"), study("alone")

    def rows() -> Iterator[tuple[str, ...]]:
        yield "bf16, deterministic", *spread(base), "", ""
        for name in ("fp16", "float32", "free"):
            yield name, *spread(precision[name]), *against(base, precision[name])
        for label, runs, of in (
            ("bf16 once more, side by side", again["page-v1"], base),
            ("bf16 once more, alone", alone["page-v1"], base),
            ("free once more, side by side", again["free"], precision["free"]),
            ("free once more, alone", alone["free"], precision["free"]),
        ):
            yield label, *spread(runs), *against(of.first(5), runs)

    head = (
        "",
        "runs",
        "accuracy, %",
        "smoothed, %",
        "difference, points [95 %]",
        "predictions that differ, %",
    )
    return table(head, rows())


def spread(runs: Runs) -> tuple[str, ...]:
    """How many runs; mean and standard deviation (ddof 0) of both accuracies."""
    metrics = (runs["accuracy"], runs["smoothed_accuracy"])
    return str(len(metrics[0])), *(f"{points(m.mean())} ± {points(m.std())}" for m in metrics)


def against(base: Runs, runs: Runs) -> tuple[str, str]:
    """The mean difference, and the share of predictions that differ."""
    if np.array_equal(base.classes, runs.classes):
        return "none: all predictions alike", "0"
    by = paired_difference(base["accuracy"], runs["accuracy"])
    said = f"{points(by.estimate, sign=True)} {between(by.low, by.high)}"
    return said, points(churn(base, runs)[0])


def nulls_text() -> str:
    found = json.loads((RESULTS / "nulls.json").read_text(encoding="utf-8"))
    kinds = [each["verdict"] for each in found["verdicts"]]
    alarms = sum(kind in ("better", "worse") for kind in kinds)
    interval = binomtest(alarms, len(kinds)).proportion_ci()
    pairs = np.array([each["pairs"] for each in found["verdicts"]])
    used = int(pairs.sum())
    accuracy = np.array(found["accuracy"])[:used]
    setup = np.array(found["setup_accuracy"])[:used]
    counts = ", ".join(
        f"{n} after {k}" for k, n in zip(*np.unique(pairs, return_counts=True), strict=True)
    )
    unrelated = np.sqrt(2) * setup.std(ddof=1)
    return (
        f"{len(kinds)} verdicts on {used} disjoint seeds: {kinds.count('equivalent')} equivalent, "
        f"{kinds.count('undecided')} undecided, **{alarms} false alarms** "
        f"({100 * alarms / len(kinds):.1f} %, exact 95 % interval [{100 * interval.low:.1f}, "
        f"{100 * interval.high:.1f}] %). Pairs at the stop: {counts}. The setup scores "
        f"{points(setup.mean())} ± {points(setup.std())} %; a twin's difference has a standard "
        f"deviation of {points(accuracy.std(ddof=1))} points, of unrelated runs "
        f"{points(unrelated)}.\n"
    )


def verdict_rows() -> dict[str, dict]:
    """By change near half a point: pairs of the rule at exactly half a point, and Welch's runs."""
    five, found = study("five-epochs"), {}
    for name in ("relu", "no-attention", "fastai-stem", "no-smoothing"):
        n = len(five[name]["accuracy"])
        a, b = five["page-v1"].first(n), five[name]
        mean, decided = stopped_pairs(a, b, np.arange(n), RESAMPLED)
        left_out = [
            stopped_pairs(a, b, np.delete(np.arange(n), i), IN_JACKKNIFE)[0] for i in range(n)
        ]
        error = float(np.sqrt((n - 1) / n * ((left_out - np.mean(left_out)) ** 2).sum()))
        sd = float(np.sqrt((a["accuracy"].var(ddof=1) + b["accuracy"].var(ddof=1)) / 2))
        welch = runs_for_half_a_point(Noise(sd=sd))
        found[name] = {"pairs": mean, "error": error, "decided": decided, "welch": welch, "n": n}
    return found


def stopped_pairs(a: Runs, b: Runs, kept: np.ndarray, studies: int) -> tuple[float, float]:
    """Mean pairs at the stop when accuracy truly differs by half a point; how many tell the sign.

    Differences are resampled; all three metrics' means are multiplied by what makes accuracy's
    half a point, their spreads stay as they are.
    """
    metrics = {"accuracy": "accuracy", "matched": "matched_accuracy", "ranked": "ranked_accuracy"}
    all_of = {short: (b[name] - a[name])[kept] for short, name in metrics.items()}
    factor = 0.005 / abs(all_of["accuracy"].mean())
    moved = {short: d + (factor - 1) * d.mean() for short, d in all_of.items()}
    chosen = np.random.default_rng(0).integers(0, len(kept), (studies, NULLS.stop.max_runs))
    stop = NULLS.stop
    rule = SequentialRule(
        difference=stop.difference, alpha=stop.alpha, power=stop.power, max_pairs=stop.max_runs
    )
    ends = outcomes(rule, Pairs(**{k: v[chosen] for k, v in moved.items()}, resolution=1 / 5000))
    return float(ends.pairs.mean()), float(np.isin(ends.verdicts, (1, 2)).mean())


def verdict_table() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        images_seen, measured = 5 * 10_894, float(np.mean(measured_seconds()))
        for name, row in verdict_rows().items():
            low, high = (max(3.0, row["pairs"] + k * row["error"]) for k in (-2, 2))
            seconds = [
                measured + 2 * RUN * (n - MEASURED_PAIRS) for n in (row["pairs"], low, high)
            ]
            fixed = 2 * row["welch"] * images_seen / FASTAI
            yield (
                name,
                str(row["n"]),
                f"{row['pairs']:.1f} [{low:.1f}, {high:.1f}]",
                f"{100 * row['decided']:.0f} %",
                f"{seconds[0]:.0f} [{seconds[1]:.0f}, {seconds[2]:.0f}]",
                str(row["welch"]),
                f"{fixed:.0f}",
                f"{fixed / seconds[0]:.0f} [{fixed / seconds[2]:.0f}, {fixed / seconds[1]:.0f}]",
            )

    head = (
        "a change, scaled to 0.50 points",
        "pairs known",
        "pairs to the stop [95 %]",
        "sign told",
        "seconds [95 %]",
        "runs of each by Welch",
        "seconds, fastai 2.8.12",
        "times faster",
    )
    return table(head, rows())


def order_text() -> str:
    """Do the setups keep their order from 5 to 20 epochs?"""
    names = ("page-v1", *CHANGES)
    five, twenty = study("five-epochs"), study("twenty-epochs")
    short = np.stack([five[name]["accuracy"][:12] for name in names])
    long = np.stack([twenty[name]["accuracy"] for name in names])
    rho = spearmanr(short.mean(axis=1), long.mean(axis=1)).statistic
    rng = np.random.default_rng(0)
    resampled = [
        spearmanr(
            short[:, rng.integers(0, short.shape[1], short.shape[1])].mean(axis=1),
            long[:, rng.integers(0, long.shape[1], long.shape[1])].mean(axis=1),
        ).statistic
        for _ in range(2_000)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    rows = (
        (
            name,
            f"{points(s.mean())} ({1 + int((short.mean(1) > s.mean()).sum())})",
            f"{points(t.mean())} ({1 + int((long.mean(1) > t.mean()).sum())})",
        )
        for name, s, t in zip(names, short, long, strict=True)
    )
    head = ("setup", "5 epochs, % (rank), 12 seeds", "20 epochs, % (rank), 5 seeds")
    return (
        table(head, rows)
        + f"\nSpearman's rank correlation over six setups {rho:.2f}; over resampled seeds, the "
        f"same for all setups, [{low:.2f}, {high:.2f}].\n"
    )


def split_text() -> str:
    """What the larger split costs and brings."""
    small, large = study("small-split"), study("five-epochs")
    places = {name: place for place, name in enumerate(images("five-epochs"))}
    shared = np.array([places[name] for name in images("small-split")])
    runs, others = small["page-v1"], large["page-v1"]
    right = others.classes == others.targets
    in_small = (runs.classes == runs.targets).mean(axis=(1, 2))  # ties by argmax on both sides
    on_shared, others_right = right[:, :, shared].mean(axis=(1, 2)), np.delete(right, shared, 2)
    assert np.array_equal(others.targets[shared], runs.targets), "the same images"
    cost = unpaired_difference(on_shared, in_small)
    rows = []
    for name, found in (("v1", small), ("page", large)):
        a, b = found["page-v1"], found["relu"]
        d = b["accuracy"] - a["accuracy"]
        m = b["matched_accuracy"] - a["matched_accuracy"]
        rows.append(
            (
                f"{name} ({len(a.targets):,})",
                points(a["accuracy"].std(ddof=1)),
                points(d.std(ddof=1)),
                points(m.std(ddof=1)),
                f"{points(d.mean(), sign=True)}",
                str(runs_for_half_a_point(Noise(sd=float(d.std(ddof=1)) / np.sqrt(2), r=0.0))),
            )
        )
    head = (
        "split",
        "sd of a run",
        "sd of a difference (relu)",
        "sd of a matched difference",
        "relu, points",
        "pairs for half a point, by accuracy",
    )
    return (
        table(head, iter(rows))
        + "\nOn the 500 images that both splits validate with, runs that trained on 12,394 images "
        f"score {points(in_small.mean())} %, runs that trained on 10,894 score "
        f"{points(on_shared.mean())} %: the training images are worth "
        f"{points(cost.estimate, sign=True)} points {between(cost.low, cost.high)}. The other "
        f"2,000 images of the larger split are harder: there the latter score "
        f"{points(others_right.mean())} %.\n"
    )


def measured_seconds() -> list[float]:
    """Wall time of three verdicts, from the start of the process."""
    return json.loads((RESULTS / "verdict-seconds.json").read_text(encoding="utf-8"))["seconds"]


def seconds_text() -> str:
    """The verdicts that were really run."""
    times = ", ".join(f"{seconds:.0f}" for seconds in measured_seconds())
    runs = [
        str(sum(len(each["accuracy"]) for each in study(f"verdict-{number}").values()))
        for number in (1, 2, 3)
    ]
    return (
        f"Really run, three times on seeds 0, 1, 2, ...: relu is worse after {MEASURED_PAIRS} "
        f"pairs, in {times} s from the start of the process. The verdict needed 14 runs; "
        f"{', '.join(runs)} were stored, for with six side by side runs of later seeds have begun "
        "when it falls.\n"
    )


TEXTS = {
    "table": main_table,
    "recipes": recipe_table,
    "pairs": pair_table,
    "savings": saving_table,
    "precision": precision_table,
    "nulls": nulls_text,
    "verdict": verdict_table,
    "seconds": seconds_text,
    "order": order_text,
    "split": split_text,
}


def filled(page: str) -> str:
    """A page with what stands between `<!-- NAME -->` and `<!-- end -->` made anew."""

    def text(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{TEXTS[match[1]]()}\n<!-- end -->"

    return re.sub(rf"<!-- ({'|'.join(TEXTS)}) -->\n.*?<!-- end -->", text, page, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, nargs="?", default=PAGE)
    page = parser.parse_args().page
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
