"""Studies: the runs that are wanted, less those that are stored, are made and stored.

What this package offers is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedwise.executors.local import LocalExecutor
    from seedwise.executors.ray import RayExecutor
    from seedwise.study.recording import record
    from seedwise.study.study import Study

__all__ = ["LocalExecutor", "RayExecutor", "Study", "record"]

_PLACES = {
    "LocalExecutor": "executors.local",
    "RayExecutor": "executors.ray",
    "Study": "study.study",
    "record": "study.recording",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module 'seedwise.study' has no attribute {name!r}")
    return getattr(importlib.import_module(f"seedwise.{_PLACES[name]}"), name)
