"""All that is random in a run's batches, drawn on the host before training.

The order is keyed by (seed, epoch); crop and mirroring by (seed, epoch, image), not by where in
the stream the image comes. So two setups of one seed share every crop, even with other batch
sizes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.data.dataset import Data
from seedwise.errors import DataError
from seedwise.seeds import Seed, stream, uniforms
from seedwise.setups import Setup
from seedwise.shaped import Bool, Float64, Int32, Int64, UInt64

__all__ = ["Draws", "draw", "random_boxes"]

_ATTEMPTS = 10
"""Area and aspect of each come first; then the corner's row and column, then the mirror."""

_OFTEN_ENOUGH = 2
"""Attempts that are drawn for every crop; the other eight where none of these fits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Image, crop and mirroring of every example in every step of a run.

    Attributes:
        examples: Position of each image in the dataset's listing.
        boxes: Top, left, height and width of each crop, in pixels of the cached image.
        mirrored: Whether each crop is mirrored left to right.
    """

    examples: Int32[ndarray, "epochs steps batch"]
    boxes: Int32[ndarray, "epochs steps batch 4"]
    mirrored: Bool[ndarray, "epochs steps batch"]


def draw(setup: Setup, seed: Seed, data: Data) -> Draws:
    """Draw a run's batches.

    The last incomplete batch of an epoch is dropped.

    Args:
        setup: Epochs, batch size, and how crops and mirroring are drawn.
        seed: `order` draws which images, `augment` the crops.
        data: Which images train, and their sizes.

    Raises:
        DataError: There are fewer training images than a batch holds.
    """
    steps = len(data.train) // setup.batch_size
    if steps == 0:
        raise DataError(
            f"{len(data.train)} training images are fewer than batch_size = {setup.batch_size}; "
            "lower batch_size"
        )
    shape = (setup.epochs, steps, setup.batch_size)
    used = steps * setup.batch_size
    examples = np.stack(
        [
            data.train[stream(seed.order, "order", epoch).permutation(len(data.train))[:used]]
            for epoch in range(setup.epochs)
        ]
    )
    epochs = np.repeat(np.arange(setup.epochs, dtype=np.uint64), used)
    images = examples.ravel()
    corners = uniforms(
        seed.augment, "augment", epochs, images.astype(np.uint64), draws=3, start=2 * _ATTEMPTS
    )
    return Draws(
        examples=examples.astype(np.int32).reshape(shape),
        boxes=_boxes(setup, seed.augment, data, epochs, images, corners[:, :2]).reshape(*shape, 4),
        mirrored=(corners[:, 2] < setup.mirror).reshape(shape),
    )


def _boxes(
    setup: Setup,
    seed: int,
    data: Data,
    epochs: UInt64[ndarray, " crops"],
    images: Int64[ndarray, " crops"],
    corners: Float64[ndarray, "crops 2"],
) -> Int32[ndarray, "crops 4"]:
    """The crop of each image in its epoch.

    All ten attempts are drawn only for the crops that need more than two, 4 % on squares: 54,400
    crops take 0.02 s instead of 0.08, in which no other thread of a GPU's runs goes on.
    """

    def crops(
        rows: Int64[ndarray, " rows"], attempts: int
    ) -> tuple[Int32[ndarray, "rows 4"], Bool[ndarray, " rows"]]:
        numbers = uniforms(
            seed, "augment", epochs[rows], images[rows].astype(np.uint64), draws=2 * attempts
        )
        return random_boxes(
            numbers.reshape(-1, attempts, 2),
            corners[rows],
            data.pixels.heights[images[rows]].astype(np.int64),
            data.pixels.widths[images[rows]].astype(np.int64),
            area=setup.area,
            aspect=setup.aspect,
        )

    boxes, fitted = crops(np.arange(len(images)), _OFTEN_ENOUGH)
    rest = np.flatnonzero(~fitted)
    boxes[rest], _ = crops(rest, _ATTEMPTS)
    return boxes


def random_boxes(
    attempts: Float64[ndarray, "crops attempts 2"],
    corners: Float64[ndarray, "crops 2"],
    heights: Int64[ndarray, " crops"],
    widths: Int64[ndarray, " crops"],
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> tuple[Int32[ndarray, "crops 4"], Bool[ndarray, " crops"]]:
    """Random resized crops as DALI 2.4 draws them.

    Attempts at an area, uniform, and an aspect, log-uniform (DALI makes ten): the first that lies
    within the image and, after its sides are rounded, within the aspects is taken. Else the
    largest box of an allowed aspect is. The corner is any whole pixel that keeps the box inside.

    Args:
        attempts: Uniforms in [0, 1): area and aspect of each attempt.
        corners: Uniforms in [0, 1): row and column.
        heights: Height of each image in pixels.
        widths: Width of each image in pixels.
        area: Least and greatest area, as shares of the image.
        aspect: Least and greatest width / height.

    Returns:
        Top, left, height and width of each crop, and whether one of its attempts was taken.
    """
    high, wide = heights[:, None].astype(np.float64), widths[:, None].astype(np.float64)
    target = (area[0] + (area[1] - area[0]) * attempts[..., 0]) * high * wide
    lowest, highest = math.log(aspect[0]), math.log(aspect[1])
    ratio = _exp(lowest + (highest - lowest) * attempts[..., 1])
    box_wide = np.maximum(1.0, np.rint(np.sqrt(target * ratio)))
    box_high = np.maximum(1.0, np.rint(np.sqrt(target / ratio)))
    rounded = box_wide / box_high
    fits = (
        (box_wide <= wide) & (box_high <= high) & (rounded >= aspect[0]) & (rounded <= aspect[1])
    )
    first = fits.argmax(axis=1)
    rows = np.arange(len(fits))
    found = fits[rows, first]
    last_high, last_wide = _largest(heights, widths, area[1], aspect)
    box_height = np.where(found, box_high[rows, first], last_high).astype(np.int64)
    box_width = np.where(found, box_wide[rows, first], last_wide).astype(np.int64)
    top = (corners[:, 0] * (heights - box_height + 1)).astype(np.int64)
    left = (corners[:, 1] * (widths - box_width + 1)).astype(np.int64)
    return np.stack([top, left, box_height, box_width], axis=1).astype(np.int32), found


def _largest(
    heights: Int64[ndarray, " crops"],
    widths: Int64[ndarray, " crops"],
    most_area: float,
    aspect: tuple[float, float],
) -> tuple[Float64[ndarray, " crops"], Float64[ndarray, " crops"]]:
    """Sides of the largest box of an allowed aspect, shrunk to the greatest area."""
    wide = np.minimum(widths, np.maximum(1.0, np.floor(heights * aspect[1])))
    high = np.minimum(heights, np.maximum(1.0, np.floor(widths / aspect[0])))
    shrink = np.sqrt(np.minimum(1.0, most_area * heights * widths / (wide * high)))
    return np.maximum(1.0, np.floor(high * shrink)), np.maximum(1.0, np.floor(wide * shrink))


def _exp(x: Float64[ndarray, "..."]) -> Float64[ndarray, "..."]:
    """Exp by additions and multiplications alone.

    These, and square roots, are rounded alike on every machine; numpy's exp is not, and a side
    that is rounded the other way would be another crop. Taylor's series of x / 16 to the 13th
    power, squared four times: within 1e-15 of exp for |x| up to 4.
    """
    small = x / 16
    series = np.ones_like(small)
    for power in range(13, 0, -1):
        series = 1 + series * small / power
    for _ in range(4):
        series = series * series
    return series
