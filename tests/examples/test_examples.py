"""Each example is run as a person would: by itself, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from helpers.libraries import library
from seedwise.store import Store
from seedwise.study import Study

EXAMPLES = Path(__file__).parents[2] / "examples"
HINT = "pip install -r requirements-adapters.txt"


def run(folder, name, *words):
    # Their warnings are those libraries' own affair.
    quiet = {"PYTHONWARNINGS": "ignore", "WANDB_SILENT": "true"}
    # Threads that wait for each other on a busy machine take several times as long.
    env = {**os.environ, **quiet, "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(folder, name, study, a, b, pairs):
    assert run(folder, name)
    comparison = Study(folder / study).compare(a, b)
    found = {setup.name: setup for setup in Study(folder / study).summary().setups}
    assert {found[name].finished for name in (a, b)} == {pairs}
    assert found[a].failed == found[b].failed == 0
    return comparison


def test_plain_pytorch_before_and_after(tmp_path):
    """The training itself stays as it was: the script after imports the one before."""
    check(tmp_path, "pytorch_after", "optimizers.db", "adam", "adamw", 5)
    lines = (EXAMPLES / "pytorch_after.py").read_text().splitlines()
    own = lines[lines.index("import seedwise") :]
    assert sum(bool(line.strip()) for line in own) <= 13


def test_the_script_before_runs_by_itself(tmp_path):
    assert run(tmp_path, "pytorch_before").startswith("accuracy 0.9")


def test_scikit_learn(tmp_path):
    check(tmp_path, "sklearn_function", "layers.db", "one", "two", 5)


def test_reinforcement_learning_over_a_suite_of_worlds(tmp_path):
    """SARSA keeps away from the cliff that it falls from while it explores, as is well known."""
    assert run(tmp_path, "gridworlds").count("sarsa is better than q") == 2
    (worlds,) = Study(tmp_path / "worlds.db").compare_tasks()
    assert worlds.standing.confirmatory
    assert worlds.rule.over == "iqm"
    assert {name for name, each in worlds.tasks.items() if each.outcome == "better"} == {
        "cliff",
        "long-cliff",
    }
    cliff = Study(tmp_path / "cliff.db").compare("q", "sarsa")
    assert (cliff.called, cliff.examples) == ("episodes", 50)
    assert cliff.deciding.difference.estimate == pytest.approx(
        worlds.tasks["cliff"].deciding.difference.estimate
    )


def test_a_classifier_of_texts(tmp_path):
    """Docstrings of the Python that runs it; the figures are scikit-learn's own."""
    found = check(tmp_path, "texts", "texts.db", "single", "pairs", 5)
    assert (found.called, found.deciding.metric) == ("docstrings", "macro_f1")
    assert found.standing.confirmatory
    assert found.deciding.new_images is not None
    with Store.open(tmp_path / "texts.db", readonly=True) as store:
        targets = store.dataset().targets
        logits = store.logits([run.id for run in store.runs("single")])
    assert np.mean(logits.argmax(axis=-1) == targets) > 0.7
    for rows, value in zip(logits, found.deciding.values_a, strict=True):
        said = f1_score(targets, rows[0].argmax(axis=1), average="macro")
        assert value == pytest.approx(said, abs=1e-6)


def test_a_regression(tmp_path):
    found = check(tmp_path, "diabetes", "diabetes.db", "boosted", "forest", 5)
    assert (found.called, found.deciding.metric) == ("patients", "rmse")
    assert found.outcome == "better"
    wide, narrow = found.deciding.new_images, found.deciding.difference
    assert wide.high - wide.low > narrow.high - narrow.low
    assert all(50 < value < 65 for value in (*found.deciding.values_a, *found.deciding.values_b))


def test_optuna(tmp_path):
    library("optuna", install="pip install -r requirements-dev.txt")
    check(tmp_path, "optuna_search", "winner.db", "baseline", "winner", 5)


@pytest.mark.adapters
def test_lightning(tmp_path):
    library("lightning", install="pip install -r requirements-dev.txt")
    check(tmp_path, "lightning_callback", "lightning.db", "slow", "fast", 3)
    run(tmp_path, "lightning_callback", "7")
    assert Study(tmp_path / "lightning.db").summary().setups[-1].name == "jobs"


@pytest.mark.adapters
def test_hugging_face(tmp_path):
    library("transformers", install=HINT)
    library("accelerate", install=HINT)
    check(tmp_path, "huggingface_callback", "huggingface.db", "slow", "fast", 3)
    run(tmp_path, "huggingface_callback", "7")
    assert Study(tmp_path / "huggingface.db").summary().setups[-1].name == "jobs"


@pytest.mark.adapters
def test_jax(tmp_path):
    library("jax", install=HINT)
    check(tmp_path, "jax_function", "jax.db", "relu", "mish", 5)


@pytest.mark.adapters
def test_trackers(tmp_path):
    library("wandb", install=HINT)
    library("mlflow", install=HINT)
    said = run(tmp_path, "trackers")
    assert "4 runs in ./wandb" in said
    assert "4 runs; `mlflow ui` shows them" in said
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 4
