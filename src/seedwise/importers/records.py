"""Values of a log or a configuration as cells: text, under dotted names."""

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import Any

from seedwise.errors import DataError

__all__ = ["cell", "flat", "mapping_in"]

_DEEPEST, _MOST = 20, 4_000
_MOST_TEXT = 100_000
_BRACKET, _SIGNS = re.compile(r"[\[{()}\]]"), re.compile(r"(?:[-+~]\s*){50}")
_NOT_FINITE = {"nan": math.nan, "NaN": math.nan, "inf": math.inf, "Infinity": math.inf}


def cell(value: Any) -> str:
    """A value as the text of a cell; a list and other things without a number or a name are empty.

    >>> cell(0.1), cell(3), cell(None), cell(True), cell(" sgd "), cell([1, 2]), cell(float("nan"))
    ('0.1', '3', '', 'true', 'sgd', '', 'nan')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float):
        return repr(value)
    item = getattr(value, "item", None)  # a number of numpy's
    if callable(item) and getattr(value, "ndim", None) == 0:
        return cell(item())
    return ""


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The cells of a nested record by dotted names.

    Args:
        record: Mappings in mappings, as JSON, YAML and trackers have them.
        prefix: Before every name: `config.`.

    Raises:
        DataError: It is nested too deeply, or holds too many values.

    >>> flat({"lr": 0.1, "model": {"name": "mlp"}, "layers": [1, 2]}, "config.")
    {'config.lr': '0.1', 'config.model.name': 'mlp', 'config.layers': ''}
    """
    found = dict[str, str]()
    for name, value in _leaves(record, prefix, 0):
        found[name] = cell(value)
        if len(found) > _MOST:
            raise DataError(f"a record has more than {_MOST:,} values")
    return found


def mapping_in(text: str) -> Mapping[str, Any] | None:
    """The mapping that a cell holds as Python or JSON writes one; None if it holds none.

    Nothing in it is executed: a number of numpy's is what it is called with, and any other name or
    call nothing.

    >>> mapping_in("{'acc': np.float64(0.9), 'loss': nan}"), mapping_in('{"a": true}')
    ({'acc': 0.9, 'loss': nan}, {'a': True})
    >>> mapping_in("{x}"), mapping_in("{'a': open('b')}")
    (None, {'a': None})
    """
    if not (text.startswith("{") and text.endswith("}") and _is_shallow(text)):
        return None
    for read in (json.loads, _python):
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = read(text)
            return value if isinstance(value, Mapping) else None
    return None


def _is_shallow(text: str) -> bool:
    """Python's parser goes as deep as its text does, and may not come back."""
    if len(text) > _MOST_TEXT or _SIGNS.search(text):
        return False
    depths = accumulate(1 if found in "[{(" else -1 for found in _BRACKET.findall(text))
    return max(depths, default=0) <= _DEEPEST


def _python(text: str) -> Any:
    return _value(ast.parse(text, mode="eval").body)


def _value(node: ast.AST) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _NOT_FINITE.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand)
            return -value if isinstance(value, int | float) else None
        case ast.Dict(keys=keys, values=values):
            pairs = [(_value(key), value) for key, value in zip(keys, values, strict=True) if key]
            return {str(key): _value(value) for key, value in pairs}
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np")), args=[value], keywords=[]):
            return _value(value)
        case ast.Set():
            raise ValueError("no mapping")
    return None


def _leaves(record: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise DataError(f"a record is nested more than {_DEEPEST} deep")
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value
