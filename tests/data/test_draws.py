import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seedwise.data import draw
from seedwise.data.draws import _exp, random_boxes
from seedwise.errors import DataError
from seedwise.seeds import Seed, stream
from seedwise.setups import Setup

SETUP = Setup(epochs=2, batch_size=8, size=32)


def data_of(count=50, *, train=None, height=40, width=60):
    sizes = SimpleNamespace(
        heights=np.full(count, height, np.int32), widths=np.full(count, width, np.int32)
    )
    return SimpleNamespace(pixels=sizes, train=np.arange(count) if train is None else train)


def by_epoch_and_image(draws):
    return {
        (epoch, int(image)): (tuple(box), bool(mirrored))
        for epoch in range(len(draws.examples))
        for image, box, mirrored in zip(
            draws.examples[epoch].ravel(),
            draws.boxes[epoch].reshape(-1, 4).tolist(),
            draws.mirrored[epoch].ravel(),
            strict=True,
        )
    }


def test_each_epoch_shows_each_image_once_and_drops_the_last_batch():
    draws = draw(SETUP, Seed.of(0), data_of(50))
    assert draws.examples.shape == (2, 6, 8)
    for epoch in draws.examples:
        assert len(set(epoch.ravel())) == 48
    assert not np.array_equal(draws.examples[0], draws.examples[1])


def test_an_images_crop_belongs_to_it_and_not_to_its_place_in_the_stream():
    data = data_of()
    plain = by_epoch_and_image(draw(SETUP, Seed.of(1), data))
    others = [
        draw(SETUP.but(batch_size=5), Seed.of(1), data),
        draw(SETUP.but(lr=1.0, model="xresnet50"), Seed.of(1), data),
        draw(SETUP, Seed.of((7, 7, 1)), data),
        draw(SETUP, Seed.of(1), data_of(train=np.arange(0, 50, 2))),
    ]
    for other in others:
        found = by_epoch_and_image(other)
        shared = plain.keys() & found.keys()
        assert len(shared) > 30
        assert all(plain[key] == found[key] for key in shared)


def test_one_stream_varies_while_the_others_stay():
    data = data_of()
    base, order, augment = (
        draw(SETUP, Seed.of(s), data) for s in [(0, 0, 0), (0, 1, 0), (0, 0, 1)]
    )
    assert np.array_equal(base.examples, augment.examples)
    assert not np.array_equal(base.examples, order.examples)
    assert not np.array_equal(base.boxes, augment.boxes)


def test_draws_are_those_of_one_generator_an_image_and_epoch():
    """The definition: 20 numbers for ten attempts, two for the corner, one for the mirror."""
    setup, sides = SETUP.but(area=(0.7, 1.0)), (np.array([40]), np.array([60]))
    draws = draw(setup, Seed.of(3), data_of())
    needed = Counter()
    for (epoch, image), (box, mirrored) in by_epoch_and_image(draws).items():
        numbers = stream(3, "augment", epoch, image).random(23)
        attempts, corner = numbers[None, :20].reshape(1, 10, 2), numbers[None, 20:22]
        shape = {"area": setup.area, "aspect": setup.aspect}
        want, _ = random_boxes(attempts, corner, *sides, **shape)
        assert box == tuple(want[0].tolist())
        assert mirrored == (numbers[22] < 0.5)
        fitted = [
            random_boxes(attempts[:, :count], corner, *sides, **shape)[1].item()
            for count in (2, 10)
        ]
        needed["two" if fitted[0] else "ten" if fitted[1] else "none"] += 1
    assert min(needed["two"], needed["ten"], needed["none"]) > 0


def boxes(count, height, width, *, area=(0.35, 1.0), aspect=(3 / 4, 4 / 3), seed=0):
    rng = np.random.default_rng(seed)
    sides = np.full(count, height), np.full(count, width)
    attempts, corners = rng.random((count, 10, 2)), rng.random((count, 2))
    found, _ = random_boxes(attempts, corners, *sides, area=area, aspect=aspect)
    return found


def test_crops_have_the_distribution_that_dali_was_measured_to_have():
    """Mean area 0.617 at 224 x 224: of the large areas, more attempts don't fit."""
    found = boxes(20_000, 224, 224).astype(float)
    share = found[:, 2] * found[:, 3] / 224**2
    error = share.std() / math.sqrt(len(share))
    assert abs(share.mean() - 0.617) < 5 * error + 0.0005


def test_where_everything_fits_area_and_aspect_are_uniform():
    found = boxes(20_000, 2_000, 2_000, area=(0.1, 0.4)).astype(float)
    share = found[:, 2] * found[:, 3] / 2_000**2
    assert stats.kstest(share, stats.uniform(0.1, 0.3).cdf).pvalue > 1e-4
    logs = np.log(found[:, 3] / found[:, 2])
    span = math.log(16 / 9)
    assert stats.kstest(logs, stats.uniform(-span / 2, span).cdf).pvalue > 1e-4
    room = 2_000 - found[:, 2]
    assert stats.kstest((found[:, 0] + 0.5) / (room + 1), "uniform").pvalue > 1e-4


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_every_crop_lies_within_its_image(height, width, seed):
    top, left, high, wide = boxes(20, height, width, seed=seed).T
    assert (high >= 1).all()
    assert (wide >= 1).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + high <= height).all()
    assert (left + wide <= width).all()


def test_an_image_too_long_for_any_attempt_gets_the_largest_box():
    found = boxes(100, 10, 500)
    assert (found[:, 2] == 10).all()
    assert (found[:, 3] == 13).all()  # 10 * 4 / 3, cut off
    assert found[:, 1].std() > 0


@given(st.floats(-4, 4))
def test_the_repeatable_exponential_is_the_exponential(x):
    assert _exp(np.array([x]))[0] == pytest.approx(math.exp(x), rel=1e-14)


def test_too_few_images_for_a_batch_are_told():
    with pytest.raises(DataError, match="5 training images are fewer than batch_size = 8"):
        draw(SETUP, Seed.of(0), data_of(5))
