"""Coverage of intervals for new examples: scores through `record` and `compare`, one run or many.

TMPDIR=/dev/shm python benchmarks/scores.py -o FILE [--studies 300]

Each study has two setups that are equally good on average, over seeds and over all examples; each
run, each example (or group of examples) and each setup on each example errs by a draw of its own.
Runs are recorded into a study file and compared by `Study.compare`. What is counted is how often
the interval for new examples leaves out what is true: 0 for new seeds, and of one run of each the
difference of those two models over all examples. Rates have Clopper and Pearson's 95 % interval.
"""

import argparse
import json
import math
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.special import betaincinv, ndtr

from machine import cpu_name
from seedwise.study import Study, record

SHARED, OWN, RUN, REST = 1.0, 0.3, 0.05, 0.5
"""Standard deviations: of examples, of a setup on an example, of runs, and of the rest."""


@dataclass(frozen=True)
class Cell:
    """A kind of study: runs of each setup, examples, in groups or not, 0 and 1 or graded."""

    runs: int
    examples: int
    grouped: bool
    graded: bool


def sizes(examples: int) -> np.ndarray:
    """Sizes of groups from 1 to 32, in equal numbers of each."""
    pattern = np.array([1, 2, 4, 8, 16, 32])
    whole = np.tile(pattern, math.ceil(examples / pattern.sum()))
    return whole[np.cumsum(whole) <= examples]


def study(cell: Cell, rng: np.random.Generator, path: Path) -> tuple[float, float, float]:
    """The interval of one study, and what it is to hold."""
    of_groups = sizes(cell.examples) if cell.grouped else np.ones(cell.examples, int)
    place = np.repeat(np.arange(len(of_groups)), of_groups)
    units = len(of_groups)
    shared, own = SHARED * rng.normal(size=units), OWN * rng.normal(size=(2, units))
    runs = RUN * rng.normal(size=(2, cell.runs))
    for setup, name in enumerate("ab"):
        for seed in range(cell.runs):
            worth = (shared + own[setup])[place] + runs[setup, seed]
            worth = worth + REST * rng.normal(size=len(place))
            scores = {"score": worth if cell.graded else worth > 0}
            groups = place if cell.grouped else None
            record(path, setup=name, seed=seed, scores=scores, groups=groups)
    found = Study(path).compare("a", "b", metric="score", better="higher")
    wider = found.deciding.difference if cell.runs == 1 else found.deciding.new_images
    truth = 0.0
    if cell.runs == 1:
        spread = math.sqrt(SHARED**2 + OWN**2 + REST**2)
        levels = runs[:, 0] if cell.graded else ndtr(runs[:, 0] / spread)
        truth = float(levels[1] - levels[0])
    return wider.low, wider.high, truth


def rate(cell: Cell, studies: int) -> dict[str, object]:
    """Share of such studies whose interval leaves out what is true."""
    rng = np.random.default_rng([cell.runs, cell.examples, cell.grouped, cell.graded])
    missed, began = 0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(studies):
            path = Path(folder) / f"{number}.db"
            low, high, truth = study(cell, rng, path)
            missed += not low <= truth <= high
            for file in Path(folder).glob(f"{number}.db*"):
                file.unlink()
    ends = (
        float(betaincinv(missed, studies - missed + 1, 0.025)) if missed else 0.0,
        float(betaincinv(missed + 1, studies - missed, 0.975)),
    )
    seconds = round(time.perf_counter() - began, 1)
    return asdict(cell) | {
        "studies": studies,
        "missed": missed,
        "rate": [round(100 * each, 1) for each in (missed / studies, *ends)],
        "seconds": seconds,
    }


def main() -> None:
    """Write a line of figures for each kind of study."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("-o", "--output", type=Path, required=True)
    options.add_argument("--studies", type=int, default=300)
    options.add_argument("--runs", type=int, nargs="*", default=[1, 2, 3, 5, 10])
    options.add_argument("--examples", type=int, nargs="*", default=[50, 500, 5000])
    said = options.parse_args()
    warnings.simplefilter("ignore")
    cells = [
        Cell(runs, examples, grouped, graded)
        for runs in said.runs
        for examples in said.examples
        for grouped, graded in ((False, False), (True, True))
    ]
    with said.output.open("a") as file:
        file.write(json.dumps({"machine": cpu_name(), "numpy": np.__version__}) + "\n")
        for cell in cells:
            file.write(json.dumps(rate(cell, said.studies)) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
