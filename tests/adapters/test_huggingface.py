"""Hugging Face's Trainer itself, with the callback."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.libraries import library
from seedwise.errors import ConfigError, RunExists
from seedwise.store import Store
from seedwise.study import Study, record

transformers = library("transformers", install="pip install -r requirements-adapters.txt")
library("accelerate", install="pip install -r requirements-adapters.txt")

from seedwise.adapters.huggingface import CollectRun, RecordRun  # noqa: E402

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=90) > 0).astype(int) + (X[:, 1] > 1)
"""Mostly noise: a network that is trained for long gets worse on what it has not seen."""


class Examples(torch.utils.data.Dataset):
    def __init__(self, which=slice(40, 90), labels=Y):
        self.x, self.labels = X[which], labels[which]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"x": self.x[i], "labels": self.labels[i]}


TRAIN, VALID, OTHER = Examples(slice(0, 40)), Examples(), Examples(slice(10, 30))


class Net(torch.nn.Module):
    """A classifier, or with another loss something else."""

    def __init__(self, loss=torch.nn.functional.cross_entropy, shape=(3,)):
        super().__init__()
        self.loss, self.shape = loss, shape
        width = int(np.prod(shape))
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(6, 64), torch.nn.ReLU(), torch.nn.Linear(64, width)
        )

    def forward(self, x, labels=None):
        logits = self.layers(x).reshape(len(x), *self.shape)
        return {"loss": self.loss(logits, labels), "logits": logits}


def trainer(folder, run, *, model=None, data=(TRAIN, VALID), compute=True, **settings):
    torch.manual_seed(0)
    options = {
        "num_train_epochs": 1,
        "learning_rate": 0.05,
        "eval_strategy": "epoch",
        "per_device_eval_batch_size": 20,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    return transformers.Trainer(
        model=model or Net(),
        args=transformers.TrainingArguments(str(folder / "trainer"), **options | settings),
        train_dataset=data[0],
        eval_dataset=data[1],
        compute_metrics=run.compute_metrics if compute else None,
        callbacks=[run],
    )


def fit(folder, run, **settings):
    made = trainer(folder, run, **settings)
    made.train()
    return made


def said(model, which=slice(40, 90)):
    with torch.no_grad():
        return model.layers(torch.from_numpy(X[which])).numpy()


def close(logits, wanted):
    """A study keeps logits as float16, each row's largest as 0."""
    shifted = wanted - wanted.max(axis=-1, keepdims=True)
    np.testing.assert_allclose(logits, shifted, rtol=2e-3, atol=2e-3)


def the_run(path):
    with Store.open(path, readonly=True) as store:
        (run,) = store.runs()
        return run, store.logits([run.id])[0, 0] if run.has_logits else None


def recorded(tmp_path, **settings):
    return RecordRun(tmp_path / "s.db", setup="net", seed=3, **settings)


BEST = {"num_train_epochs": 12, "save_strategy": "epoch", "load_best_model_at_end": True}


def test_the_last_evaluation_is_kept_whole_and_in_order(tmp_path):
    run = CollectRun()
    model = fit(tmp_path, run).model
    np.testing.assert_allclose(run.outcome["predictions"], said(model), rtol=1e-5)
    np.testing.assert_array_equal(run.outcome["targets"], Y[40:])


@pytest.mark.parametrize(
    ("metric", "greater"), [("eval_accuracy", True), ("eval_loss", False)], ids=["acc", "loss"]
)
def test_the_model_that_is_loaded_at_the_end_is_the_run(tmp_path, metric, greater, caplog):
    by = {"metric_for_best_model": metric, "greater_is_better": greater}
    made = fit(tmp_path, recorded(tmp_path), **BEST, **by)
    figures = [each[metric] for each in made.state.log_history if metric in each]
    assert figures.index(made.state.best_metric) < 11, "the last is another"
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said(made.model))
    assert run.metrics[metric] == made.state.best_metric
    assert run.made_by["model"] == f"loaded at the end for its {metric}"
    assert f"epoch {1 + figures.index(made.state.best_metric)}, loaded" in caplog.text


def test_a_collected_run_too_is_the_model_that_is_loaded_at_the_end(tmp_path):
    run = CollectRun()
    made = fit(tmp_path, run, metric_for_best_model="eval_loss", **BEST)
    made.predict(TRAIN)
    made.evaluate(TRAIN, metric_key_prefix="train")
    np.testing.assert_allclose(run.outcome["predictions"], said(made.model), rtol=1e-5)
    assert {"eval_loss", "train_loss", "train_accuracy"} <= run.outcome.keys()
    assert not [name for name in run.outcome if "runtime" in name or "per_second" in name]


def test_a_resumed_training_whose_best_model_was_before_has_its_metrics(tmp_path, caplog):
    """The predictions of it were another process's."""
    options = {"metric_for_best_model": "eval_loss", **BEST}
    first = fit(tmp_path, CollectRun(), **options)
    last = max((tmp_path / "trainer").iterdir(), key=lambda each: int(each.name.split("-")[1]))
    again = trainer(tmp_path, recorded(tmp_path), **options | {"num_train_epochs": 14})
    again.train(resume_from_checkpoint=str(last))
    assert again.state.best_metric == first.state.best_metric
    run, logits = the_run(tmp_path / "s.db")
    assert logits is None
    assert run.metrics["eval_loss"] == first.state.best_metric


def test_the_function_that_was_there_before_still_gives_the_metrics(tmp_path):
    run = CollectRun(compute_metrics=lambda _: {"mine": 0.5})
    fit(tmp_path, run)
    assert run.outcome["predictions"].shape == (50, 3)
    assert run.outcome["eval_mine"] == 0.5
    evaluation = transformers.EvalPrediction(predictions=(X[:, :3], None), label_ids=Y)
    assert run.compute_metrics(evaluation) == {"mine": 0.5}
    assert set(CollectRun().compute_metrics(evaluation)) == {"accuracy"}


