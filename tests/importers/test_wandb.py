"""Folders that W&B wrote offline."""

import pytest

from helpers.libraries import library, without
from helpers.tracked import RUNS, accuracy, imported, loss, verdict, wanted, words
from seedwise.importers import wandb as importer
from seedwise.importers.logs import Candidate
from seedwise.study import record

HINT = "pip install -r requirements-adapters.txt"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Each run in the group of its setup; the last one ended in an error."""
    wandb = library("wandb", install=HINT)
    top = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        patch.setenv("HOME", str(top))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        for setup, seed in RUNS:
            one_run(wandb, setup, seed)
        crash(wandb)
        wandb.teardown()  # else its other process may still be writing
    return top / "wandb"


def one_run(wandb, setup, seed):
    config = {"model": {"name": setup, "widths": [8, 8]}, "seed": seed}
    with wandb.init(project="p", group=setup, name=f"{setup}-seed{seed}", config=config) as run:
        run.define_metric("accuracy", summary="max")
        for epoch in range(3):
            run.log(
                {
                    "epoch": epoch,
                    "accuracy": accuracy(setup, seed, epoch),
                    "val": {"loss": loss(setup, seed, epoch)},
                    "weights": wandb.Histogram([1, 2, 3]),
                }
            )
        run.summary["test/f1"] = accuracy(setup, seed) / 2
        run.config.update({"device": "cpu"})


def crash(wandb):
    run = wandb.init(project="p", group="wide", name="wide-seed3", config={"seed": 3})
    run.log({"accuracy": 0.1})
    run.finish(exit_code=1)


def logs(path):
    return importer.IMPORTER.read(Candidate(text=str(path)))


pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]


def test_runs_are_read_by_their_group(runs):
    assert imported(runs, "--last", "--metric", "accuracy") == wanted()
    assert verdict(runs, of=("offline folder", "wandb")) == "better"


def test_the_best_epoch_of_each(runs):
    assert imported(runs, "--best", "accuracy", "--metric", "accuracy") == wanted(epoch=1)


def test_setup_and_seed_may_be_settings(runs):
    options = ("--setup", "config.model.name", "--seed", "config.seed", "--last")
    assert imported(runs, *options, "--metric", "val.loss", metric="val.loss") == {
        run: loss(*run) for run in RUNS
    }


def test_what_the_summary_has_of_its_own_is_a_metric(runs):
    """A test's result after the last epoch, which no step has."""
    assert imported(runs, metric="test/f1") == {run: accuracy(*run) / 2 for run in RUNS}


def test_a_run_that_has_a_summary_only(tmp_path, monkeypatch):
    """As the export of seedwise writes them."""
    library("wandb", install=HINT)
    from seedwise.adapters.wandb import export

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    for setup, seed in RUNS:
        record(tmp_path / "s.db", setup=setup, seed=seed, metrics={"f1": accuracy(setup, seed)})
    export(tmp_path / "s.db", project="p", mode="offline")
    library("wandb", install=HINT).teardown()
    assert imported(tmp_path / "wandb", metric="f1") == wanted()


def test_a_run_that_ended_in_an_error_is_none(runs):
    done = words("import", runs, runs.parent / "s.db", "--last", "--metric", "accuracy")
    assert "1 whose state is failed" in done.output


def test_what_a_run_holds(runs):
    log = logs(runs)[4]
    assert log.path == f"{runs}/wide-seed1"
    assert log.one_run
    run_id = log.facts["run_id"]
    assert (runs / next(runs.glob(f"offline-run-*-{run_id}")).name).is_dir()
    assert {k: v for k, v in log.facts.items() if k != "run_id"} == {
        "name": "wide-seed1",
        "group": "wide",
        "project": "p",
        "state": "finished",
        "config.model.name": "wide",
        "config.model.widths": "",
        "config.seed": "1",
        "config.device": "cpu",
    }
    assert [dict(row.cells) for row in log.rows] == [
        {
            "_step": str(epoch),
            "epoch": str(epoch),
            "accuracy": str(accuracy("wide", 1, epoch)),
            "val.loss": str(loss("wide", 1, epoch)),
            "accuracy.max": str(accuracy("wide", 1, 1)),
            "test/f1": str(accuracy("wide", 1) / 2),
        }
        for epoch in range(3)
    ]


