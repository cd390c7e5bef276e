"""Decoded pixels with their checksums, which are looked at when an image is first read.

A file of pixels is gigabytes, and reading it through at every start would take seconds. So each
image is looked at before its first use in a process: for all 13,394 of Imagenette at 224 pixels
(2.0 GB), 1.0 s of one core's time, spread over the first epoch. Opening the cache took 0.02 s of
it before and with `SAMPLE` images looked at.
"""

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy import ndarray

from seedwise.cores import cores
from seedwise.errors import DataError
from seedwise.shaped import Bool, Int, Int32, Int64, UInt8

__all__ = ["SAMPLE", "Pixels"]

SAMPLE = 32
"""Images that are checked when a cache is opened, spread over the file."""

_FOR_THREADS = 256
"""From so many images on, threads check them: CRC-32 lets go of the interpreter's lock."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """The pixels of every image of a dataset, in listing order.

    Attributes:
        flat: RGB, height x width x 3, one image after the other; memory-mapped.
        offsets: Where each image begins.
        heights: Its height in pixels.
        widths: Its width in pixels.
        checksums: CRC-32 of its pixels; None if they were not kept.
        place: The folder of the cache.
    """

    flat: UInt8[ndarray, " bytes"]
    offsets: Int64[ndarray, " images"]
    heights: Int32[ndarray, " images"]
    widths: Int32[ndarray, " images"]
    checksums: Int64[ndarray, " images"] | None = None
    place: Path | None = None
    _unread: Bool[ndarray, " images"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        unread = np.full(len(self.offsets), self.checksums is not None)
        object.__setattr__(self, "_unread", unread)

    def image(self, i: int) -> UInt8[ndarray, "height width 3"]:
        """A view of image `i`.

        Raises:
            DataError: Its pixels are not those that were decoded.
        """
        if self._unread[i]:
            self.check(np.array([i]))
        return self._bytes(i).reshape(int(self.heights[i]), int(self.widths[i]), 3)

    def check(self, images: Int[ndarray, " some"]) -> None:
        """Make sure of images that are about to be read. Each is looked at once a process.

        Args:
            images: Their positions, in any order.

        Raises:
            DataError: The pixels of some are not those that were decoded.
        """
        new = np.unique(images[self._unread[images]])
        if not len(new):
            return
        if len(new) < _FOR_THREADS:
            good = self._are_good(new)
        else:
            with ThreadPoolExecutor(cores()) as pool:
                parts = np.array_split(new, 8 * cores())
                good = np.concatenate(list(pool.map(self._are_good, parts)))
        if not good.all():
            raise DataError(
                f"the cache {self.place} is damaged: the pixels of {int((~good).sum())} of "
                f"{len(new)} images that were looked at are not those that were decoded; delete it"
            )
        self._unread[new] = False

    def _are_good(self, images: Int[ndarray, " some"]) -> Bool[ndarray, " some"]:
        assert self.checksums is not None, "there is something to check"
        return np.array(
            [zlib.crc32(self._bytes(i).data) == self.checksums[i] for i in images], bool
        )

    def _bytes(self, i: int) -> UInt8[ndarray, " bytes"]:
        start = int(self.offsets[i])
        return self.flat[start : start + int(self.heights[i]) * int(self.widths[i]) * 3]
