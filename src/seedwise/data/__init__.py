"""From image files to augmented batches.

What names datasets and splits is light, and here at once. What reads, decodes and resamples images
needs the extra `seedwise[train]`, and is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seedwise.data.known import DATASETS, class_words
from seedwise.data.splits import Split, default_split
from seedwise.errors import DataError

if TYPE_CHECKING:
    from seedwise.data.augment import Windows, centre_windows, crop_windows
    from seedwise.data.dataset import Data, cache_folder, open_data, split_files, write_split
    from seedwise.data.draws import Draws, draw
    from seedwise.data.loader import LOADERS, Loader, choose_loader, train_batches, valid_batches
    from seedwise.data.pixels import Pixels
    from seedwise.data.resampling import resample

__all__ = [
    "DATASETS",
    "LOADERS",
    "Data",
    "Draws",
    "Loader",
    "Pixels",
    "Split",
    "Windows",
    "cache_folder",
    "centre_windows",
    "choose_loader",
    "class_words",
    "crop_windows",
    "default_split",
    "draw",
    "open_data",
    "resample",
    "split_files",
    "train_batches",
    "valid_batches",
    "write_split",
]

_PLACES = {
    "Data": "dataset",
    "Draws": "draws",
    "LOADERS": "loader",
    "Loader": "loader",
    "Pixels": "pixels",
    "Windows": "augment",
    "cache_folder": "dataset",
    "centre_windows": "augment",
    "choose_loader": "loader",
    "crop_windows": "augment",
    "draw": "draws",
    "open_data": "dataset",
    "resample": "resampling",
    "split_files": "dataset",
    "train_batches": "loader",
    "valid_batches": "loader",
    "write_split": "dataset",
}


def __getattr__(name: str) -> Any:
    """Load what needs the extra when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module 'seedwise.data' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"seedwise.data.{_PLACES[name]}"), name)
    except ModuleNotFoundError as error:
        raise DataError(
            f"images cannot be read without the package {error.name!r}; "
            "pip install 'seedwise[train]'"
        ) from None
