"""fastai 1.0.61 itself, in an environment of its own: `make test-fastai1`."""

import importlib.util
from functools import partial

import numpy as np
import pytest
import torch

from helpers.libraries import library
from helpers.reference import golden
from seedwise.data import Split, draw, open_data, train_batches, valid_batches
from seedwise.errors import ConfigError
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
from fastai.callback import Callback  # noqa: E402
from fastai.layers import LabelSmoothingCrossEntropy  # noqa: E402
from fastai.metrics import accuracy  # noqa: E402
from fastai.train import lr_find  # noqa: E402

from seedwise.adapters.fastai1 import (  # noqa: E402
    RecordRun,
    data_bunch,
    fit_flat_cos,
    smoothed_accuracy,
)

pytestmark = pytest.mark.adapters

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
    apart = np.abs(logits.astype(float) - ours.logits).mean()
    other = np.abs(train(SETUP, Seed.of(4), data).logits.astype(float) - ours.logits).mean()
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