def tokens(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten().long())


SEQUENCES = RNG.integers(0, 5, size=(90, 4))
OTHERS = {
    "regression": (Net(lambda a, b: ((a - b[:, None]) ** 2).mean(), (1,)), X[:, 0]),
    "several labels": (
        Net(torch.nn.functional.binary_cross_entropy_with_logits),
        (X[:, :3] > 0).astype(np.float32),
    ),
    "tokens": (Net(tokens, (4, 5)), np.where(SEQUENCES == 4, -100, SEQUENCES)),
    "language model": (Net(tokens, (4, 5)), SEQUENCES),
}


@pytest.mark.parametrize("compute", [True, False], ids=["with metrics", "with loss"])
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_classification_is_recorded_with_its_metrics(tmp_path, kind, compute):
    model, labels = OTHERS[kind]
    data = Examples(slice(0, 40), labels), Examples(slice(40, 90), labels)
    run = recorded(tmp_path, compute_metrics=lambda given: {"size": given.predictions.size})
    made = fit(tmp_path, run, model=model, data=data, compute=compute)
    stored, logits = the_run(tmp_path / "s.db")
    assert logits is None
    assert stored.state == "finished"
    (loss,) = (each["eval_loss"] for each in made.state.log_history if "eval_loss" in each)
    assert stored.metrics["eval_loss"] == loss
    assert stored.metrics.get("eval_size") == (50 * np.prod(model.shape) if compute else None)


def test_several_evaluation_sets_are_told_apart(tmp_path):
    made = fit(tmp_path, recorded(tmp_path), data=(TRAIN, {"valid": VALID, "other": OTHER}))
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said(made.model))
    right = (said(made.model, slice(10, 30)).argmax(1) == Y[10:30]).mean()
    assert run.metrics["eval_other_accuracy"] == pytest.approx(right)
    assert {"eval_valid_accuracy", "eval_valid_loss", "eval_other_loss"} <= run.metrics.keys()


def test_evaluation_in_batches_is_put_together(tmp_path):
    seen = []

    def mine(evaluation, compute_result):
        seen.append((len(evaluation.label_ids), compute_result))
        return {"mine": 0.5} if compute_result else {}

    made = fit(tmp_path, recorded(tmp_path, compute_metrics=mine), batch_eval_metrics=True)
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said(made.model))
    assert run.metrics["eval_mine"] == 0.5
    assert seen == [(20, False), (20, False), (10, True)]


def test_evaluation_in_batches_needs_no_function_of_ones_own(tmp_path):
    made = fit(tmp_path, recorded(tmp_path), batch_eval_metrics=True)
    run, _ = the_run(tmp_path / "s.db")
    right = (said(made.model).argmax(1) == Y[40:]).mean()
    assert run.metrics["eval_accuracy"] == pytest.approx(right)


def test_a_job_of_its_own_is_recorded_when_it_ends(tmp_path):
    made = fit(tmp_path, recorded(tmp_path))
    run, logits = the_run(tmp_path / "s.db")
    assert (run.setup, run.seed.init, logits.shape) == ("net", 3, (50, 3))
    assert run.seconds > 0
    assert run.seconds == pytest.approx(made.state.log_history[-1]["train_runtime"], abs=0.5)
    assert Study(tmp_path / "s.db").summary().setups[0].metrics["accuracy"].mean > 0.3


def test_a_training_that_evaluates_after_its_end_is_recorded_then(tmp_path, caplog):
    made = fit(tmp_path, recorded(tmp_path), eval_strategy="no")
    assert "the next trainer.evaluate() is recorded" in caplog.text
    assert not (tmp_path / "s.db").exists()
    made.evaluate()
    _, logits = the_run(tmp_path / "s.db")
    close(logits, said(made.model))


def test_a_collected_run_without_evaluation_is_refused_with_what_to_do(tmp_path):
    run = CollectRun()
    fit(tmp_path, run, eval_strategy="no")
    with pytest.raises(ConfigError, match=r"compute_metrics=run\.compute_metrics"):
        _ = run.outcome


def test_a_metric_that_cannot_be_kept_costs_neither_training_nor_predictions(tmp_path, caplog):
    run = recorded(tmp_path, compute_metrics=lambda _: {"words": "many", "f1": float("nan")})
    fit(tmp_path, run)
    stored, logits = the_run(tmp_path / "s.db")
    assert stored.state == "finished"
    assert logits.shape == (50, 3)
    assert "eval_words is left out" in caplog.text
    assert "eval_f1 is left out: it was nan" in caplog.text


def test_a_second_training_is_refused_before_it_begins(tmp_path):
    record(tmp_path / "s.db", setup="net", seed=3, metrics={"f1": 0.5})
    with pytest.raises(RunExists, match="another name for another training"):
        fit(tmp_path, recorded(tmp_path))


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {adapters!r}]
import test_huggingface as case
folder = Path(sys.argv[1])
made = case.fit(folder, case.recorded(folder), ddp_backend="gloo", per_device_eval_batch_size=8)
if made.is_world_process_zero():
    case.np.save(folder / "said.npy", case.said(made.model))
"""


def test_of_two_processes_the_first_records_the_predictions_of_both(tmp_path):
    here = Path(__file__).parent
    (tmp_path / "job.py").write_text(SCRIPT.format(tests=str(here.parent), adapters=str(here)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(tmp_path / "job.py"), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    _, logits = the_run(tmp_path / "s.db")
    close(logits, np.load(tmp_path / "said.npy"))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        np.testing.assert_array_equal(store.dataset().targets, Y[40:])
