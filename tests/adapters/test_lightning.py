"""PyTorch Lightning itself, with the callback."""

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

lightning = library("lightning.pytorch", install="pip install -r requirements-dev.txt")
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint  # noqa: E402

from seedwise.adapters.lightning import CollectRun, RecordRun  # noqa: E402

# What Lightning and torch warn of (few workers, deprecations) is their own affair.
pytestmark = [pytest.mark.adapters, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)
X = torch.from_numpy(RNG.normal(size=(91, 6)).astype(np.float32))
Y = (X[:, 0] + torch.from_numpy(RNG.normal(size=91)) > 0).long() + (X[:, 1] > 1).long()
"""Mostly noise: a network that is trained for long gets worse on what it has not seen."""

TRAIN, VALID, OTHER = slice(0, 40), slice(40, 91), slice(10, 30)


class Net(lightning.LightningModule):
    """Says what it predicts, logs metrics, both, or neither."""

    def __init__(self, tells="both"):
        super().__init__()
        self.tells = tells
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(6, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)
        )

    def training_step(self, batch, _):
        loss = torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def told(self, stage, batch):
        logits = self.layers(batch[0])
        if self.tells in ("metrics", "both"):
            right = (logits.argmax(1) == batch[1]).float().mean()
            self.log(f"{stage}_acc", right, sync_dist=True)
            loss = torch.nn.functional.cross_entropy(logits, batch[1])
            self.log(f"{stage}_loss", loss, sync_dist=True)
        if self.tells in ("predictions", "both"):
            return {"predictions": logits, "targets": batch[1]}
        return None

    def validation_step(self, batch, _, dataloader_idx=0):
        return self.told("val", batch)

    def test_step(self, batch, _):  # noqa: PT019
        return self.told("test", batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.05)


def batches(which, size=20):
    data = torch.utils.data.TensorDataset(X[which], Y[which])
    return torch.utils.data.DataLoader(data, batch_size=size)


def trainer(*callbacks, folder=None, **settings):
    options = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": any(isinstance(each, ModelCheckpoint) for each in callbacks),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }
    return lightning.Trainer(callbacks=list(callbacks), **options | settings)


def fit(*callbacks, tells="both", valid=VALID, ckpt_path=None, **settings):
    """The model after a fit, and its Trainer."""
    torch.manual_seed(0)
    model, made = Net(tells), trainer(*callbacks, **settings)
    several = isinstance(valid, list)
    loaders = [batches(each) for each in valid] if several else batches(valid)
    made.fit(model, batches(TRAIN, 10), loaders, ckpt_path=ckpt_path)
    return model, made


def said(model, which=VALID):
    with torch.no_grad():
        return model.layers(X[which]).numpy()


def said_by(path, which=VALID):
    """What the model in a checkpoint says."""
    model = Net()
    model.load_state_dict(torch.load(path, weights_only=False)["state_dict"])
    return said(model, which)


def recorded(tmp_path, **settings):
    return RecordRun(tmp_path / "s.db", setup="net", seed=3, **settings)


def the_run(path):
    with Store.open(path, readonly=True) as store:
        (run,) = store.runs()
        return run, store.logits([run.id])[0, 0] if run.has_logits else None


def close(logits, wanted):
    """A study keeps logits as float16, each row's largest as 0."""
    shifted = wanted - wanted.max(axis=-1, keepdims=True)
    np.testing.assert_allclose(logits, shifted, rtol=2e-3, atol=2e-3)


def test_the_last_validation_is_kept_whole_and_in_order():
    run = CollectRun()
    model, _ = fit(run)
    np.testing.assert_allclose(run.outcome["predictions"], said(model), rtol=1e-6)
    np.testing.assert_array_equal(run.outcome["targets"], Y[VALID].numpy())


@pytest.mark.parametrize("weights_only", [False, True])
@pytest.mark.parametrize(("monitor", "mode"), [("val_acc", "max"), ("val_loss", "min")])
def test_the_model_that_a_checkpoint_keeps_is_the_run(
    tmp_path, monitor, mode, weights_only, caplog
):
    keep = ModelCheckpoint(tmp_path, monitor=monitor, mode=mode, save_weights_only=weights_only)
    stop = EarlyStopping("train_loss", mode="max", patience=12)
    model, _ = fit(keep, stop, recorded(tmp_path), max_epochs=15)
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said_by(keep.best_model_path))
    assert np.abs(said(model) - said_by(keep.best_model_path)).max() > 0.1, "the last is another"
    assert run.metrics[monitor] == pytest.approx(float(keep.best_model_score))
    assert run.made_by["model"] == f"kept by ModelCheckpoint for its {monitor}"
    epoch = int(Path(keep.best_model_path).stem.split("epoch=")[1].split("-")[0])
    assert f"net, seed 3: the model of epoch {epoch + 1}, kept by" in caplog.text


