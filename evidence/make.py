"""Make the study files behind docs/study: what is stored stays, what is missing is made.

    python evidence/make.py IMAGES [-o FOLDER] [--only NAME ...] [--reduced]

IMAGES is an archive or a folder in Imagenette's layout; docs/study used 224-pixel centre crops of
Imagenette (v1 layout). About 20 minutes on two H100s' worth of GPU, 40 on one. Without a GPU take
--reduced: a narrow network on 32 pixels, 20 seconds a run on a core, in files of other names.
"""

import argparse
import json
import time
from itertools import count
from pathlib import Path

from studies import NULLS, STUDIES, Nulls, Part, Study, reduced

from seedwise import Seed, study
from seedwise.comparison.stopping import differences
from seedwise.stats.sequential import Decision, Rule, decide
from seedwise.store import Store
from seedwise.study.nulls import twin_of

CHUNK = 30
"""Seeds of the nulls that are made at once: some ten verdicts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("evidence/files"))
    names = [*(each.name for each in STUDIES), NULLS.name]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--reduced", action="store_true", help="a size for a CPU")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for each in STUDIES:
        if each.name in arguments.only:
            make(each, arguments.images, arguments.output, small=arguments.reduced)
    if NULLS.name in arguments.only:
        make_nulls(NULLS, arguments.images, arguments.output / f"{NULLS.name}.db")


def make(wanted: Study, images: Path, folder: Path, *, small: bool) -> None:
    """The missing runs of one study."""
    path = folder / f"{wanted.name}{'-reduced' if small else ''}.db"
    made = study.Study(path, dataset="imagenette", split=wanted.split, source=images)
    for part in wanted.parts:
        setups = part.setups if not small else shrunk(part)
        pack = 1 if part.alone else None
        started = time.time()
        if wanted.stop:
            made.run(setups, until=wanted.stop, pack=pack)
        else:
            made.run(setups, seeds=part.seeds, pack=pack)
        print(f"{path.stem}: {', '.join(setups)}: {time.time() - started:.1f} s", flush=True)


def shrunk(part: Part) -> dict:
    """The part's setups at a size for a CPU."""
    small = {name: reduced(setup) for name, setup in part.setups.items()}
    return {name: setup for name, setup in small.items() if setup is not None}


def make_nulls(wanted: Nulls, images: Path, path: Path) -> None:
    """Twins with as many seeds as the verdicts need; the verdicts as JSON beside the file."""
    setups = {"setup": wanted.setup, "twin": twin_of(wanted.setup)}
    made = study.Study(path, dataset="imagenette", split="page", source=images)
    found: list[dict] = []
    for chunk in count(1):
        made.run(setups, seeds=chunk * CHUNK)
        found = null_verdicts(path, wanted, chunk * CHUNK)
        print(f"{path.stem}: {chunk * CHUNK} seeds, {len(found)} verdicts", flush=True)
        if len(found) >= wanted.verdicts:
            break
    path.with_suffix(".json").write_text(json.dumps(found[: wanted.verdicts], indent=0) + "\n")


def null_verdicts(path: Path, wanted: Nulls, seeds: int) -> list[dict]:
    """Verdict after verdict on disjoint seeds, each from where the one before it stopped."""
    stop = wanted.stop
    rule = Rule(
        difference=stop.difference, alpha=stop.alpha, power=stop.power, max_pairs=stop.max_runs
    )
    with Store.open(path, readonly=True) as store:
        mine, twins = (
            {run.seed: run for run in store.runs(name) if run.state == "finished"}
            for name in ("setup", "twin")
        )
        order = [Seed.of(number) for number in range(seeds)]
        pairs = [(mine[seed], twins[seed]) for seed in order if seed in mine and seed in twins]
        all_pairs = differences(store, pairs)
    found, first = [], 0
    while first < len(pairs):
        decision = decide(rule, part_of(all_pairs, first, first + stop.max_runs))
        if decision.reason == "running":
            break
        found.append(as_row(decision, first))
        first += decision.n
    return found


def part_of(pairs, low: int, high: int):
    """Some of the pairs, in order."""
    cut = {
        name: value[low:high]
        for name in ("accuracy", "matched", "ranked")
        if (value := getattr(pairs, name)) is not None
    }
    return type(pairs)(**cut, resolution=pairs.resolution)


def as_row(decision: Decision, first: int) -> dict:
    return {
        "first_seed": first,
        "pairs": decision.n,
        "verdict": decision.verdict,
        "reason": decision.reason,
    }


if __name__ == "__main__":
    main()
