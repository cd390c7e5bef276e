"""Comparisons as JSON, for machines; docs/statistics.md lists the keys, held to it by a test."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from seedwise.comparison.compare import TargetValues
from seedwise.comparison.result import ComparisonValues
from seedwise.seeds import Seed
from seedwise.words.verdict import target_sentence
from seedwise.words.view import view

__all__ = ["as_json"]

_SCHEMA = 1
"""Grows when a key changes its meaning or goes; new keys may come without."""


_NAMES = {
    "new_images": "new_examples",
    "these images": "these examples",
    "new images": "new examples",
}


def as_json(found: ComparisonValues | TargetValues) -> Mapping[str, Any]:
    """All of a comparison in values that JSON has: infinite and unknown numbers are null.

    Fields keep their names. `schema`, `outcome`, `sentence`, `basis`, `more_runs` and `cautions`
    stand before them, and `exploratory` where a stopping rule decides: what the same runs would
    say had their number been fixed.
    """
    if isinstance(found, TargetValues):
        said = {"sentence": target_sentence(found)}
    else:
        told = view(found)
        said = {
            "sentence": told.headline,
            "basis": told.basis,
            "more_runs": told.more_runs,
            "cautions": list(told.cautions),
            "exploratory": told.exploratory,
        }
    plain = _plain(found)
    if found.called != "images":
        plain = _without_images(plain)
    return {"schema": _SCHEMA, "outcome": found.outcome, **said, **plain}


def _without_images(value: Any) -> Any:
    """The same for a study of other things: `new_examples` stands for `new_images`."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {_NAMES.get(key, key): _without_images(each) for key, each in pairs}
    if isinstance(value, list):
        return [_without_images(each) for each in cast("list[Any]", value)]
    return _NAMES.get(value, value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """A value with nothing but JSON's types in it."""
    if isinstance(value, Seed):
        return str(value)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
