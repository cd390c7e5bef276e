"""Studies made by hand, whose checksums are right: read, or refused in one line."""

import os
import shutil
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.rows import changed, places
from helpers.store_records import ENDED, dataset, run
from seedwise.cli import cli
from seedwise.comparison import Rule, Stop, study_runs
from seedwise.comparison.rule import plan_of
from seedwise.comparison.scores import keep_metric_values
from seedwise.comparison.study_runs import StudyRuns
from seedwise.data import Split
from seedwise.errors import ConfigError, SeedwiseError
from seedwise.executors.local import LocalExecutor
from seedwise.records import Examples
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import PLAN, Store
from seedwise.study import record
from seedwise.study.seeding import as_seeds
from seedwise.study.watching import Lookout

MANY = int(os.environ.get("SEEDWISE_FUZZ", "5000")) // 10


def made(path, *, predictions, scores=False, large=False):
    """A study with every kind of row; `large` keeps what each prediction is worth as well."""
    with Store.open(path, create=True) as store:
        if predictions:
            store.set_dataset(dataset())
        store.fix_choice(PLAN, plan_of(("a", "b"), as_seeds(3), Rule(margin=0.05)))
        store.fix_choice("auto", {"precision": "float32"})
        for number, name in enumerate("ab"):
            store.add_setup(name, Setup(lr=1.0 + number))
            for seed in range(3):
                rng = np.random.default_rng([number, seed])
                logits = rng.normal(size=(2, 6, 2)).astype(np.float16)
                metrics = {"accuracy": 0.5 + rng.random() / 9, "loss": rng.random()}
                found = run(logits=logits) if predictions else None
                found = found or run(logits=None, views=(), metrics=metrics)
                if scores:
                    right = rng.integers(0, 2, 6).astype(np.float32)
                    graded = rng.random(6).astype(np.float32)
                    found = run(
                        logits=None,
                        views=(),
                        metrics={
                            "accuracy": float(right.mean(dtype=float)),
                            "f1": float(graded.mean(dtype=float)),
                        },
                        scores={"accuracy": right, "f1": graded},
                    )
                store.add_run(name, Seed.of(seed), found, ended_at=ENDED)
            for seed, state in ((8, "diverged"), (9, "failed")):
                store.add_run(name, Seed.of(seed), run(state=state, error="no"), ended_at=ENDED)
        if scores:
            names, groups = tuple("uvwxyz"), tuple("aabbcc")
            store.set_examples(Examples(count=6, names=names, groups=groups))
            store.fix_choice("called", "questions")
        if predictions:
            store.add_repeat(1, run(value=0.25), ended_at=ENDED)
            store.put_metric_values("accuracy", {1: 0.5, 2: 0.25})
        if large:
            keep_metric_values(StudyRuns(store))
            for table in ("run_scores", "more_logits"):
                assert store._rows(f"SELECT 1 FROM {table}"), table
    return path


def reading(name):
    yield from (["status", name], ["check", name], ["export", name], ["table", name])
    yield from (["compare", name], ["compare", name, "a", "--target", "0.5"])
    yield from (["report", name, "-o", "r.html"], ["plot", name, "runs", "-o", "r.json"])
    yield from (["variance", name, "a"], ["plan", name, "a", "b"])
    yield from (["merge", name, name, "-o", "both.db"], ["check", name, "--repair", "new.db"])


@pytest.mark.parametrize("count", [12, pytest.param(MANY, marks=pytest.mark.slow)])
def test_rows_made_by_hand_end_in_no_traceback(tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_runs, "LARGE", 0)  # as if all predictions took long to read
    monkeypatch.setattr("seedwise.store.store._PART", 20)  # bytes of a row of them
    kinds = (
        {"predictions": True},
        {"predictions": True, "large": True},
        {"predictions": False},
        {"predictions": False, "scores": True},
    )
    whole = [made(tmp_path / f"{n}.db", **kind) for n, kind in enumerate(kinds)]
    spots = [places(path) for path in whole]
    rng, tried, read = np.random.default_rng(count), 0, 0
    while tried < count:
        kind = int(rng.integers(0, len(kinds)))
        spot = spots[kind][int(rng.integers(0, len(spots[kind])))]
        shutil.copy(whole[kind], "made.db")
        if not changed("made.db", spot, rng):
            continue
        tried += 1
        for words in reading("made.db"):
            for new in ("both.db", "new.db"):
                (tmp_path / new).unlink(missing_ok=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # numpy's, of huge numbers
                result = CliRunner().invoke(cli, words)
            assert result.exc_info[0] in (None, SystemExit), (words, spot, result.exception)
            assert result.exit_code in (0, 1, 2)
            if result.exit_code == 2:
                assert result.stderr.count("\n") == 1, (words, spot, result.stderr)
            read += result.exit_code == 0
        with warnings.catch_warnings(), suppress(SeedwiseError):
            warnings.simplefilter("ignore")
            Lookout(Path("made.db")).look()  # as `watch` does, again and again
    assert 0 < read < len(list(reading(""))) * count


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Split.of({"per_class": 5, "seed": 2**40}), r"seed \(0 to 2\*\*32 - 1\)"),
        (lambda: Split.from_json("[]"), "a split is a name, or has per_class and seed"),
        (lambda: Split.from_json("}"), "the study's split '}' is none"),
        (lambda: LocalExecutor(time_limit=float("inf")), "time_limit must be seconds above 0"),
        (lambda: LocalExecutor(time_limit=1e300), "time_limit must be seconds above 0"),
        (lambda: Stop(difference=0.1, max_runs=10**12), "max_runs must be a whole number"),
        (lambda: Stop(difference=0.1, max_runs=10**30), "max_runs must be a whole number"),
        (
            lambda: record("s.db", setup="a", seed=1, metrics={"x": 1}, seconds=float("nan")),
            "seconds must be 0 or more",
        ),
    ],
)
def test_numbers_beyond_what_anything_takes_are_refused(tmp_path, monkeypatch, make, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        make()
    assert not (tmp_path / "s.db").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="where names of files are bytes")
def test_names_of_files_need_not_be_utf_8(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"s\xff.db")
    made(tmp_path / "s.db", predictions=True)
    (tmp_path / "s.db").rename(name)
    for words in reading(name):
        result = CliRunner().invoke(cli, words)
        assert result.exc_info[0] in (None, SystemExit), (words, result.exception)
        assert result.exit_code == 0, (words, result.stderr)
