"""From paths to a listing: which folder is a class, and which one holds validation images."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from seedwise.data.splits import Listing
from seedwise.errors import DataError

__all__ = ["listing_of"]

_TRAIN = ("train",)
_VALID = ("val", "valid", "validation", "test")
"""Names of validation folders, the likeliest first: a `test` beside a `val` is left out."""


def listing_of(paths: Sequence[str]) -> tuple[Listing, list[int]]:
    """The sorted listing of images at `paths`, and the position in `paths` of each.

    Folders that hold everything (an archive's top folder) are passed over. Below them lie either
    `train` and a validation folder, each with a folder a class, or the classes themselves. Where
    training and validation images share a name within a class, the names begin with the group.

    Args:
        paths: Path of each image within its source, with forward slashes.

    Raises:
        DataError: No image, fewer than two classes, or a layout that is none of these.

    >>> listing, order = listing_of(["x/val/b/1.png", "x/train/a/2.png"])
    >>> listing.names, listing.shipped.tolist(), order
    (('a/2.png', 'b/1.png'), [False, True], [1, 0])
    """
    if not paths:
        raise DataError("no images were found; a dataset is a folder or archive of class folders")
    parts = _below_common_folders([path.split("/") for path in paths])
    grouped = _groups(parts)
    rows = [(class_name, file, group in _VALID, i) for i, group, class_name, file in grouped]
    if max(Counter((row[0], row[1]) for row in rows).values()) > 1:
        rows = [(name, f"{group}/{file}", group in _VALID, i) for i, group, name, file in grouped]
    rows.sort(key=lambda row: row[:2])
    classes = tuple(sorted({row[0] for row in rows}))
    if len(classes) < 2:
        raise DataError(f"a dataset needs at least two classes, found only {rows[0][0]!r}")
    position = {name: target for target, name in enumerate(classes)}
    listing = Listing(
        classes=classes,
        files=tuple(row[1] for row in rows),
        targets=np.array([position[row[0]] for row in rows], dtype=np.int64),
        shipped=np.array([row[2] for row in rows], dtype=bool),
    )
    return listing, [row[3] for row in rows]


def _below_common_folders(parts: list[list[str]]) -> list[list[str]]:
    """Paths without the leading folders that all share and that are neither group nor class."""
    while (
        len({part[0] for part in parts}) == 1
        and parts[0][0] not in (*_TRAIN, *_VALID)
        and min(len(part) for part in parts) > 2
    ):
        parts = [part[1:] for part in parts]
    return parts


def _groups(parts: list[list[str]]) -> list[tuple[int, str, str, str]]:
    """Position, group (empty without groups), class and file of each image that is used."""
    tops = {part[0] for part in parts}
    if not tops & {*_TRAIN, *_VALID}:
        if min(len(part) for part in parts) < 2:
            raise DataError("images must lie in a folder for each class")
        return [(i, "", part[0], "/".join(part[1:])) for i, part in enumerate(parts)]
    others = tops - {*_TRAIN, *_VALID}
    if others or "train" not in tops or min(len(part) for part in parts) < 3:
        raise DataError(
            "images must lie in train/CLASS and val/CLASS, or in CLASS alone; found "
            f"{', '.join(sorted(tops)[:5])}"
        )
    valid = next((name for name in _VALID if name in tops), "")
    return [
        (i, part[0], part[1], "/".join(part[2:]))
        for i, part in enumerate(parts)
        if part[0] in (*_TRAIN, valid)
    ]
