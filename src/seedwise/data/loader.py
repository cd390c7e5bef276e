"""Batches for the trainer, made ahead of their use by threads."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.data import loader as cache
from seedwise.data.ahead import map_ahead
from seedwise.data.augment import centre_windows, crop_windows
from seedwise.data.dataset import Data
from seedwise.data.draws import Draws
from seedwise.errors import MissingPackage, UnknownName
from seedwise.shaped import Float32, Int64

__all__ = ["LOADERS", "Loader", "choose_loader", "train_batches", "valid_batches"]

BatchImages = Float32[ndarray, "batch size size 3"]
BatchTargets = Int64[ndarray, " batch"]


def train_batches(
    data: Data, draws: Draws, epoch: int, *, size: int, threads: int
) -> Iterator[tuple[BatchImages, BatchTargets]]:
    """The augmented batches of an epoch, in order, with their targets.

    Args:
        data: Cached pixels.
        draws: The run's draws.
        epoch: Which epoch, from 0.
        size: Side of the images, in pixels.
        threads: Threads that work ahead; 0 makes each batch when it is asked for.
    """
    from seedwise.data.resampling import resample  # loads numba, which a GPU's runs do without

    def batch(step: int) -> tuple[BatchImages, BatchTargets]:
        examples = draws.examples[epoch, step]
        windows = crop_windows(draws.boxes[epoch, step], size)
        mirrored = draws.mirrored[epoch, step]
        images = resample(data.pixels, examples, windows, mirrored, size=size)
        return images, data.targets[examples]

    return map_ahead(batch, range(draws.examples.shape[1]), threads=threads)


def valid_batches(
    data: Data,
    *,
    size: int,
    batch_size: int,
    threads: int,
    crop: str = "centre",
    mirrored: bool = False,
) -> Iterator[BatchImages]:
    """The validation images, in order: one crop of each, as it is or mirrored.

    The mirrored view is the same pixels in the other order: the built-in training asks for the
    images as they are, and its evaluator turns them where the model is.

    Args:
        data: Cached pixels.
        size: Side of the images, in pixels.
        batch_size: BatchImages a batch; the last one may hold fewer.
        threads: Threads that work ahead; 0 makes each batch when it is asked for.
        crop: Name of the crop.
        mirrored: Whether to turn the images left to right.
    """
    from seedwise.data.resampling import resample

    def batch(start: int) -> BatchImages:
        examples = data.valid[start : start + batch_size]
        heights, widths = data.pixels.heights[examples], data.pixels.widths[examples]
        windows = centre_windows(heights, widths, size=size, crop=crop)
        turned = np.full(len(examples), mirrored)
        return resample(data.pixels, examples, windows, turned, size=size)

    return map_ahead(batch, range(0, len(data.valid), batch_size), threads=threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Source of a run's batches.

    Both functions give images as float32 (batch, size, size, 3), normalised, on whatever device
    the loader works on; `torch.from_dlpack` reads them without a copy.

    Attributes:
        train: As `loader.train_batches`: the batches of an epoch, with their targets.
        valid: As `loader.valid_batches`: the validation images.
    """

    train: Callable[..., Iterator[tuple[Any, Int64[ndarray, " batch"]]]]
    valid: Callable[..., Iterator[Any]]


def _cache(device: str) -> Loader:
    return Loader(train=cache.train_batches, valid=cache.valid_batches)


def _dali(device: str) -> Loader:
    try:
        from seedwise.data import dali
    except ModuleNotFoundError as error:
        package = str(error.name)
        raise MissingPackage(package, "loader = 'dali'", extra="dali") from None
    return Loader(
        train=partial(dali.train_batches, device=device),
        valid=partial(dali.valid_batches, device=device),
    )


LOADERS: Mapping[str, Callable[[str], Loader]] = MappingProxyType({"cache": _cache, "dali": _dali})
"""By name, what makes a loader for a model on a device (`cpu` or `cuda`)."""


def choose_loader(name: str, *, device: str) -> Loader:
    """The loader of that name, for a model on that device (`cpu` or `cuda`).

    Raises:
        MissingPackage: It needs a package that is not installed.
        UnknownName: There is no such loader.
    """
    if name not in LOADERS:
        raise UnknownName("loader", name, LOADERS)
    return LOADERS[name](device)
