"""Images of a captured step: pixels on the device, or batches that the host makes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from seedwise.data import (
    Data,
    Draws,
    Pixels,
    Windows,
    centre_windows,
    crop_windows,
    train_batches,
    valid_batches,
)
from seedwise.errors import DataError
from seedwise.setups import Setup
from seedwise.shaped import Float32
from seedwise.train.gpu.batches import resample

__all__ = ["Images", "images_for"]

_VALID_BATCH = 250

_PIECE = 2**25
"""Bytes sent at a time: other threads' calls wait for the driver meanwhile, 5 ms."""


class Images(Protocol):
    """The images of a run's steps.

    Attributes:
        examples: int32, the images of all training steps, one batch after the other.
        train: (batch, size, size, 3), the images of the step that is under way.
        valid: The same of a validation batch.
        valid_batches: How many of those show one crop of every validation image. The last is
            filled up with the first images. Each further crop has as many, after these.
    """

    examples: Tensor
    train: Tensor
    valid: Tensor
    valid_batches: int

    def begin(self, draws: Draws) -> None:
        """Before a run: take in what it has drawn."""

    def before_train(self, epoch: int, step: int) -> None:
        """Host work before the replay of a training step."""

    def before_valid(self, batch: int) -> None:
        """Host work before the replay of a validation step."""

    def make_train(self, clock: Tensor) -> None:
        """Captured: fill `train`."""

    def make_valid(self, clock: Tensor) -> None:
        """Captured: fill `valid`."""


def images_for(setup: Setup, data: Data, device: torch.device, kind: torch.dtype) -> Images:
    """Pixels on the device if they take less than half of its memory, else streamed."""
    _, memory = torch.cuda.mem_get_info(device)
    fits = data.pixels.flat.nbytes < memory / 2
    return (ResidentImages if fits else StreamedImages)(setup, data, device, kind)


class _KernelTables:
    """Tables that the resampling kernel reads for each step, at fixed addresses."""

    def __init__(self, images: int, device: torch.device) -> None:
        def table(dtype: torch.dtype, *more: int) -> Tensor:
            return torch.zeros(images, *more, dtype=dtype, device=device)

        self.examples = table(torch.int32)
        self.all = (
            self.examples,
            table(torch.float64, 2),
            table(torch.float64, 2),
            table(torch.int32, 2),
            table(torch.int32, 2),
            table(torch.uint8),
        )

    def fill(self, examples: ndarray, windows: Windows, mirrored: ndarray) -> None:
        """Put choices in place."""
        values = (
            examples.astype(np.int32),
            windows.starts,
            windows.steps,
            windows.lows,
            windows.highs,
            mirrored.astype(np.uint8),
        )
        for table, value in zip(self.all, values, strict=True):
            table.copy_(torch.from_numpy(np.ascontiguousarray(value)))


