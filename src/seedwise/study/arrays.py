"""Arrays in files of other people's: read without ever unpickling anything."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError

__all__ = ["read_arrays"]

_NPY, _ZIP = b"\x93NUMPY", b"PK"


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
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_NPY))
            if not beginning.startswith((_NPY, _ZIP)):
                raise DataError(f"{path} is neither a .npy nor a .npz file; write numpy.savez's")
            file.seek(0)
            found = np.load(file, allow_pickle=False)
            if isinstance(found, ndarray):
                return found, None
            return _named(path, found, first), found[second] if second in found.files else None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path} holds Python objects, which are never unpickled; save arrays of numbers"
            ) from None
        raise DataError(f"{path} is damaged: {error}") from None


def _named(path: Path, found: "np.lib.npyio.NpzFile", name: str) -> ndarray:
    if name in found.files:
        return found[name]
    if len(found.files) == 1:
        return found[found.files[0]]
    has = ", ".join(found.files) or "nothing"
    raise DataError(f"{path} has no array {name!r}; it has {has}")
