"""Crops, scales and normalisation of images: DALI's definitions.

`resampling` shows it on a CPU, the GPU engine on the device.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.crops import PLACES
from seedwise.shaped import Float64, Int32

__all__ = [
    "MEAN",
    "STD",
    "Windows",
    "centre_windows",
    "crop_offsets",
    "crop_windows",
    "shorter_side",
]

MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
"""Mean of ImageNet's red, green and blue, on the scale of the pixels."""

STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
"""Standard deviation of the same."""

_VALID_SCALE = 1.25
"""Validation resizes the shorter side to this many times the crop: 160 for a crop of 128."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Part of each image that is shown, for each axis (rows, then columns).

    Attributes:
        starts: Where output pixel 0 begins, in source pixels from the image's edge.
        steps: Source pixels that an output pixel spans.
        lows: The first source pixel that may be read.
        highs: The last one.
    """

    starts: Float64[ndarray, "batch 2"]
    steps: Float64[ndarray, "batch 2"]
    lows: Int32[ndarray, "batch 2"]
    highs: Int32[ndarray, "batch 2"]


def crop_windows(boxes: Int32[ndarray, "batch 4"], size: int) -> Windows:
    """Each box stretched to size x size.

    Args:
        boxes: Top, left, height and width of each crop, in source pixels.
        size: Side of what is shown, in pixels.
    """
    corners, sides = boxes[:, :2], boxes[:, 2:]
    return Windows(
        starts=corners.astype(np.float64),
        steps=sides / size,
        lows=np.ascontiguousarray(corners),
        highs=corners + sides - 1,
    )


def shorter_side(size: int) -> int:
    """Shorter side of the whole validation image of which size x size are shown, in pixels."""
    return math.floor(_VALID_SCALE * size + 0.5)


def crop_offsets(
    resized: Float64[ndarray, "batch 2"], *, size: int, crop: str
) -> Float64[ndarray, "batch 2"]:
    """First row and column of a crop, in pixels of the resized images.

    The centre's round half up. A crop at an edge of the central square is moved by whole pixels
    from there: by as many as lie between the centre and the edge of an image that is square, which
    are 16 either way where 128 pixels of 160 are shown.

    Args:
        resized: Height and width of each resized image.
        size: Side of what is shown, in pixels.
        crop: Name of the crop.
    """
    room = shorter_side(size) - size
    before = math.floor(room / 2 + 0.5)
    moved = {-1: -before, 0: 0, 1: room - before}
    return np.floor((resized - size) / 2 + 0.5) + [moved[edge] for edge in PLACES[crop]]


def centre_windows(
    heights: Int32[ndarray, " batch"],
    widths: Int32[ndarray, " batch"],
    *,
    size: int,
    crop: str = "centre",
) -> Windows:
    """The shorter side resized to 1.25 * size, and of that a crop, size x size.

    As DALI does it: both axes have the scale of the shorter side, the longer side is rounded to
    whole pixels and centred, and the crop's offset rounds half up. The other crops touch the edges
    of the central square, whose side is the shorter side: what lies beyond it is never shown.

    Args:
        heights: Height of each image, in source pixels.
        widths: Width of each image, in source pixels.
        size: Side of what is shown, in pixels.
        crop: Name of the crop, one of `crops.CROPS`.
    """
    sides = np.stack([heights, widths], axis=1).astype(np.float64)
    step = sides.min(axis=1, keepdims=True) / shorter_side(size)
    resized = np.floor(sides / step + 0.5)
    offset = crop_offsets(resized, size=size, crop=crop)
    return Windows(
        starts=(sides - resized * step) / 2 + offset * step,
        steps=np.repeat(step, 2, axis=1),
        lows=np.zeros(sides.shape, dtype=np.int32),
        highs=(sides - 1).astype(np.int32),
    )
