"""fastai 1.0.61 itself, in an environment of its own: `make test-fastai1`."""

import importlib.util
from functools import partial

import numpy as np
import pytest
import torch

from helpers.libraries import library
from helpers.reference import golden
from seedwise.data import Split, draw, open_data, train_batches, valid_batches
from seedwise.errors import ConfigError, RunExists
from seedwise.models import build, initialise
from seedwise.optim import Ranger, flat_cos
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.stats import accuracy as our_accuracy
from seedwise.stats import smoothed_accuracy as our_smoothed_accuracy
from seedwise.store import Store
from seedwise.train import train
from seedwise.train.machine import prepared

if importlib.util.find_spec("fastai") and importlib.util.find_spec("fastai.learner"):
    pytest.skip("fastai 2 is here; `make test-fastai1` tests fastai 1", allow_module_level=True)
basic_train = library("fastai.basic_train", install="make test-fastai1")
library("fastai.callbacks.general_sched", install="make test-fastai1")
from fastai.basic_data import DataBunch  # noqa: E402
from fastai.callback import Callback  # noqa: E402
from fastai.callbacks.tracker import SaveModelCallback  # noqa: E402
from fastai.layers import LabelSmoothingCrossEntropy  # noqa: E402
from fastai.metrics import accuracy  # noqa: E402
from fastai.train import lr_find  # noqa: E402

from seedwise.adapters.fastai1 import (  # noqa: E402
    RecordRun,
    data_bunch,
    fit_flat_cos,
    smoothed_accuracy,
)

pytestmark = [
    pytest.mark.adapters,
    # what fastai 1 does with torch and numpy of today is its own affair
    pytest.mark.filterwarnings("ignore:'pin_memory' argument:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning"),
]

SETUP = Setup(
    model="xresnet10-narrow",
    size=16,
    epochs=2,
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
    """A Learner as the notebook's v1 cells make it, with one seed for weights and batches."""

    def make(setup, seed, **arguments):
        model = build(
            setup.model,
            classes=len(data.classes),
            self_attention=setup.self_attention,
            activation=setup.activation,
        )
        initialise(model, seed.init)
        return basic_train.Learner(
            data_bunch(setup, seed, data, device="cpu", path=tmp_path),
            model,
            opt_func=partial(Ranger, betas=setup.betas, eps=setup.eps),
            wd=setup.weight_decay,
            bn_wd=False,
            true_wd=True,
            loss_func=LabelSmoothingCrossEntropy(eps=setup.label_smoothing),
            metrics=[accuracy, smoothed_accuracy],
            silent=True,
            **arguments,
        )

    return make


def recording(path, seed):
    return partial(RecordRun, path=path, setup="fastai1", seed=seed)


def shifted(logits):
    """Each row's largest as 0."""
    logits = logits.astype(float)
    return logits - logits.max(axis=-1, keepdims=True)


def test_training_batches_are_the_built_in_ones(data):
    bunch = data_bunch(SETUP, 3, data, device="cpu")
    draws = draw(SETUP, Seed.of(3), data)
    for epoch in range(SETUP.epochs):
        assert bunch.train_ds.batches.epoch == epoch
        ours = train_batches(data, draws, epoch, size=16, threads=0)
        for (images, targets), (wanted, wanted_targets) in zip(bunch.train_dl, ours, strict=True):
            np.testing.assert_array_equal(images.numpy(), wanted.transpose(0, 3, 1, 2))
            np.testing.assert_array_equal(targets.numpy(), wanted_targets)
    with pytest.raises(ConfigError, match="all 2 epochs"):
        next(iter(bunch.train_dl))


def test_validation_shows_every_image_and_then_every_image_mirrored(data):
    bunch = data_bunch(SETUP, 3, data, device="cpu")
    images, targets = map(torch.cat, zip(*bunch.valid_dl, strict=True))
    ours = np.concatenate(list(valid_batches(data, size=16, batch_size=99, threads=0)))
    original, mirrored = images.numpy().reshape(2, -1, 3, 16, 16)
    np.testing.assert_array_equal(original, ours.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(mirrored, original[..., ::-1], atol=1e-5)
    np.testing.assert_array_equal(targets.numpy(), np.tile(data.targets[data.valid], 2))
    assert (len(bunch.valid_dl), bunch.c, bunch.classes) == (4, 10, data.classes)


class Rates(Callback):
    """The learning rate that each step is taken with."""

    def __init__(self, learner):
        self.learner, self.seen = learner, []

    def on_batch_begin(self, train, **_):
        if train:
            self.seen.append(self.learner.opt.opt.param_groups[0]["lr"])


def test_the_schedule_of_a_real_fit_is_the_notebooks(learner):
    page = learner(SETUP, Seed.of(0))
    rates = Rates(page)
    page.callbacks.append(rates)
    fit_flat_cos(page, SETUP.epochs, SETUP.lr, flat=SETUP.flat)
    steps = SETUP.epochs * (1497 // SETUP.batch_size)
    wanted = [flat_cos(step, steps, SETUP.lr, form="v1") for step in range(steps)]
    np.testing.assert_allclose(rates.seen, wanted, rtol=0, atol=1e-15)


def test_the_notebooks_cells_give_what_the_built_in_training_gives(data, learner, tmp_path):
    """Learner, fit_flat_cos and our Ranger, against the recipe page-v1.

    The same weights, batches, schedule and decay in another order of operations: what is left of
    a difference is float32's rounding, a hundredth of what another seed makes.
    """
    study = tmp_path / "s.db"
    page = learner(SETUP, Seed.of(3), callback_fns=recording(study, 3))
    fit_flat_cos(page, SETUP.epochs, SETUP.lr, flat=SETUP.flat)
    ours = train(SETUP, Seed.of(3), data)
    with Store.open(study, readonly=True) as store:
        (run,) = store.runs()
        (logits,), targets = store.logits([run.id]), store.dataset().targets
        assert store.views(run.id) == VIEWS
    assert (run.setup, run.seed, run.state) == ("fastai1", Seed.of(3), "finished")
    np.testing.assert_array_equal(targets, data.targets[data.valid])
    wanted = shifted(ours.logits)  # as a study keeps what is recorded
    apart = np.abs(logits - wanted).mean()
    other = np.abs(shifted(train(SETUP, Seed.of(4), data).logits) - wanted).mean()
    assert apart < other / 100
    right, soft = (float(value) for value in page.recorder.metrics[-1])
    assert right == pytest.approx(our_accuracy(logits, targets), abs=2e-3)
    assert soft == pytest.approx(our_smoothed_accuracy(logits, targets), abs=1e-3)


@pytest.mark.parametrize("beta", [1, 3, 10])
def test_the_metric_is_the_notebooks(beta):
    figures = golden("loss_metric.npz")
    logits, targets = (torch.from_numpy(figures[name]) for name in ("logits", "targets"))
    got = smoothed_accuracy(logits, targets, beta).item()
    assert got == pytest.approx(figures[f"smoothed_acc__beta{beta}__64"], abs=1e-12)


def test_a_search_for_a_learning_rate_is_no_run(learner, tmp_path):
    page = learner(SETUP, Seed.of(0), callback_fns=recording(tmp_path / "s.db", 0))
    lr_find(page, num_it=5)
    assert not (tmp_path / "s.db").exists()


def test_a_fit_that_fails_is_no_run(learner, tmp_path):
    page = learner(SETUP.but(epochs=1), Seed.of(0), callback_fns=recording(tmp_path / "s.db", 0))
    with pytest.raises(ConfigError, match="all 1 epochs"):
        page.fit(2, 1e-3)
    assert not (tmp_path / "s.db").exists()


IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32))
CLASSES = (IMAGES[:, 0] + torch.from_numpy(np.random.default_rng(1).normal(size=120)) > 0).long()
"""Half of it is noise: a network that is trained for long gets worse on what it has not seen."""


@pytest.fixture
def own(tmp_path):
    """A Learner with batches of its own, which overfits, and records what it is given."""

    def make(**arguments):
        torch.manual_seed(0)
        sets = (torch.utils.data.TensorDataset(IMAGES[w], CLASSES[w]) for w in PARTS)
        loaders = (torch.utils.data.DataLoader(each, batch_size=8) for each in sets)
        model = torch.nn.Sequential(
            torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)
        )
        return basic_train.Learner(
            DataBunch(*loaders, device=torch.device("cpu"), path=tmp_path, no_check=True),
            model,
            loss_func=torch.nn.CrossEntropyLoss(),
            metrics=[accuracy],
            silent=True,
            path=tmp_path,
            **{"callback_fns": recording(tmp_path / "s.db", 0)} | arguments,
        )

    return make


