"""seedwise tells whether training setup B really beats setup A.

    >>> import seedwise
    >>> seedwise.Setup(lr=8e-3).differences(seedwise.Setup())
    {'lr': (0.008, 0.004)}

`models`, `optim`, `data` and `train` need the extra `seedwise[train]`. Every public name is loaded
when it is first used: pytest imports this package in every project where it is installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedwise import comparison, data, models, optim, stats, store, train
    from seedwise.comparison import Rule, Stop
    from seedwise.errors import SeedwiseError
    from seedwise.executors.local import LocalExecutor
    from seedwise.executors.ray import RayExecutor
    from seedwise.seeds import Seed
    from seedwise.setups import RECIPES, Setup
    from seedwise.study import Study, record

    __version__: str

__all__ = [
    "RECIPES",
    "LocalExecutor",
    "RayExecutor",
    "Rule",
    "Seed",
    "SeedwiseError",
    "Setup",
    "Stop",
    "Study",
    "__version__",
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
    "LocalExecutor": "seedwise.executors.local",
    "RECIPES": "seedwise.setups",
    "RayExecutor": "seedwise.executors.ray",
    "Rule": "seedwise.comparison",
    "Seed": "seedwise.seeds",
    "SeedwiseError": "seedwise.errors",
    "Setup": "seedwise.setups",
    "Stop": "seedwise.comparison",
    "Study": "seedwise.study",
    "record": "seedwise.study",
}
_LATER = ("comparison", "data", "models", "optim", "stats", "store", "train")


def __getattr__(name: str) -> Any:
    """Load a subpackage, or what belongs to one, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("seedwise")
    if name in _VALUES:
        return getattr(importlib.import_module(_VALUES[name]), name)
    if name in _LATER:
        return importlib.import_module(f"seedwise.{name}")
    raise AttributeError(f"module 'seedwise' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names: those that are still to be loaded too."""
    return __all__
