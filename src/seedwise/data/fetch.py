"""Archives from the network: fetched once, verified, and put in place whole or not at all."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from seedwise.data.known import Archive
from seedwise.errors import DataError

__all__ = ["DataWatch", "fetch"]

DataWatch = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

_MIB = 1 << 20


def fetch(archive: Archive, folder: Path, *, watch: DataWatch | None = None) -> Path:
    """The local copy of an archive, downloaded if it is not there.

    A download is written beside its place and moved there once its size and checksum are right; a
    broken one starts again from nothing.

    Args:
        archive: What to fetch.
        folder: Where copies are kept.
        watch: Told of the bytes that have come.

    Raises:
        DataError: It cannot be fetched, or what came is not what it should be.
    """
    name = archive.address.rpartition("/")[2]
    place = folder / name
    if place.exists():
        return place
    import pooch  # with requests 100 modules, which nobody needs who has the archive
    from requests import RequestException

    bar = _Bar(name, archive.size_bytes, watch)

    def download(address: str, output: Any, pooched: Any) -> None:
        pooch.HTTPDownloader(progressbar=cast(Any, bar), timeout=30)(address, output, pooched)
        _verify(Path(output), archive)

    pooch.get_logger().setLevel("WARNING")  # it would print where only the command line may
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            archive.address,
            known_hash=None,
            fname=name,
            path=folder,
            downloader=cast(Any, download),
        )
    except (RequestException, OSError) as error:
        raise DataError(
            f"{archive.address} could not be fetched ({_in_short(error)}); try again, or download "
            f"it by other means to {place}"
        ) from None
    return place


def _verify(path: Path, archive: Archive) -> None:
    size = path.stat().st_size
    if size != archive.size_bytes:
        raise DataError(
            f"{archive.address} came with {size} bytes instead of {archive.size_bytes}; try again"
        )
    with path.open("rb") as file:
        if archive.md5 is not None:
            found, wanted = hashlib.file_digest(file, "md5").hexdigest(), archive.md5
        else:
            found, wanted = hashlib.md5(file.read(_MIB)).hexdigest(), archive.first_md5
    if found != wanted:
        raise DataError(
            f"{archive.address} came with MD5 {found} instead of {wanted}; it has changed or was "
            "damaged on the way: try again"
        )


def _in_short(error: Exception) -> str:
    """The cause of an error of requests, without the layers around it."""
    from requests import RequestException

    cause: Any = error
    while isinstance(cause, RequestException) and cause.args:
        inner = getattr(cause.args[0], "reason", cause.args[0])
        if not isinstance(inner, Exception):
            break
        cause = inner
    return str(cause).replace("\n", " ")[:200] or type(error).__name__


class _Bar:
    """Progress bar as pooch takes one."""

    def __init__(self, name: str, total: int, watch: DataWatch | None) -> None:
        self.total = total
        self._name, self._watch, self._done = name, watch, 0

    def update(self, count: int) -> None:
        self._done += count
        if self._watch is not None:
            self._watch(f"fetching {self._name}", min(self._done, self.total), self.total)

    def reset(self) -> None:
        """Pooch sets the bar back before it fills it for good."""
        self._done = 0

    def close(self) -> None:
        """Nothing is held open."""
