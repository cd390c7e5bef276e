"""Tar and zip archives, read as streams and never unpacked; what is hostile in one is refused.

Python's readers believe what an archive says: a header of 800 bytes that claims a gigabyte of
names takes it, a stream of bzip2 gives all that 10 KB hold at once, and so does a member of a zip
that says it is small. Here nothing is asked for whose size is not bounded first.
"""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

from seedwise.errors import DataError

__all__ = ["Read", "is_tar", "reading", "tar_members", "zip_members"]

Read = Callable[[], bytes]
"""Gives the content of a member, before the next one is asked for."""

_MOST_BYTES = 64 * 2**30
_MOST_GROWTH = 50
"""An archive that unpacks to more than 50 times its size holds no photographs."""

_ALWAYS_READ = 64 * 2**20
"""Tar's own headers and padding pack to hundreds of times less, so much of it may always be."""

_MOST_HEADER = 2**20
"""Bytes of a member's long name or PAX header; a path has at most 4,096."""

_MOST_DICTIONARY = 2**27
"""Memory for a stream of xz: `xz -9` takes half of this."""

_MOST_EMPTY, _MOST_FOLDERS = 1_000, 10_000
"""Each takes 0.1 ms, and next to nothing when it is packed."""

_PIECE = 2**16

_HEADERS = frozenset(
    (
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    )
)
"""Types of tar's members whose content is read on the way to the next."""

_ZIPPED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The methods of zip that Python unpacks piece by piece."""


def tar_members(path: Path) -> Iterator[tuple[str, Read]]:
    """Every plain file of a tar archive, compressed or not: its name, and what reads it.

    Raises:
        DataError: It is damaged, reaches out of its folder, grows without bound, or holds links.
    """
    with _tar(path) as archive:
        guard = _Guard(path)
        kept: list[tarfile.TarInfo] = archive.__dict__["members"]
        while (member := archive.next()) is not None:
            kept.clear()  # else it keeps all of them
            if member.isdir():
                guard.admit_folder()
                continue
            if not member.isreg():
                raise _no_plain_file(path, member.name)
            guard.admit(member.name, member.size)
            file = archive.extractfile(member)
            assert file is not None, "a plain file"
            yield member.name, partial(_content, path, file, member.size)


def zip_members(path: Path) -> Iterator[tuple[str, Read]]:
    """Every plain file of a zip archive, as `tar_members` gives them."""
    guard = _Guard(path)
    with reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                guard.admit_folder()
                continue
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
                raise _no_plain_file(path, member.filename)
            guard.admit(member.filename, member.file_size)
            if member.compress_type not in _ZIPPED:
                raise DataError(
                    f"{path} holds {member.filename!r}, packed by another method than deflate; "
                    "zip it again"
                )
            with archive.open(member) as file:
                yield member.filename, partial(_content, path, file, member.file_size)


def _content(path: Path, file: IO[bytes], size: int) -> bytes:
    with reading(path):
        return file.read(size)  # without a size, zip unpacks all that is packed, and then cuts it


def is_tar(path: Path) -> bool:
    """True if a file is a tar archive, compressed or not.

    Raises:
        DataError: It is one, and hostile.
    """
    try:
        with closing(_open_tar(path)) as archive:
            return archive.next() is not None
    except (tarfile.TarError, OSError, EOFError):
        return False


@contextmanager
def reading(archive: Path) -> Generator[None]:
    """Says of a broken archive which one it is."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # of a damaged archive, readers raise all sorts of things
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{archive} is damaged ({reason}); fetch it again") from None


@contextmanager
def _tar(path: Path) -> Generator[tarfile.TarFile]:
    with reading(path), closing(_open_tar(path)) as archive:
        yield archive


def _open_tar(path: Path) -> tarfile.TarFile:
    stream = _Metered(path)
    try:
        return tarfile.open(path, fileobj=stream, mode="r|", tarinfo=_Member)
    except BaseException:
        stream.close()
        raise


class _Member(tarfile.TarInfo):
    """A member whose headers have a bounded size."""

    def _proc_member(self, tarfile: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > _MOST_HEADER:
            raise DataError(
                f"{tarfile.name} has a header of {self.size:,} bytes for one name; that is no "
                "archive of photographs"
            )
        return super()._proc_member(tarfile)  # type: ignore[misc]


class _Metered(io.RawIOBase):
    """The bytes of an archive, unpacked piece by piece and not without end."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file = path.open("rb")
        self._unpacked = _unpacked(self._file)
        self._room = max(_ALWAYS_READ, min(_MOST_BYTES, _MOST_GROWTH * path.stat().st_size))

    def read(self, size: int = -1) -> bytes:
        piece = self._unpacked.read(size)
        self._room -= len(piece)
        if self._room < 0:
            raise _too_large(self._path)
        return piece

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(file: BinaryIO) -> IO[bytes]:
    """A file's content, told by its beginning; reading n bytes of it unpacks about n."""
    beginning = file.read(6)
    file.seek(0)
    if beginning.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if beginning.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if beginning.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return io.BufferedReader(_Xz(file))
    return file


class _Xz(io.RawIOBase):
    """As lzma.LZMAFile, but with a bound on the memory that the stream may ask for."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._rest = file, b""
        self._decoder = lzma.LZMADecompressor(memlimit=_MOST_DICTIONARY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._decoder.eof:
                self._rest = self._decoder.unused_data.lstrip(b"\0") or self._file.read(_PIECE)
                if not self._rest:
                    return 0
                self._decoder = lzma.LZMADecompressor(memlimit=_MOST_DICTIONARY)
            packed = self._rest
            if not packed and self._decoder.needs_input:
                packed = self._file.read(_PIECE)
                if not packed:
                    raise EOFError("it is cut off")
            self._rest = b""
            piece = self._decoder.decompress(packed, max_length=len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)


class _Guard:
    """Refuses archives that would reach out of their folder or grow without bound."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._room = min(_MOST_BYTES, _MOST_GROWTH * path.stat().st_size)
        self._empty = self._folders = 0

    def admit(self, name: str, size: int) -> None:
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise DataError(f"{self._path} holds {name!r}, which leads out of the archive")
        self._room -= size
        if self._room < 0:
            raise _too_large(self._path)
        self._empty += size == 0
        self._bound(self._empty, _MOST_EMPTY, "empty files")

    def admit_folder(self) -> None:
        self._folders += 1
        self._bound(self._folders, _MOST_FOLDERS, "folders")

    def _bound(self, found: int, most: int, what: str) -> None:
        if found > most:
            raise DataError(
                f"{self._path} holds more than {most:,} {what}; that is no archive of photographs"
            )


def _too_large(path: Path) -> DataError:
    return DataError(
        f"{path} would unpack to more than {_MOST_GROWTH} times its size; that is no archive of "
        "photographs"
    )


def _no_plain_file(archive: Path, name: str) -> DataError:
    return DataError(
        f"{archive} holds {name!r}, a link or device; seedwise reads plain files only"
    )
