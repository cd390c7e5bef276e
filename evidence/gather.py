"""From study files to what is shipped: results/ as CSV and class numbers, and the charts.

    python evidence/gather.py [FOLDER] [--charts docs/study]

FOLDER is where make.py put the files. For each study: NAME.csv, a row a run, as `seedwise export`
writes it; NAME.npz, the class that each run predicts for each view of each image; what made the
runs in environment.json. Logits stay behind: 100 KB a run, made again by make.py.
"""

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from questions import NULLS
from seedwise.comparison import RunTable, run_table
from seedwise.comparison.study_runs import StudyRuns
from seedwise.store import Store, StoredRun
from seedwise.study import Study

HERE = Path(__file__).parent

CHARTS = {
    "changes": (
        "five-epochs",
        "forest",
        ("page-v1", "lr-1.3", "relu", "no-attention", "fastai-stem", "no-smoothing"),
    ),
    "metrics": ("five-epochs", "metrics", ("page-v1", "relu")),
    "twenty-epochs": ("twenty-epochs", "forest", ()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=HERE / "files")
    parser.add_argument("--charts", type=Path, default=HERE.parent / "docs" / "study")
    arguments = parser.parse_args()
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    environments = {}
    for file in sorted(arguments.folder.glob("*.db")):
        environments[file.stem] = gathered(file, results)
    text = json.dumps(environments, indent=1, sort_keys=True)
    (results / "environment.json").write_text(text + "\n")
    for name in (f"{NULLS.name}.json", "verdict-seconds.json"):
        if (arguments.folder / name).exists():
            shutil.copy(arguments.folder / name, results / name)
    for name, (study, kind, setups) in CHARTS.items():
        chart = Study(arguments.folder / f"{study}.db").chart(kind, *setups)
        picture = chart.save(arguments.charts / f"{name}.png")
        # 64 colours and half the size: a tenth of the bytes
        with Image.open(picture) as image:
            image.reduce(2).convert("RGB").quantize(64).save(picture, optimize=True)


def gathered(file: Path, results: Path) -> dict:
    """Write what a study's runs scored and predict; returns what made them, and the setups."""
    with Store.open(file, readonly=True) as store:
        runs = [run for run in store.runs() if run.has_logits]
        if file.stem != NULLS.name:  # 1,700 runs: their verdicts are in nulls.json
            write_rows(run_table(StudyRuns(store)), results / f"{file.stem}.csv")
            write_classes(store, runs, results / f"{file.stem}.npz")
        return {
            "made_by": environment(runs),
            "setups": {
                name: json.loads(setup.to_json()) for name, setup in store.setups().items()
            },
        }


def write_rows(table: RunTable, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(["" if cell is None else str(cell) for cell in row] for row in table.rows)


def write_classes(store: Store, runs: list[StoredRun], path: Path) -> None:
    known = store.dataset()
    assert known is not None, "runs with logits have targets"
    np.savez_compressed(
        path,
        setup=np.array([run.setup for run in runs]),
        seed=np.array([run.seed.order for run in runs]),
        classes=np.stack([store.logits([run.id])[0].argmax(-1).astype(np.uint8) for run in runs]),
        targets=known.targets.astype(np.uint8),
        images=np.array(known.names),
    )


def environment(runs: list[StoredRun]) -> dict:
    """The values that the runs' records have of each key, but for names of machines."""
    keys = sorted({key for run in runs for key in run.made_by} - {"host"})
    return {key: sorted({str(run.made_by.get(key)) for run in runs}) for key in keys}


if __name__ == "__main__":
    main()
