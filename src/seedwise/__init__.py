"""seedwise tells whether training setup B really beats setup A.

    >>> import seedwise
    >>> seedwise.Setup(lr=8e-3).differences(seedwise.Setup())
    {'lr': (0.008, 0.004)}

`models`, `optim`, `data` and `train` need the extra `seedwise[train]`; they, `Study`, `Stop` and
`record` are loaded when they are first used, so that importing seedwise stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seedwise.errors import SeedwiseError
from seedwise.seeds import Seed
from seedwise.setups import RECIPES, Setup

if TYPE_CHECKING:
    from seedwise import comparison, data, models, optim, stats, store, train
    from seedwise.comparison import Stop
    from seedwise.study import Study, record

__all__ = [
    "RECIPES",
    "Seed",
    "SeedwiseError",
    "Setup",
    "Stop",
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

_VALUES = {
    "Stop": "seedwise.comparison",
    "Study": "seedwise.study",
    "record": "seedwise.study",
}
_LATER = ("comparison", "data", "models", "optim", "stats", "store", "train")


def __getattr__(name: str) -> Any:
    """Load a subpackage, Study, Stop or record when it is first used."""
    if name in _VALUES:
        return getattr(importlib.import_module(_VALUES[name]), name)
    if name in _LATER:
        return importlib.import_module(f"seedwise.{name}")
    raise AttributeError(f"module 'seedwise' has no attribute {name!r}")