PARTS = slice(0, 40), slice(40, 120)


def said(learner):
    with torch.no_grad():
        return shifted(learner.model.eval()(IMAGES[40:]).numpy())


def the_run(path):
    with Store.open(path, readonly=True) as store:
        (run,) = store.runs()
        return run, store.logits([run.id])[0, 0]


@pytest.mark.parametrize("monitor", ["accuracy", "valid_loss"])
@pytest.mark.parametrize("saver_first", [True, False])
def test_the_model_that_is_kept_is_the_run(own, tmp_path, monitor, saver_first):
    both = [partial(SaveModelCallback, monitor=monitor), recording(tmp_path / "s.db", 0)]
    page = own(callback_fns=both if saver_first else both[::-1])
    page.fit(20, 0.05)
    best = page.save_model_callback.best
    run, logits = the_run(tmp_path / "s.db")
    page.load("bestmodel")
    np.testing.assert_allclose(logits, said(page), rtol=2e-3, atol=2e-3)
    assert run.metrics[monitor] == pytest.approx(float(best))
    last = page.recorder.val_losses[-1]
    assert run.metrics["valid_loss"] != pytest.approx(float(last)), "the last is another"
    assert run.made_by["model"] == f"kept by SaveModelCallback for its {monitor}"


@pytest.mark.parametrize("standing", [True, False])
def test_only_the_fit_is_the_run(own, tmp_path, standing, caplog):
    """Validations and predictions around it are none; a later fit is set aside."""
    page = own(callback_fns=[])
    record = recording(tmp_path / "s.db", 0)
    if standing:
        page.callbacks.append(record(page))
    else:
        page.callback_fns = [record]
    page.validate()
    page.get_preds()
    page.fit(2, 0.01)
    fitted = said(page)
    page.validate(page.data.train_dl)
    page.get_preds()
    page.fit(1, 0.5)
    run, logits = the_run(tmp_path / "s.db")
    np.testing.assert_allclose(logits, fitted, rtol=2e-3, atol=2e-3)
    assert 0 < run.seconds < 300


def test_a_run_that_is_stored_already_is_refused_before_the_training(own, tmp_path):
    own().fit(1, 0.01)
    again = own()
    with pytest.raises(RunExists, match="'fastai1' with seed 0"):
        again.fit(1, 0.01)
    assert not again.recorder.val_losses
