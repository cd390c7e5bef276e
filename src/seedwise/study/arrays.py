"""Arrays in files of other people's: read without ever unpickling anything."""

import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError

__all__ = ["read_arrays", "read_named"]

_NPY, _ZIP = b"\x93NUMPY", b"PK"

_MOST_GROWTH = 50
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_MOST_NAMED = 10

_ALWAYS_BYTES = 2**28
"""Targets in their order pack to hundreds of times less; so much may always be unpacked."""


def read_arrays(
    path: Path, first: str, second: str | None = None
) -> tuple[ndarray, ndarray | None]:
    """The array of a .npy file; or one or two arrays of a .npz file, by name.

    Args:
        path: The file. What it is is told from its beginning, not from its name.
        first: Name of the array that is needed; a .npz file's only array may have any name.
        second: Name of another that may be there.

    Raises:
        DataError: It cannot be read, holds Python objects, or lacks the array.
    """
    with _opened(path) as found:
        if isinstance(found, ndarray):
            return found, None
        return _named(path, found, first), found[second] if second in found.files else None


def read_named(path: Path) -> dict[str, ndarray]:
    """All arrays of a .npz file by name.

    Raises:
        DataError: It cannot be read, holds Python objects, or is a .npy file, which has no names.
    """
    with _opened(path) as found:
        if isinstance(found, ndarray):
            raise DataError(
                f"{path} holds an array without a name; write numpy.savez('scores.npz', f1=array)"
            )
        return {name: found[name] for name in found.files}


@contextmanager
def _opened(path: Path) -> Generator["ndarray | np.lib.npyio.NpzFile"]:
    """Open an array file with numpy; errors while it is read are one line."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_NPY))
            if not beginning.startswith((_NPY, _ZIP)):
                raise DataError(f"{path} is neither a .npy nor a .npz file; write numpy.savez's")
            file.seek(0)
            found = np.load(file, allow_pickle=False)
            if not isinstance(found, ndarray):
                _check_growth(path, found.zip)
            yield found
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a damaged header has been seen to raise ten kinds, TokenError too
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path} holds Python objects, which are never unpickled; save arrays of numbers"
            ) from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is damaged: {reason}") from None


def _check_growth(path: Path, archive: zipfile.ZipFile | None) -> None:
    """Refuse a file that would unpack to more than predictions ever take."""
    assert archive is not None, "it is open"
    members = archive.infolist()
    if not {member.compress_type for member in members} <= _METHODS:
        raise DataError(f"{path} is packed by another method than numpy's; save it by numpy.savez")
    size = sum(member.file_size for member in members)
    if size > max(_ALWAYS_BYTES, _MOST_GROWTH * path.stat().st_size):
        raise DataError(
            f"{path} would unpack to {size / 1e9:.1f} GB, more than {_MOST_GROWTH} times its "
            "size; save it by numpy.savez"
        )


def _named(path: Path, found: "np.lib.npyio.NpzFile", name: str) -> ndarray:
    if name in found.files:
        return found[name]
    if len(found.files) == 1:
        return found[found.files[0]]
    some = [each if each.isprintable() else repr(each) for each in found.files[:_MOST_NAMED]]
    more = len(found.files) - len(some)
    has = ", ".join(some) + (f" and {more:,} more" if more else "")
    raise DataError(f"{path} has no array {name!r}; it has {has or 'nothing'}")