def test_a_collected_run_too_is_the_model_that_a_checkpoint_keeps(tmp_path):
    keep = ModelCheckpoint(tmp_path, monitor="train_loss", filename="best", save_last=True)
    run = CollectRun()
    fit(ModelCheckpoint(tmp_path / "all", save_top_k=-1), keep, run, max_epochs=8)
    np.testing.assert_allclose(
        run.outcome["predictions"], said_by(keep.best_model_path), rtol=1e-5
    )
    assert run.outcome["train_loss"] == pytest.approx(float(keep.best_model_score))


def test_a_checkpoint_that_keeps_no_best_model_leaves_the_last(tmp_path):
    keep = ModelCheckpoint(tmp_path, save_top_k=1)
    model, _ = fit(keep, EarlyStopping("val_loss", patience=2), recorded(tmp_path), max_epochs=15)
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said(model))
    assert "model" not in run.made_by


def test_a_model_saved_between_validations_is_said_to_be_unknown(tmp_path, caplog):
    keep = ModelCheckpoint(tmp_path, monitor="val_loss", every_n_train_steps=3, save_top_k=-1)
    fit(keep, recorded(tmp_path), max_epochs=3)
    assert "saved between two validations" in caplog.text
    assert (tmp_path / "s.db").exists()


def test_a_resumed_fit_knows_what_was_before(tmp_path):
    """The best model is the first process's, and so is a part of the time."""
    keep = ModelCheckpoint(tmp_path / "kept", monitor="val_loss", save_last=True)
    run = CollectRun()
    fit(keep, run, max_epochs=10)
    best = keep.best_model_path
    again = ModelCheckpoint(tmp_path / "kept", monitor="val_loss", save_last=True)
    resumed = recorded(tmp_path)
    fit(again, resumed, max_epochs=12, ckpt_path=keep.last_model_path)
    assert again.best_model_path == best
    stored, logits = the_run(tmp_path / "s.db")
    close(logits, said_by(best))
    assert stored.seconds > run._evaluations._earlier
    assert stored.metrics["val_loss"] == pytest.approx(float(keep.best_model_score))


def test_a_fit_resumed_at_its_end_is_recorded(tmp_path):
    keep = ModelCheckpoint(tmp_path / "kept", save_last=True)
    model, _ = fit(keep, CollectRun())
    again = ModelCheckpoint(tmp_path / "kept", save_last=True)
    fit(again, recorded(tmp_path), ckpt_path=keep.last_model_path)
    close(the_run(tmp_path / "s.db")[1], said(model))


def test_a_second_fit_is_not_recorded_and_harms_nothing(tmp_path, caplog):
    run = recorded(tmp_path)
    model, _ = fit(run)
    again = trainer(run, max_epochs=1)
    wanted = said(model)
    again.fit(model, batches(TRAIN, 10), batches(VALID))
    close(the_run(tmp_path / "s.db")[1], wanted)
    assert "not recorded: " in caplog.text
    with np.load(tmp_path / "s.db.net-3.npz") as aside:
        np.testing.assert_allclose(aside["predictions"], said(model), rtol=1e-5)


def test_the_same_collector_serves_fit_after_fit():
    run = CollectRun()
    fit(run, max_epochs=3)
    model, _ = fit(run, max_epochs=1)
    np.testing.assert_allclose(run.outcome["predictions"], said(model), rtol=1e-6)


def test_logged_metrics_are_kept_with_and_without_predictions():
    for tells, names in (("both", {"predictions", "targets"}), ("metrics", set())):
        run = CollectRun()
        _, made = fit(run, tells=tells)
        logged = {name: float(value) for name, value in made.callback_metrics.items()}
        assert {name: each for name, each in run.outcome.items() if name not in names} == logged
        assert names < run.outcome.keys() or not names
        assert logged.keys() == {"train_loss", "val_acc", "val_loss"}


def test_several_loaders_are_told_apart():
    run = CollectRun()
    model, _ = fit(run, valid=[VALID, OTHER])
    np.testing.assert_allclose(run.outcome["predictions"], said(model), rtol=1e-6)
    right = (said(model, OTHER).argmax(1) == Y[OTHER].numpy()).mean()
    assert run.outcome["accuracy/dataloader_idx_1"] == pytest.approx(right)
    assert run.outcome["val_acc/dataloader_idx_1"] == pytest.approx(right)
    assert "val_acc/dataloader_idx_0" in run.outcome


def test_what_a_test_says_stands_for_the_run_beside_the_validations_metrics():
    run = CollectRun()
    model, made = fit(run)
    made.test(model, batches(OTHER), verbose=False)
    outcome = run.outcome
    np.testing.assert_allclose(outcome["predictions"], said(model, OTHER), rtol=1e-6)
    np.testing.assert_array_equal(outcome["targets"], Y[OTHER].numpy())
    assert {"test_acc", "val_acc", "train_loss"} <= outcome.keys()


def test_a_run_that_is_complete_after_its_test_is_recorded_then(tmp_path):
    run = recorded(tmp_path, after="test")
    model, made = fit(run)
    assert not (tmp_path / "s.db").exists()
    made.test(model, batches(OTHER), verbose=False)
    stored, logits = the_run(tmp_path / "s.db")
    close(logits, said(model, OTHER))
    assert {"test_acc", "val_acc"} <= stored.metrics.keys()
    with pytest.raises(ConfigError, match="after='end'"):
        recorded(tmp_path, after="end")


