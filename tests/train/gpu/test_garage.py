"""Captured models at rest and in use, without a GPU: what is captured here is a stand-in."""

from threading import Thread

import pytest

garage = pytest.importorskip(
    "seedwise.train.gpu.garage", reason="needs triton", exc_type=ImportError
)


class _Model:
    pass


def test_runs_give_way_while_a_model_is_captured_and_no_longer():
    models, passed = garage._Garage(), []
    run = Thread(target=lambda: (models.give_way(), passed.append("a stretch of steps")))

    def capture():
        run.start()
        run.join(timeout=0.2)
        passed.append("the capture")
        return _Model()

    models.take("setup", capture)
    run.join(timeout=120)
    assert passed == ["the capture", "a stretch of steps"]


def test_a_capture_that_fails_lets_the_runs_go_on():
    models = garage._Garage()

    def capture():
        raise ValueError("no such kernel")

    with pytest.raises(ValueError, match="no such kernel"):
        models.take("setup", capture)
    run = Thread(target=models.give_way)
    run.start()
    run.join(timeout=120)
    assert not run.is_alive()


def test_a_model_that_rests_is_taken_before_another_is_captured():
    models, made = garage._Garage(), []

    def capture():
        made.append(_Model())
        return made[-1]

    first = models.take("setup", capture)
    second = models.take("setup", capture)
    models.give_back("setup", first)
    assert models.take("setup", capture) is first
    assert models.take("another", capture) not in (first, second)
    assert len(made) == 3
