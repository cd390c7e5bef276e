"""Batches by NVIDIA DALI: the graphs that the notebook trained and validated from.

The notebook's graphs began with a file reader, a JPEG decoder and random numbers of DALI's own.
Here they begin behind these, with decoded pixels from the cache and with the run's draws: DALI's
decoder on a CPU gives the cache's pixels bit for bit, and a crop drawn by us keeps paired runs
paired, with other loaders too. What follows, slice, resize, mirror and normalise, is DALI's.

It rounds the resized image to uint8 before it normalises; the other loader rounds nothing. They
differ by up to half a level of 255, so a setup with this loader is a different setup.
"""
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# DALI makes its types when it is imported, and its stubs know neither them nor generators

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy import ndarray
from nvidia.dali import fn, types
from nvidia.dali.pipeline import pipeline_def

from seedwise.data.augment import MEAN, STD, crop_offsets, shorter_side
from seedwise.data.dataset import Data
from seedwise.data.draws import Draws
from seedwise.shaped import Float32, Int64

__all__ = ["train_batches", "valid_batches"]


def train_batches(
    data: Data, draws: Draws, epoch: int, *, size: int, threads: int, device: str
) -> Iterator[tuple[Any, Int64[ndarray, " batch"]]]:
    """The augmented batches of an epoch, in order, with their targets.

    Args:
        data: Cached pixels.
        draws: The run's draws: DALI draws nothing.
        epoch: Which epoch, from 0.
        size: Side of the images, in pixels.
        threads: Threads of DALI, which then works two batches ahead; 0 makes each batch when it is
            asked for.
        device: `cpu` or `cuda`: where DALI resamples, and where its batches are.

    Returns:
        Float32 (batch, size, size, 3), normalised, as DALI's tensors: numpy and torch read them
        without a copy (`torch.from_dlpack`). Each owns its memory.
    """
    examples = draws.examples[epoch]
    corners, sides = map(np.ascontiguousarray, np.split(draws.boxes[epoch], 2, axis=-1))
    mirrored = draws.mirrored[epoch].astype(np.int32)

    def fed() -> Iterator[tuple[Any, ...]]:
        for step, chosen in enumerate(examples):
            images = [data.pixels.image(i) for i in chosen]
            yield images, corners[step], sides[step], mirrored[step]

    engine = _engine(examples.shape[1], threads, device)
    graph = _train_graph(fed, size=size, device=device, **engine)
    for images, chosen in zip(_outputs(graph), examples, strict=True):
        yield images, data.targets[chosen]


def valid_batches(
    data: Data,
    *,
    size: int,
    batch_size: int,
    threads: int,
    device: str,
    crop: str = "centre",
    mirrored: bool = False,
) -> Iterator[Any]:
    """The validation images, in order: one crop of each, as it is or mirrored.

    Args:
        data: Cached pixels.
        size: Side of the images, in pixels.
        batch_size: Images a batch; the last one may hold fewer.
        threads: As in `train_batches`.
        device: As in `train_batches`.
        crop: Name of the crop.
        mirrored: Whether to turn the images left to right.
    """

    def fed() -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(data.valid), batch_size):
            chosen = data.valid[start : start + batch_size]
            across, down = _crop_places(data, chosen, size, crop)
            yield [data.pixels.image(i) for i in chosen], across, down

    engine = _engine(batch_size, threads, device)
    return _outputs(_valid_graph(fed, size=size, device=device, mirrored=mirrored, **engine))


def _crop_places(
    data: Data, examples: Int64[ndarray, " batch"], size: int, crop: str
) -> tuple[Float32[ndarray, " batch"], Float32[ndarray, " batch"]]:
    """Place of the crop in each resized image, across and down, as a share of the room it has.

    DALI multiplies by that room again and rounds, which gives the whole pixel that it was of.
    """
    sides = np.stack([data.pixels.heights[examples], data.pixels.widths[examples]], axis=1)
    resized = np.floor(sides * (shorter_side(size) / sides.min(axis=1, keepdims=True)) + 0.5)
    shares = crop_offsets(resized, size=size, crop=crop) / (resized - size)
    down, across = np.ascontiguousarray(shares.T.astype(np.float32))
    return across, down


def _engine(batch_size: int, threads: int, device: str) -> dict[str, Any]:
    """Choose DALI's executor. The dynamic executor leaves each batch its memory."""
    return {
        "batch_size": batch_size,
        "num_threads": max(1, threads),
        "prefetch_queue_depth": 2 if threads else 1,
        "device_id": None if device == "cpu" else 0,
        "exec_dynamic": True,
    }


@pipeline_def
def _train_graph(fed: Callable[[], Iterator[Any]], *, size: int, device: str) -> Any:
    images, corners, sides, mirrored = fn.external_source(
        fed, num_outputs=4, cycle=False, layout=["HWC", None, None, None]
    )
    cropped = fn.slice(_there(images, device), start=corners, shape=sides, axes=[0, 1])
    resized = fn.resize(cropped, size=[size, size], interp_type=types.INTERP_TRIANGULAR)
    return _normalised(resized, mirror=mirrored)


@pipeline_def
def _valid_graph(
    fed: Callable[[], Iterator[Any]], *, size: int, device: str, mirrored: bool
) -> Any:
    images, across, down = fn.external_source(
        fed, num_outputs=3, cycle=False, layout=["HWC", None, None]
    )
    resized = fn.resize(
        _there(images, device),
        resize_shorter=shorter_side(size),
        interp_type=types.INTERP_TRIANGULAR,
    )
    return _normalised(
        resized, mirror=int(mirrored), crop=(size, size), crop_pos_x=across, crop_pos_y=down
    )


def _there(images: Any, device: str) -> Any:
    return images if device == "cpu" else images.gpu()


def _normalised(images: Any, **arguments: Any) -> Any:
    return fn.crop_mirror_normalize(
        images, mean=list(MEAN), std=list(STD), dtype=types.FLOAT, output_layout="HWC", **arguments
    )


def _outputs(pipeline: Any) -> Iterator[Any]:
    """Every batch of a graph, until what feeds it ends."""
    pipeline.build()
    while True:
        try:
            (batch,) = pipeline.run()
        except StopIteration:
            return
        yield batch.as_tensor()
