"""The commit that a project is at, and whether its files are others than the commit has.

Git's files are read here, and no program is run: the settings of a repository, which may be
anybody's, name programs that `git` itself would run (`core.fsmonitor`, filters).
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from seedwise.code.git_objects import Objects, Unreadable

__all__ = ["Commit", "commit_of"]

_MOST_FILES = 20_000
"""Tracked files of a repository in which changes are looked for: 0.2 s."""

_MOST_HASHED = 200_000_000
"""Bytes of files whose times differ that are read to see whether they changed."""

_MOST_READ = 100_000_000
_HEX = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SUBMODULE, _LINK = 0o160000, 0o120000
_NOT_HERE = 0x4000
"""The flag of an entry that a sparse checkout leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The state of the project's repository.

    Attributes:
        id: The commit, in hexadecimal digits.
        dirty: Whether a tracked file differs from the commit; None if unknown.
    """

    id: str
    dirty: bool | None


def commit_of(place: Path) -> Commit | None:
    """The commit that a folder, or the folder of a file, is at; None without one.

    Branches, a detached HEAD, packed refs, worktrees and submodules are understood.
    """
    try:
        found = _repository(place.resolve())
        if found is None:
            return None
        root, git = found
        common = _common(git)
        commit = _head(git, common)
    except (OSError, ValueError):
        return None
    if commit is None:
        return None
    try:
        dirty = _is_dirty(root, git, Objects(common / "objects", len(commit) // 2), commit)
    except (OSError, ValueError, LookupError, Unreadable):
        dirty = None
    return Commit(id=commit, dirty=dirty)


def _repository(place: Path) -> tuple[Path, Path] | None:
    """The folder of the working tree, and that of git's files for it."""
    for folder in (place, *place.parents):
        git = folder / ".git"
        if git.is_dir():
            return folder, git
        if git.is_file():  # of a worktree or a submodule
            said = _read(git, most=4096).decode().strip()
            return (folder, folder / said[8:]) if said.startswith("gitdir: ") else None
    return None


def _common(git: Path) -> Path:
    """The folder that the worktrees of a repository have in common."""
    file = git / "commondir"
    return git / _read(file, most=4096).decode().strip() if file.is_file() else git


def _head(git: Path, common: Path) -> str | None:
    said = _read(git / "HEAD", most=4096).decode().strip()
    for _ in range(5):  # a ref may name a ref
        if not said.startswith("ref: "):
            return said if _HEX.fullmatch(said) else None
        said = _ref(said[5:], git, common)
    return None


def _ref(name: str, git: Path, common: Path) -> str:
    if not re.fullmatch(r"refs/[^\0]+", name) or ".." in name:
        return ""
    for folder in (git, common):
        if (folder / name).is_file():
            return _read(folder / name, most=4096).decode().strip()
    packed = common / "packed-refs"
    for line in _read(packed).decode().splitlines() if packed.is_file() else ():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return ""


def _read(file: Path, *, most: int = _MOST_READ) -> bytes:
    with file.open("rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise ValueError(f"{file} is not a regular file")
        found = opened.read(most + 1)
    if len(found) > most:
        raise ValueError(f"{file} is too large")
    return found


@dataclass(frozen=True, slots=True)
class _IndexEntry:
    """A file as git's index knows it."""

    mode: int
    seconds: int
    nanoseconds: int
    size: int
    blob: str
    here: bool


def _is_dirty(root: Path, git: Path, objects: Objects, commit: str) -> bool | None:
    index = _index(_read(git / "index"), len(commit) // 2)
    if len(index) > _MOST_FILES:
        return None
    if {path: entry.blob for path, entry in index.items()} != objects.files_of(commit):
        return True  # something is staged
    left = _MOST_HASHED
    for path, entry in index.items():
        if entry.mode == _SUBMODULE or not entry.here:
            continue
        state = _state(root / os.fsdecode(path), entry)
        if state is None:
            left -= entry.size
            if left < 0:
                return None
            state = _is_changed(root / os.fsdecode(path), entry)
        if state:
            return True
    return False


def _state(file: Path, entry: _IndexEntry) -> bool | None:
    """True if a file has changed as far as its size and times say; None if they do not say."""
    try:
        found = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    seconds, nanoseconds = divmod(found.st_mtime_ns, 1_000_000_000)
    if (seconds, found.st_size & 0xFFFFFFFF) != (entry.seconds, entry.size):
        return None
    # Some systems and git's own settings keep no nanoseconds.
    return False if entry.nanoseconds in (0, nanoseconds) else None


def _is_changed(file: Path, entry: _IndexEntry) -> bool:
    if entry.mode == _LINK:
        return not file.is_symlink() or _blob(os.fsencode(file.readlink()), entry) != entry.blob
    if file.is_symlink() or not file.is_file():
        return True
    content = _read(file)
    plain = content.replace(b"\r\n", b"\n")  # as git keeps it where it is told to
    return entry.blob not in (_blob(content, entry), _blob(plain, entry))


def _blob(content: bytes, entry: _IndexEntry) -> str:
    kind = hashlib.sha1 if len(entry.blob) == 40 else hashlib.sha256
    return kind(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _index(data: bytes, width: int) -> Mapping[bytes, _IndexEntry]:
    """The files of an index, by path."""
    version, count = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
    if data[:4] != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("it is no index that this can read")
    return dict(_entries(data, width, version, count))


def _entries(
    data: bytes, width: int, version: int, count: int
) -> Iterator[tuple[bytes, _IndexEntry]]:
    at, path = 12, b""
    for _ in range(count):
        start, numbers = (
            at,
            [int.from_bytes(data[at + i : at + i + 4], "big") for i in range(0, 40, 4)],
        )
        blob = data[at + 40 : at + 40 + width].hex()
        at += 40 + width
        flags = int.from_bytes(data[at : at + 2], "big")
        at += 2
        more = 0
        if flags & 0x4000 and version >= 3:
            more = int.from_bytes(data[at : at + 2], "big")
            at += 2
        if version == 4:
            cut, at = _varint(data, at)
            end = data.index(b"\0", at)
            path, at = path[: len(path) - cut] + data[at:end], end + 1
        else:
            end = data.index(b"\0", at)
            path = data[at:end]
            at = start + ((end - start) // 8 + 1) * 8
        here = not more & _NOT_HERE
        yield path, _IndexEntry(numbers[6], numbers[2], numbers[3], numbers[9], blob, here)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
