"""How long a report takes to be written and to open, and how large it is, as a study grows.

Two setups of 5,000 predictions a run (2,500 images, two views, 10 classes), made up; no metric is
kept in the study beforehand, so that all are computed from the logits. `python
benchmarks/report.py` prints a row of a table for each number of runs; it needs Playwright and a
Chromium. The seconds of a process's own work stand beside wall time, which other work on the
machine stretches.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from seedwise.comparison.rule import Rule, plan_of
from seedwise.records import VIEWS, DatasetRecord, EpochRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import PLAN, Store

IMAGES, CLASSES, TRIES = 2_500, 10, 3
TARGETS = np.arange(IMAGES) % CLASSES
SKILLS = {"a": 1.5, "b": 1.52}


def make(path: Path, runs: int) -> None:
    """A study of two setups, `runs` runs together; runs of a seed share most of their noise."""
    hard = 1.5 * np.random.default_rng(0).normal(size=(1, IMAGES, CLASSES))
    seeds = [Seed.of(seed) for seed in range(runs // 2)]
    with Store.open(path, create=True) as store:
        store.set_dataset(
            DatasetRecord(
                name="made up",
                fingerprint="0" * 64,
                split='"shipped"',
                classes=tuple(map(str, range(CLASSES))),
                names=tuple(f"{target}/{i}" for i, target in enumerate(TARGETS)),
                targets=TARGETS,
            )
        )
        store.fix_choice(PLAN, plan_of(list(SKILLS), seeds, Rule()))
        for place, (name, skill) in enumerate(SKILLS.items()):
            store.add_setup(name, Setup(lr=1e-3 * (1 + place)))
            for seed in seeds:
                record = trained(hard, skill, seed.init, place)
                store.add_run(name, seed, record, ended_at=datetime(2026, 1, 1, tzinfo=UTC))


def trained(hard: np.ndarray, skill: float, seed: int, place: int) -> RunRecord:
    shared, own = np.random.default_rng([seed, 0]), np.random.default_rng([seed, place + 1])
    shape = (2, IMAGES, CLASSES)
    logits = hard + 0.8 * shared.normal(size=shape) + 0.4 * own.normal(size=shape)
    logits[:, np.arange(IMAGES), TARGETS] += skill + 0.05 * shared.normal()
    epochs = tuple(
        EpochRecord(
            epoch=epoch,
            figures={
                "train_loss": 2 / (epoch + 1) + 0.1 * own.random(),
                "valid_loss": 2 / (epoch + 1) + 0.1 * own.random(),
                "accuracy": 1 - 0.5 / (epoch + 1) - 0.02 * own.random(),
                "smoothed_accuracy": 0.5,
                "seconds": 3.0,
            },
        )
        for epoch in range(5)
    )
    return RunRecord(
        state="finished",
        logits=logits.astype(np.float16),
        views=VIEWS,
        epochs=epochs,
        seconds=17.0,
    )


def written(study: Path, page: Path) -> tuple[float, float]:
    """Wall seconds of `seedwise report`, the start of the process included, and its own work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "seedwise", "report", study, "-o", page],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def opened(page: Path) -> tuple[float, float]:
    """Seconds until the page is there with its first chart, and until all charts are drawn."""
    from playwright.sync_api import sync_playwright

    missing = ".plot:not(:has(svg))"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shown = browser.new_page()
        start = time.perf_counter()
        shown.goto(page.as_uri())
        shown.locator(".plot svg").first.wait_for()
        first = time.perf_counter() - start
        shown.locator(missing).first.wait_for(state="detached")
        whole = time.perf_counter() - start
        browser.close()
    return first, whole


def main() -> None:
    print("| runs | written: wall s | its own work s | MB | first chart s | all charts s | load |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for runs in (10, 100, 1_000):
            study, page = Path(folder) / f"{runs}.db", Path(folder) / f"{runs}.html"
            make(study, runs)
            for _ in range(TRIES):
                wall, work = written(study, page)
                first, whole = opened(page)
                print(
                    f"| {runs:,} | {wall:.1f} | {work:.1f} | {page.stat().st_size / 1e6:.2f} "
                    f"| {first:.2f} | {whole:.2f} | {os.getloadavg()[0]:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
