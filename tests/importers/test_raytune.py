"""Folders that Ray Tune wrote."""

import shutil

import pytest

from helpers.libraries import library
from helpers.tracked import RUNS, accuracy, imported, loss, verdict, wanted, words, written
from seedwise.importers import rllogs
from seedwise.importers.logs import Candidate

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.slow,  # a minute, most of which is the start of Ray
    pytest.mark.filterwarnings("ignore"),
]

HINT = "pip install 'ray[tune]'"


TUNE = """
import ray
from ray import tune


def train(config):
    for report in REPORTS[config["model"]["name"], config["seed"]]:
        tune.report(report)


ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
space = {
    "model": {"name": tune.grid_search(["base", "wide"]), "widths": [8, 8]},
    "seed": tune.grid_search([0, 1, 2]),
}
for name, config in (("digits", space), ("bad", {**space, "seed": 9})):
    run = tune.RunConfig(name=name, storage_path=HERE, verbose=0)
    found = tune.Tuner(train, param_space=config, run_config=run).fit()
assert found.num_errors == 2
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Two setups and three seeds; and two trials with a seed that fails."""
    library("ray.tune", install=HINT)
    top = tmp_path_factory.mktemp("tune")
    reports = {
        run: [
            {"accuracy": accuracy(*run, epoch), "val": {"loss": loss(*run, epoch)}}
            for epoch in range(3)
        ]
        for run in RUNS
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        written(f"REPORTS = {reports}\nHERE = {str(top)!r}\n{TUNE}", top)
    return top / "digits"


def logs(path):
    return rllogs.RAY.read(Candidate(text=str(path)))


def test_trials_are_runs(experiment):
    options = ("--setup", "config.model.name", "--metric", "accuracy")
    assert imported(experiment, *options) == wanted()
    assert verdict(experiment, of=("Tune experiment", "ray")) == "better"
    assert imported(experiment, *options, "--best", "accuracy") == wanted(epoch=1)


def test_what_a_trial_holds(experiment):
    trial = next(experiment.glob("train_*name=wide*seed=1*"))
    (log,) = logs(trial)
    assert {k: v for k, v in log.facts.items() if k not in ("seconds", "trial_id")} == {
        "state": "terminated",
        "config.model.name": "wide",
        "config.model.widths": "",
        "config.seed": "1",
    }
    assert log.facts["trial_id"] in trial.name
    assert [dict(row.cells) for row in log.rows] == [
        {
            "training_iteration": str(epoch + 1),
            "accuracy": str(accuracy("wide", 1, epoch)),
            "val.loss": str(loss("wide", 1, epoch)),
        }
        for epoch in range(3)
    ]


def test_trials_that_failed_are_no_runs(experiment):
    bad = experiment.parent / "bad"
    for trial in bad.glob("train_*"):
        (log,) = logs(trial)
        assert log.facts["state"] == "error"
    done = words("import", bad, bad.parent / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "has no finished run; its state says error" in done.output


def test_a_line_that_was_cut_off_is_left_and_a_damaged_one_is_said(experiment, tmp_path):
    trial = tmp_path / "trial"
    shutil.copytree(next(experiment.glob("train_*")), trial)
    file = trial / "result.json"
    whole = file.read_text()
    file.write_text(whole[:-20])
    assert len(logs(trial)[0].rows) == 2
    file.write_text("{]\n" + whole)
    done = words("import", trial, tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert f"{file}, line 1" in done.output
