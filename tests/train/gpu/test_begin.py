"""What a run on a GPU begins with: its weights, its choices, and pixels on their way."""

from contextlib import nullcontext
from unittest import mock

import numpy as np
import pytest
import torch

from seedwise.data import Data, Pixels, Split
from seedwise.errors import DataError
from seedwise.models import build, initialise
from seedwise.seeds import Seed
from seedwise.setups import Setup

engine = pytest.importorskip(
    "seedwise.train.gpu.engine", reason="needs triton", exc_type=ImportError
)
images = pytest.importorskip("seedwise.train.gpu.images", exc_type=ImportError)

SETUP = Setup(model="xresnet10-narrow", epochs=1, batch_size=2, size=16)
SIDE, IMAGES = 8, 6


def pixels(**more):
    rng = np.random.default_rng(0)
    count = SIDE * SIDE * 3
    return Pixels(
        flat=rng.integers(0, 256, IMAGES * count, dtype=np.uint8),
        offsets=np.arange(IMAGES) * count,
        heights=np.full(IMAGES, SIDE, dtype=np.int32),
        widths=np.full(IMAGES, SIDE, dtype=np.int32),
        **more,
    )


def data():
    return Data(
        name="made up",
        fingerprint="made up",
        split=Split.of("shipped"),
        classes=("a", "b"),
        names=tuple("012345"),
        targets=np.arange(IMAGES) % 2,
        pixels=pixels(),
        train=np.arange(4),
        valid=np.arange(4, 6),
    )


@pytest.fixture
def no_gpu():
    """The device is the CPU, and what is sent to it comes at once."""
    nothing = {
        "Stream": mock.MagicMock(),
        "stream": lambda stream: nullcontext(),
        "current_stream": mock.MagicMock(),
    }
    with mock.patch.multiple(torch.cuda, **nothing):
        yield


def test_a_run_starts_from_the_weights_of_its_seed():
    model = build(SETUP.model, classes=2, self_attention=True, activation="mish")
    for seed in (3, 4, 3):  # the built model that starts are drawn for is used again
        initialise(model, seed)
        start = engine.start_of(SETUP, Seed.of(seed), data())
        assert start.weights.keys() == model.state_dict().keys()
        for name, value in model.state_dict().items():
            assert torch.equal(start.weights[name], value), name
        assert start.draws.examples.shape == (1, 2, 2)


def test_pixels_arrive_in_pieces(no_gpu, monkeypatch):
    monkeypatch.setattr(images, "_PIECE", 100)
    source = pixels()
    sent = images._DevicePixels(source, torch.device("cpu"))
    sent.wait()
    np.testing.assert_array_equal(sent.all[0].numpy(), source.flat)


def test_damaged_pixels_are_told_to_each_run_that_waits_for_them(no_gpu):
    source = pixels(checksums=np.zeros(IMAGES, dtype=np.int64))
    sent = images._DevicePixels(source, torch.device("cpu"))
    for _ in range(2):
        with pytest.raises(DataError, match="6 of 6 images"):
            sent.wait()
