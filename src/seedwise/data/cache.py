"""Decoded pixels on disk: made once from a source, then memory-mapped.

A cache is a folder with `pixels.u8` (the images one after the other), `index.npy` (offset, height
and width of each) and `manifest.json`. It is written under another name and then renamed: it is
there whole or not at all. Its own name is a digest of the content of the source and of how it was
decoded; which content a source has is remembered beside it, by a stamp that is quick to take.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int32, Int64, UInt8
from numpy import ndarray

from seedwise.data.ahead import map_ahead
from seedwise.data.decode import Undecodable, decode
from seedwise.data.fetch import Watch
from seedwise.data.layout import listing_of
from seedwise.data.sources import Item, Source
from seedwise.data.splits import Listing
from seedwise.errors import DataError
from seedwise.locks import locked

__all__ = ["Cached", "Pixels", "kept_cache", "newest_cache", "open_cache"]

_FORMAT = 1
_BAD_FILES_NAMED = 5
_GROWTH = 12
"""Decoded pixels take about this many times the bytes of their JPEGs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """The pixels of every image of a dataset, in listing order.

    Attributes:
        flat: RGB, height x width x 3, one image after the other; memory-mapped.
        offsets: Where each image begins.
        heights: Its height in pixels.
        widths: Its width in pixels.
    """

    flat: UInt8[ndarray, " bytes"]
    offsets: Int64[ndarray, " images"]
    heights: Int32[ndarray, " images"]
    widths: Int32[ndarray, " images"]

    def image(self, i: int) -> UInt8[ndarray, "height width 3"]:
        """A view of image `i`."""
        start, height, width = int(self.offsets[i]), int(self.heights[i]), int(self.widths[i])
        return self.flat[start : start + height * width * 3].reshape(height, width, 3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cached:
    """What a cache holds.

    Attributes:
        fingerprint: SHA-256 over the sorted images: class, file name, SHA-256 of the content. The
            same for the same images, in whatever folders or archive they lie.
        listing: The sorted images.
        pixels: Their pixels, in the same order.
    """

    fingerprint: str
    listing: Listing
    pixels: Pixels


def open_cache(
    source: Source, folder: Path, *, pixels: int | None = None, watch: Watch | None = None
) -> Cached:
    """The decoded pixels of a source; decoded now, on all cores, if they are not there.

    Args:
        source: Where the images are.
        folder: Where caches are kept.
        pixels: Shorter side to shrink the images to, or None for their own size.
        watch: Told of the images that are decoded.

    Raises:
        DataError: Images that cannot be decoded (all of them are looked at, some are named, and
            nothing is kept), no space, or a folder that cannot be written.
    """
    remembered = folder / f"{source.stamp()[:32]}.stamp"
    made = _made_before(remembered, pixels)
    if made is not None:
        return _read(made)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(remembered.with_suffix(".lock"), wait=True):  # others here want the same one
            made = _made_before(remembered, pixels)
            if made is None:
                _check_space(folder, source.size_bytes() * _GROWTH)
                made = _make(source, folder, pixels, watch)
                manifest = json.loads((made / "manifest.json").read_text())
                remembered.write_text(manifest["fingerprint"])
    except OSError as error:
        what = (
            "is full" if error.errno == errno.ENOSPC else f"cannot be written ({error.strerror})"
        )
        raise DataError(
            f"the cache folder {folder} {what}; give another by --cache or SEEDWISE_CACHE"
        ) from None
    return _read(made)


def kept_cache(folder: Path, fingerprint: str, *, pixels: int | None) -> Cached | None:
    """The decoded pixels of some content, if they are there; nothing is decoded.

    Args:
        folder: Where caches are kept.
        fingerprint: Of the content.
        pixels: Shorter side of the cached images, or None for the source's size.

    Raises:
        DataError: The cache is damaged.
    """
    made = folder / _name(fingerprint, pixels)
    return _read(made) if made.exists() else None


def newest_cache(folder: Path) -> Cached | None:
    """The cache that was made last, of whatever source; None where there is none.

    Args:
        folder: Where caches are kept.
    """
    made = sorted(folder.glob("*.pixels"), key=lambda cache: cache.stat().st_mtime)
    return _read(made[-1]) if made else None


def _made_before(remembered: Path, pixels: int | None) -> Path | None:
    """The cache of a source whose content is remembered; None if it is still to be made."""
    if not remembered.exists():
        return None
    made = remembered.parent / _name(remembered.read_text().strip(), pixels)
    return made if made.exists() else None


def _name(fingerprint: str, pixels: int | None) -> str:
    settings = json.dumps({"format": _FORMAT, "fingerprint": fingerprint, "pixels": pixels})
    return f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.pixels"


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"the decoded images need about {needed / 1e9:.1f} GB, but {folder} has "
            f"{free / 1e9:.1f} GB free; give another folder by --cache or SEEDWISE_CACHE"
        )


