import csv
import io

import numpy as np
import pytest
from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.store import Store
from seedwise.study import Study, record

TARGETS = np.arange(40) % 4


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def logits(seed):
    return np.random.default_rng(seed).normal(size=(40, 4))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_job_elsewhere_records_its_predictions(here):
    for seed in (3, 4):
        np.savez("p.npz", predictions=logits(seed), targets=TARGETS)
        words = ["record", "s.db", "--setup", "mine", "--predictions", "p.npz"]
        assert call(*words, "--seed", seed).exit_code == 0
    np.save("p.npy", logits(5))
    np.save("t.npy", TARGETS)
    assert call(*words[:-1], "p.npy", "--targets", "t.npy", "--seed", "5/5/6").exit_code == 0
    with Store.open("s.db", readonly=True) as store:
        assert [str(run.seed) for run in store.runs()] == ["3", "4", "5/5/6"]
        rows = logits(5)
        wanted = (rows - rows.max(axis=-1, keepdims=True)).astype(np.float16)
        np.testing.assert_array_equal(store.logits([3])[0, 0], wanted)


def test_a_job_elsewhere_records_its_metrics(here):
    done = call("record", "s.db", "--setup", "a", "--seed", 0, "--metrics", "accuracy=.9, f1=1e-2")
    assert (done.exit_code, done.output) == (0, "")
    with Store.open("s.db", readonly=True) as store:
        assert store.runs()[0].metrics == {"accuracy": 0.9, "f1": 0.01}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed 0", "got none"),
        ("--seed x --metrics a=1", "a seed is written 3 or 3/3/4"),
        ("--seed 0 --metrics a", "metrics are written accuracy=0.93,loss=0.2"),
        ("--seed 0 --metrics a=1,a=2", "each name once"),
        ("--seed 0 --metrics accuracy=93", "must be a fraction"),
        ("--seed 0 --predictions none.npz", "none.npz cannot be read"),
        ("--seed 0 --predictions runs.csv", "neither a .npy nor a .npz file"),
        ("--seed 0 --predictions p.npy", "but no targets"),
        ("--seed 7 --metrics a=1", "runs never change"),
        ("--metrics a=1", "Missing option '--seed'"),
    ],
)
def test_what_cannot_be_recorded_is_one_line_and_exit_code_2(here, words, message):
    (here / "runs.csv").write_text("setup,seed,acc\n")
    np.save("p.npy", logits(0))
    record("s.db", setup="a", seed=7, metrics={"a": 1.0})
    done = call("record", "s.db", "--setup", "a", *words.split())
    assert done.exit_code == 2
    assert message in done.output
    assert done.output.startswith("seedwise: ")
    assert done.output.count("\n") == 1
    with Store.open("s.db", readonly=True) as store:
        assert len(store.runs()) == 1


def test_import_says_what_was_taken_as_what(here):
    (here / "runs.csv").write_text(
        "setup,seed,status,acc,loss\na,0,ok?,1,1\na,1,finished,1,2\nb,1,finished,3,4\n"
    )
    done = call("import", "runs.csv", "s.db", "--metric", "acc=f1")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "setup: column setup",
        "seed: column seed",
        "metrics: columns acc as f1",
        "higher is better: f1",
        "left out: 1 whose status is ok?",
        "left out: columns of numbers: loss",
        "s.db: 2 runs of 2 setups stored",
        "next: seedwise compare s.db a b",
    ]
    assert (
        "2 were already stored" in call("import", "runs.csv", "s.db", "--metric", "acc=f1").output
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed seed --unpaired", "not both"),
        ("--metric acc=", "--metric is COLUMN or COLUMN=NAME"),
        ("--metric acc=x --metric loss=x", "each name once"),
        ("--setup stup", "did you mean 'setup'"),
    ],
)
def test_what_cannot_be_imported_is_one_line_and_exit_code_2(here, words, message):
    (here / "runs.csv").write_text("setup,seed,acc,loss\na,0,1,1\n")
    done = call("import", "runs.csv", "s.db", *words.split())
    assert done.exit_code == 2
    assert message in done.output
    assert done.output.count("\n") == 1


def test_a_setup_from_elsewhere_is_not_trained(here):
    record("s.db", setup="a", seed=7, metrics={"a": 1.0})
    (here / "s.toml").write_text('seeds = 1\n[setups.a]\ntrain = "elsewhere"\n')
    done = call("run", "s.toml")
    assert done.exit_code == 2
    assert "setup 'a' is trained elsewhere" in done.output


def test_parquet_holds_what_csv_holds(here):
    parquet = pytest.importorskip("pyarrow.parquet")
    for seed in range(2):
        record("s.db", setup="a", seed=seed, predictions=logits(seed), targets=TARGETS)
    record("s.db", setup="b", seed=0, metrics={"f1": 0.5})
    assert call("export", "s.db", "-o", "runs.parquet").exit_code == 0
    table = parquet.read_table("runs.parquet")
    rows = list(csv.DictReader(io.StringIO(call("export", "s.db").output)))
    assert table.column_names == list(rows[0])
    for name in ("accuracy", "f1"):
        wanted = [float(row[name]) if row[name] else None for row in rows]
        assert table[name].to_pylist() == wanted
    assert [str(each.isoformat()) for each in table["ended_at"].to_pylist()] == [
        row["ended_at"] for row in rows
    ]
    assert str(table.schema.field("init").type) == "int64"


def test_a_table_for_a_paper_goes_to_a_file_or_the_screen(here):
    for seed in range(3):
        record("s.db", setup="a", seed=seed, metrics={"f1": 0.5 + seed})
    shown = call("table", "s.db")
    assert shown.exit_code == 0
    assert "| a | 3 | 1.5 ± 1.0 [-1.0, 4.0] |" in shown.output
    assert call("table", "s.db", "--format", "latex", "-o", "t.tex").exit_code == 0
    assert r"a & 3 & 1.5 $\pm$ 1" in (here / "t.tex").read_text()
    done = call("table", "s.db", "--metric", "f2")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)


def test_what_a_missing_package_is_needed_for_is_said(here, monkeypatch):
    record("s.db", setup="a", seed=0, metrics={"f1": 0.5})
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    done = call("export", "s.db", "-o", "runs.parquet")
    assert done.exit_code == 2
    assert "pip install 'seedwise[parquet]'" in done.output
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'seedwise\[pandas\]'"):
        Study("s.db").runs()
