"""One run of each setup with graded scores: error rates of the paired t test and of sign flips.

Differences of single examples are drawn with mean 0 (or, of "better", above it), and each test is
asked whether it shows a sign at 5 %. "rule" is the t test with the floor that seedwise gives its
p-value where most examples tie. Sign flips draw 999 of all flips, as
`scipy.stats.permutation_test` does. Some draws are recorded and compared by the whole program.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from seedwise.stats.models import difference_of_models
from seedwise.study import Study, record

FLIPS, LEVEL = 999, 0.05


def normal(rng, shape):
    return rng.normal(size=shape)


def ties(rng, shape):
    """Nine of ten examples have the same grade under both; else a grade or two apart."""
    apart = rng.choice([-1.0, -0.5, 0.5, 1.0], size=shape)
    return apart * (rng.random(shape) < 0.1)


def skewed(rng, shape):
    return rng.exponential(size=shape) - 1


def rare(rng, shape):
    """Nine of ten examples tie, and of the others one in ten gains what nine lose."""
    apart = np.where(rng.random(shape) < 0.1, 0.9, -0.1)
    return apart * (rng.random(shape) < 0.1)


def better(rng, shape):
    """A fifth of the examples differ, four of five of them upwards."""
    apart = rng.choice([1.0, 0.5, -0.5], p=[0.4, 0.4, 0.2], size=shape)
    return apart * (rng.random(shape) < 0.2)


KINDS = {"normal": normal, "ties": ties, "skewed": skewed, "rare gains": rare, "better": better}


def by_t(rows):
    """P-values of the paired t test of each row; 1 where all differences are 0."""
    spread = rows.std(axis=1, ddof=1)
    count = rows.shape[1]
    t = rows.mean(axis=1) / np.where(spread > 0, spread / np.sqrt(count), np.inf)
    return 2 * stats.t.sf(abs(t), count - 1)


def by_flips(rows, rng):
    """P-values of random sign flips of each row."""
    found = np.empty(len(rows))
    for place, row in enumerate(rows):
        flips = rng.choice([-1.0, 1.0], size=(FLIPS, len(row)))
        as_far = abs(flips @ row) >= abs(row.sum()) * (1 - 1e-9)
        found[place] = (1 + as_far.sum()) / (1 + FLIPS)
    return found


def by_rule(rows):
    """Whether the rule shows a sign, of each row."""
    found = (difference_of_models(np.zeros(len(row)), row).p_value for row in rows)
    return np.array([p < LEVEL for p in found])


def by_program(rows):
    """Whether the whole program calls a winner; of each row a study."""
    won = 0
    with tempfile.TemporaryDirectory() as folder:
        for place, row in enumerate(rows):
            path = Path(folder, f"{place}.db")
            record(path, setup="a", seed=0, scores={"grade": np.zeros(len(row))})
            record(path, setup="b", seed=0, scores={"grade": row}, better={"grade": "higher"})
            won += Study(path).compare("a", "b").outcome in ("better", "worse")
            path.unlink()
    return won


def per_cent(hits, count):
    low, high = stats.binomtest(int(hits), count).proportion_ci(method="exact")
    return {
        "hits": int(hits),
        "of": count,
        "low": round(100 * low, 1),
        "high": round(100 * high, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--studies", type=int, default=0, help="of each cell by the program too")
    parser.add_argument("-o", "--output", type=Path, required=True)
    said = parser.parse_args()
    with said.output.open("w", encoding="utf-8") as file:
        for kind, draw in KINDS.items():
            for count in (10, 20, 50, 200):
                rng = np.random.default_rng([count, len(kind)])
                rows = draw(rng, (said.draws, count))
                t, flips = by_t(rows) < LEVEL, by_flips(rows, rng) <= LEVEL
                cell = {"kind": kind, "examples": count}
                tests = {"t": t, "rule": by_rule(rows), "flips": flips, "both": t & flips}
                for name, shown in tests.items():
                    cell[name] = per_cent(shown.sum(), said.draws)
                if said.studies:
                    cell["program"] = per_cent(by_program(rows[: said.studies]), said.studies)
                    cell["rule_of_these"] = int(tests["rule"][: said.studies].sum())
                print(json.dumps(cell), file=file, flush=True)


if __name__ == "__main__":
    sys.exit(main())
