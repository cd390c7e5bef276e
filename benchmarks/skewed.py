"""Whether another test keeps 5 % where paired differences are skewed, and what it costs.

    python benchmarks/skewed.py [--studies 20000] [-o FILE]

One-sample tests of a mean on normal, exponential and lognormal differences: Student's t; Johnson's
(1978) and Hall's (1992) t, corrected for the skewness seen; the bootstrap of t; sign flips; each
alone and as a second test that has to agree with Student's. A fixed number of pairs, and looks
after every pair from the third on at the bounds of the stopping rule. False alarms are two-sided,
with Clopper and Pearson's 95 % interval; power is of normal differences shifted by 1 sd.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.special import stdtr

from seedwise.stats.capped import capped_bounds
from verdicts import interval

RUNS = (3, 5, 7, 10, 15, 20)
RESAMPLES, FEWER = 299, 10
"""Of a bootstrap or of sign flips, which have so many times fewer studies."""

LAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "lognormal": lambda rng, shape: (
        (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    ),
}


def t_and_skew(x, n):
    """Student's t and the skewness of the first n of each row."""
    x = x[..., :n]
    mean = x.mean(-1, keepdims=True)
    apart = x - mean
    sd = np.sqrt((apart**2).sum(-1) / (n - 1))
    skew = (apart**3).mean(-1) / np.maximum((apart**2).mean(-1), 1e-150) ** 1.5
    return mean[..., 0] * np.sqrt(n) / np.maximum(sd, 1e-150), skew


def johnson(t, skew, n):
    return t + skew * (1 + 2 * t**2) / (6 * np.sqrt(n))


def hall(t, skew, n):
    """Monotone in t, as Johnson's is not."""
    return t + skew * (1 + 2 * t**2) / (6 * np.sqrt(n)) + skew**2 * t**3 / (27 * n)


def two_sided(t, n):
    return 2 * stdtr(n - 1.0, -np.abs(t))


def bootstrapped(x, n, rng):
    """p of the equal-tailed bootstrap of t."""
    found = np.empty(len(x))
    for place, row in enumerate(x[:, :n]):
        t, _ = t_and_skew(row[None], n)
        again = row[rng.integers(0, n, (RESAMPLES, n))] - row.mean()
        drawn, _ = t_and_skew(again, n)
        upper = (1 + (drawn >= t).sum()) / (RESAMPLES + 1)
        lower = (1 + (drawn <= t).sum()) / (RESAMPLES + 1)
        found[place] = 2 * min(upper, lower)
    return found


def flipped(x, n, rng):
    signs = rng.choice([-1.0, 1.0], (RESAMPLES, n))
    sums = np.abs(x[:, :n] @ signs.T)
    own = np.abs(x[:, :n].sum(1, keepdims=True))
    return (1 + (sums >= own - 1e-12).sum(1)) / (RESAMPLES + 1)


def fixed(studies, rng):
    for n in RUNS:
        rates = {}
        for law, draw in LAWS.items():
            for shift in (0.0, 1.0) if law == "normal" else (0.0,):
                x = draw(rng, (studies, n)) + shift
                t, skew = t_and_skew(x, n)
                p = {
                    "Student": two_sided(t, n),
                    "Johnson": two_sided(johnson(t, skew, n), n),
                    "Hall": two_sided(hall(t, skew, n), n),
                }
                p["Student and Johnson"] = np.maximum(p["Student"], p["Johnson"])
                p["Student and Hall"] = np.maximum(p["Student"], p["Hall"])
                few = x[: studies // FEWER]
                p["bootstrap of t"] = bootstrapped(few, n, rng)
                p["Student and bootstrap"] = np.maximum(
                    p["bootstrap of t"], p["Student"][: len(few)]
                )
                p["sign flips"] = flipped(few, n, rng)
                for name, each in p.items():
                    what = f"{law}, shifted by 1 sd" if shift else law
                    hits = int((each <= 0.05).sum())
                    rates.setdefault(name, {})[what] = interval(hits, len(each))
        for name, each in rates.items():
            yield {"part": "fixed", "n": n, "test": name, **each}


def looks(studies, rng):
    """Stopping after each pair from the third on, at most 20: false alarms and mean pairs."""
    cap = 20
    bounds = capped_bounds(cap, 0.05)
    found = {}
    for law, draw in LAWS.items():
        for shift in (0.0, 1.0, 1.6, 2.7) if law == "normal" else (0.0,):
            x = draw(rng, (studies, cap)) + shift
            stops = {}
            for n in range(3, cap + 1):
                t, skew = t_and_skew(x, n)
                corrected = hall(t, skew, n)
                agree = np.where(
                    np.sign(t) == np.sign(corrected), np.minimum(abs(t), abs(corrected)), 0
                )
                late = agree if n >= 10 else np.abs(t)
                for name, each in (
                    ("Student", np.abs(t)),
                    ("Hall", np.abs(corrected)),
                    ("Student and Hall", agree),
                    ("Student, and Hall from 10 pairs on", late),
                ):
                    stops.setdefault(name, []).append(each >= bounds[n - 1])
            for name, each in stops.items():
                hit = np.array(each)
                pairs = np.where(hit.any(0), hit.argmax(0) + 3, cap)
                what = f"{law}, shifted by {shift:g} sd" if shift else law
                found.setdefault(name, {})[what] = (
                    round(float(pairs.mean()), 2)
                    if shift
                    else interval(int(hit.any(0).sum()), studies)
                )
    for name, each in found.items():
        yield {"part": "looks", "cap": cap, "test": name, **each}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--studies", type=int, default=20_000)
    options.add_argument("-o", "--output", type=Path, required=True)
    said = options.parse_args()
    rng = np.random.default_rng(20261129)
    rows = [*looks(said.studies, rng), *fixed(said.studies, rng)]
    said.output.write_text("".join(json.dumps(each) + "\n" for each in rows))


if __name__ == "__main__":
    main()
