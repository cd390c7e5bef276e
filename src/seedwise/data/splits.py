"""Splits: index lists over one sorted listing of all images. Files are never moved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

import numpy as np
from numpy import ndarray

from seedwise.data.known import DATASETS
from seedwise.errors import ConfigError, DataError, UnknownName
from seedwise.shaped import Bool, Int64

__all__ = ["SPLITS", "Listing", "Split", "default_split"]

SPLITS = ("page", "shipped", "v1", "v2")
"""Splits with a name. `v1`, `v2` and `page` are told from ImageNet's file names."""

_PAGE = (250, 1234)
"""The notebook's larger validation set: 250 images a class, drawn with this seed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """All images of a dataset, sorted by class and file name, whatever folders they lie in.

    Attributes:
        classes: Names of the classes, sorted.
        files: File name of each image, unique within its class.
        targets: Position of each image's class in `classes`.
        shipped: Whether each image lies in the dataset's own validation folder.
    """

    classes: tuple[str, ...]
    files: tuple[str, ...]
    targets: Int64[ndarray, " images"]
    shipped: Bool[ndarray, " images"]

    @property
    def names(self) -> tuple[str, ...]:
        """Class and file name of each image, as "class/file"."""
        return tuple(
            f"{self.classes[target]}/{file}"
            for target, file in zip(self.targets, self.files, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Images that validate; all others train.

    Either a name, or so many images a class: those that the dataset ships for validation (for
    Imagenette those of its first release, whichever layout is read), and as many more of the class
    as are missing, drawn from the others in the order of their names with one
    `numpy.random.RandomState(seed)` for all classes. This is the notebook's `make_new_split`.

    Attributes:
        name: `v1` (files named ILSVRC2012_val_*), `v2` (names whose last digit is 0, 1 or 2),
            `page` (250 per class, seed 1234) or `shipped`.
        per_class: Validation images per class, where there is no name.
        seed: Seed of the draw, where there is no name.

    Raises:
        ConfigError: Neither a name nor both numbers are given, or a number is out of range.
        UnknownName: There is no split of that name.
    """

    name: str | None = None
    per_class: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            if self.name not in SPLITS:
                raise UnknownName("split", self.name, SPLITS)
            if self.per_class is not None or self.seed is not None:
                raise ConfigError("a split has either a name, or per_class and seed, not both")
        elif not (_is_count(self.per_class, 1) and _is_count(self.seed, 0, most=2**32 - 1)):
            raise ConfigError(
                "a split needs a name, or per_class (1 or more) and seed (0 to 2**32 - 1); got "
                f"per_class={self.per_class!r}, seed={self.seed!r}"
            )

    @classmethod
    def of(cls, value: "str | Mapping[str, Any] | Split") -> Self | "Split":
        """The split that a name means, or a mapping with `per_class` and `seed`.

        Args:
            value: `v1`, `v2`, `page` or `shipped`; or `{"per_class": 250, "seed": 1234}`; or a
                split, which is given back.

        Raises:
            ConfigError: It means no split.
            UnknownName: There is no split of that name, or a key is not known.
        """
        if isinstance(value, Split):
            return value
        if isinstance(value, str):
            return cls(name=value)
        if not isinstance(value, Mapping):  # of a study.toml, or of a study made by hand
            raise ConfigError(f"a split is a name, or has per_class and seed; got {value!r}")
        unknown = set(value) - {"per_class", "seed"}
        if unknown:
            raise UnknownName("split key", str(min(unknown)), ("per_class", "seed"))
        return cls(per_class=value.get("per_class"), seed=value.get("seed"))

    def to_json(self) -> str:
        """Canonical form: a name, or an object with `per_class` and `seed`."""
        value = self.name or {"per_class": self.per_class, "seed": self.seed}
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Split":
        """The split that `to_json` wrote.

        >>> str(Split.from_json(Split.of({"per_class": 50, "seed": 7}).to_json()))
        '50 per class, seed 7'
        """
        try:
            return cls.of(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"the study's split {text[:40]!r} is none: {error}") from None

    def __str__(self) -> str:
        return self.name or f"{self.per_class} per class, seed {self.seed}"

    def after(self, dataset: str) -> str:
        """A dataset's name, and the split if it was chosen: `shipped` says nothing.

        >>> Split.of("v1").after("imagenette"), Split.of("shipped").after("flowers")
        ('imagenette, split v1', 'flowers')
        """
        return dataset if self.name == "shipped" else f"{dataset}, split {self}"

    def choose(
        self, listing: Listing
    ) -> tuple[Int64[ndarray, " train"], Int64[ndarray, " valid"]]:
        """Positions of the training and of the validation images, each in listing order.

        Raises:
            DataError: The listing has no such split, or too few images of a class.
        """
        match self.name:
            case "v1":
                valid = _first_release(listing)
            case "v2":
                valid = _second_release(listing)
            case "page":
                _first_release(listing)  # refuses what is not Imagenette
                valid = _drawn(listing, *_PAGE)
            case "shipped":
                valid = _shipped(listing)
            case _:
                assert self.per_class is not None
                assert self.seed is not None
                valid = _drawn(listing, self.per_class, self.seed)
        return np.flatnonzero(~valid), np.flatnonzero(valid)


def default_split(dataset: str) -> Split:
    """The split that a dataset has when none is asked for: `shipped` for a folder or archive."""
    return Split.of(DATASETS[dataset].split if dataset in DATASETS else "shipped")


def _is_count(value: object, least: int, *, most: int = 2**63 - 1) -> bool:
    return type(value) is int and least <= value <= most


def _first_release(listing: Listing) -> Bool[ndarray, " images"]:
    valid = _named_val(listing)
    if not valid.any():
        raise DataError(
            "splits v1 and page need ImageNet's file names (ILSVRC2012_val_*), which this dataset "
            f'does not have; use split = "shipped" or {_drawable(listing)}'
        )
    return valid


def _named_val(listing: Listing) -> Bool[ndarray, " images"]:
    return np.array([file.startswith("ILSVRC2012_val_") for file in listing.files], dtype=bool)


def _second_release(listing: Listing) -> Bool[ndarray, " images"]:
    _first_release(listing)
    return np.array([PurePosixPath(file).stem[-1] in "012" for file in listing.files], dtype=bool)


def _shipped(listing: Listing) -> Bool[ndarray, " images"]:
    if not listing.shipped.any():
        raise DataError(
            "this dataset ships no validation images (no folder val, valid or test); use split = "
            f"{_drawable(listing)}"
        )
    return listing.shipped


def _drawable(listing: Listing) -> str:
    """A split as study.toml has it, that this dataset has the images for: a fifth, 50 at most."""
    fewest = int(np.bincount(listing.targets, minlength=len(listing.classes)).min())
    return f"{{ per_class = {max(1, min(50, fewest // 5))}, seed = 0 }}"


def _drawn(listing: Listing, per_class: int, seed: int) -> Bool[ndarray, " images"]:
    by_name = _named_val(listing)
    valid = (by_name if by_name.any() else listing.shipped).copy()
    rng = np.random.RandomState(seed)
    for target, name in enumerate(listing.classes):
        mine = listing.targets == target
        others = np.flatnonzero(mine & ~valid)
        missing = per_class - int((mine & valid).sum())
        if not 0 <= missing < len(others):
            raise DataError(
                f"{per_class} validation images of class {name!r} cannot be had: the dataset "
                f"ships {per_class - missing} and has {len(others)} others, and one must train"
            )
        if missing:
            valid[rng.choice(others, missing, replace=False)] = True
    return valid
