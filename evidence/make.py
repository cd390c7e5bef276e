"""Make the study files behind docs/study: what is stored stays, what is missing is made.

    python evidence/make.py IMAGES [-o FOLDER] [--only NAME ...] [--reduced]

IMAGES is an archive or a folder in Imagenette's layout; docs/study used 224-pixel centre crops of
Imagenette (v1 layout). About half an hour on one H100. Without a GPU take --reduced: a narrow
network on 32 pixels, 20 seconds a run on a core, in files named NAME-reduced.db for
`seedwise compare`; docs/study has none of them.
"""

import argparse
import json
import time
from dataclasses import replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from questions import NULLS, STUDIES, VERDICT, Nulls, Part, Study, reduced
from seedwise import study
from seedwise.comparison import Stop
from seedwise.comparison.stopping import differences
from seedwise.comparison.study_runs import StudyRuns
from seedwise.stats.sequential import Pairs, SequentialRule, decide
from seedwise.store import Store
from seedwise.study.nulls import twin_of

CHUNK = 30
"""Seeds of the nulls that are made at once: some eight verdicts."""

TIMES = 3
"""How often the verdict is timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("evidence/files"))
    names = [*(each.name for each in STUDIES), VERDICT.name, NULLS.name]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--reduced", action="store_true", help="a size for a CPU")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for each in STUDIES:
        if each.name in arguments.only:
            make(each, arguments.images, arguments.output, arguments.reduced)
    if VERDICT.name in arguments.only:
        time_verdicts(arguments.images, arguments.output, small=arguments.reduced)
    if NULLS.name in arguments.only:
        make_nulls(NULLS, arguments.images, arguments.output / f"{NULLS.name}.db")


def make(wanted: Study, images: Path, folder: Path, small: bool) -> None:
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


def time_verdicts(images: Path, folder: Path, *, small: bool) -> None:
    """The same verdict several times, each in a process of its own, and the seconds of each."""
    path = folder / "verdict-seconds.json"
    times = json.loads(path.read_text())["seconds"] if path.exists() else []
    for number in range(len(times) + 1, TIMES + 1):
        wanted = replace(VERDICT, name=f"{VERDICT.name}-{number}")
        process = get_context("spawn").Process(target=make, args=(wanted, images, folder, small))
        started = time.time()
        process.start()
        process.join()
        times.append(round(time.time() - started, 2))
        path.write_text(json.dumps({"seconds": times}) + "\n")


def shrunk(part: Part) -> dict:
    """The part's setups at a size for a CPU."""
    small = {name: reduced(setup) for name, setup in part.setups.items()}
    return {name: setup for name, setup in small.items() if setup is not None}


def make_nulls(wanted: Nulls, images: Path, path: Path) -> None:
    """Twins with as many seeds as the verdicts need; what they found as JSON beside the file."""
    setups = {"setup": wanted.setup, "twin": twin_of(wanted.setup)}
    made = study.Study(path, dataset="imagenette", split="page", source=images)
    for chunk in count(1):
        made.run(setups, seeds=chunk * CHUNK)
        pairs, accuracies = twins(path)
        verdicts = null_verdicts(pairs, wanted.stop)
        print(f"{path.stem}: {len(accuracies)} pairs, {len(verdicts)} verdicts", flush=True)
        if len(verdicts) >= wanted.verdicts:
            break
    found = {
        "resolution": pairs.resolution,
        "setup_accuracy": accuracies,
        "accuracy": pairs.accuracy.tolist(),
        "matched": pairs.matched.tolist(),
        "ranked": pairs.ranked.tolist(),
        "verdicts": verdicts[: wanted.verdicts],
    }
    path.with_suffix(".json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


def twins(path: Path) -> tuple[Pairs, list[float]]:
    """The differences of all pairs of twins, in order of seeds; the setup's accuracies."""
    with Store.open(path, readonly=True) as store:
        mine, others = (
            {run.seed.order: run for run in store.runs(name) if run.state == "finished"}
            for name in ("setup", "twin")
        )
        seeds = sorted(mine.keys() & others.keys())
        pairs = differences(StudyRuns(store), [(mine[seed], others[seed]) for seed in seeds])
        return pairs, [mine[seed].epochs[-1].accuracy for seed in seeds]


def null_verdicts(pairs: Pairs, stop: Stop) -> list[dict]:
    """Verdict after verdict on disjoint seeds, each from where the one before it stopped."""
    rule = SequentialRule(
        difference=stop.difference, alpha=stop.alpha, power=stop.power, max_pairs=stop.max_runs
    )
    found, first = [], 0
    while first < len(pairs.accuracy):
        decision = decide(rule, pairs[first : first + stop.max_runs])
        if decision.reason == "running":
            break
        found.append(
            {
                "first_seed": first,
                "pairs": decision.n,
                "verdict": decision.verdict,
                "reason": decision.reason,
            }
        )
        first += decision.n
    return found


if __name__ == "__main__":
    main()
