"""Values of a log or a configuration as cells: text, under dotted names."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from seedwise.errors import DataError

__all__ = ["cell", "flat", "mapping_in"]

_DEEPEST, _MOST = 20, 4_000
_MOST_TEXT, _MOST_BRACKETS = 100_000, 200
_NOT_FINITE = re.compile(r"(?<=[:\[, ])(-?)(nan|NaN|inf|Infinity)(?=[,}\] ])")


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

    Nothing in it is executed: it may hold numbers, texts, lists and mappings only.

    >>> mapping_in("{'acc': 0.9, 'loss': nan}"), mapping_in('{"a": true}'), mapping_in("{x}")
    ({'acc': 0.9, 'loss': 'nan'}, {'a': True}, None)
    """
    bounded = len(text) <= _MOST_TEXT and sum(map(text.count, "[{(-+~")) <= _MOST_BRACKETS
    if not (text.startswith("{") and text.endswith("}") and bounded):
        return None
    for read in (json.loads, _python):
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = read(text)
            return value if isinstance(value, Mapping) else None
    return None


def _python(text: str) -> Any:
    return ast.literal_eval(_NOT_FINITE.sub(r"'\1\2'", text))


def _leaves(record: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise DataError(f"a record is nested more than {_DEEPEST} deep")
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value
