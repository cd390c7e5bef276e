"""Sources of images: a folder, an archive, or arrays in a package, read as one stream."""

import hashlib
import json
import os
import posixpath
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy import ndarray

from seedwise.data.archives import Read, is_tar, reading, tar_members, zip_members
from seedwise.data.fetch import DataWatch, fetch
from seedwise.data.known import DATASETS
from seedwise.errors import DataError, UnknownName
from seedwise.shaped import UInt8

__all__ = ["Item", "Source", "open_source"]

_SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_MOST_WAYS = 8
"""A `test` may be a link to `val`; a folder that many links lead to multiplies."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """An image as it comes from a source.

    Attributes:
        path: Its path within the source, with forward slashes.
        content: The bytes of the file, or the pixels where the source has no files.
    """

    path: str
    content: bytes | UInt8[ndarray, "height width 3"]


class Source(Protocol):
    """A stream of images. Reading it twice gives the same images, perhaps in another order."""

    def stamp(self) -> str:
        """Changes when the source does; quick to get, without reading any image."""
        ...

    def size_bytes(self) -> int:
        """About how many bytes will be read."""
        ...

    def paths(self) -> list[str]:
        """Path of each image within the source, without reading any image."""
        ...

    def items(self) -> Iterator[Item]:
        """Every image."""
        ...


def open_source(
    dataset: str, *, place: Path | None, downloads: Path, watch: DataWatch | None = None
) -> Source:
    """The source of a dataset, fetched if it must be.

    Args:
        dataset: A name of `DATASETS`, or the path of a folder or an archive.
        place: A folder or archive to take the images of a named dataset from.
        downloads: Where fetched archives are kept.
        watch: Told of a download.

    Raises:
        UnknownName: Neither a name nor a path that exists.
        DataError: It cannot be fetched or read.
    """
    if place is not None:
        return _open_path(place)
    if dataset not in DATASETS:
        if not Path(dataset).exists():
            raise UnknownName("dataset (and no such folder or archive)", dataset, DATASETS)
        return _open_path(Path(dataset))
    known = DATASETS[dataset]
    if known.kind == "digits":
        return _Digits()
    assert known.archive is not None
    archive = fetch(known.archive, downloads, watch=watch)
    return _Cifar10(archive) if known.kind == "cifar10" else _ArchiveImages(archive, tar_members)


def _open_path(path: Path) -> Source:
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise DataError(f"{path} does not exist; give a folder of images or an archive")
    with reading(path):
        if zipfile.is_zipfile(path):
            return _ArchiveImages(path, zip_members)
        if is_tar(path):
            return _ArchiveImages(path, tar_members)
    raise DataError(f"{path} is neither a folder nor an archive ({', '.join(_ARCHIVES)})")


def _files_in(top: Path) -> Iterator[str]:
    """Every file below a folder, links followed, as its path within it.

    A link to a folder that it lies in has no end: four images were counted 164 times, until the
    system refused a path of 40 links; two such links would have taken all time.
    """
    ways = Counter[tuple[int, int]]()
    waiting: list[tuple[PurePosixPath, tuple[tuple[int, int], ...]]] = [(PurePosixPath(), ())]
    while waiting:
        inner, above = waiting.pop()
        place = top / inner
        try:
            found = place.stat()
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
            folders = [entry.is_dir() for entry in entries]
        except OSError as error:
            raise DataError(f"{place} cannot be read: {error.strerror or error}") from None
        this = found.st_dev, found.st_ino
        ways[this] += 1
        if this in above:
            raise DataError(f"{place} leads back to a folder that it lies in; remove the link")
        if ways[this] > _MOST_WAYS:
            raise DataError(f"more than {_MOST_WAYS} links lead to {place}; remove them")
        for entry, is_folder in zip(entries, folders, strict=True):
            if is_folder:
                waiting.append((inner / entry.name, (*above, this)))
            else:
                yield str(inner / entry.name)


def _is_image(path: str) -> bool:
    """True if a path looks like an image: hidden files and other suffixes are passed over."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return not hidden and posixpath.splitext(path)[1].lower() in _SUFFIXES