class ResidentImages:
    """Images made on the device, inside the captured step."""

    def __init__(self, setup: Setup, data: Data, device: torch.device, kind: torch.dtype) -> None:
        self._size = setup.size
        self._pixels = _device_pixels(_Identity(data), device)  # sent while a step is captured
        steps = setup.epochs * (len(data.train) // setup.batch_size)
        self._tables = _KernelTables(steps * setup.batch_size, device)
        self.examples = self._tables.examples
        self.train = _empty(setup.batch_size, setup.size, device, kind)
        chosen, self.valid_batches, batch = _valid_examples(data)
        self.valid = _empty(batch, setup.size, device, kind)
        self._valid_tables = _KernelTables(len(chosen) * len(data.crops), device)
        heights, widths = data.pixels.heights[chosen], data.pixels.widths[chosen]
        windows = [
            centre_windows(heights, widths, size=setup.size, crop=crop) for crop in data.crops
        ]
        shown = np.tile(chosen, len(data.crops))
        self._valid_tables.fill(shown, _joined(windows), np.zeros(len(shown)))

    def begin(self, draws: Draws) -> None:
        """Put the run's choices into the tables, once the pixels are there."""
        self._pixels.wait()
        windows = crop_windows(draws.boxes.reshape(-1, 4), self._size)
        self._tables.fill(draws.examples.ravel(), windows, draws.mirrored.ravel())

    def before_train(self, epoch: int, step: int) -> None:
        """Nothing: the device needs no one."""

    def before_valid(self, batch: int) -> None:
        """Nothing, likewise."""

    def make_train(self, clock: Tensor) -> None:
        """Resample the step's crops."""
        resample(self._pixels.all, self._tables.all, clock, self.train)

    def make_valid(self, clock: Tensor) -> None:
        """Resample the batch's crops."""
        resample(self._pixels.all, self._valid_tables.all, clock, self.valid)


class StreamedImages:
    """Images made by the host's threads and sent ahead of use, for data that does not fit."""

    _THREADS = 8

    def __init__(self, setup: Setup, data: Data, device: torch.device, kind: torch.dtype) -> None:
        self._setup, self._data = setup, data
        steps = setup.epochs * (len(data.train) // setup.batch_size)
        self.examples = torch.zeros(steps * setup.batch_size, dtype=torch.int32, device=device)
        self.train = _empty(setup.batch_size, setup.size, device, kind)
        _, self.valid_batches, batch = _valid_examples(data)
        self.valid = _empty(batch, setup.size, device, kind)
        self._ahead = _BatchesAhead(device)
        self._draws: Draws | None = None

    def begin(self, draws: Draws) -> None:
        """Remember what to make."""
        self._draws = draws
        self.examples.copy_(torch.from_numpy(np.ascontiguousarray(draws.examples.ravel())))

    def before_train(self, epoch: int, step: int) -> None:
        """Wait for the step's images and put them where the step reads."""
        if step == 0:
            assert self._draws is not None, "a run has begun"
            batches = train_batches(
                self._data, self._draws, epoch, size=self._setup.size, threads=self._THREADS
            )
            self._ahead.open(images for images, _ in batches)
        self._ahead.put(self.train)

    def before_valid(self, batch: int) -> None:
        """The same for a validation batch."""
        crop, first = divmod(batch, self.valid_batches)
        if first == 0:
            batches = valid_batches(
                self._data,
                size=self._setup.size,
                batch_size=len(self.valid),
                threads=self._THREADS,
                crop=self._data.crops[crop],
            )
            self._ahead.open(batches)
        self._ahead.put(self.valid)

    def make_train(self, clock: Tensor) -> None:
        """Nothing: the host has put the images there."""

    def make_valid(self, clock: Tensor) -> None:
        """Nothing, likewise."""


class _BatchesAhead:
    """Batches on their way to the device, one ahead of the one that is used."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._device = device
        self._source: Iterator[Float32[ndarray, "batch size size 3"]] = iter(())
        self._next: tuple[Tensor, Tensor, torch.cuda.Event] | None = None

    def open(self, source: Iterator[Float32[ndarray, "batch size size 3"]]) -> None:
        self._source = source
        self._next = self._send()

    def put(self, target: Tensor) -> None:
        """Fill the target, on the current stream, with the next batch."""
        assert self._next is not None, "there is a batch for every step"
        pinned, sent, ready = self._next
        current = torch.cuda.current_stream(self._device)
        current.wait_event(ready)
        target[: len(sent)].copy_(sent)
        sent.record_stream(current)
        self._next = self._send()
        del pinned  # until here the copy may have read it

    def _send(self) -> tuple[Tensor, Tensor, torch.cuda.Event] | None:
        images = next(self._source, None)
        if images is None:
            return None
        pinned = torch.from_numpy(images).pin_memory()
        with torch.cuda.stream(self._stream):
            sent = pinned.to(self._device, non_blocking=True)
            ready = torch.cuda.Event()
            ready.record()
        return pinned, sent, ready


def _empty(batch: int, size: int, device: torch.device, kind: torch.dtype) -> Tensor:
    return torch.zeros(batch, size, size, 3, dtype=kind, device=device)


def _joined(windows: Sequence[Windows]) -> Windows:
    """The windows of several crops, one after the other."""
    return Windows(
        starts=np.concatenate([each.starts for each in windows]),
        steps=np.concatenate([each.steps for each in windows]),
        lows=np.concatenate([each.lows for each in windows]),
        highs=np.concatenate([each.highs for each in windows]),
    )


def _valid_examples(data: Data) -> tuple[ndarray, int, int]:
    """Validation images, filled up to whole batches; how many of those; images in each."""
    batch = min(_VALID_BATCH, len(data.valid))
    batches = -(-len(data.valid) // batch)
    return np.resize(data.valid, batches * batch), batches, batch


@dataclass(frozen=True, slots=True)
class _Identity:
    """A dataset as a key: by what it is, not by what it holds."""

    data: Data

    def __hash__(self) -> int:
        return hash((self.data.fingerprint, self.data.pixels.flat.nbytes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and hash(self) == hash(other)


class _DevicePixels:
    """The pixels of a dataset in the device's memory, or on their way there.

    A thread sends them, 2 GB from memory-mapped pages, while libraries choose kernels for the
    first model. A step that is taken before they are there reads whatever lies in their place.

    Attributes:
        all: uint8 bytes of all images, int64 offset and int32 width of each.
    """

    def __init__(self, pixels: Pixels, device: torch.device) -> None:
        flat = torch.empty(pixels.flat.shape, dtype=torch.uint8, device=device)
        offsets = torch.from_numpy(pixels.offsets).to(device)
        self.all = flat, offsets, torch.from_numpy(pixels.widths).to(device)
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))  # which may have used that memory

        def send() -> None:
            pixels.check(np.arange(len(pixels.offsets)))
            with torch.cuda.stream(stream):
                for start in range(0, len(flat), _PIECE):
                    piece = slice(start, start + _PIECE)
                    flat[piece].copy_(torch.from_numpy(np.asarray(pixels.flat[piece])))
            stream.synchronize()

        sender = ThreadPoolExecutor(1, thread_name_prefix="pixels")
        self._sent = sender.submit(send)
        sender.shutdown(wait=False)

    def wait(self) -> None:
        """Wait until they are there.

        Raises:
            DataError: They are not those that were decoded.
        """
        try:
            self._sent.result()
        except DataError:
            _device_pixels.cache_clear()  # the next study may have them anew
            raise


@lru_cache(maxsize=1)
def _device_pixels(key: _Identity, device: torch.device) -> _DevicePixels:
    return _DevicePixels(key.data.pixels, device)
