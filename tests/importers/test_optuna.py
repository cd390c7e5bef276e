"""Storages that Optuna wrote: databases and journals."""

import sqlite3
from contextlib import closing

import pytest

from helpers.libraries import library, without
from helpers.tracked import SETUPS, accuracy, imported, verdict, wanted, words
from seedwise.importers import optuna as importer
from seedwise.importers.logs import Candidate

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

FORMS = {".db": "database", ".log": "journal"}
BY_MODEL = ("--setup", "params_model", "--seed", "params_seed", "--metric", "value=accuracy")


@pytest.fixture(scope="module")
def optuna():
    return library("optuna", install="pip install -r requirements-dev.txt")


@pytest.fixture(scope="module")
def storages(optuna, tmp_path_factory):
    """A grid of two setups and three seeds, the last trial pruned and made again."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    top = tmp_path_factory.mktemp("optuna")
    backend = optuna.storages.journal.JournalFileBackend(str(top / "optuna.log"))
    places = {
        top / "optuna.db": f"sqlite:///{top}/optuna.db",
        top / "optuna.log": optuna.storages.JournalStorage(backend),
    }
    for storage in places.values():
        grid = optuna.samplers.GridSampler({"model": list(SETUPS), "seed": [0, 1, 2]}, seed=1)
        study = optuna.create_study(
            study_name="grid", storage=storage, sampler=grid, direction="maximize"
        )
        study.enqueue_trial({"model": "wide", "seed": 0})
        study.optimize(objective, n_trials=7, catch=RuntimeError)
    return {path.suffix: path for path in places}


def objective(trial):
    setup = trial.suggest_categorical("model", list(SETUPS))
    seed = trial.suggest_int("seed", 0, 2)
    trial.suggest_float("lr", 0.1, 0.1)
    trial.set_user_attr("host", {"name": "here"})
    if trial.number == 0:
        raise RuntimeError("out of memory")
    return accuracy(setup, seed)


def logs(path):
    return importer.IMPORTER.read(Candidate(text=str(path)))


@pytest.mark.parametrize("kind", [".db", ".log"])
def test_trials_are_runs(storages, kind):
    assert imported(storages[kind], *BY_MODEL) == wanted()
    assert verdict(storages[kind], of=(FORMS[kind], "optuna")) == "better"


@pytest.mark.parametrize("kind", [".db", ".log"])
def test_what_a_trial_holds(storages, kind):
    found = logs(storages[kind])
    assert [log.facts["state"] for log in found] == ["fail"] + 6 * ["complete"]
    for log in found[1:]:
        setup, seed = log.facts["params_model"], log.facts["params_seed"]
        assert log.path == f"{storages[kind]}/grid"
        assert [dict(row.cells) for row in log.rows] == [
            {"value": str(accuracy(setup, int(seed)))}
        ]
        assert log.facts["params_lr"] == "0.1"
        assert log.facts["user_attrs_host.name"] == "here"


def test_several_values_have_the_names_that_the_study_gives_them(optuna, tmp_path):
    path = tmp_path / "two.db"
    study = optuna.create_study(storage=f"sqlite:///{path}", directions=["maximize", "minimize"])
    study.optimize(lambda trial: (0.9, trial.suggest_int("seed", 1, 1)), n_trials=1)
    assert dict(logs(path)[0].rows[0].cells) == {"values_0": "0.9", "values_1": "1.0"}
    study.set_metric_names(["f1", "size"])
    assert dict(logs(path)[0].rows[0].cells) == {"f1": "0.9", "size": "1.0"}


def test_a_storage_of_another_version_is_left_as_it_is(storages, tmp_path):
    path = tmp_path / "old.db"
    path.write_bytes(storages[".db"].read_bytes())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
    assert imported(path, *BY_MODEL) == wanted()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'v99'")
    done = words("import", path, tmp_path / "s.db", *BY_MODEL)
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert f"{path} cannot be read by Optuna" in done.output


def test_without_the_library_the_extra_is_named(storages, tmp_path, monkeypatch):
    without("optuna", monkeypatch)
    done = words("import", storages[".log"], tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "pip install 'seedwise[optuna]'" in done.output
