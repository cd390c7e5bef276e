"""Stores that MLflow wrote: a database, and a folder as it made them by default until 3.7."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from helpers.libraries import library
from helpers.tracked import RUNS, accuracy, imported, loss, verdict, wanted, words
from seedwise.importers import mlflow as importer
from seedwise.importers.logs import Candidate

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

HINT = "pip install -r requirements-adapters.txt"
BY_MODEL = ("--setup", "params.model", "--last", "--metric", "accuracy")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The same runs in a database and in a folder; one failed, and one was deleted."""
    mlflow = library("mlflow", install=HINT)
    top = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        for uri in (f"sqlite:///{top}/mlflow.db", (top / "mlruns").as_uri()):
            mlflow.set_tracking_uri(uri)
            mlflow.set_experiment("digits")
            with mlflow.start_run(run_name="search"):
                for setup, seed in RUNS:
                    one_run(mlflow, setup, seed)
            mlflow.start_run(run_name="failed")
            mlflow.log_params({"model": "wide", "seed": 7})
            mlflow.log_metric("accuracy", 0.1)
            mlflow.end_run("FAILED")
            with mlflow.start_run(run_name="deleted") as run:
                mlflow.log_metric("accuracy", 0.1)
            mlflow.delete_run(run.info.run_id)
        mlflow.set_tracking_uri(f"sqlite:///{top}/other.db")
        mlflow.set_experiment("digits")
        for name, params in (("a", {"model": "base"}), ("b", {"model": "wide"}), ("debug", {})):
            with mlflow.start_run(run_name=name):
                mlflow.log_params({**params, "seed": 0})
                mlflow.log_metric("accuracy", 0.5)
    return {
        "database": top / "mlflow.db",
        "folder": top / "mlruns",
        "other": top / "other.db",
    }


def one_run(mlflow, setup, seed):
    with mlflow.start_run(run_name=f"{setup}-seed{seed}", nested=True):
        mlflow.log_params({"model": setup, "seed": seed, "note": "it's: so"})
        mlflow.set_tag("host", "here")
        for epoch in range(3):
            mlflow.log_metric("accuracy", accuracy(setup, seed, epoch), step=epoch)
            mlflow.log_metric("val/loss", loss(setup, seed, epoch), step=epoch)
        mlflow.log_metric("ratio", float("inf"), step=2)
        mlflow.log_metric("hole", float("nan"), step=2)


def logs(path):
    return importer.IMPORTER.read(Candidate(text=str(path)))


@pytest.mark.parametrize("kind", ["database", "folder"])
def test_runs_are_read_with_their_parameters(stores, kind):
    assert imported(stores[kind], *BY_MODEL) == wanted()
    assert verdict(stores[kind], of=(kind, "mlflow-skinny")) == "better"


def test_a_place_may_be_an_address_as_mlflow_has_it(stores, tmp_path):
    for place in (f"sqlite:///{stores['database']}", stores["folder"].as_uri()):
        done = words("import", place, tmp_path / "s.db", *BY_MODEL, "--show")
        assert "6 runs of 2 setups would be stored" in done.output
    for place in ("http://localhost:5000", "sqlite://", "s3://bucket/mlruns"):
        done = words("import", place, tmp_path / "s.db")
        assert (done.exit_code, done.output.count("\n")) == (2, 1)
        assert f"{place} is an address, and nothing is read over the network" in done.output


@pytest.mark.parametrize("kind", ["database", "folder"])
def test_what_a_run_holds(stores, kind):
    found = logs(stores[kind])
    assert [log.facts["name"] for log in found] == [f"{s}-seed{n}" for s, n in RUNS] + ["failed"]
    assert found[-1].facts["state"] == "failed"
    log = found[4]
    assert log.path == f"{stores[kind]}/digits/wide-seed1"
    assert {k: v for k, v in log.facts.items() if k != "run_id"} == {
        "name": "wide-seed1",
        "experiment": "digits",
        "state": "finished",
        "params.model": "wide",
        "params.seed": "1",
        "params.note": "it's: so",
        "tags.host": "here",
    }
    assert [dict(row.cells) for row in log.rows] == [
        {
            "step": str(epoch),
            "accuracy": str(accuracy("wide", 1, epoch)),
            "val/loss": str(loss("wide", 1, epoch)),
            **({"ratio": "inf", "hole": "nan"} if epoch == 2 else {}),
        }
        for epoch in range(3)
    ]


def test_runs_of_something_else_are_left_out(stores):
    """The store has a run without the parameter that names the setup."""
    done = words("import", stores["other"], stores["other"].parent / "s.db", *BY_MODEL)
    assert "left out: 1 log without params.model: " in done.output
    assert "other.db/digits/debug" in done.output
    assert "2 runs of 2 setups stored" in done.output


def test_one_experiment_or_run_of_a_folder(stores):
    (experiment,) = (p for p in stores["folder"].iterdir() if p.name.isdigit() and p.name != "0")
    assert len(logs(experiment)) == 7
    run = next(p for p in experiment.iterdir() if (p / "params" / "model").exists())
    (log,) = logs(run)
    assert log.facts["experiment"] == "digits"
    for place in (experiment, run):
        assert importer.IMPORTER.recognises(Candidate(text=str(place)))


def test_a_folder_of_an_old_version(stores, tmp_path):
    """MLflow 0.x knew of no deletion, kept the names of runs in tags, and metrics had no steps."""
    copy = tmp_path / "mlruns"
    shutil.copytree(stores["folder"], copy)
    for meta in copy.rglob("meta.yaml"):
        lines = meta.read_text().splitlines(keepends=True)
        new = ("lifecycle_stage: active", "run_name")
        old = [line for line in lines if not line.startswith(new)]
        meta.write_text("".join(old).replace("run_id:", "run_uuid:"))
    for metric in copy.rglob("metrics/accuracy"):
        lines = metric.read_text().splitlines()
        metric.write_text("".join(f"{line.rpartition(' ')[0]}\n" for line in lines))
    found = imported(copy, "--setup", "params.model", "--metric", "accuracy")
    assert found == wanted()


def test_a_database_that_is_being_written_is_left_as_it_is(stores, tmp_path):
    """In WAL mode SQLite writes beside a file that it only reads."""
    copy = tmp_path / "mlflow.db"
    shutil.copyfile(stores["database"], copy)
    writer = sqlite3.connect(copy, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE params SET value = 'wider' WHERE value = 'wide'")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 3
    found = {log.facts["params.model"] for log in logs(copy)}
    assert found == {"base", "wider"}
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    writer.close()


def test_a_damaged_database_is_said_in_a_line(stores, tmp_path):
    copy = tmp_path / "mlflow.db"
    shutil.copyfile(stores["database"], copy)
    with closing(sqlite3.connect(copy)) as database:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'metrics'"
        (page,) = database.execute(query).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(copy.read_bytes())
    content[(page - 1) * size : page * size] = bytes(size)
    copy.write_bytes(content)
    done = words("import", tmp_path / "mlflow.db", tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "mlflow.db cannot be read" in done.output


def test_a_damaged_metric_is_said_with_its_line(stores, tmp_path):
    copy = tmp_path / "mlruns"
    shutil.copytree(stores["folder"], copy)
    file = next(copy.rglob("params/model")).parents[1] / "metrics" / "accuracy"
    file.write_text("1 0.5 0\n1 high 1\n")
    done = words("import", copy, tmp_path / "s.db", *BY_MODEL)
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert f"{file}, line 2: '1 high 1' is no metric" in done.output
