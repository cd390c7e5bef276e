"""Speed of training on a machine: each stage timed by itself, by the engine of real runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import simplejpeg
import torch

from seedwise.crops import CENTRE
from seedwise.data import Data, Split, draw, train_batches
from seedwise.data.ahead import map_ahead
from seedwise.data.cache import newest_cache
from seedwise.data.dataset import cache_folder
from seedwise.data.decode import decode
from seedwise.data.pixels import Pixels
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train.trainer import engine_for

__all__ = ["Speed", "decoding_speed", "measure", "sample"]

_STEPS = {"cpu": 3, "cuda": 60}
_VALID = {"cpu": 128, "cuda": 2500}
_SIDE, _CLASSES = 224, 10
_JPEGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Images a second of one run.

    Attributes:
        kernels: As in a run's record.
        start_seconds: What the first epoch took longer than the second: compiling, capturing,
            filling caches.
        augmenting: Batches made, by one thread of the host.
        training: Training steps, their batches included.
        validating: Views validated.
    """

    kernels: str
    start_seconds: float
    augmenting: float
    training: float
    validating: float


def sample(setup: Setup, device: str, cache: Path | None) -> tuple[Data, str]:
    """A few images to time a machine with, and what they are.

    They come from the cache of pixels that was made last, or are noise where there is none: speed
    hardly depends on what an image shows, only on its size.

    Args:
        setup: Says how large a batch is.
        device: `cpu` or `cuda`; a GPU gets more of them.
        cache: As in `open_data`.
    """
    train, valid = _STEPS[device] * setup.batch_size, _VALID[device]
    cached = newest_cache(cache_folder(cache) / "pixels")
    if cached is None:
        rng = np.random.default_rng(0)
        flat = rng.integers(0, 256, (train + valid) * _SIDE * _SIDE * 3, dtype=np.uint8)
        sides = np.full(train + valid, _SIDE, dtype=np.int32)
        offsets = np.arange(train + valid) * _SIDE * _SIDE * 3
        pixels = Pixels(flat=flat, offsets=offsets, heights=sides, widths=sides)
        targets, what = np.arange(train + valid) % _CLASSES, f"noise of {_SIDE} x {_SIDE} px"
        names, classes = tuple(map(str, targets)), tuple(map(str, range(_CLASSES)))
        fingerprint = "noise"
    else:
        pixels, targets = cached.pixels, cached.listing.targets
        side = int(np.median(np.minimum(pixels.heights, pixels.widths)))
        what = f"the images that were decoded last, shorter side about {side} px"
        names, classes = cached.listing.names, cached.listing.classes
        fingerprint = cached.fingerprint
    spread = np.linspace(0, len(names) - 1, train + valid).astype(np.int64)
    data = Data(
        name=what,
        fingerprint=fingerprint,
        split=Split.of("shipped"),
        classes=classes,
        names=names,
        targets=targets,
        pixels=pixels,
        train=spread[:train],
        valid=spread[train:],
    )
    return data, what


def decoding_speed(data: Data, threads: int) -> float:
    """Images a second from JPEG to pixels, which a dataset needs once."""
    images = [np.ascontiguousarray(data.pixels.image(i)) for i in data.train[:_JPEGS]]
    files = [simplejpeg.encode_jpeg(image, quality=90) for image in images]
    return _rate(len(files), lambda: list(map_ahead(decode, files, threads=threads)))


def measure(setup: Setup, data: Data, *, device: str, threads: int) -> Speed:
    """Train two short epochs and validate; the second time counts.

    Args:
        setup: Without `auto` in it.
        data: A sample, of whole batches.
        device: `cpu` or `cuda`.
        threads: As of a run.
    """
    setup, seed = replace(setup, epochs=2), Seed.of(0)
    draws = draw(setup, seed, data)
    images = len(data.train) // setup.batch_size * setup.batch_size

    def augment() -> None:
        for _ in train_batches(data, draws, 0, size=setup.size, threads=0):
            pass

    augment()  # compile
    augmenting = _rate(images, augment)
    began = time.perf_counter()
    with engine_for(setup, seed, data, torch.device(device), threads) as engine:
        engine.train_epoch(0, _look)
        engine.validate(CENTRE)
        first = time.perf_counter() - began
        training = _rate(images, lambda: engine.train_epoch(1, _look))
        validating = _rate(len(VIEWS) * len(data.valid), lambda: engine.validate(CENTRE))
        kernels = engine.kernels
    again = images / training + len(VIEWS) * len(data.valid) / validating
    return Speed(
        kernels=kernels,
        start_seconds=max(0.0, first - again),
        augmenting=augmenting,
        training=training,
        validating=validating,
    )


def _look(step: int, losses: list[float]) -> None:
    """Nobody looks at these losses."""


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
