"""The files of a cache: images decoded on all cores, written in their order, with checksums."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from seedwise.cores import cores
from seedwise.data.ahead import map_ahead
from seedwise.data.decode import Undecodable, decode
from seedwise.data.layout import listing_of
from seedwise.data.sources import Item, Source
from seedwise.errors import DataError
from seedwise.shaped import UInt8

__all__ = ["FORMAT", "Tell", "digest", "folder_to_disk", "write_cache", "write_whole"]

FORMAT = 2
"""Version of the files of a cache and of their content."""

Tell = Callable[[int, int], None]
"""Told how many images are decoded, and of how many."""

_BAD_FILES_NAMED = 5


def write_cache(source: Source, folder: Path, pixels: int | None, tell: Tell) -> str:
    """Decode everything that a source has into an empty folder, down to the disk.

    Args:
        source: Where the images are.
        folder: The folder.
        pixels: Shorter side to shrink the images to, or None for their own size.
        tell: Told of the images that are decoded.

    Returns:
        The fingerprint: SHA-256 over the sorted images (class, file name, SHA-256 of the content).

    Raises:
        DataError: Images that cannot be decoded: all of them are looked at, some are named.
    """
    with (folder / "pixels.u8").open("wb") as file:
        decoded = list(_decoded(source, file, pixels, tell))
        _to_disk(file)
    fingerprint = _write_index(folder, decoded, pixels)
    folder_to_disk(folder)
    return fingerprint


def digest(content: bytes) -> str:
    """SHA-256 of the index or the manifest, as the manifest has it."""
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a small file, whole or not at all."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(text.encode())
        _to_disk(file)
    beside.replace(path)


def folder_to_disk(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name != "posix":  # pragma: no cover - Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    """An image whose pixels have been written."""

    path: str
    digest: str
    offset: int
    height: int
    width: int
    checksum: int


def _decoded(source: Source, file: BinaryIO, pixels: int | None, tell: Tell) -> Iterator[_Decoded]:
    """Write the pixels of every item, in the order in which the source gives them."""

    def work(item: Item) -> tuple[str, str, UInt8[ndarray, "height width 3"] | Undecodable]:
        if isinstance(item.content, ndarray):
            return item.path, hashlib.sha256(item.content.tobytes()).hexdigest(), item.content
        digest = hashlib.sha256(item.content).hexdigest()
        try:
            return item.path, digest, decode(item.content, pixels=pixels)
        except Undecodable as error:
            return item.path, digest, error

    bad: list[str] = []
    total, offset = len(source.paths()), 0
    results = map_ahead(work, source.items(), threads=cores())
    for number, (path, digest, image) in enumerate(results, start=1):
        if number % 64 == 0 or number == total:
            tell(number, total)
        if isinstance(image, Undecodable):
            bad.append(f"{path} ({image})")
            continue
        content = np.ascontiguousarray(image).data
        file.write(content)
        height, width = image.shape[:2]
        yield _Decoded(
            path=path,
            digest=digest,
            offset=offset,
            height=height,
            width=width,
            checksum=zlib.crc32(content),
        )
        offset += image.size
    if bad:
        more = "" if len(bad) <= _BAD_FILES_NAMED else f" and {len(bad) - _BAD_FILES_NAMED} more"
        raise DataError(
            f"{len(bad)} of {total} images cannot be decoded: "
            f"{'; '.join(bad[:_BAD_FILES_NAMED])}{more}; restore or remove them"
        )


def _write_index(work: Path, decoded: list[_Decoded], pixels: int | None) -> str:
    """Sort the images and write index and manifest; returns the fingerprint."""
    listing, order = listing_of([image.path for image in decoded])
    images = [decoded[i] for i in order]
    whole = hashlib.sha256()
    for name, image in zip(listing.names, images, strict=True):
        whole.update(f"{name}\n{image.digest}\n".encode())
    fingerprint = whole.hexdigest()
    rows = [(image.offset, image.height, image.width, image.checksum) for image in images]
    with (work / "index.npy").open("wb") as file:
        np.save(file, np.array(rows, dtype=np.int64))
        _to_disk(file)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "pixels": pixels,
        "classes": listing.classes,
        "files": listing.files,
        "targets": listing.targets.tolist(),
        "shipped": listing.shipped.tolist(),
        "index": digest((work / "index.npy").read_bytes()),
    }
    manifest["digest"] = digest(json.dumps(manifest).encode())
    write_whole(work / "manifest.json", json.dumps(manifest))
    return fingerprint


def _to_disk(file: BinaryIO) -> None:
    """Wait until a file is on the disk: a rename may get there before what it names."""
    file.flush()
    os.fsync(file.fileno())
