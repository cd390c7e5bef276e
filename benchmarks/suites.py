"""Error rates of suites of tasks: one of two equal setups called better or worse.

    python benchmarks/suites.py [--studies 120] [--core 3000] [-o FILE]

Each study has tasks of other levels and spreads (log-normal, so that one task may outweigh the
rest), other numbers of runs, and what one seed gives in several tasks depends on one another. It
goes through the whole program: a CSV file, `seedwise import --task`, `seedwise compare --json`.
Counted are verdicts over the tasks, by each way of putting tasks together, and studies in which
any single task is called better or worse. Beside it stands the mean of all runs pooled, as people
take it (Welch). More such studies go through the statistics alone. Rates have the interval of
Clopper and Pearson, 95 %.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from scipy.stats import binomtest, ttest_ind

from seedwise.cli import cli
from seedwise.stats.suites import suite_difference

CELLS = (
    # noise, paired, tasks, runs of each setup in each task in turn
    ("normal", True, 2, (3,)),
    ("normal", True, 2, (5,)),
    ("normal", True, 2, (2, 8)),
    ("normal", True, 5, (3,)),
    ("normal", True, 5, (5,)),
    ("normal", True, 5, (3, 10)),
    ("normal", True, 20, (3,)),
    ("normal", True, 20, (5,)),
    ("normal", True, 20, (3, 10)),
    ("heavy tails", True, 2, (5,)),
    ("heavy tails", True, 5, (5,)),
    ("heavy tails", True, 20, (5,)),
    ("normal", False, 2, (5,)),
    ("normal", False, 5, (3, 10)),
    ("normal", False, 20, (5, 10)),
    ("heavy tails", False, 5, (5, 10)),
)
FOR_STANDARDISED = 5


def drawn(rng, noise, paired, tasks, counts):
    """Runs of two setups (2, seeds, tasks), NaN where there is none."""
    seeds, spread = max(counts), np.exp(rng.normal(size=tasks))
    one_sided = rng.permuted(np.resize(counts, tasks)), rng.permuted(np.resize(counts, tasks))
    runs = (one_sided[0], one_sided[0]) if paired else one_sided

    def draw(*shape):
        return rng.standard_t(3, shape) if noise == "heavy tails" else rng.normal(size=shape)

    shared = draw(seeds, tasks) if paired else 0.0
    level = rng.normal(0, 10, size=tasks)
    tables = [level + spread * (shared + draw(seeds, tasks) + draw(seeds, 1)) for _ in range(2)]
    return [
        np.where(np.arange(seeds)[:, None] < here, table, np.nan)
        for table, here in zip(tables, runs, strict=True)
    ]


def verdicts(folder, tables, paired, ways):
    """Verdicts of the program over the tasks, each way, and on any single task."""
    file, study = Path(folder) / "suite.csv", Path(folder) / "study.db"
    rows = [
        f"{name},{task},{seed},{float(value)!r}"
        for name, table in zip("ab", tables, strict=True)
        for (seed, task), value in np.ndenumerate(table)
        if np.isfinite(value)
    ]
    file.write_text("\n".join(("setup,task,seed,reward", *rows)) + "\n")
    study.unlink(missing_ok=True)
    runner = CliRunner()
    words = ["import", str(file), str(study), "--task", "task"]
    told = runner.invoke(cli, words)
    assert told.exit_code == 0, told.output
    found = {}
    for way in ways:
        pairing = "--paired" if paired else "--unpaired"
        words = ["compare", str(study), "a", "b", "--json", "--over", way, pairing]
        told = runner.invoke(cli, words)
        assert told.exit_code == 0, told.output
        said = json.loads(told.output)
        found[way] = said["outcome"] in ("better", "worse")
        shown = [each["verdict"]["outcome"] for each in said["tasks"].values()]
        found["any task"] = bool({"better", "worse"} & set(shown))
    return found


def rate(hits, studies):
    found = binomtest(hits, studies).proportion_ci(0.95, method="exact")
    return [round(100 * each, 1) for each in (hits / studies, found.low, found.high)]


def alone(rng, studies, ways, noise, paired, tasks, counts):
    """The rates of the statistics alone, from more studies."""
    hits = dict.fromkeys(ways, 0)
    for _ in range(studies):
        a, b = drawn(rng, noise, paired, tasks, counts)
        for way in ways:
            found = suite_difference(a, b, way, paired=paired, confidence=0.95, rng=rng)
            hits[way] += found.p_value < 0.05
    return {f"{way}, statistics alone": rate(count, studies) for way, count in hits.items()}


def cell(rng, folder, studies, core, noise, paired, tasks, counts):
    ways = ["mean", "iqm", *(["standardised"] if min(counts) >= FOR_STANDARDISED else [])]
    hits = dict.fromkeys([*ways, "any task", "pooled"], 0)
    for _ in range(studies):
        tables = drawn(rng, noise, paired, tasks, counts)
        for name, wrong in verdicts(folder, tables, paired, ways).items():
            hits[name] += wrong
        a, b = (table[np.isfinite(table)] for table in tables)
        hits["pooled"] += bool(ttest_ind(a, b, equal_var=False).pvalue < 0.05)
    return {
        "noise": noise,
        "paired": paired,
        "tasks": tasks,
        "runs": list(counts),
        "studies": studies,
        **{name: rate(count, studies) for name, count in hits.items()},
        "core": core,
        **alone(rng, core, [way for way in ways if way != "iqm"], noise, paired, tasks, counts),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=120)
    parser.add_argument("--core", type=int, default=3000)
    parser.add_argument("--cells", type=int, nargs="*", default=range(len(CELLS)))
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng([15, *given.cells])
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        for each in (CELLS[place] for place in given.cells):
            line = json.dumps(cell(rng, folder, given.studies, given.core, *each))
            print(line, flush=True)
            if given.output:
                with given.output.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
