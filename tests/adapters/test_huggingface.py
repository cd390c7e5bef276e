"""Hugging Face's Trainer itself, with the callback."""

import numpy as np
import pytest
import torch

from helpers.libraries import library
from seedwise.errors import ConfigError
from seedwise.store import Store

transformers = library("transformers", install="pip install -r requirements-adapters.txt")
library("accelerate", install="pip install -r requirements-adapters.txt")

from seedwise.adapters.huggingface import CollectRun, RecordRun  # noqa: E402

pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
Y = np.arange(50) % 3


class Examples(torch.utils.data.Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {"x": X[i], "labels": Y[i]}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 3)

    def forward(self, x, labels=None):
        logits = self.layer(x)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


def fit(folder, run, *, evaluates=True):
    model = Net()
    transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            str(folder / "trainer"),
            num_train_epochs=1,
            eval_strategy="epoch" if evaluates else "no",
            per_device_eval_batch_size=20,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=Examples(),
        eval_dataset=Examples(),
        compute_metrics=run.compute_metrics,
        callbacks=[run],
    ).train()
    return model


def test_the_last_evaluation_is_kept_whole_and_in_order(tmp_path):
    run = CollectRun()
    model = fit(tmp_path, run)
    with torch.no_grad():
        wanted = model.layer(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(run.outcome["predictions"], wanted, rtol=1e-5)
    np.testing.assert_array_equal(run.outcome["targets"], Y)


def test_the_function_that_was_there_before_still_gives_the_metrics(tmp_path):
    run = CollectRun(compute_metrics=lambda _: {"mine": 0.5})
    fit(tmp_path, run)
    assert run.outcome["predictions"].shape == (50, 3)
    evaluation = transformers.EvalPrediction(predictions=(X[:, :3], None), label_ids=Y)
    assert run.compute_metrics(evaluation) == {"mine": 0.5}
    assert set(CollectRun().compute_metrics(evaluation)) == {"accuracy"}


def test_a_job_of_its_own_is_recorded_when_it_ends(tmp_path):
    fit(tmp_path, RecordRun(tmp_path / "s.db", setup="net", seed=3))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [(run.setup, run.seed.init) for run in store.runs()] == [("net", 3)]
        assert store.logits([1]).shape == (1, 1, 50, 3)


def test_a_training_without_evaluation_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"compute_metrics=run\.compute_metrics"):
        fit(tmp_path, RecordRun(tmp_path / "s.db", setup="net", seed=3), evaluates=False)
