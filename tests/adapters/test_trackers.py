"""W&B and MLflow themselves, with nothing that leaves the machine."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from helpers import trainings
from helpers.libraries import library
from seedwise.adapters.tracked import tracked_runs
from seedwise.study import Study, record

HINT = "pip install -r requirements-adapters.txt"


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Two runs with predictions, one with a metric, one that diverged, one that failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "study.db"
    for seed in range(2):
        logits = np.random.default_rng(seed).normal(size=(20, 4))
        record(path, setup="net", seed=seed, predictions=logits, targets=np.arange(20) % 4)
    epochs = [{"epoch": 0.5, "f1@5": 0.125}, {"epoch": 1, "f1@5": 0.25}]
    metrics = {"f1": 0.5, "f1@5": 0.25}
    record(path, setup="other", seed=(1, 2, 3), metrics=metrics, epochs=epochs)
    record(path, setup="other", seed=4, metrics={"f1": float("nan")})
    Study(path).run({"bad": trainings.fails_on_odd_seeds}, seeds=[1], watch=lambda _: None)
    return path


def test_failed_tries_are_no_runs_and_every_metric_is_told(path):
    runs = tracked_runs(path)
    assert [(run.setup, run.config["seed"], run.state) for run in runs] == [
        ("net", "0", "finished"),
        ("net", "1", "finished"),
        ("other", "1/2/3", "finished"),
        ("other", "4", "diverged"),
    ]
    frame = Study(path).runs()
    assert runs[0].metrics["accuracy"] == frame["accuracy"][0]
    assert runs[2].metrics == {"f1": 0.5, "f1@5": 0.25}
    assert runs[3].metrics == {}


@pytest.mark.adapters
@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_what_the_study_has(path, tmp_path):
    mlflow = library("mlflow", install=HINT)
    from seedwise.adapters.mlflow import export

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert export(path, experiment="study") == 4
    found = {run.info.run_name: run for run in mlflow.search_runs(["1"], output_format="list")}
    assert set(found) == {"net-0", "net-1", "other-1/2/3", "other-4"}
    for run in tracked_runs(path):
        there = found[f"{run.setup}-{run.config['seed']}"].data
        assert there.params == {name: str(value) for name, value in run.config.items()}
        metrics = {name.replace("@", "_"): value for name, value in run.metrics.items()}
        kept = {name: each for name, each in there.metrics.items() if name[:6] != "epoch/"}
        assert kept == pytest.approx({**metrics, "seconds": run.seconds})
        assert there.tags["state"] == run.state
    other = found["other-1/2/3"].info.run_id
    curve = mlflow.MlflowClient().get_metric_history(other, "epoch/f1_5")
    assert [(each.step, each.value) for each in curve] == [(0, 0.125), (1, 0.25)]


@pytest.mark.adapters
@pytest.mark.filterwarnings("ignore")
def test_wandb_has_what_the_study_has(path, tmp_path):
    wandb = library("wandb", install=HINT)
    from seedwise.adapters.wandb import export

    assert export(path, project="study", mode="offline") == 4
    wandb.teardown()  # else its other process may still be writing
    files = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    found = {name: rest for name, *rest in map(_kept_by_wandb, files)}
    assert set(found) == {"net-0", "net-1", "other-1/2/3", "other-4"}
    for run in tracked_runs(path):
        group, config, summary = found[f"{run.setup}-{run.config['seed']}"]
        assert group == run.setup
        assert config == run.config
        summary.pop("epoch", None)
        assert summary == {**run.metrics, "state": run.state, "seconds": run.seconds}


def _kept_by_wandb(file):
    """Name, group, configuration and summary of a run, from the file that `wandb sync` sends."""
    from wandb.proto.wandb_internal_pb2 import Record

    config, summary, head = {}, {}, None
    for data in _log_records(file.read_bytes()):
        record = Record.FromString(data)
        if record.HasField("run"):
            head = record.run
            changes = head.config.update
            config |= {each.key: json.loads(each.value_json) for each in changes}
        for each in record.summary.update:
            summary[each.key] = json.loads(each.value_json)
    own = ("", "_wandb", "_runtime", "_step", "_timestamp")  # W&B's bookkeeping; "" is nested
    config, summary = ({k: v for k, v in d.items() if k not in own} for d in (config, summary))
    return head.display_name, head.run_group, config, summary


def _log_records(data):
    """The records of a file in LevelDB's log format: blocks of 32 KB after a header of 7 bytes."""
    block, position, parts = 2**15, 7, b""
    while position + 7 <= len(data):
        if block - position % block < 7:  # too little room for a record: padded
            position += block - position % block
            continue
        length = int.from_bytes(data[position + 4 : position + 6], "little")
        kind = data[position + 6]
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def test_what_the_extras_bring_is_what_the_exports_call():
    """mlflow-skinny needs two packages to write here; wandb's `reinit` by name is of 0.19.10."""
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = extras["project"]["optional-dependencies"]
    names = {re.split("[<>=]", each)[0] for each in extras["mlflow"]}
    assert names == {"alembic", "mlflow-skinny", "sqlalchemy"}
    assert extras["wandb"] == ["wandb>=0.19.10,<1"]
