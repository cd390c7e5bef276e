"""Study files for tests of their care."""

import sqlite3
from contextlib import closing

import numpy as np

from helpers.store_records import ENDED, dataset, run
from seedwise.code.git import Commit
from seedwise.code.parts import Code, Part
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store

COMMIT = Commit(id="ab" * 20, dirty=True)


def filled(path, *, setups=("mish", "relu"), seeds=range(3), lr=4e-3, **changes):
    """A study with a dataset, a choice, runs of each setup with their code, and a metric.

    One try failed.
    """
    with Store.open(path, create=True) as store:
        store.set_dataset(dataset())
        store.fix_choice("auto", {"precision": "float32"})
        for number, name in enumerate(setups):
            store.add_setup(name, Setup(lr=lr if name == "mish" else 1e-3))
            part = Part(kind="file", name="a", digest="0", text="a = 1\n")
            store.ask(name, [Seed.of(seed) for seed in seeds])
            code = store.add_code(name, Code.of([part]), accepted="first")
            for seed in seeds:
                rng = np.random.default_rng([number, seed])
                logits = rng.normal(size=(2, 6, 2)).astype(np.float16)
                record = run(logits=logits, seconds=seed, **changes)
                store.add_run(
                    name, Seed.of(seed), record, ended_at=ENDED, code=code, commit=COMMIT
                )
        failed = run(state="failed", error="no luck")
        store.add_run(setups[0], Seed.of(99), failed, ended_at=ENDED)
        store.put_metric_values("accuracy", {1: 0.5})
    return path


def held(path):
    """What a study holds, without the numbers of its runs, in no order."""
    with Store.open(path, readonly=True) as store:
        return {
            (
                found.setup,
                str(found.seed),
                found.state,
                found.seconds,
                found.ended_at,
                store.logits([found.id]).tobytes() if found.has_logits else b"",
            )
            for found in store.runs()
        }


def change(path, *statements):
    """What no program of ours does to a study."""
    with closing(sqlite3.connect(path)) as raw:
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def assert_sound(path):
    """SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
