"""PyTorch Lightning itself, with the callback."""

import numpy as np
import pytest
import torch

from helpers.libraries import library
from seedwise.errors import ConfigError
from seedwise.store import Store
from seedwise.study import Study

lightning = library("lightning.pytorch", install="pip install -r requirements-dev.txt")

from seedwise.adapters.lightning import CollectRun, RecordRun  # noqa: E402

# What Lightning and torch warn of (few workers, deprecations) is their own affair.
pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

X = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32))
Y = torch.arange(50) % 3


class Net(lightning.LightningModule):
    """Says what it predicts, logs a metric, or neither."""

    def __init__(self, tells):
        super().__init__()
        self.tells = tells
        self.layer = torch.nn.Linear(6, 3)

    def training_step(self, batch, _):
        return torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])

    def validation_step(self, batch, _):
        if self.tells == "metric":
            self.log("acc", (self.layer(batch[0]).argmax(1) == batch[1]).float().mean())
        if self.tells == "predictions":
            return {"predictions": self.layer(batch[0]), "targets": batch[1]}
        return None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(callback, tells="predictions", **settings):
    data = torch.utils.data.TensorDataset(X, Y)
    model = Net(tells)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    loaders = (torch.utils.data.DataLoader(data, batch_size=size) for size in (10, 20))
    trainer.fit(model, *loaders)
    return model


def test_the_last_validation_is_kept_whole_and_in_order():
    run = CollectRun()
    model = fit(run)
    outcome = run.outcome
    with torch.no_grad():
        np.testing.assert_allclose(outcome["predictions"], model.layer(X).numpy(), rtol=1e-6)
    np.testing.assert_array_equal(outcome["targets"], Y.numpy())


def test_logged_metrics_are_kept_where_there_are_no_predictions():
    run = CollectRun()
    model = fit(run, tells="metric")
    with torch.no_grad():
        # Lightning weighs the last, smaller batch as it is.
        right = (model.layer(X).argmax(1) == Y).float().mean()
    assert run.outcome == {"acc": pytest.approx(float(right))}


def test_a_training_that_tells_nothing_is_refused_with_what_to_do():
    run = CollectRun()
    fit(run, tells="nothing")
    with pytest.raises(ConfigError, match=r"return \{'predictions': logits, 'targets'"):
        _ = run.outcome


def test_the_check_before_the_training_is_no_validation():
    run = CollectRun()
    fit(run, limit_val_batches=1.0, limit_train_batches=0, num_sanity_val_steps=2)
    with pytest.raises(ConfigError, match="validated nothing"):
        _ = run.outcome


def test_a_job_of_its_own_is_recorded_when_it_ends(tmp_path):
    for seed in (1, 2):
        fit(RecordRun(tmp_path / "s.db", setup="net", seed=seed))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [run.seed.init for run in store.runs()] == [1, 2]
        assert store.logits([1]).shape == (1, 1, 50, 3)
    assert 0 <= Study(tmp_path / "s.db").summary().setups[0].metrics["accuracy"].mean <= 1


def test_several_devices_are_refused():
    class Many:
        world_size = 2

    with pytest.raises(ConfigError, match="give it devices=1"):
        CollectRun().setup(Many(), Net("metric"), "fit")
