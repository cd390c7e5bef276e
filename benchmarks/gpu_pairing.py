"""Does pairing survive on a GPU? Repeats, twins and nearby setups, by kernels and packing.

    python benchmarks/gpu_pairing.py IMAGES [--seeds 8] [--many 20] [--jobs 5] [-o FOLDER]

For deterministic and for free kernels: the recipe page-v1, its twin (learning rate x 1.0001), one
with the learning rate x 1.3 and one with ReLU, on the same seeds. Churn is the share of the
predictions that differ; r the correlation of paired accuracies. Packed runs are made again alone.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import seedwise
from seedwise.stats import METRICS
from seedwise.store import Store
from seedwise.study import Study

CHANGES = {
    "base": {},
    "twin": {"lr": 4e-3 * 1.0001},
    "lr13": {"lr": 4e-3 * 1.3},
    "relu": {"activation": "relu"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--many", type=int, default=20, help="seeds of the deterministic recipe")
    parser.add_argument("--jobs", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, default=Path())
    arguments = parser.parse_args()
    logits = {}
    place = arguments.output / "pairing.db"
    for kernels, fixed in (("fixed", True), ("free", False)):
        setups = {
            f"{name}-{kernels}": seedwise.Setup(deterministic=fixed, **changes)
            for name, changes in CHANGES.items()
        }
        study = study_at(place, arguments.images)
        study.run(setups, seeds=arguments.seeds, jobs=arguments.jobs)
        first = dict([next(iter(setups.items()))])
        if fixed:
            study.run(first, seeds=arguments.many, jobs=arguments.jobs)
        logits |= read(place, setups)
        for label, jobs in (("alone", 1), ("packed again", arguments.jobs)):
            again = arguments.output / f"{kernels}-{label.replace(' ', '-')}.db"
            study_at(again, arguments.images).run(first, seeds=5, jobs=jobs)
            logits[f"base-{kernels}, {label}"] = read(again, first)[f"base-{kernels}"]
            again.unlink()
    targets = targets_of(place)
    result = {name: figures(runs, targets) for name, runs in logits.items()}
    pairs = [
        (f"base-{k}", other) for k in ("fixed", "free") for other in logits if f"-{k}" in other
    ]
    result["pairs"] = {
        f"{b} - {a}": paired(logits[a], logits[b], targets) for a, b in pairs if a != b
    }
    print(json.dumps(result, indent=1))
    (arguments.output / "pairing.json").write_text(json.dumps(result, indent=1) + "\n")


def study_at(place: Path, images: Path) -> Study:
    return Study(place, dataset="imagenette", split="page", source=images)


def read(place: Path, setups: dict) -> dict[str, dict]:
    """Logits by setup and seed."""
    with Store.open(place, readonly=True) as store:
        return {
            name: {
                run.seed: store.logits([run.id])[0] for run in store.runs(name) if run.has_logits
            }
            for name in setups
        }


def targets_of(place: Path) -> np.ndarray:
    with Store.open(place, readonly=True) as store:
        return store.dataset().targets


def figures(runs: dict, targets: np.ndarray) -> dict:
    """Mean and standard deviations (ddof 0 and 1) of each metric."""
    found = {}
    for metric in ("accuracy", "smoothed_accuracy", "matched_accuracy"):
        values = np.array([METRICS[metric](run, targets) for run in runs.values()])
        found[metric] = [len(values), values.mean(), values.std(), values.std(ddof=1)]
    return found


def paired(a: dict, b: dict, targets: np.ndarray) -> dict:
    seeds = sorted(a.keys() & b.keys())
    churn = [(a[s].argmax(-1) != b[s].argmax(-1)).mean() for s in seeds]
    found = {"pairs": len(seeds), "churn": float(np.mean(churn)), "churn_each": churn}
    found["identical"] = sum(np.array_equal(a[s], b[s]) for s in seeds)
    for metric in ("accuracy", "smoothed_accuracy", "matched_accuracy"):
        x, y = (np.array([METRICS[metric](runs[s], targets) for s in seeds]) for runs in (a, b))
        r = np.corrcoef(x, y)[0, 1]
        found[metric] = [(y - x).mean(), (y - x).std(ddof=1), r]
    return found


if __name__ == "__main__":
    main()
