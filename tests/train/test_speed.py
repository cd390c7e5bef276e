import sys

import numpy as np
import pytest

from helpers.pictures import folders
from seedwise.data import Split, open_data
from seedwise.errors import ConfigError
from seedwise.setups import Setup
from seedwise.train.against import fastai_speed
from seedwise.train.speed import decoding_speed, measure, sample

SETUP = Setup(
    model="xresnet10-narrow",
    batch_size=8,
    size=32,
    precision="bf16",
    deterministic=True,
    loader="cache",
)


def test_without_a_cache_noise_is_trained_on(tmp_path):
    data, what = sample(SETUP, "cpu", tmp_path)
    assert what == "noise of 224 x 224 px"
    assert len(data.train) == 3 * SETUP.batch_size
    assert {data.pixels.image(i).shape for i in (*data.train, *data.valid)} == {(224, 224, 3)}


def test_the_newest_cache_is_taken_where_there_is_one(tmp_path):
    layout = {f"train/{name}/{i}": 10 * i for name in "ab" for i in range(6)}
    split = Split.of({"per_class": 2, "seed": 0})
    made = open_data(str(folders(tmp_path / "pets", layout)), split, cache=tmp_path)
    data, what = sample(SETUP, "cpu", tmp_path)
    assert what.startswith("the images that were decoded last, shorter side about ")
    assert data.fingerprint == made.fingerprint
    assert np.array_equal(data.pixels.flat, made.pixels.flat)


def test_every_stage_has_a_speed(tmp_path):
    data, _ = sample(SETUP, "cpu", tmp_path)
    speed = measure(SETUP, data, device="cpu", threads=1)
    assert speed.kernels == "numba"
    assert min(speed.augmenting, speed.training, speed.validating) > 0
    assert speed.augmenting > speed.training  # a step makes its batch, and then trains on it
    assert decoding_speed(data, threads=1) > 0


def test_a_library_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastai", None)
    data, _ = sample(SETUP, "cpu", tmp_path)
    with pytest.raises(ConfigError, match=r"--against fastai: .*pip install fastai"):
        fastai_speed(SETUP, data, device="cpu", threads=1)
