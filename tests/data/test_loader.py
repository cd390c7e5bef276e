import threading

import numpy as np
import pytest

from helpers.pictures import LAYOUT, folders
from seedwise.data import Split, draw, open_data, train_batches, valid_batches
from seedwise.data.ahead import map_ahead
from seedwise.seeds import Seed
from seedwise.setups import Setup

SETUP = Setup(epochs=2, batch_size=2, size=16)


@pytest.fixture
def data(tmp_path):
    pets = folders(tmp_path / "pets", LAYOUT)
    return open_data(str(pets), Split.of("shipped"), cache=tmp_path / "cache")


def test_threads_change_nothing_but_the_time(data):
    draws = draw(SETUP, Seed.of(0), data)
    runs = [list(train_batches(data, draws, 1, size=16, threads=threads)) for threads in (0, 1, 3)]
    assert len(runs[0]) == 3
    for other in runs[1:]:
        for (images, targets), (same, same_targets) in zip(runs[0], other, strict=True):
            np.testing.assert_array_equal(images, same)
            np.testing.assert_array_equal(targets, same_targets)


def test_targets_are_those_of_the_images(data):
    draws = draw(SETUP, Seed.of(0), data)
    for step, (images, targets) in enumerate(train_batches(data, draws, 0, size=16, threads=0)):
        assert images.shape == (2, 16, 16, 3)
        assert images.dtype == np.float32
        assert (targets == data.targets[draws.examples[0, step]]).all()


def test_every_validation_image_comes_once_in_order(data):
    whole = np.concatenate(list(valid_batches(data, size=16, batch_size=2, threads=0)))
    single = np.concatenate(list(valid_batches(data, size=16, batch_size=1, threads=2)))
    assert len(whole) == len(data.valid)
    np.testing.assert_array_equal(whole, single)


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_ahead_keeps_the_order_and_hands_on_exceptions(threads):
    def work(item):
        if item == 7:
            raise ValueError("seven")
        return item * 2

    results = map_ahead(work, range(20), threads=threads)
    assert [next(results) for _ in range(7)] == [0, 2, 4, 6, 8, 10, 12]
    with pytest.raises(ValueError, match="seven"):
        next(results)


def test_ahead_reads_no_further_than_there_is_room():
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    results = map_ahead(lambda item: item, items(), threads=2)
    next(results)
    assert max(read) <= 5
    results.close()


def test_a_consumer_that_stops_leaves_no_thread():
    before = threading.active_count()
    results = map_ahead(lambda item: item, range(100), threads=3)
    next(results)
    results.close()
    assert threading.active_count() == before
