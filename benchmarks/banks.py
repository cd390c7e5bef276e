"""Error rates of studies that use one bank of baseline runs: equal setups called better or worse.

    python benchmarks/banks.py [--banks 400] [-o FILE]

A bank has ten runs of a baseline, whose metric is normal. Three studies use it, each with a
candidate of its own that is no better: the whole program, `Study(bank=)`, training functions,
`compare`. Rates have the interval of Clopper and Pearson, 95 %.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from seedwise import Study

RUNS, STUDIES = 10, 3


def training(*key):
    """A training whose f1 is normal, with sd 0.01."""

    def train(seed):
        return {"f1": 0.8 + 0.01 * float(np.random.default_rng([int(seed), *key]).normal())}

    return train


def verdicts(number, folder):
    """Verdicts of the studies that use one bank, true where one is better or worse."""
    bank = folder / "bank.db"
    Study(bank).run({"base": training(number)}, seeds=RUNS, progress=False)
    for place in range(STUDIES):
        study = Study(folder / f"{place}.db", bank=bank)
        setups = {"base": training(number), "other": training(number, place, 7)}
        study.run(setups, seeds=RUNS, progress=False)
        found = study.compare("base", "other")
        assert dict(found.a.banked) == {"bank.db": RUNS}
        assert found.standing.confirmatory
        yield found.outcome != "undecided"


def rate(wrong):
    """A share with its interval."""
    low, high = binomtest(int(sum(wrong)), len(wrong)).proportion_ci()
    return {"n": len(wrong), "wrong": int(sum(wrong)), "low": low, "high": high}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--banks", type=int, default=400)
    parser.add_argument("-o", type=argparse.FileType("w"), default=sys.stdout)
    said = parser.parse_args()
    found = []
    for number in range(said.banks):
        with tempfile.TemporaryDirectory() as folder:
            found.append(list(verdicts(number, Path(folder))))
    each = [one for some in found for one in some]
    told = {"each study": rate(each), "any of three with one bank": rate(list(map(any, found)))}
    json.dump(told, said.o, indent=2)
    print(file=said.o)


if __name__ == "__main__":
    main()