@dataclass(frozen=True, slots=True)
class _Folder:
    """Images in folders."""

    path: Path

    def stamp(self) -> str:
        entries = [f"{file}\t{_facts(self.path / file)}" for file in self.paths()]
        return _digest("folder", str(self.path.resolve()), *entries)

    def size_bytes(self) -> int:
        return sum((self.path / file).stat().st_size for file in self.paths())

    def paths(self) -> list[str]:
        found = [file for file in _files_in(self.path) if _is_image(file)]
        for file in found:
            if not (self.path / file).is_file():  # to read a pipe or a device would never end
                raise DataError(f"{self.path / file} is not a regular file; remove it")
        return sorted(found)

    def items(self) -> Iterator[Item]:
        for file in self.paths():
            yield Item(path=file, content=(self.path / file).read_bytes())


@dataclass(frozen=True, slots=True)
class _ArchiveImages:
    """Images in a tar or zip archive; read as a stream, never unpacked."""

    path: Path
    members: Callable[[Path], Iterator[tuple[str, Read]]]

    def stamp(self) -> str:
        return _archive_stamp(self.path)

    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def paths(self) -> list[str]:
        return sorted(name for name, _ in self._images())

    def items(self) -> Iterator[Item]:
        for name, read in self._images():
            yield Item(path=name, content=read())

    def _images(self) -> Iterator[tuple[str, Read]]:
        seen = set[str]()
        for name, read in self.members(self.path):
            if not _is_image(name):
                continue
            path = posixpath.normpath(name)
            if path in seen:  # of which tar's readers take the last
                raise DataError(
                    f"{self.path} holds {name!r} twice, and it is unclear which one is meant; "
                    f"make "
                    "it again"
                )
            seen.add(path)
            yield name, read


@dataclass(frozen=True, slots=True)
class _Cifar10:
    """CIFAR-10 from its binary archive: records of a class and 3 x 32 x 32 bytes."""

    path: Path

    _CLASSES = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )

    def stamp(self) -> str:
        return _archive_stamp(self.path)

    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def paths(self) -> list[str]:
        return sorted(item.path for item in self.items())

    def items(self) -> Iterator[Item]:
        for member, read in tar_members(self.path):
            name = PurePosixPath(member)
            if name.suffix == ".bin":
                yield from self._batch(name.stem, read())

    def _batch(self, batch: str, content: bytes) -> Iterator[Item]:
        if len(content) % 3073:
            raise DataError(f"{self.path}: {batch} is not made of CIFAR-10's records; fetch again")
        records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
        group = "val" if batch == "test_batch" else "train"
        for number, record in enumerate(records):
            pixels = np.ascontiguousarray(record[1:].reshape(3, 32, 32).transpose(1, 2, 0))
            name = self._CLASSES[record[0]]
            yield Item(path=f"{group}/{name}/{batch}_{number:05}", content=pixels)


@dataclass(frozen=True, slots=True)
class _Digits:
    """scikit-learn's digits: 8 x 8 grey levels from 0 to 16."""

    def stamp(self) -> str:
        return "scikit-learn digits"

    def size_bytes(self) -> int:
        return 1797 * 64

    def paths(self) -> list[str]:
        return [item.path for item in self.items()]

    def items(self) -> Iterator[Item]:
        try:
            from sklearn.datasets import load_digits
        except ModuleNotFoundError:
            raise DataError(
                "the dataset digits comes with scikit-learn; pip install 'seedwise[digits]'"
            ) from None
        bunch: Any = load_digits()
        for number, (image, target) in enumerate(zip(bunch.images, bunch.target, strict=True)):
            grey = np.rint(image * (255 / 16)).astype(np.uint8)
            yield Item(path=f"{target}/{number:04}", content=np.repeat(grey[..., None], 3, axis=2))


def _archive_stamp(path: Path) -> str:
    return _digest("archive", str(path.resolve()), _facts(path))


def _facts(path: Path) -> str:
    """Facts that differ once a file was written, also where its size and its date were kept.

    `cp -p`, rsync and tar give a file the date of another; nobody gives one the time of its last
    change of status.
    """
    found = path.stat()
    return f"{found.st_size}\t{found.st_mtime_ns}\t{found.st_ctime_ns}"


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
