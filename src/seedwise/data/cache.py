"""Decoded pixels on disk: made once from a source, then memory-mapped.

A cache is a folder with `pixels.u8` (the images one after the other), `index.npy` (offset, height,
width and checksum of each) and `manifest.json`, which has the digests of the index and of itself.
It is written under another name, to the disk, and then renamed: it is there whole or not at all.
Its own name is a digest of the content of the source and of how it was decoded; which content a
source has is remembered beside it, by a stamp that is quick to take.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from seedwise.data.cache_files import (
    FORMAT,
    Tell,
    digest,
    folder_to_disk,
    write_cache,
    write_whole,
)
from seedwise.data.fetch import DataWatch
from seedwise.data.pixels import SAMPLE, Pixels
from seedwise.data.sources import Source
from seedwise.data.splits import Listing
from seedwise.errors import DataError
from seedwise.locks import holder, locked

__all__ = ["Cached", "kept_cache", "newest_cache", "open_cache"]

_WITHOUT_CHECKSUMS = 1
"""A format that is made again where its source is opened, and then removed."""

_AGAIN = "decoding images again (this cache predates checksums)"
_MAKING = "making-"
_GROWTH = 12
"""Decoded pixels take about this many times the bytes of their JPEGs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cached:
    """Content of a cache.

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
    source: Source, folder: Path, *, pixels: int | None = None, watch: DataWatch | None = None
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
                old = _made_before(remembered, pixels, form=_WITHOUT_CHECKSUMS)
                _remove_leavings(folder)
                _check_space(folder, source.size_bytes() * _GROWTH)
                made = _make(source, folder, pixels, _telling(watch, again=old is not None))
                manifest = json.loads((made / "manifest.json").read_text())
                write_whole(remembered, manifest["fingerprint"])
                if old is not None:
                    shutil.rmtree(old, ignore_errors=True)
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
    return next((_read(each) for each in reversed(made) if _has_checksums(each)), None)


def _has_checksums(made: Path) -> bool:
    """True if a cache is of today's format; one that cannot be read is, and will say so."""
    try:
        return json.loads((made / "manifest.json").read_text())["format"] != _WITHOUT_CHECKSUMS
    except (OSError, ValueError, LookupError, TypeError):
        return True


def _made_before(remembered: Path, pixels: int | None, *, form: int = FORMAT) -> Path | None:
    """The cache of a source whose content is remembered; None if it is still to be made."""
    if not remembered.exists():
        return None
    made = remembered.parent / _name(remembered.read_text().strip(), pixels, form)
    return made if made.exists() else None


def _name(fingerprint: str, pixels: int | None, form: int = FORMAT) -> str:
    settings = json.dumps({"format": form, "fingerprint": fingerprint, "pixels": pixels})
    return f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.pixels"


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"the decoded images need about {needed / 1e9:.1f} GB, but {folder} has "
            f"{free / 1e9:.1f} GB free; give another folder by --cache or SEEDWISE_CACHE"
        )


def _telling(watch: DataWatch | None, *, again: bool) -> Tell:
    what = _AGAIN if again else "decoding images"
    return (lambda done, total: None) if watch is None else partial(watch, what)


def _remove_leavings(folder: Path) -> None:
    """Remove what processes that were killed have left: folders whose lock is free.

    A lock that a process of another machine took stays: whether that lives cannot be seen.
    """
    if os.name != "posix":  # pragma: no cover - Windows has no locks
        return
    for left in folder.glob(f"{_MAKING}*"):
        lock = left.with_suffix(".lock")  # is there before the folder
        found = holder(lock)
        if not lock.exists() or (found is not None and found[1] is False):
            shutil.rmtree(left.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)


def _make(source: Source, folder: Path, pixels: int | None, tell: Tell) -> Path:
    """Decode everything into a new cache, and put it in its place."""
    work = folder / f"{_MAKING}{uuid.uuid4().hex}"
    try:
        with locked(work.with_suffix(".lock"), wait=False):
            work.mkdir()
            fingerprint = write_cache(source, work, pixels, tell)
            place = folder / _name(fingerprint, pixels)
            try:
                work.rename(place)
            except OSError:
                if not place.exists():  # else another process has made the same one meanwhile
                    raise
            folder_to_disk(folder)
            return place
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _read(folder: Path) -> Cached:
    try:
        return _parsed(folder)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes numpy and json raise all sorts of things
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the cache {folder} cannot be read ({reason}); delete it") from None


def _parsed(folder: Path) -> Cached:
    """Parse the content of a cache; raises anything where it is damaged."""
    manifest = json.loads((folder / "manifest.json").read_text())
    said = manifest.pop("digest")
    if said != digest(json.dumps(manifest).encode()):
        raise ValueError("its manifest was changed")
    content = (folder / "index.npy").read_bytes()
    if manifest["index"] != digest(content):
        raise ValueError("its index was changed")
    index = np.load(io.BytesIO(content), allow_pickle=False)
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
        checksums=index[:, 3].copy(),
        place=folder,
    )
    pixels.check(np.linspace(0, len(index) - 1, SAMPLE, dtype=np.int64))
    return Cached(fingerprint=manifest["fingerprint"], listing=listing, pixels=pixels)
