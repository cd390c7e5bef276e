"""From image files to augmented batches."""

from seedwise.data.augment import Windows, centre_windows, crop_windows, resample
from seedwise.data.cache import Pixels
from seedwise.data.dataset import (
    Data,
    cache_folder,
    default_split,
    open_data,
    split_files,
    write_split,
)
from seedwise.data.draws import Draws, draw
from seedwise.data.known import DATASETS
from seedwise.data.loader import train_batches, valid_batches
from seedwise.data.splits import Split

__all__ = [
    "DATASETS",
    "Data",
    "Draws",
    "Pixels",
    "Split",
    "Windows",
    "cache_folder",
    "centre_windows",
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
