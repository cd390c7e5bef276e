"""Which metric may decide: Rao-Blackwellised accuracy beside accuracy, and the rule as it is.

    python benchmarks/judges.py [--draws 1000] [-o FILE]

Rao-Blackwellised accuracy of a setup is the mean over predictions of the chance that a new run
gets it right, by a normal law of the prediction's margin over runs: Phi(mean / sd), the variances
drawn towards those of predictions with like means. It belongs to all runs together, so that its
test is of the jackknife's pseudo-values, one for each run or pair. Measured on the reference runs:
its bias, rescalings that change no prediction, and pairs to a verdict. Rates have the interval of
Clopper and Pearson; drawn from 16 seeds, they tell of these seeds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.special import ndtr
from scipy.stats import ttest_1samp, ttest_ind

from seedwise import stats
from seedwise.stats.signs import ALONE, WITH_SOFT
from verdicts import METRICS, REFERENCE, RESCALINGS, interval

BINS, PRIOR = 25, 4
"""Predictions with like mean margins are a bin, whose variance counts as so many runs more."""

ALPHA = 0.05


def margins_of(logits, targets):
    """Logit of the target less the largest of the others: (runs, predictions)."""
    wide = logits.astype(np.float32)
    at = np.broadcast_to(targets[:, None], (*wide.shape[:-1], 1))
    own = np.take_along_axis(wide, at, axis=-1)
    np.put_along_axis(wide, at, -np.inf, axis=-1)
    return (own[..., 0] - wide.max(-1)).reshape(len(logits), -1)


def blackwellised(margins):
    """Rao-Blackwellised accuracy of two runs or more."""
    mean, variance = margins.mean(0), margins.var(0, ddof=1)
    order = np.argsort(mean)
    pooled = np.empty_like(variance)
    for part in np.array_split(order, BINS):
        pooled[part] = variance[part].mean()
    freedom = len(margins) - 1
    sd = np.sqrt((PRIOR * pooled + freedom * variance) / (PRIOR + freedom))
    return float(ndtr(mean / sd).mean())


def pseudo(margins):
    """Jackknife pseudo-values, one a run."""
    runs, whole = len(margins), blackwellised(margins)
    less = [blackwellised(np.delete(margins, run, axis=0)) for run in range(runs)]
    return runs * whole - (runs - 1) * np.array(less)


def tested(a, b, paired):
    found = ttest_1samp(b - a, 0) if paired else ttest_ind(b, a, equal_var=False)
    return int(np.sign((b - a).mean() if paired else b.mean() - a.mean())), found.pvalue


def judges(a, b, margins_a, margins_b, paired):
    """The sign that each way to judge shows, 0 for none."""
    test = {name: tested(a[name], b[name], paired) for name in METRICS}
    test["blackwellised"] = tested(pseudo(margins_a), pseudo(margins_b), paired)

    def shown(levels):
        signs = {test[name][0] for name in levels}
        below = all(test[name][1] < level * ALPHA for name, level in levels.items())
        return signs.pop() if len(signs) == 1 and below else 0

    def rule(*softs):
        joined = dict.fromkeys(softs, 1.0) | {"accuracy": WITH_SOFT}
        return shown({"accuracy": ALONE}) or shown(joined)

    return {
        "accuracy alone": shown({"accuracy": 1.0}),
        "matched accuracy alone": shown({"matched_accuracy": 1.0}),
        "Rao-Blackwellised accuracy alone": shown({"blackwellised": 1.0}),
        "the rule": rule("matched_accuracy", "ranked_accuracy"),
        "the rule, Rao-Blackwellised for both soft metrics": rule("blackwellised"),
        "the rule, Rao-Blackwellised for matched": rule("blackwellised", "ranked_accuracy"),
    }


def counted(draws):
    """Shares of the draws that say better and worse, by judge."""
    return {
        name: {
            word: interval(sum(each[name] == sign for each in draws), len(draws))
            for word, sign in (("better", 1), ("worse", -1))
        }
        for name in draws[0]
    }


def bias(runs, values):
    """Of 16 runs of each setup, points: accuracy, Rao-Blackwellised less accuracy; differences."""
    for setup in "ABCD":
        a, b = pseudo(runs["A"]), pseudo(runs[setup])
        yield {
            "case": f"bias, {setup}",
            "accuracy": round(100 * float(values[setup]["accuracy"].mean()), 2),
            "Rao-Blackwellised less accuracy": round(
                100 * (blackwellised(runs[setup]) - float(values[setup]["accuracy"].mean())), 3
            ),
            "sd of paired differences: accuracy, Rao-Blackwellised": [
                round(100 * float(each.std(ddof=1)), 3)
                for each in (values[setup]["accuracy"] - values["A"]["accuracy"], b - a)
            ],
        }


def rescaled(logits, targets, values, draws, rng):
    for title, rescale in RESCALINGS.items():
        said = []
        for setup in "ABCD":
            moved = rescale(logits[setup].astype(np.float32), targets).astype(np.float16)
            other = {name: stats.METRICS[name](moved, targets) for name in METRICS}
            plain, scaled = margins_of(logits[setup], targets), margins_of(moved, targets)
            for _ in range(draws // 4):
                order = rng.permutation(16)
                one, two = order[:8], order[8:]
                said.append(
                    judges(
                        {name: values[setup][name][one] for name in METRICS},
                        {name: other[name][two] for name in METRICS},
                        plain[one],
                        scaled[two],
                        paired=False,
                    )
                )
        yield {"case": f"rescaled: {title}", "n": 8, "said": counted(said)}


def pairs(runs, values, draws, rng):
    for setup in "BCD":
        for n in (3, 4, 5, 6, 8, 10):
            said = []
            for _ in range(draws // 2):
                at = rng.permutation(16)[:n]
                a, b = (
                    {name: values[each][name][at] for name in METRICS} for each in ("A", setup)
                )
                said.append(judges(a, b, runs["A"][at], runs[setup][at], paired=True))
            yield {"case": f"{setup}, pairs", "n": n, "said": counted(said)}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--draws", type=int, default=1000)
    options.add_argument("-o", "--output", type=Path)
    said = options.parse_args()
    with np.load(REFERENCE) as file:
        all_logits, setups, seeds = file["logits"], file["setup"], file["init"]
        targets = file["targets"].astype(np.int64)
    logits = {each: all_logits[(setups == each) & (seeds < 16)] for each in "ABCD"}
    values = {
        setup: {name: stats.METRICS[name](each, targets) for name in METRICS}
        for setup, each in logits.items()
    }
    runs = {setup: margins_of(each, targets) for setup, each in logits.items()}
    rng = np.random.default_rng(20261129)
    lines = [
        json.dumps(row)
        for part in (
            bias(runs, values),
            pairs(runs, values, said.draws, rng),
            rescaled(logits, targets, values, said.draws, rng),
        )
        for row in part
    ]
    text = "\n".join(lines) + "\n"
    if said.output:
        said.output.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
