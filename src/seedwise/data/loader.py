"""Batches for the trainer, made ahead of their use by threads."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray

from seedwise.data.ahead import map_ahead
from seedwise.data.augment import centre_windows, crop_windows
from seedwise.data.dataset import Data
from seedwise.data.draws import Draws

__all__ = ["train_batches", "valid_batches"]

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
    data: Data, *, size: int, batch_size: int, threads: int, mirrored: bool = False
) -> Iterator[BatchImages]:
    """The validation images, in order: the centre, as it is or mirrored.

    The mirrored view is the same pixels in the other order: the built-in training asks for the
    images as they are, and its evaluator turns them where the model is.

    Args:
        data: Cached pixels.
        size: Side of the images, in pixels.
        batch_size: BatchImages a batch; the last one may hold fewer.
        threads: Threads that work ahead; 0 makes each batch when it is asked for.
        mirrored: Whether to turn the images left to right.
    """
    from seedwise.data.resampling import resample

    def batch(start: int) -> BatchImages:
        examples = data.valid[start : start + batch_size]
        heights, widths = data.pixels.heights[examples], data.pixels.widths[examples]
        windows = centre_windows(heights, widths, size=size)
        turned = np.full(len(examples), mirrored)
        return resample(data.pixels, examples, windows, turned, size=size)

    return map_ahead(batch, range(0, len(data.valid), batch_size), threads=threads)
