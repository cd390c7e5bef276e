"""Which images make the noise."""

import math
from itertools import combinations

import numpy as np
import pytest

from helpers.real_runs import right_images
from seedwise.errors import DataError
from seedwise.stats.images import flip_rates, image_noise


def test_flip_rates_are_those_of_all_pairs_of_runs():
    rng = np.random.default_rng(0)
    predicted = rng.integers(0, 3, (6, 2, 5))
    pairs = [(a != b).mean(axis=0) for a, b in combinations(predicted, 2)]
    assert flip_rates(predicted) == pytest.approx(np.mean(pairs, axis=0))


def test_the_noisiest_are_those_nearest_to_a_coin_toss():
    scores = np.array([[1.0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 1], [1, 0, 0, 0]])
    found = image_noise(scores, np.zeros(4))
    assert found.noisiest(2).tolist() == [2, 3]
    assert (found.always_right, found.always_wrong, found.half) == (1, 1, 1)
    assert found.share.sum() == pytest.approx(1)
    assert found.right.tolist() == [1, 0, 0.5, 0.25]


def test_real_images_fall_into_the_sure_and_the_few_that_make_the_noise():
    found = image_noise(right_images("A"), np.zeros(2500))
    assert 700 < found.always_right < 900
    assert found.half < 2500 / 5
    assert (np.abs(found.right[found.noisiest(20)] - 0.5) < 0.25).all()


def test_one_run_knows_no_noise():
    found = image_noise(np.array([[1.0, 0.0]]), flip_rates(np.ones((1, 1, 2), int)))
    assert np.isnan(found.share).all()
    assert np.isnan(found.flips).all()
    assert found.half == 0


def test_runs_that_agree_make_no_noise():
    found = image_noise(np.ones((3, 4)), np.zeros(4))
    assert (found.always_right, found.half) == (4, 0)
    assert math.isnan(found.share[0])


@pytest.mark.parametrize("scores", [np.ones((0, 3)), np.array([[0.5, 1.2]]), np.array([[np.nan]])])
def test_scores_that_are_no_shares_are_refused(scores):
    with pytest.raises(DataError, match="from 0 to 1"):
        image_noise(scores, np.zeros(scores.shape[1]))
