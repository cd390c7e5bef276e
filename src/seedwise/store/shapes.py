"""Shapes of rows, checked when one is read: anyone can make one whose checksum is right.

Whatever is not of the shape that seedwise writes is a ValueError, which the store puts in words.
"""

import json
import math
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

__all__ = ["check_plan", "columns", "mapping", "moment", "number", "seconds", "texts", "unpacked"]

_MOST_UNPACKED = 256_000_000
"""Bytes: a million names of 250 letters."""


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"it is no object but {_short(value)}")
    return cast("dict[str, Any]", value)


def texts(value: Any) -> tuple[str, ...]:
    """A JSON array of texts."""
    names: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [None]
    if not all(isinstance(each, str) for each in names):
        raise ValueError(f"it is no list of names but {_short(value)}")
    return tuple(names)


def number(value: Any) -> float:
    """A JSON number: an integer, however large, or a float, NaN and infinity included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"it is no number but {_short(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("it is a number beyond all floats") from None


def seconds(value: float) -> float:
    """A duration."""
    if not 0 <= value < math.inf:
        raise ValueError(f"it took {value} s")
    return value


def moment(text: str) -> datetime:
    """A time with its zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found


def unpacked(data: bytes) -> bytes:
    """Unpack what zlib packed, unless it is a bomb."""
    stream = zlib.decompressobj()
    found = stream.decompress(data, _MOST_UNPACKED)
    if not stream.eof:
        raise ValueError("it is cut off, or unpacks to more than 256 MB")
    return found


def check_plan(plan: Any) -> Mapping[str, Any]:
    """Check the plan of a study, as far as its parts are lists and objects of text."""
    found = mapping(plan)
    setups, rule = texts(found["setups"]), mapping(found["rule"])
    texts(found["seeds"])
    texts(list(found.get("late", ())))
    _check_types(found, baseline=str)
    _check_types(rule, metric=str, paired=bool, cost=str)
    if not setups:
        raise ValueError("it has no setups")
    for name in ("margin", "confidence", "saving"):
        if rule.get(name) is not None:
            number(rule[name])
    if found.get("stop") is not None:
        stop = mapping(found["stop"])
        _check_types(stop, baseline=str, metric=str)
        texts([stop["baseline"], *texts(stop["candidates"])])
    return found


def _check_types(found: Mapping[str, Any], **types: type) -> None:
    for name, kind in types.items():
        value = found.get(name)
        if value is not None and type(value) is not kind:
            raise ValueError(f"its {name} is {_short(value)}")


def _short(value: Any) -> str:
    """A value in a few letters."""
    text = json.dumps(value) if isinstance(value, str) else type(value).__name__
    return text if len(text) < 40 else f"{text[:36]}..."


def columns(found: Mapping[str, Any], first: str) -> dict[str, list[Any]]:
    """The columns of a JSON object, all of one length; the `first` is among them."""
    lists = {
        name: cast("list[Any]", each) for name, each in found.items() if isinstance(each, list)
    }
    if first not in lists or len(lists) < len(found) or len(set(map(len, lists.values()))) > 1:
        raise ValueError("it has other columns")
    return lists