def test_a_fit_that_validates_after_its_end_is_recorded_then(tmp_path, caplog):
    run = recorded(tmp_path)
    model, _ = fit(run, limit_val_batches=0)
    assert "nothing was validated" in caplog.text
    assert not (tmp_path / "s.db").exists()
    trainer(run).validate(model, batches(VALID), verbose=False)
    close(the_run(tmp_path / "s.db")[1], said(model))


def test_a_validation_before_or_after_the_fit_is_no_run(tmp_path):
    run = recorded(tmp_path)
    trainer(run).validate(Net(), batches(OTHER), verbose=False)
    assert not (tmp_path / "s.db").exists()
    collected = CollectRun()
    model, made = fit(run, collected)
    made.validate(model, batches(OTHER), verbose=False)
    close(the_run(tmp_path / "s.db")[1], said(model))
    np.testing.assert_allclose(collected.outcome["predictions"], said(model), rtol=1e-6)


def test_a_training_that_tells_nothing_is_refused_with_what_to_do():
    run = CollectRun()
    fit(run, tells="nothing", limit_train_batches=0)
    with pytest.raises(ConfigError, match=r"return \{'predictions': logits, 'targets'"):
        _ = run.outcome


def test_the_check_before_the_training_is_no_validation():
    run = CollectRun()
    fit(run, limit_val_batches=1.0, limit_train_batches=0, num_sanity_val_steps=2)
    with pytest.raises(ConfigError, match="validated nothing"):
        _ = run.outcome


def test_a_rehearsal_is_no_run(tmp_path, caplog):
    collected = CollectRun()
    fit(recorded(tmp_path), collected, fast_dev_run=True)
    assert not (tmp_path / "s.db").exists()
    assert "fast_dev_run is not recorded" in caplog.text
    with pytest.raises(ConfigError, match="remove fast_dev_run"):
        _ = collected.outcome


def test_a_job_of_its_own_is_recorded_when_it_ends(tmp_path):
    for seed in (1, 2):
        fit(RecordRun(tmp_path / "s.db", setup="net", seed=seed))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [run.seed.init for run in store.runs()] == [1, 2]
        assert store.logits([1]).shape == (1, 1, 51, 3)
        assert all(0 < run.seconds < 100 for run in store.runs())
    assert 0 <= Study(tmp_path / "s.db").summary().setups[0].metrics["accuracy"].mean <= 1


def test_a_run_that_is_stored_already_is_refused_before_the_training(tmp_path):
    record(tmp_path / "s.db", setup="net", seed=3, metrics={"f1": 0.5})
    with pytest.raises(RunExists, match="'net' with seed 3"):
        fit(recorded(tmp_path))


def test_predictions_of_other_examples_are_set_aside_and_the_training_lives(tmp_path, caplog):
    fit(RecordRun(tmp_path / "s.db", setup="net", seed=1))
    model, made = fit(recorded(tmp_path), valid=OTHER)
    assert made.state.finished
    assert "20 targets" in caplog.text
    with np.load(tmp_path / "s.db.net-3.npz") as aside:
        np.testing.assert_allclose(aside["predictions"], said(model, OTHER), rtol=1e-5)


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {adapters!r}]
import test_lightning as case
folder = Path(sys.argv[1])
keep = case.ModelCheckpoint(folder / "kept", monitor="val_acc", mode="max")
settings = {{"strategy": "ddp", "devices": 2, "max_epochs": 6}}
model, made = case.fit(keep, case.recorded(folder), valid=[case.VALID, case.OTHER], **settings)
if made.is_global_zero:
    (folder / "best").write_text(keep.best_model_path)
"""


def test_of_two_processes_the_first_records_what_both_predicted(tmp_path):
    """51 examples on two processes: one is shown twice, and counts once."""
    here = Path(__file__).parent
    (tmp_path / "job.py").write_text(
        SCRIPT.format(tests=str(here.parent), adapters=str(here)).replace(
            "val_acc", "val_acc/dataloader_idx_0"
        )
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tmp_path / "job.py"), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said_by((tmp_path / "best").read_text()))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        np.testing.assert_array_equal(store.dataset().targets, Y[VALID].numpy())
    assert {"val_loss/dataloader_idx_1", "accuracy/dataloader_idx_1"} <= run.metrics.keys()


@pytest.mark.parametrize("hidden", ["lightning", "lightning.pytorch"])
def test_pytorch_lightning_alone_serves(tmp_path, hidden):
    """Where `lightning` is not installed, or is not what the script has imported."""
    library("pytorch_lightning", install="pip install lightning")
    code = "import sys\n"
    if hidden == "lightning":
        code += "sys.modules['lightning'] = None\n"
    code += (
        "import pytorch_lightning as pl\n"
        "from seedwise.adapters.lightning import RecordRun\n"
        "assert issubclass(RecordRun, pl.Callback)\n"
        "pl.Trainer(callbacks=[RecordRun('s.db', setup='a', seed=0)], accelerator='cpu')\n"
        "assert 'lightning.pytorch' not in sys.modules\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
