"""seedwise tells whether training setup B really beats setup A.

    >>> import seedwise
    >>> seedwise.Setup(lr=8e-3).differences(seedwise.Setup())
    {'lr': (0.008, 0.004)}

`models`, `optim`, `data` and `train` need the extra `seedwise[train]`; they, `Study` and `record`
are loaded when they are first used, so that importing seedwise stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seedwise.errors import SeedwiseError
from seedwise.seeds import Seed
from seedwise.setups import RECIPES, Setup

if TYPE_CHECKING:
    from seedwise import comparison, data, models, optim, stats, store, train
    from seedwise.study import Study, record

__all__ = [
    "RECIPES",
    "Seed",
    "SeedwiseError",
    "Setup",
    "Study",
    "comparison",
    "data",
    "models",
    "optim",
    "record",
    "stats",
    "store",
    "train",
]

_LATER = ("comparison", "data", "models", "optim", "stats", "store", "train")


def __getattr__(name: str) -> Any:
    """Load a subpackage, Study or record when it is first used."""
    if name in ("Study", "record"):
        return getattr(importlib.import_module("seedwise.study"), name)
    if name in _LATER:
        return importlib.import_module(f"seedwise.{name}")
    raise AttributeError(f"module 'seedwise' has no attribute {name!r}")