def _make(source: Source, folder: Path, pixels: int | None, watch: Watch | None) -> Path:
    """Decode everything into a new cache, and put it in its place."""
    work = Path(tempfile.mkdtemp(prefix="making-", dir=folder))
    try:
        with (work / "pixels.u8").open("wb") as file:
            decoded = list(_decoded(source, file, pixels, watch))
        fingerprint = _write_index(work, decoded, pixels)
        place = folder / _name(fingerprint, pixels)
        try:
            work.rename(place)
        except OSError:
            if not place.exists():  # else another process has made the same one meanwhile
                raise
        return place
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    """An image whose pixels have been written."""

    path: str
    digest: str
    offset: int
    height: int
    width: int


def _decoded(
    source: Source, file: BinaryIO, pixels: int | None, watch: Watch | None
) -> Iterator[_Decoded]:
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
    results = map_ahead(work, source.items(), threads=os.cpu_count() or 1)
    for number, (path, digest, image) in enumerate(results, start=1):
        if watch is not None and (number % 64 == 0 or number == total):
            watch("decoding images", number, total)
        if isinstance(image, Undecodable):
            bad.append(f"{path} ({image})")
            continue
        file.write(np.ascontiguousarray(image).data)
        height, width = image.shape[:2]
        yield _Decoded(path=path, digest=digest, offset=offset, height=height, width=width)
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
    rows = [(image.offset, image.height, image.width) for image in images]
    np.save(work / "index.npy", np.array(rows, dtype=np.int64))
    manifest: dict[str, Any] = {
        "format": _FORMAT,
        "fingerprint": fingerprint,
        "pixels": pixels,
        "classes": listing.classes,
        "files": listing.files,
        "targets": listing.targets.tolist(),
        "shipped": listing.shipped.tolist(),
    }
    (work / "manifest.json").write_text(json.dumps(manifest))
    return fingerprint


def _read(folder: Path) -> Cached:
    try:
        return _parsed(folder)
    except Exception as error:  # a damaged file makes numpy and json raise all sorts of things
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the cache {folder} cannot be read ({reason}); delete it") from None


def _parsed(folder: Path) -> Cached:
    """What a cache holds; raises anything where it is damaged."""
    manifest = json.loads((folder / "manifest.json").read_text())
    index = np.load(folder / "index.npy", allow_pickle=False)
    # copy on write: torch takes no array that it may not write to, and nobody does
    flat = np.memmap(folder / "pixels.u8", dtype=np.uint8, mode="c")
    sizes = index[:, 1] * index[:, 2] * 3
    listing = Listing(
        classes=tuple(manifest["classes"]),
        files=tuple(manifest["files"]),
        targets=np.array(manifest["targets"], dtype=np.int64),
        shipped=np.array(manifest["shipped"], dtype=bool),
    )
    images = {len(index), len(listing.files), len(listing.targets), len(listing.shipped)}
    inside = bool((index >= 0).all() and (index[:, 0] + sizes <= flat.size).all())
    if index.dtype != np.int64 or flat.size != int(sizes.sum()) or len(images) > 1 or not inside:
        raise ValueError("damaged")
    pixels = Pixels(
        flat=flat,
        offsets=index[:, 0].copy(),
        heights=index[:, 1].astype(np.int32),
        widths=index[:, 2].astype(np.int32),
    )
    return Cached(fingerprint=manifest["fingerprint"], listing=listing, pixels=pixels)