def test_one_folder_or_file_is_one_run(runs):
    folder = next(runs.glob("offline-run-*"))
    for place in (folder, next(folder.glob("*.wandb"))):
        assert len(logs(place)) == 1


def test_a_run_that_was_killed_is_told_from_one_that_ended(runs, tmp_path):
    """Its file ends anywhere, and says nothing of its end."""
    file = next(runs.glob("offline-run-*/*.wandb"))
    whole = file.read_bytes()
    for cut in (20, 200, 800):
        copy = tmp_path / "run-x.wandb"
        copy.write_bytes(whole[:-cut])
        (log,) = logs(copy)
        assert log.facts["state"] == "crashed"
        assert {"_step": "0"}.items() <= log.rows[0].cells.items()


def test_a_damaged_record_ends_the_file(runs, tmp_path):
    content = bytearray(next(runs.glob("offline-run-*/*.wandb")).read_bytes())
    place = content.rindex(b"val")
    content[place] ^= 1
    (tmp_path / "run-x.wandb").write_bytes(content)
    (log,) = logs(tmp_path / "run-x.wandb")
    assert log.facts["state"] == "crashed"


def test_long_histories_cross_blocks(tmp_path, monkeypatch):
    wandb = library("wandb", install=HINT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with wandb.init(project="p", mode="offline", settings={"silent": True}) as run:
        for step in range(300):
            run.log({"f1": step + 0.5, "note": "x" * (50_000 if step == 7 else step)})
    wandb.teardown()
    (log,) = logs(tmp_path / "wandb")
    assert [row["f1"] for row in log.rows] == [str(step + 0.5) for step in range(300)]
    assert log.facts["state"] == "finished"


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    without("wandb", monkeypatch)
    (tmp_path / "run-x.wandb").write_bytes(b":W&B\xe1\xbe\x00")
    done = words("import", tmp_path / "run-x.wandb", tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "pip install 'seedwise[wandb]'" in done.output


def test_a_run_that_was_resumed_is_one_run(tmp_path, monkeypatch):
    """W&B writes a folder for each part."""
    wandb = library("wandb", install=HINT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    same = {"project": "p", "id": "abc123", "mode": "offline", "settings": {"silent": True}}
    run = wandb.init(**same, name="base-seed0", config={"seed": 0})
    run.log({"f1": 0.1}, step=0)
    run.finish(exit_code=1)
    with wandb.init(**same, resume="allow", config={"lr": 0.5}) as run:
        run.log({"f1": 0.9}, step=1)
    wandb.teardown()
    (log,) = logs(tmp_path / "wandb")
    assert [(row["_step"], row["f1"]) for row in log.rows] == [("0", "0.1"), ("1", "0.9")]
    assert log.facts["state"] == "finished"
    assert (log.facts["config.seed"], log.facts["config.lr"]) == ("0", "0.5")


def test_a_table_made_with_the_api_has_dicts_for_columns(tmp_path):
    """As W&B's documentation has it, "Export runs": pandas writes what Python prints."""
    np, pandas = library("numpy", install=HINT), library("pandas", install=HINT)
    frame = pandas.DataFrame(
        {
            "summary": [
                {
                    "accuracy": np.float64(accuracy(setup, seed)),
                    "val": {"loss": loss(setup, seed)},
                    "hole": float("nan"),
                    "_runtime": 9.5 + seed,
                    "_wandb": {"runtime": 9},
                    "weights": {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]},
                }
                for setup, seed in RUNS
            ],
            "config": [{"model": setup, "seed": seed, "amp": True} for setup, seed in RUNS],
            "name": [f"silent-sun-{place}" for place in range(6)],
        }
    )
    file = tmp_path / "project.csv"
    frame.to_csv(file)
    options = ("--setup", "config.model", "--metric", "accuracy")
    assert imported(file, *options) == wanted()
    assert verdict(file, of=("dicts of the API, as CSV", "pandas")) == "better"
    assert imported(file, *options[:2], metric="val.loss") == {run: loss(*run) for run in RUNS}
