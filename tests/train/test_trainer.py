from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.pictures import folders
from seedwise.crops import as_crops, view_names
from seedwise.data import Split, open_data
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.stats import accuracy, smoothed_accuracy
from seedwise.train import train
from seedwise.train.plain import PlainEngine
from seedwise.train.steps import LossScale
from seedwise.train.trainer import SmoothedLoss

SETUP = Setup(
    model="xresnet10-narrow",
    epochs=2,
    batch_size=8,
    size=32,
    precision="float32",
    deterministic=True,
    loader="cache",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    layout = {f"train/{c}/{i}": 10 * i + n for n, c in enumerate("ab") for i in range(16)}
    layout |= {f"val/{c}/v{i}": 500 + 10 * i + n for n, c in enumerate("ab") for i in range(5)}
    return open_data(
        str(folders(root / "pets", layout)), Split.of("shipped"), cache=root / "cache"
    )


class Told:
    def __init__(self):
        self.steps, self.epochs = [], []

    def step(self, **event):
        self.steps.append(event)

    def epoch(self, record):
        self.epochs.append(record)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_run_repeats_bit_for_bit_on_a_cpu(data, precision):
    first, again = (train(SETUP.but(precision=precision), Seed.of(3), data) for _ in range(2))
    np.testing.assert_array_equal(first.logits, again.logits)
    losses, others = (
        [each.figures["train_loss"] for each in run.epochs] for run in (first, again)
    )
    assert losses == others


def test_each_stream_of_the_seed_changes_the_run(data):
    base = train(SETUP, Seed.of(0), data)
    for numbers in [(1, 0, 0), (0, 1, 0), (0, 0, 1)]:
        assert not np.array_equal(train(SETUP, Seed.of(numbers), data).logits, base.logits)


def test_the_record_holds_what_the_live_table_showed(data):
    told = Told()
    record = train(SETUP, Seed.of(0), data, progress=told)
    assert record.state == "finished"
    assert (record.views, record.logits.dtype) == (VIEWS, np.float16)
    assert record.logits.shape == (2, 10, 2)
    assert record.epochs == tuple(told.epochs)
    targets = data.targets[data.valid]
    last = record.epochs[-1]
    assert last.figures["accuracy"] == accuracy(record.logits, targets)
    assert last.figures["smoothed_accuracy"] == smoothed_accuracy(record.logits, targets)
    assert [(s["epoch"], s["step"], s["steps"]) for s in told.steps] == [
        (epoch, step, 4) for epoch in range(2) for step in range(4)
    ]
    assert record.epochs[-1].figures["train_loss"] == told.steps[-1]["loss"]
    assert record.made_by["device"] == "cpu"
    assert record.made_by["threads"] == 1
    assert record.made_by["kernels"] == "numba"


def test_the_mirrored_view_is_of_the_mirrored_image(data):
    """A model that has learned nothing yet of left and right still sees two different images."""
    logits = train(SETUP.but(epochs=1), Seed.of(0), data).logits
    assert not np.array_equal(logits[0], logits[1])
    assert np.abs(logits[0].astype(float) - logits[1]).mean() < 1


def test_more_views_are_made_once_and_leave_the_first_two_as_they_are(data, monkeypatch):
    made, logits_of = [], PlainEngine._logits_of
    monkeypatch.setattr(
        PlainEngine, "_logits_of", lambda self, crop: made.append(crop) or logits_of(self, crop)
    )
    two = train(SETUP, Seed.of(0), data)
    made.clear()
    ten = train(SETUP, Seed.of(0), replace(data, crops=as_crops(10)))
    assert made == ["centre", *as_crops(10)]
    assert ten.views == view_names(as_crops(10))
    np.testing.assert_array_equal(ten.logits[:2], two.logits)
    assert len({view.tobytes() for view in ten.logits}) == 10
    for mine, other in zip(ten.epochs, two.epochs, strict=True):
        assert {**mine.figures, "seconds": 0} == {**other.figures, "seconds": 0}


def test_learning_happens(data):
    """Two classes of 16 pictures are learned by heart."""
    record = train(SETUP.but(epochs=25, flat=0.5), Seed.of(0), data)
    losses = [epoch.figures["train_loss"] for epoch in record.epochs]
    assert losses[-1] < 0.75 * losses[0]


def test_a_loss_that_is_no_number_ends_the_run_as_diverged(data):
    record = train(SETUP.but(lr=1e30, optimizer="sgd"), Seed.of(0), data)
    assert (record.state, record.logits, record.views) == ("diverged", None, ())
    assert "the loss was" in record.error
    assert "of epoch 0" in record.error


def test_threads_and_cudnn_are_as_they_were_after_a_run(data):
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    train(SETUP.but(epochs=1), Seed.of(0), data, threads=before[0] + 1)
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == before


@pytest.mark.parametrize(
    "setup", [SETUP.but(optimizer="sgd", lr=0.05), SETUP.but(optimizer="adam")]
)
def test_other_optimizers_train(data, setup):
    record = train(setup, Seed.of(0), data)
    assert record.state == "finished"


def test_the_loss_is_smoothed_as_fastai_does():
    """fastai 1's SmoothenValue, written out."""
    losses, average = [2.0, 1.0, 4.0, 0.5], 0.0
    for n, loss in enumerate(losses, start=1):
        average = 0.98 * average + 0.02 * loss
        want = average / (1 - 0.98**n)
    assert SmoothedLoss().add(losses) == pytest.approx(want, rel=1e-12)


def test_the_loss_scale_halves_on_overflow_and_leaves_the_step_out():
    weight = torch.nn.Parameter(torch.ones(2))
    scale = LossScale()
    assert scale.backward((weight * 3).sum(), [weight])
    torch.testing.assert_close(weight.grad, torch.full((2,), 3.0))
    weight.grad = None
    assert not scale.backward((weight * float("inf")).sum(), [weight])
    assert scale.value == 2.0**15
    for _ in range(1_000):
        weight.grad = None
        assert scale.backward(weight.sum(), [weight])
    assert scale.value == 2.0**16


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_a_gpu_repeats_itself_and_agrees_with_the_cpu(data, precision, cuda):
    setup = SETUP.but(precision=precision)
    first, again = (train(setup, Seed.of(0), data, device=cuda) for _ in range(2))
    np.testing.assert_array_equal(first.logits, again.logits)
    on_cpu = train(SETUP, Seed.of(0), data)
    assert np.abs(first.logits.astype(float) - on_cpu.logits).max() < 0.2
