"""Views of a validation image: crops of it by name, each as it is and mirrored.

A study's views are a tuple of crops that begins with the centre, so that the notebook's two views
come first in its logits, whatever else is shown.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from seedwise.errors import ConfigError, UnknownName

__all__ = [
    "CENTRE",
    "CROPS",
    "PLACES",
    "VIEW_COUNTS",
    "as_crops",
    "crops_of_views",
    "usual_views",
    "view_names",
]

PLACES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "centre": (0, 0),
        "top-left": (-1, -1),
        "top-right": (-1, 1),
        "bottom-left": (1, -1),
        "bottom-right": (1, 1),
        "top": (-1, 0),
        "left": (0, -1),
        "right": (0, 1),
        "bottom": (1, 0),
    }
)
"""By the name of a crop, the edges of the central square that it touches: -1 the first row or
column, 1 the last one, 0 neither."""

CROPS = tuple(PLACES)
"""The crops, in the order in which they are counted and stored."""

CENTRE = ("centre",)
"""The crop of the notebook."""

VIEW_COUNTS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {2 * crops: CROPS[:crops] for crops in (1, 2, 5, 8)}
)
"""Crops by the number of views that they make. Each has those before it and more: 10 are the usual
ten crops (Krizhevsky et al. 2012), 16 the eight crops of which most was measured."""

_GROUPS = {"corners": CROPS[1:5], "sides": CROPS[5:]}
_MIRRORED = " mirrored"


def as_crops(value: Any) -> tuple[str, ...]:
    """The crops that a study's `views` mean, in their order.

    Args:
        value: 2, 4, 10 or 16; or names of crops, the centre among them. `corners` and `sides`
            stand for four each.

    Raises:
        ConfigError: It is something else.
        UnknownName: There is no such crop.

    >>> as_crops(4), len(as_crops(["centre", "corners"]))
    (('centre', 'top-left'), 5)
    """
    if type(value) is int and value in VIEW_COUNTS:
        return VIEW_COUNTS[value]
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ConfigError(
            "views must be 2, 4, 10 or 16, or a list of crops such as "
            f'["centre", "corners"]; got {value!r}'
        )
    chosen = set[str]()
    for name in value:
        if name not in (*CROPS, *_GROUPS):
            raise UnknownName("crop", str(name), (*CROPS, *_GROUPS))
        chosen.update(_GROUPS.get(name, (name,)))
    if CENTRE[0] not in chosen:
        raise ConfigError(
            "views need the centre, whose two views every figure can be had of; got "
            f"{', '.join(map(str, value))}"
        )
    return tuple(crop for crop in CROPS if crop in chosen)


def view_names(crops: Sequence[str]) -> tuple[str, ...]:
    """Names of the views of some crops, each as it is and mirrored.

    >>> view_names(("centre", "top"))
    ('original', 'mirrored', 'top', 'top mirrored')
    """
    first = {CENTRE[0]: ("original", "mirrored")}
    return sum((first.get(crop, (crop, crop + _MIRRORED)) for crop in crops), ())


def crops_of_views(names: Sequence[str]) -> tuple[str, ...] | None:
    """The crops whose views these are; None for any others.

    >>> crops_of_views(("original", "mirrored")), crops_of_views(("view0",))
    (('centre',), None)
    """
    crops = (*CENTRE, *(name for name in names[2::2] if name in CROPS))
    return crops if view_names(crops) == tuple(names) else None


def usual_views(names: Sequence[str]) -> int:
    """Number of a run's views that figures are of where no number of views is asked for.

    They are the notebook's two where the built-in training made more: accuracy over 16 views is
    another figure, under another name. Predictions of somebody's own views are taken whole.

    >>> usual_views(("original", "mirrored", "top", "top mirrored")), usual_views(("a", "b", "c"))
    (2, 3)
    """
    return len(names) if crops_of_views(names) is None else len(view_names(CENTRE))
