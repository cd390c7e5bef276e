"""Git's object files, read: the files of a commit. Everything in them may come from anyone."""

import mmap
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

__all__ = ["Objects", "Unreadable"]

_MOST_BYTES = 20_000_000
"""Of one object, unpacked: commits and folders are far smaller."""

_PIECE = 16_384
_MOST_FOLDERS = 20_000
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_BY_OFFSET, _BY_NAME = 6, 7
_DEEPEST = 200


class Unreadable(Exception):
    """An object is missing, damaged or of a kind that this does not know."""


class Objects:
    """The objects of a repository.

    Args:
        folder: Its folder `objects`.
        width: Bytes of an object's name: 20, or 32 where names are SHA-256.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self._width = width
        self._folders = [folder]
        others = folder / "info" / "alternates"
        if others.is_file():
            lines = others.read_text(errors="replace").splitlines()[:10]
            self._folders += [folder / line for line in lines if line and line[0] not in '#"']

    def files_of(self, commit: str) -> dict[bytes, str]:
        """The files of a commit: path to the name of what they hold. Submodules are among them.

        Raises:
            Unreadable: They cannot be found out.
        """
        kind, data = self._object(commit)
        if kind != "commit" or not data.startswith(b"tree "):
            raise Unreadable(commit)
        tree = data[5 : 5 + 2 * self._width].decode("ascii", "replace")
        found, waiting, seen = dict[bytes, str](), [(b"", tree)], 0
        while waiting:
            above, tree = waiting.pop()
            seen += 1
            if seen > _MOST_FOLDERS:
                raise Unreadable("too many folders")
            for mode, name, inner in self._entries(tree):
                path = above + name
                if mode == b"40000":
                    waiting.append((path + b"/", inner))
                else:
                    found[path] = inner
        return found

    def _entries(self, tree: str) -> Iterator[tuple[bytes, bytes, str]]:
        kind, data = self._object(tree)
        if kind != "tree":
            raise Unreadable(tree)
        at = 0
        while at < len(data):
            end = data.index(b"\0", at)
            mode, _, name = data[at:end].partition(b" ")
            at = end + 1 + self._width
            yield mode, name, data[end + 1 : at].hex()

    def _object(self, name: str) -> tuple[str, bytes]:
        for folder in self._folders:
            file = folder / name[:2] / name[2:]
            if file.is_file():
                head, _, data = _unpacked(file.read_bytes()).partition(b"\0")
                return head.partition(b" ")[0].decode("ascii", "replace"), data
        for pack, index in self._packs:
            at = self._place(index, bytes.fromhex(name))
            if at is not None:
                return self._packed(pack, at, 0)
        raise Unreadable(name)

    @cached_property
    def _packs(self) -> list[tuple[mmap.mmap, mmap.mmap]]:
        """The packs, each with its index."""
        found = [path for each in self._folders for path in sorted((each / "pack").glob("*.idx"))]
        return [(_mapped(path.with_suffix(".pack")), _mapped(path)) for path in found]

    def _place(self, data: mmap.mmap, name: bytes) -> int | None:
        """Place of an object in its pack, by an index of version 2."""
        if data[:8] != b"\xfftOc\0\0\0\2":
            return None

        def number(at: int, size: int = 4) -> int:
            return int.from_bytes(data[at : at + size], "big")

        count, names = number(8 + 255 * 4), 8 + 256 * 4
        low, high = (number(8 + (name[0] - 1) * 4) if name[0] else 0), number(8 + name[0] * 4)
        while low < high:
            middle = (low + high) // 2
            found = data[names + middle * self._width : names + (middle + 1) * self._width]
            if found == name:
                offsets = names + count * (self._width + 4)
                offset = number(offsets + middle * 4)
                if offset & 0x80000000:
                    return number(offsets + count * 4 + (offset & 0x7FFFFFFF) * 8, 8)
                return offset
            low, high = (middle + 1, high) if found < name else (low, middle)
        return None

    def _packed(self, data: mmap.mmap, at: int, depth: int) -> tuple[str, bytes]:
        if depth > _DEEPEST:
            raise Unreadable("deltas of deltas")
        start = at
        kind, shift = (data[at] >> 4) & 7, 0
        while data[at] & 0x80:  # the size, which zlib tells too
            at += 1
            shift += 7
        at += 1
        if kind == _BY_OFFSET:
            back, at = _offset(data, at)
            named, base = self._packed(data, start - back, depth + 1)
        elif kind == _BY_NAME:
            named, base = self._object(data[at : at + self._width].hex())
            at += self._width
        else:
            return _KINDS.get(kind, ""), _unpacked(data, at)
        return named, _patched(base, _unpacked(data, at))


def _mapped(file: Path) -> mmap.mmap:
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _unpacked(data: bytes | mmap.mmap, at: int = 0) -> bytes:
    """Unpack what zlib packed from a place on."""
    stream, found = zlib.decompressobj(), b""
    try:
        while not stream.eof and at < len(data) and len(found) < _MOST_BYTES:
            found += stream.decompress(data[at : at + _PIECE], _MOST_BYTES)
            at += _PIECE
    except zlib.error as error:
        raise Unreadable(str(error)) from None
    if not stream.eof:
        raise Unreadable("an object is cut off, or too large")
    return found


def _offset(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


def _patched(base: bytes, delta: bytes) -> bytes:
    """Apply a delta to an object: pieces of it, and bytes of its own."""
    _, at = _size(delta, 0)
    _, at = _size(delta, at)
    parts, total = list[bytes](), 0
    while at < len(delta):
        order, at = delta[at], at + 1
        if not order & 0x80:
            piece, at = delta[at : at + order], at + order
        else:
            numbers = [0, 0]
            for bit in range(7):
                if order >> bit & 1:
                    numbers[bit // 4] |= delta[at] << 8 * (bit % 4)
                    at += 1
            piece = base[numbers[0] : numbers[0] + (numbers[1] or 0x10000)]
        parts.append(piece)
        total += len(piece)
        if total > _MOST_BYTES or not piece:
            raise Unreadable("a delta")
    return b"".join(parts)


def _size(delta: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = delta[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
