"""Batches made by the kernel against the CPU's."""

import numpy as np
import torch

from seedwise.data import Pixels, centre_windows, crop_windows
from seedwise.data.augment import STD
from seedwise.data.resampling import resample as on_cpu
from seedwise.train.gpu.batches import resample

SIZES = np.array([(40, 50), (17, 16), (64, 90)], dtype=np.int32)


def pixels(rng):
    counts = SIZES.prod(axis=1).astype(np.int64) * 3
    return Pixels(
        flat=rng.integers(0, 256, counts.sum(), dtype=np.uint8),
        offsets=np.cumsum([0, *counts[:-1]]),
        heights=SIZES[:, 0].copy(),
        widths=SIZES[:, 1].copy(),
    )


def check(place, examples, windows, mirrored, size):
    """The second of two steps: the clock says which rows of the tables are read."""
    source = pixels(np.random.default_rng(0))
    tables = (
        examples.astype(np.int32),
        windows.starts,
        windows.steps,
        windows.lows,
        windows.highs,
        mirrored.astype(np.uint8),
    )
    held = (source.flat, source.offsets, source.widths)
    batch = len(examples) // 2
    out = torch.full((batch, size, size, 3), np.nan, device=place)
    resample(
        tuple(torch.from_numpy(array).to(place) for array in held),
        tuple(torch.from_numpy(np.ascontiguousarray(array)).to(place) for array in tables),
        torch.ones(1, dtype=torch.int64, device=place),
        out,
    )
    wanted = on_cpu(source, examples, windows, mirrored, size=size)[batch:]
    apart = np.abs(out.cpu().numpy() - wanted) * np.array(STD)
    assert apart.max() < 0.005


def test_random_crops_mirrored_and_not(place):
    boxes = [(0, 0, 40, 50), (3, 2, 9, 11), (1, 0, 16, 16), (5, 7, 31, 44), (0, 3, 12, 13)]
    boxes += [(10, 20, 54, 70)]
    examples = np.array([0, 1, 1, 2, 0, 2])
    mirrored = np.array([True, False, True, False, True, True])
    check(place, examples, crop_windows(np.array(boxes, dtype=np.int32), 12), mirrored, 12)


def test_centres_of_odd_sizes(place):
    examples = np.array([1, 0, 2, 0, 1, 2])
    windows = centre_windows(SIZES[examples, 0], SIZES[examples, 1], size=10)
    check(place, examples, windows, np.zeros(6, dtype=bool), 10)
