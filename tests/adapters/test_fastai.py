"""fastai 2 itself, trained from our batches."""

import shlex
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from helpers.libraries import library
from helpers.reference import golden
from seedwise.cli import cli
from seedwise.data import Split, draw, open_data, train_batches, valid_batches
from seedwise.errors import ConfigError, RunExists
from seedwise.models import build, initialise
from seedwise.optim import Ranger
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import RECIPES
from seedwise.stats import accuracy as our_accuracy
from seedwise.stats import smoothed_accuracy as our_smoothed_accuracy
from seedwise.store import Store
from seedwise.study import Study, record
from seedwise.train import train
from seedwise.train.machine import prepared

fastai = library("fastai.basics", install="pip install --no-deps -r requirements-nodeps.txt")
library("fastai.callback.all", install="pip install --no-deps -r requirements-nodeps.txt")
from fastai.callback.tracker import EarlyStoppingCallback, SaveModelCallback  # noqa: E402
from fastai.losses import LabelSmoothingCrossEntropy  # noqa: E402

from seedwise.adapters.fastai import RecordRun, data_loaders, smoothed_accuracy  # noqa: E402

pytestmark = pytest.mark.adapters

SETUP = RECIPES["page-v2"].setup.but(
    model="xresnet10-narrow",
    size=16,
    epochs=2,
    batch_size=64,
    precision="float32",
    deterministic=True,
    loader="cache",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    split = Split.of({"per_class": 30, "seed": 1})
    return open_data("digits", split, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads that wait for each other on a busy machine take ten times as long."""
    with prepared(threads=1, deterministic=True):
        yield


@pytest.fixture
def learner(data, tmp_path):
    """A Learner as the notebook's v2 cell makes it, with one seed for weights and batches."""

    def make(setup, seed, *, device="cpu", cbs=()):
        model = build(
            setup.model,
            classes=len(data.classes),
            self_attention=setup.self_attention,
            activation=setup.activation,
        )
        initialise(model, seed.init)
        made = fastai.Learner(
            data_loaders(setup, seed, data, device=device),
            model.to(device),
            loss_func=LabelSmoothingCrossEntropy(eps=setup.label_smoothing),
            opt_func=partial(fastai.OptimWrapper, opt=Ranger, betas=setup.betas, eps=setup.eps),
            metrics=[fastai.accuracy, smoothed_accuracy],
            path=tmp_path,
            cbs=cbs,
        )
        made.create_mbar, made.logger = False, lambda _: None
        return made

    return make


def fit(learner, setup):
    with learner.no_bar():
        learner.fit_flat_cos(setup.epochs, setup.lr, pct_start=setup.flat, wd=setup.weight_decay)


def shifted(logits):
    """Each row's largest as 0."""
    logits = logits.astype(float)
    return logits - logits.max(axis=-1, keepdims=True)


def test_training_batches_are_the_built_in_ones(data):
    loaders = data_loaders(SETUP, 3, data, device="cpu")
    draws = draw(SETUP, Seed.of(3), data)
    for epoch in range(SETUP.epochs):
        assert loaders.train.batches.epoch == epoch
        pairs = zip(
            loaders.train, train_batches(data, draws, epoch, size=16, threads=0), strict=True
        )
        for (images, targets), (ours, our_targets) in pairs:
            np.testing.assert_array_equal(images.numpy(), ours.transpose(0, 3, 1, 2))
            np.testing.assert_array_equal(targets.numpy(), our_targets)


def test_validation_shows_every_image_and_then_every_image_mirrored(data):
    loaders = data_loaders(SETUP, 3, data, device="cpu")
    images, targets = map(torch.cat, zip(*loaders.valid, strict=True))
    ours = np.concatenate(list(valid_batches(data, size=16, batch_size=99, threads=0)))
    original, mirrored = images.numpy().reshape(2, -1, 3, 16, 16)
    np.testing.assert_array_equal(original, ours.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(mirrored, original[..., ::-1], atol=1e-5)
    np.testing.assert_array_equal(targets.numpy(), np.tile(data.targets[data.valid], 2))
    assert (len(loaders.valid), loaders.c, loaders.vocab) == (4, 10, data.classes)


def test_a_look_at_a_batch_leaves_the_order_of_the_run_as_it_was(data):
    loaders = data_loaders(SETUP, 3, data, device="cpu")
    first, _ = loaders.one_batch()
    again, _ = next(iter(loaders.train))
    assert torch.equal(first, again)


def test_after_the_last_epoch_there_are_no_more_batches(data):
    loaders = data_loaders(SETUP.but(epochs=1), 3, data, device="cpu")
    list(loaders.train)
    with pytest.raises(ConfigError, match=r"all 1 epochs .* setup\.but\(epochs=2\)"):
        list(loaders.train)


@pytest.mark.parametrize("kind", ["64", "32"])
@pytest.mark.parametrize("beta", [1, 2, 3, 5, 10])
def test_the_metric_is_the_notebooks(beta, kind):
    figures = golden("loss_metric.npz")
    logits = torch.from_numpy(figures["logits"].astype(f"float{kind}"))
    targets = torch.from_numpy(figures["targets"])
    got = smoothed_accuracy(logits, targets, beta).item()
    tolerance = {"64": 1e-12, "32": 1e-6}[kind]
    assert got == pytest.approx(figures[f"smoothed_acc__beta{beta}__{kind}"], abs=tolerance)
    ours = our_smoothed_accuracy(figures["logits"].astype(np.float32), figures["targets"], beta)
    assert got == pytest.approx(ours, abs=1e-6)


def test_the_notebooks_cell_gives_what_the_built_in_training_gives(data, learner, tmp_path):
    """Learner, fit_flat_cos and our Ranger in fastai's wrapper, against the recipe page-v2.

    The same weights, batches, schedule and decay in another order of operations: what is left of
    a difference is float32's rounding, a hundredth of what another seed makes.
    """
    study = tmp_path / "s.db"
    page = learner(SETUP, Seed.of(3), cbs=RecordRun(study, setup="fastai", seed=3))
    fit(page, SETUP)
    ours = train(SETUP, Seed.of(3), data)
    with Store.open(study, readonly=True) as store:
        (run,) = store.runs()
        (logits,), targets = store.logits([run.id]), store.dataset().targets
        assert store.views(run.id) == VIEWS
    assert (run.setup, run.seed, run.state) == ("fastai", Seed.of(3), "finished")
    np.testing.assert_array_equal(targets, data.targets[data.valid])
    wanted = shifted(ours.logits)  # as a study keeps what is recorded
    apart = np.abs(logits - wanted).mean()
    other = np.abs(shifted(train(SETUP, Seed.of(4), data).logits) - wanted).mean()
    assert apart < other / 100
    values = page.recorder.values[-1]
    assert values[2] == pytest.approx(our_accuracy(logits, targets), abs=2e-3)
    assert values[3] == pytest.approx(our_smoothed_accuracy(logits, targets), abs=1e-3)


def test_runs_of_a_learner_are_compared_as_pairs(learner, tmp_path):
    study = tmp_path / "s.db"
    slow = SETUP.but(lr=1e-3)
    for setup, name in ((SETUP, "a"), (slow, "b")):
        for seed in (1, 2):
            fit(learner(setup, Seed.of(seed), cbs=RecordRun(study, setup=name, seed=seed)), setup)
    assert Study(study).compare("a", "b").paired is not None
    with pytest.raises(RunExists):
        fit(learner(slow, Seed.of(2), cbs=RecordRun(study, setup="b", seed=2)), slow)


def test_predictions_come_in_order_and_for_both_views(data, learner):
    page = learner(SETUP, Seed.of(0))
    with page.no_bar():
        predictions, targets = page.get_preds()
    assert predictions.shape == (2 * len(data.valid), 10)
    np.testing.assert_array_equal(targets.numpy(), np.tile(data.targets[data.valid], 2))


IMAGES = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
CLASSES = (IMAGES[:, 0] + np.random.default_rng(1).normal(size=120) > 0).astype(int)
"""Half of it is noise: a network that is trained for long gets worse on what it has not seen."""


@pytest.fixture
def own(tmp_path):
    """A Learner with loaders of its own, which overfits."""

    def make(*cbs, targets=CLASSES, metrics=fastai.accuracy, loss=None, outputs=2):
        torch.manual_seed(0)
        pairs = list(zip(IMAGES, targets, strict=True))
        loaders = fastai.DataLoaders.from_dsets(
            pairs[:40], pairs[40:], bs=8, num_workers=0, device="cpu"
        )
        made = fastai.Learner(
            loaders,
            torch.nn.Sequential(
                torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, outputs)
            ),
            loss or torch.nn.CrossEntropyLoss(),
            metrics=metrics,
            cbs=list(cbs),
            path=tmp_path,
        )
        made.create_mbar, made.logger = False, lambda _: None
        return made

    return make


def said_of_validation(learner):
    """What the model that the Learner holds now says, and the share of it that is right."""
    with torch.no_grad():
        logits = learner.model(torch.from_numpy(IMAGES[40:])).numpy()
    return logits, (logits.argmax(1) == CLASSES[40:]).mean()


def close(logits, wanted):
    """A study keeps logits as float16, each row's largest as 0."""
    np.testing.assert_allclose(logits, shifted(wanted), rtol=2e-3, atol=2e-3)


def the_run(path):
    with Store.open(path, readonly=True) as store:
        (run,) = store.runs()
        return run, store.logits([run.id])[0, 0] if run.has_logits else None


def recorded(tmp_path):
    return RecordRun(tmp_path / "s.db", setup="own", seed=0)


def test_a_learners_own_loaders_are_recorded_with_the_one_view_that_they_show(own, tmp_path):
    learner = own(recorded(tmp_path))
    with learner.no_bar():
        learner.fit(2, 0.01)
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said_of_validation(learner)[0])
    assert run.views == ("original",)
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert store.dataset().targets.tolist() == CLASSES[40:].tolist()
    assert {"train_loss", "valid_loss"} <= run.metrics.keys()
    assert 0 < run.seconds < 300


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")  # fastai loads its copy
@pytest.mark.parametrize("monitor", ["accuracy", "valid_loss"])
def test_the_model_that_is_kept_is_the_run(own, tmp_path, monitor, caplog):
    save = SaveModelCallback(monitor=monitor)
    learner = own(save, recorded(tmp_path))
    with learner.no_bar():
        learner.fit(30, 0.05)
    kept, right = said_of_validation(learner)  # fastai has loaded the best again
    assert learner.recorder.values[-1][2] != pytest.approx(right), "the last is another"
    run, logits = the_run(tmp_path / "s.db")
    close(logits, kept)
    assert run.made_by["model"] == f"kept by SaveModelCallback for its {monitor}"
    assert run.metrics[monitor] == pytest.approx(save.best)
    assert f"for its {monitor}" in caplog.text


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")  # fastai loads its copy
def test_early_stopping_by_another_figure_does_not_hide_the_best_model(own, tmp_path):
    """It ends the fit inside of the epoch whose model was saved."""
    cbs = [
        SaveModelCallback(monitor="accuracy"),
        EarlyStoppingCallback(monitor="train_loss", comp=np.greater, min_delta=9),
    ]
    learner = own(*cbs, recorded(tmp_path))
    with learner.no_bar():
        learner.fit(30, 0.05)
    assert len(learner.recorder.values) < 30
    _, logits = the_run(tmp_path / "s.db")
    close(logits, said_of_validation(learner)[0])


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")  # fastai loads its copy
def test_a_model_saved_every_epoch_or_at_the_end_is_the_last(own, tmp_path):
    learner = own(SaveModelCallback(monitor="accuracy", at_end=True), recorded(tmp_path))
    with learner.no_bar():
        learner.fit(4, 0.05)
    run, logits = the_run(tmp_path / "s.db")
    close(logits, said_of_validation(learner)[0])
    assert "model" not in run.made_by


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")  # fastai loads its copy
def test_only_the_fit_is_the_run(own, tmp_path):
    """Validations, predictions and searches around it are none, nor is a later fit."""
    learner = own(recorded(tmp_path))
    with learner.no_bar():
        learner.validate()
        learner.get_preds()
        learner.lr_find(num_it=5, show_plot=False)
        assert not (tmp_path / "s.db").exists()
        learner.fit(2, 0.01)
        fitted = said_of_validation(learner)[0]
        learner.validate(ds_idx=0)
        learner.get_preds(ds_idx=0)
        learner.lr_find(num_it=5, show_plot=False)
        learner.fit(1, 0.5)
    _, logits = the_run(tmp_path / "s.db")
    close(logits, fitted)


def test_a_fit_after_the_recorded_one_is_set_aside_and_said(own, tmp_path, caplog):
    learner = own(recorded(tmp_path))
    with learner.no_bar():
        learner.fit(1, 0.01)
        learner.fit(1, 0.5)
    assert "not recorded: " in caplog.text
    command = next(m for m in caplog.messages if "seedwise record" in m).partition("seedwise ")[2]
    with np.load(tmp_path / "s.db.own-0.npz") as aside:
        np.testing.assert_allclose(aside["predictions"], said_of_validation(learner)[0], atol=1e-6)
    words = shlex.split(command.replace("--setup own", "--setup second"))
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [run.setup for run in store.runs()] == ["own", "second"]


def test_both_fits_of_fine_tune_are_one_run(own, tmp_path):
    learner = own(recorded(tmp_path))
    with learner.no_bar():
        learner.fine_tune(2, 0.01)
    _, logits = the_run(tmp_path / "s.db")
    close(logits, said_of_validation(learner)[0])


class Predicts(fastai.Callback):
    """Looks at the training examples after each epoch, as many callbacks do."""

    order = 55

    def after_epoch(self):
        if not hasattr(self.learn, "gather_preds"):
            self.learn.get_preds(ds_idx=0, inner=True)


def test_predictions_inside_a_fit_do_not_stand_for_its_validation(own, tmp_path):
    learner = own(Predicts(), recorded(tmp_path))
    with learner.no_bar():
        learner.fit(2, 0.01)
    _, logits = the_run(tmp_path / "s.db")
    close(logits, said_of_validation(learner)[0])


def test_what_is_no_classification_is_recorded_with_its_metrics(own, tmp_path):
    levels = IMAGES[:, :1] * 3
    learner = own(
        recorded(tmp_path), targets=levels, metrics=fastai.mse, loss=torch.nn.MSELoss(), outputs=1
    )
    with learner.no_bar():
        learner.fit(2, 0.01)
    run, logits = the_run(tmp_path / "s.db")
    assert logits is None
    assert run.state == "finished"
    assert run.metrics["mse"] == pytest.approx(learner.recorder.values[-1][2])


def test_a_run_that_is_stored_already_is_refused_before_the_training(own, tmp_path):
    record(tmp_path / "s.db", setup="own", seed=0, metrics={"f1": 0.5})
    learner = own(recorded(tmp_path))
    with pytest.raises(RunExists, match="'own' with seed 0"), learner.no_bar():
        learner.fit(1)
    assert not learner.recorder.values


def test_a_study_that_cannot_be_written_costs_no_training(own, tmp_path, caplog, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seedwise.adapters.evaluations.record", full)
    learner = own(recorded(tmp_path))
    with learner.no_bar():
        learner.fit(1, 0.01)
    assert "No space left on device" in caplog.text
    with np.load(tmp_path / "s.db.own-0.npz") as aside:
        np.testing.assert_allclose(aside["predictions"], said_of_validation(learner)[0], atol=1e-6)


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")  # fastai loads its copy
def test_a_search_for_a_learning_rate_is_no_run(learner, tmp_path):
    page = learner(SETUP, Seed.of(0), cbs=RecordRun(tmp_path / "s.db", setup="a", seed=0))
    with page.no_bar():
        page.lr_find(num_it=5, show_plot=False)
    assert not (tmp_path / "s.db").exists()
    assert page.dls.train.batches.epoch == 0


def test_a_fit_without_validation_has_nothing_to_record(learner, tmp_path, caplog):
    page = learner(SETUP, Seed.of(0), cbs=RecordRun(tmp_path / "s.db", setup="a", seed=0))
    page.dls.loaders[1] = []
    with page.no_bar():
        page.fit(1)
    assert "nothing was validated" in caplog.text
    assert not (tmp_path / "s.db").exists()


def test_diverged_training_is_recorded_as_such(learner, tmp_path):
    page = learner(SETUP, Seed.of(0), cbs=RecordRun(tmp_path / "s.db", setup="a", seed=0))
    with page.no_bar():
        page.fit(1, 1e6)
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [run.state for run in store.runs()] == ["diverged"]


def test_dalis_batches_come_through_the_same_loaders(data):
    library("nvidia.dali", install="pip install --no-deps nvidia-dali-cuda130")
    dali = data_loaders(SETUP.but(loader="dali"), 3, data, device="cpu")
    cache = data_loaders(SETUP, 3, data, device="cpu")
    for ours, theirs in ((dali.train, cache.train), (dali.valid, cache.valid)):
        for (images, targets), (others, other_targets) in zip(ours, theirs, strict=True):
            assert torch.equal(targets, other_targets)
            assert 0 < (images - others).abs().max() < 0.51 / 255 / 0.224


@pytest.mark.gpu
def test_the_notebooks_cell_in_half_precision_comes_close(data, learner, tmp_path, cuda):
    study = tmp_path / "s.db"
    record = RecordRun(study, setup="fastai", seed=3)
    fit(learner(SETUP, Seed.of(3), device=cuda, cbs=record).to_fp16(), SETUP)
    ours = train(SETUP, Seed.of(3), data)
    with Store.open(study, readonly=True) as store:
        (run,) = store.runs()
        logits = store.logits([run.id])[0]
    assert np.abs(logits - shifted(ours.logits)).mean() < 0.1


def test_without_fastai_the_adapter_says_what_to_install():
    code = (
        "import sys; sys.modules['fastai'] = None\n"
        "try: import seedwise.adapters.fastai\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "pip install 'seedwise[fastai]'" in done.stdout
