"""Tensors as rows of numbers, and kernels over ranges of them in several threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

__all__ = ["KERNEL_DTYPES", "SMALL", "in_rows", "numbers", "over_rows", "pool"]

KERNEL_DTYPES = (torch.float32, torch.bfloat16)
"""Types that compiled kernels read and write."""

_WIDTH = 512
"""Numbers in a row, at least if the rows divide: 8 channels alone would be one short loop each."""
SMALL = 1 << 15
"""Fewer numbers than this are not worth a second thread."""


def in_rows(x: Tensor, like: Tensor | None = None) -> Tensor:
    """`x` in channels_last, of the dtype of `like`; itself if it is so already."""
    x = x.detach() if like is None else x.detach().to(like.dtype)
    return x.contiguous(memory_format=torch.channels_last)


def over_rows(
    kernel: Callable[..., None],
    arrays: Sequence[Tensor | None],
    channels: Sequence[Tensor],
    *more: Any,
) -> Tensor:
    """Call kernel(*arrays, *channels, *more, totals) for ranges of rows, in torch's threads.

    Args:
        kernel: A compiled kernel that lets go of the interpreter's lock.
        arrays: Of one shape, in channels_last; the kernel sees rows of several pixels.
        channels: A number for each channel; the kernel sees one for each place in a row.
        more: Handed on as they are.

    Returns:
        The totals of each channel, (2, channels) in float64: those of all ranges, added in order.
    """
    first = arrays[0]
    assert first is not None
    depth, pixels = first.shape[1], first.numel() // first.shape[1]
    fold = 1
    while pixels % (2 * fold) == 0 and 2 * fold * depth <= _WIDTH:
        fold *= 2
    rows = pixels // fold
    seen = [None if array is None else numbers(array).reshape(rows, -1) for array in arrays]
    wide = [np.tile(numbers(channel), fold) for channel in channels]
    count = 1 if first.numel() < SMALL else torch.get_num_threads()
    totals = np.zeros((count, 2, fold * depth))

    def part(number: int, low: int, high: int) -> None:
        ranges = [None if array is None else array[low:high] for array in seen]
        kernel(*ranges, *wide, *more, totals[number])

    edges = [rows * i // count for i in range(count + 1)]
    if count == 1:
        part(0, 0, rows)
    else:
        list(pool(count).map(part, range(count), *zip(*pairwise(edges), strict=True)))
    return torch.from_numpy(totals.reshape(count, 2, fold, depth).sum(axis=(0, 2)))


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """The threads that kernels share."""
    return ThreadPoolExecutor(threads)


def numbers(tensor: Tensor) -> ndarray:
    """A tensor's numbers in the order of memory; bfloat16 as int16."""
    line = tensor.detach().as_strided((tensor.numel(),), (1,))
    return (line.view(torch.int16) if tensor.dtype == torch.bfloat16 else line).numpy()
