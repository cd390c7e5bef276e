"""Captured models at rest and in use: made once, borrowed by run after run, several at a time."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition, Event

import torch

from seedwise.data import Data
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train.gpu.engine import GraphedModel, start_of

__all__ = ["borrowed"]


@contextmanager
def borrowed(
    setup: Setup, seed: Seed, data: Data, device: torch.device
) -> Generator[GraphedModel]:
    """A captured model at the start of a run, which no other run is using.

    Captured now if there is none of this setup, while a thread draws the run's start. Where memory
    is short for another one, those that rest are dropped; if that is not enough, this run waits
    until another one ends.

    Raises:
        torch.OutOfMemoryError: Not even one fits.
    """
    key = (setup, data.fingerprint, data.split, data.crops, device)
    start = _drawers.submit(start_of, setup, seed, data)
    model = _garage.take(key, lambda: GraphedModel(setup, data, device, give_way=_garage.give_way))
    whole = False
    try:
        model.reset(start.result())
        yield model
        whole = True
    finally:
        _garage.give_back(key, model if whole else None)


class _Garage:
    """All captured models of this process.

    They are made in one thread, one after another: cuDNN keeps what it has chosen by thread. Runs
    that train give way meanwhile: a capture allocates memory, and each allocation waits for the
    driver while others have replays queued. It took 0.3 s beside no run, 4 to 7 s beside three or
    four, and 350 s in a study of several setups (H100, records of 2026-11-24).
    """

    def __init__(self) -> None:
        self._resting: dict[object, list[GraphedModel]] = {}
        self._in_use = 0
        self._change = Condition()
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="capture")
        self._quiet = Event()  # set while no model is captured
        self._quiet.set()

    def give_way(self) -> None:
        """Wait while a model is captured."""
        self._quiet.wait()

    def take(self, key: object, make: Callable[[], GraphedModel]) -> GraphedModel:
        while True:
            with self._change:
                if self._resting.get(key):
                    self._in_use += 1
                    return self._resting[key].pop()
            try:
                model = self._maker.submit(self._undisturbed, make).result()
            except torch.OutOfMemoryError:
                if not self._made_room():
                    raise
                continue
            with self._change:
                self._in_use += 1
            return model

    def _undisturbed(self, make: Callable[[], GraphedModel]) -> GraphedModel:
        self._quiet.clear()
        try:
            return make()
        finally:
            self._quiet.set()

    def give_back(self, key: object, model: GraphedModel | None) -> None:
        """Put a model to rest; None for one whose run has failed, which is not used again."""
        with self._change:
            self._in_use -= 1
            if model is not None:
                self._resting.setdefault(key, []).append(model)
            self._change.notify_all()

    def _made_room(self) -> bool:
        """Drop what rests, or wait for a run to end; False if neither can be done."""
        with self._change:
            if not any(self._resting.values()):
                if self._in_use == 0:
                    return False
                self._change.wait()
            self._resting.clear()
        torch.cuda.empty_cache()
        return True


_drawers = ThreadPoolExecutor(2, thread_name_prefix="draw")
"""With one for each run they kept the interpreter's lock from the first capture, which every run
waits for: it took 1.8 s beside six of them, 1.3 s alone. Two draw six runs in a second."""

_garage = _Garage()
