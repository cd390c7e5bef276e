"""What `resample` computes, written out: a dense matrix for each axis, in float64."""

import numpy as np

from seedwise.data.augment import MEAN, STD


def axis_matrix(start, step, low, high, size, length):
    """Weight of each source pixel in each output pixel."""
    support = max(1.0, step)
    matrix = np.zeros((size, length))
    for i in range(size):
        centre = start + (i + 0.5) * step - 0.5
        places = np.arange(np.ceil(centre - support), np.floor(centre + support) + 1).astype(int)
        weights = np.maximum(0, 1 - np.abs(places - centre) / support)
        for place, weight in zip(places, weights / weights.sum(), strict=True):
            matrix[i, min(max(place, low), high)] += weight
    return matrix


def resample_reference(pixels, examples, windows, mirrored, *, size):
    out = []
    for b, example in enumerate(examples):
        image = pixels.image(example).astype(np.float64)
        rows, columns = (
            axis_matrix(
                windows.starts[b, axis],
                windows.steps[b, axis],
                windows.lows[b, axis],
                windows.highs[b, axis],
                size,
                image.shape[axis],
            )
            for axis in (0, 1)
        )
        shown = np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True)
        shown = (shown - MEAN) / STD
        out.append(shown[:, ::-1] if mirrored[b] else shown)
    return np.array(out)
