"""Crop, resize, mirror and normalise, compiled for a CPU.

The filter is a separable triangle whose support grows with the scale (antialiasing). Weights are
normalised first; then taps outside the crop are clamped to its edge, adding their weight to the
edge pixel. This is what DALI's `resize` does; renormalising at the edges, as torch does, differs
by up to 4 of 255 there. DALI rounds to uint8 before it normalises; here nothing is rounded.
"""

import math

import numba
import numpy as np
from numpy import ndarray

from seedwise.data.augment import MEAN, STD, Windows
from seedwise.data.pixels import Pixels
from seedwise.shaped import Bool, Float32, Int32, Int64

__all__ = ["resample"]


def resample(
    pixels: Pixels,
    examples: Int32[ndarray, " batch"] | Int64[ndarray, " batch"],
    windows: Windows,
    mirrored: Bool[ndarray, " batch"],
    *,
    size: int,
) -> Float32[ndarray, "batch size size 3"]:
    """Show a window of each image as size x size pixels, mirrored or not, and normalise.

    Runs in the caller's thread and lets go of the interpreter's lock: use several threads for
    several batches. Equal to `tests/helpers/resample_reference.py` within 1e-3 on the 0-255 scale.

    Args:
        pixels: The cached images.
        examples: Position of each image.
        windows: What part of it to show.
        mirrored: Whether to turn it left to right.
        size: Side of the output, in pixels.

    Returns:
        (pixel - MEAN) / STD for each channel.
    """
    pixels.check(examples)
    out = np.empty((len(examples), size, size, 3), dtype=np.float32)
    _resample(
        pixels.flat,
        pixels.offsets[examples],
        pixels.widths[examples],
        windows.starts,
        windows.steps,
        windows.lows,
        windows.highs,
        mirrored,
        out,
    )
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _taps(
    start: float, step: float, low: int, high: int, size: int
) -> tuple[Int32[ndarray, "size taps"], Float32[ndarray, "size taps"]]:
    """Source pixels and weights of each output pixel along one axis."""
    support = max(1.0, step)
    count = math.floor(2 * support) + 1
    places = np.empty((size, count), dtype=np.int32)
    weights = np.empty((size, count), dtype=np.float32)
    for i in range(size):
        centre = start + (i + 0.5) * step - 0.5
        first = math.ceil(centre - support)
        total = 0.0
        for t in range(count):
            total += max(0.0, 1.0 - abs(first + t - centre) / support)
        for t in range(count):
            place = first + t
            weights[i, t] = max(0.0, 1.0 - abs(place - centre) / support) / total
            places[i, t] = min(max(place, low), high)
    return places, weights


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _resample(flat, offsets, image_widths, starts, steps, lows, highs, mirrored, out):
    """Rows first, into one line of float32 as wide as the window; then columns."""
    size = out.shape[1]
    scale = np.empty(3, dtype=np.float32)
    shift = np.empty(3, dtype=np.float32)
    for c in range(3):
        scale[c] = 1 / STD[c]
        shift[c] = -MEAN[c] / STD[c]
    for b in range(out.shape[0]):
        rows, row_weights = _taps(starts[b, 0], steps[b, 0], lows[b, 0], highs[b, 0], size)
        columns, column_weights = _taps(starts[b, 1], steps[b, 1], lows[b, 1], highs[b, 1], size)
        left = columns.min()
        line = np.empty((columns.max() - left + 1) * 3, dtype=np.float32)
        stride = image_widths[b] * 3
        base = offsets[b] + left * 3
        for i in range(size):
            line[:] = 0
            for t in range(rows.shape[1]):
                weight = row_weights[i, t]
                begin = base + rows[i, t] * stride
                source = flat[begin : begin + line.size]
                for k in range(line.size):
                    line[k] += weight * source[k]
            for j in range(size):
                red = np.float32(0)
                green = np.float32(0)
                blue = np.float32(0)
                for t in range(columns.shape[1]):
                    weight = column_weights[j, t]
                    k = (columns[j, t] - left) * 3
                    red += weight * line[k]
                    green += weight * line[k + 1]
                    blue += weight * line[k + 2]
                place = size - 1 - j if mirrored[b] else j
                out[b, i, place, 0] = red * scale[0] + shift[0]
                out[b, i, place, 1] = green * scale[1] + shift[1]
                out[b, i, place, 2] = blue * scale[2] + shift[2]
