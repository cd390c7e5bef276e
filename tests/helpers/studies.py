"""Study files made of logits, or of metrics, that a test has at hand."""

from datetime import UTC, datetime

import numpy as np

from seedwise.comparison.rule import Rule, plan_of
from seedwise.comparison.stop import StoppingRule
from seedwise.crops import CROPS, view_names
from seedwise.records import VIEWS, DatasetRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import PLAN, Store

ENDED = datetime(2026, 3, 1, tzinfo=UTC)
IMAGES, CLASSES = 300, 5
TARGETS = np.arange(IMAGES) % CLASSES


def runs_of(skill=1.0, runs=6, *, seed=0, own=0.3, noise=0.3):
    """Logits (runs, views, images, classes): images, runs and what a setup adds, each at random.

    The same `seed` shares the images and each run's noise, of which `own` is the setup's alone.
    """
    shared, alone = np.random.default_rng(seed), np.random.default_rng([seed, int(1e4 * skill)])
    shape = (runs, 2, IMAGES, CLASSES)
    logits = 1.5 * shared.normal(size=(1, 1, IMAGES, CLASSES))
    logits = logits + noise * shared.normal(size=shape) + own * alone.normal(size=shape)
    logits[..., np.arange(IMAGES), TARGETS] += skill
    return logits.astype(np.float16)


def rescaled(logits, growth=0.0, factor=1.0):
    """The same predictions, their logits stretched by one factor and by one of the margin."""
    wide = logits.astype(np.float64)
    ordered = np.sort(wide, axis=-1)
    margin = (ordered[..., -1] - ordered[..., -2])[..., None]
    return (factor * wide * (1 + growth * np.tanh(margin))).astype(np.float16)


class Studies:
    """Makes study files in a folder."""

    def __init__(self, folder):
        self._folder, self._made = folder, 0

    def make(
        self,
        setups,
        *,
        plan=True,
        rule=None,
        planned=None,
        classes=CLASSES,
        stop=None,
        baseline=None,
        targets=TARGETS,
        train=None,
        views=VIEWS,
    ):
        """An open study of setups: name -> logits, records, or a mapping seed -> record.

        With `plan`, what is there is what was planned before the first run; with `stop`, that the
        first setup is compared with the others until it decides. `train` names the function that
        trains all of them, in place of the built-in training.
        """
        self._made += 1
        store = Store.open(self._folder / f"{self._made}.db", create=True)
        if classes:  # else a study of plain metrics, as nobody knows any
            store.set_dataset(
                DatasetRecord(
                    name="made up",
                    fingerprint="ab" * 32,
                    split='"shipped"',
                    classes=tuple(f"c{i}" for i in range(classes)),
                    names=tuple(f"{i}.png" for i in range(len(targets))),
                    targets=targets,
                    views=views,
                )
            )
        by_seed = {name: _by_seed(runs) for name, runs in setups.items()}
        seeds = planned or sorted({seed for runs in by_seed.values() for seed in runs})
        if plan:
            wanted = [Seed.of(seed) for seed in seeds] if stop is None else []
            base, *others = setups
            ruled = stop and StoppingRule(stop=stop, baseline=base, candidates=tuple(others))
            fixed = plan_of(
                list(setups),
                wanted,
                rule or Rule(),
                baseline=baseline,
                stop=ruled and dict(ruled.to_json()),
            )
            store.fix_choice(PLAN, fixed)
        for place, (name, runs) in enumerate(by_seed.items()):
            store.add_setup(name, Setup(train=train) if train else Setup(lr=1e-3 * (place + 1)))
            for seed, record in runs.items():
                store.add_run(name, Seed.of(seed), record, ended_at=ENDED)
        return store


def finished(logits):
    """A finished run; of more than two views, those that the built-in training makes."""
    views = view_names(CROPS)[: len(logits)]
    return RunRecord(state="finished", logits=logits, views=views, seconds=17.0)


def measured(**metrics):
    return RunRecord(state="finished", metrics=metrics, seconds=17.0)


DIVERGED = RunRecord(state="diverged", error="the loss was NaN", seconds=3.0)
FAILED = RunRecord(state="failed", error="the machine stopped", seconds=1.0)


def _by_seed(runs):
    if isinstance(runs, dict):
        return {seed: _record(run) for seed, run in runs.items()}
    return {seed: _record(run) for seed, run in enumerate(runs)}


def _record(run):
    return run if isinstance(run, RunRecord) else finished(run)
