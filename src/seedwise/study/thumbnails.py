"""Small pictures of a study's images, from the pixels that its training was given."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import DataError
from seedwise.report.page import Pictures, Thumbnails
from seedwise.setups import BUILT_IN

if TYPE_CHECKING:
    from seedwise.data.cache import Cached

__all__ = ["thumbnails"]

_SIDE = 132
"""Pixels: as large as a report shows them, and 3 to 6 KB each."""

_TINY = 48
"""Images smaller than this are magnified without smoothing, and kept as PNG."""


def thumbnails(study: StudyRuns, cache: Path | None) -> Thumbnails:
    """A giver of small pictures of a study's images, where decoded pixels are at hand.

    Nothing is fetched or decoded for it: a report is written in seconds or says why it has no
    pictures.

    Args:
        study: The study.
        cache: Where decoded pixels are kept; None for the user's cache folder.
    """

    def give(names: Sequence[str]) -> Pictures:
        try:
            cached = _kept(study, cache)
        except DataError as error:
            return Pictures(files={}, missing=str(error))
        if cached is None:
            return Pictures(
                files={},
                missing="their decoded pixels are not in this machine's cache (a run of the "
                "study here puts them there; --cache names another folder)",
            )
        return Pictures(files=_encoded(cached, names), missing="")

    return give


def _kept(study: StudyRuns, cache: Path | None) -> "Cached | None":
    """The decoded pixels of the study's dataset, at one of the sizes that its setups use."""
    from seedwise.data import cache_folder
    from seedwise.data.cache import kept_cache

    dataset = study.dataset
    sizes = {setup.pixels for setup in study.setups.values() if setup.train == BUILT_IN}
    if dataset is None or not sizes:
        return None
    folder = cache_folder(cache) / "pixels"
    found = (kept_cache(folder, dataset.fingerprint, pixels=size) for size in sizes)
    return next((each for each in found if each is not None), None)


def _encoded(cached: "Cached", names: Sequence[str]) -> Mapping[str, bytes]:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        return {}
    place = {name: i for i, name in enumerate(cached.listing.names)}
    files = dict[str, bytes]()
    for name in names:
        if name in place:
            files[name] = _file(Image.fromarray(cached.pixels.image(place[name])))
    return files


def _file(image: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    if max(image.size) < _TINY:
        times = _SIDE // max(image.size)
        size = (times * image.width, times * image.height)
        image.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG", optimize=True)
    else:
        scale = _SIDE / min(image.size)
        size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
        image.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
