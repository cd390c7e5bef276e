"""A dataset with a split: what the trainer is given."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from numpy import ndarray

from seedwise.crops import CENTRE, view_names
from seedwise.data.cache import open_cache
from seedwise.data.fetch import DataWatch
from seedwise.data.layout import listing_of
from seedwise.data.pixels import Pixels
from seedwise.data.sources import open_source
from seedwise.data.splits import Split
from seedwise.errors import ConfigError, DataError
from seedwise.records import DatasetRecord
from seedwise.shaped import Int64

__all__ = ["Data", "cache_folder", "open_data", "split_files", "write_split"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """Cached pixels with a split.

    Attributes:
        name: The dataset as it was asked for.
        fingerprint: SHA-256 over all images, whatever their layout.
        split: The split.
        classes: Names of the classes.
        names: "class/file" of every image, sorted.
        targets: Class of every image.
        pixels: Pixels of every image.
        train: Positions of the training images.
        valid: Positions of the validation images.
        crops: The crops of each that a run ends with, each as it is and mirrored.
    """

    name: str
    fingerprint: str
    split: Split
    classes: tuple[str, ...]
    names: tuple[str, ...]
    targets: Int64[ndarray, " images"]
    pixels: Pixels
    train: Int64[ndarray, " train"]
    valid: Int64[ndarray, " valid"]
    crops: tuple[str, ...] = CENTRE

    def record(self) -> DatasetRecord:
        """Record of the dataset that a study keeps."""
        return DatasetRecord(
            name=self.name,
            fingerprint=self.fingerprint,
            split=self.split.to_json(),
            classes=self.classes,
            names=tuple(self.names[i] for i in self.valid),
            targets=self.targets[self.valid],
            views=view_names(self.crops),
        )


def cache_folder(given: Path | None = None) -> Path:
    """Folder of downloads and decoded pixels.

    `given`, else the environment variable SEEDWISE_CACHE, else the user's cache folder.
    """
    if given is not None:
        return given
    from_environment = os.environ.get("SEEDWISE_CACHE")
    return Path(from_environment or platformdirs.user_cache_dir("seedwise", appauthor=False))


def open_data(
    dataset: str,
    split: Split,
    *,
    source: Path | None = None,
    pixels: int | None = None,
    crops: tuple[str, ...] = CENTRE,
    cache: Path | None = None,
    watch: DataWatch | None = None,
) -> Data:
    """Open a dataset; fetch and decode it first, if that has not been done.

    Args:
        dataset: A name of `DATASETS`, or the path of a folder or an archive.
        split: Which images validate.
        source: A folder or an archive that holds the named dataset.
        pixels: Shorter side of the cached images, or None for the source's size.
        crops: The crops of each validation image that a run ends with: see `crops.as_crops`.
        cache: Where downloads and decoded pixels are kept; see `cache_folder`.
        watch: Told of what is fetched and decoded.

    Raises:
        UnknownName: Neither a name nor a path that exists.
        DataError: It cannot be fetched, read, decoded or split.
    """
    folder = cache_folder(cache)
    origin = open_source(dataset, place=source, downloads=folder / "downloads", watch=watch)
    cached = open_cache(origin, folder / "pixels", pixels=pixels, watch=watch)
    train, valid = split.choose(cached.listing)
    return Data(
        name=dataset,
        fingerprint=cached.fingerprint,
        split=split,
        classes=cached.listing.classes,
        names=cached.listing.names,
        targets=cached.listing.targets,
        pixels=cached.pixels,
        train=train,
        valid=valid,
        crops=crops,
    )


def split_files(
    source: str | os.PathLike[str],
    split: str | None = None,
    *,
    per_class: int | None = None,
    seed: int | None = None,
) -> list[str]:
    """Paths of the validation files of a split, sorted, as they stand in the source.

    Args:
        source: A folder or an archive, or the name of a dataset.
        split: A named split; or else give both of:
        per_class: Validation images a class.
        seed: Seed of the draw.

    Raises:
        ConfigError: Neither a name nor `per_class` and `seed`.
        DataError: The source has no such split.
    """
    chosen = Split(name=split, per_class=per_class, seed=seed)
    origin = open_source(os.fspath(source), place=None, downloads=cache_folder() / "downloads")
    paths = origin.paths()
    listing, order = listing_of(paths)
    _, valid = chosen.choose(listing)
    return sorted(paths[order[i]] for i in valid)


def write_split(
    dataset: str, split: Split, folder: Path, *, source: Path | None = None
) -> Mapping[str, int]:
    """Write a split as folders: train/CLASS/FILE and val/CLASS/FILE.

    The files are copied as they are, from a folder or an archive; the source is left alone.

    Args:
        dataset: As in `open_data`.
        split: Which images go to `val`.
        folder: A folder that does not exist or is empty.
        source: As in `open_data`.

    Returns:
        How many files went to `train` and to `val`.

    Raises:
        ConfigError: The folder holds something.
        DataError: The dataset has no files to copy, or no such split.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; give a folder that does not exist")
    origin = open_source(dataset, place=source, downloads=cache_folder() / "downloads")
    paths = origin.paths()
    listing, order = listing_of(paths)
    train, valid = split.choose(listing)
    names = listing.names
    places = {paths[order[i]]: folder / "train" / names[i] for i in train}
    places |= {paths[order[i]]: folder / "val" / names[i] for i in valid}
    for item in origin.items():
        place = places.get(item.path)
        if place is None:
            continue
        if not isinstance(item.content, bytes):
            raise DataError(f"{dataset} comes as arrays, not as files that could be copied")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(item.content)
    return {"train": len(train), "val": len(valid)}
