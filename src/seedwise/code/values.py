"""Digests of values that code uses: the same for equal ones in every process, on every machine.

Nothing here depends on the order of a set, on an address, or on where the project lies. Arrays are
told apart by what they hold. Of an object that this cannot look into, only the type counts.
"""

import hashlib
import re
import reprlib
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["Digester", "shown"]

_PLAIN = (bool, int, float, complex, bytes, type(None), type(...), range, slice)
_WRITTEN = (Decimal, Fraction, date, time, timedelta, np.dtype)
"""Types whose `repr` says all."""

_BYTES = 64_000_000
"""Of a larger array so many bytes are looked at, in pieces over its whole length: 50 ms."""

_PIECE = 65_536

_ITEMS = 20_000
"""Of a longer list so many items are looked at, over its whole length."""

_DEPTH = 12

_MOST_VALUES = 50_000
"""So many values inside one another are looked at; beyond them only lengths: 0.2 s."""


class Digester:
    """Makes digests of values.

    Args:
        is_local: Whether a class is of the project: into its objects one may look.
        on_code: Told of every function and class that is part of a value.
        roots: Folders that stand before paths and mean the same on every machine.
    """

    def __init__(
        self,
        is_local: Callable[[type], bool],
        on_code: Callable[[Any], None],
        roots: Sequence[Path],
    ) -> None:
        self._is_local, self._on_code = is_local, on_code
        texts = {str(root) for root in roots if len(root.parts) > 1}
        self._roots = sorted(texts, key=len, reverse=True)
        self._above = list[int]()  # ids of the containers that the value at hand is in
        self._left = _MOST_VALUES

    def digest(self, value: Any) -> str:
        """The digest of a value, as 16 hexadecimal digits.

        >>> digester = Digester(lambda kind: False, lambda code: None, ())
        >>> digester.digest({"b", "a"}) == digester.digest({"a", "b"}) != digester.digest({"a"})
        True
        """
        self._left = _MOST_VALUES
        return self._of(value).hex()[:16]

    def _of(self, value: Any) -> bytes:
        self._left -= 1
        if id(value) in self._above or len(self._above) > _DEPTH or self._left < 0:
            return _sum("again, too deep or too many")
        self._above.append(id(value))
        try:
            return self._inside(value)
        except Exception:  # objects of others' may raise whatever they like when looked at
            return _sum(f"object {_name(type(value))}")
        finally:
            self._above.pop()

    def _inside(self, value: Any) -> bytes:
        if isinstance(value, Enum):
            return _sum(f"{_name(type(value))}.{value.name}")
        if isinstance(value, (*_PLAIN, *_WRITTEN)):
            return _sum(f"{type(value).__name__} {value!r}")
        if isinstance(value, str | PurePath):
            return _sum(f"text {self._anywhere(str(value))!r}")
        array = _as_array(value)
        if array is not None:
            return self._of_array(array)
        if isinstance(value, FunctionType | type):
            self._on_code(value)
            return _sum(f"code {_name(value)}")
        if isinstance(value, ModuleType):
            return _sum(f"module {value.__name__}")
        return self._of_container(value)

    def _of_container(self, value: Any) -> bytes:
        if isinstance(value, Mapping):
            pairs = (self._of(key) + self._of(each) for key, each in _some(value.items()))
            return _sum(f"mapping {len(value)}", sorted(pairs))
        if isinstance(value, set | frozenset):
            if len(value) > self._left:  # their order, and so what is left out, is chance
                return _sum(f"set {len(value)}")
            return _sum(f"set {len(value)}", sorted(map(self._of, value)))
        if isinstance(value, list | tuple):
            return _sum(f"list {len(value)}", map(self._of, _some(value)))
        if isinstance(value, re.Pattern):
            return _sum(f"pattern {value.pattern!r} {value.flags}")
        return self._of_object(value)

    def _of_object(self, value: Any) -> bytes:
        kind = type(value)
        if hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
            return _sum("partial", map(self._of, (value.func, value.args, value.keywords)))
        if hasattr(value, "__func__") and hasattr(value, "__self__"):  # a bound method
            return _sum("method", map(self._of, (value.__func__, value.__self__)))
        if hasattr(value, "__wrapped__"):  # functools.lru_cache
            return _sum("wrapper", [self._of(value.__wrapped__)])
        if self._is_local(kind):
            self._on_code(kind)
        if (settings := _settings(value)) is not None:
            return _sum(f"object {_name(kind)}", [self._of(settings)])
        if self._is_local(kind) or is_dataclass(value) or kind in (Namespace, SimpleNamespace):
            return _sum(f"object {_name(kind)}", [self._of(_state(value))])
        return _sum(f"object {_name(kind)}")

    def _of_array(self, array: np.ndarray) -> bytes:
        head = f"array {array.dtype.str} {array.shape}"
        if array.dtype.hasobject:
            return _sum(head, map(self._of, _some(array.ravel().tolist())))
        return _sum(head, _pieces(array))

    def _anywhere(self, text: str) -> str:
        """A text without the folder that the project, or the user's home, is in."""
        for root in self._roots:
            text = text.replace(root, "~")
        return text.replace("\\", "/") if text.startswith("~") else text


def shown(name: str, value: Any) -> str:
    """A value in at most 120 characters, for people; what may be a secret is not shown."""
    if re.search("token|secret|passw|api_?key|credential", name, re.IGNORECASE):
        return "(not shown)"
    array = _as_array(value)
    if array is not None:
        return f"{array.dtype} array {array.shape}"
    if isinstance(value, (*_PLAIN, *_WRITTEN, str, list, tuple, dict, set, frozenset)):
        text = _SHORT.repr(value)
        return text if len(text) <= 120 else f"{text[:117]}..."
    return f"{type(value).__name__}"


_SHORT = reprlib.Repr()
_SHORT.maxstring, _SHORT.maxother, _SHORT.maxlevel = 100, 60, 3


def _as_array(value: Any) -> np.ndarray | None:
    """Convert what holds numbers to an array: numpy's, torch's, pandas' without labels."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    kind = type(value).__module__.partition(".")[0]
    if kind == "torch" and isinstance(value, sys.modules["torch"].Tensor):
        return _of_tensor(value)
    if kind == "pandas" and hasattr(value, "to_numpy"):
        return value.to_numpy()
    return None


def _of_tensor(value: Any) -> np.ndarray | None:
    try:
        value = value.detach().cpu()
        half = value.is_floating_point() and value.element_size() < 4
        return (value.float() if half else value).numpy()
    except (RuntimeError, TypeError):  # sparse, quantized or without memory
        return None


def _pieces(array: np.ndarray) -> Iterable[bytes]:
    """An array's bytes, or pieces of them over its whole length."""
    if array.nbytes <= _BYTES:
        yield np.ascontiguousarray(array).tobytes()
        return
    flat = array.reshape(-1) if array.flags.c_contiguous else array.ravel()
    size, count = max(1, _PIECE // array.itemsize), _BYTES // _PIECE
    for start in np.linspace(0, len(flat) - size, count).astype(int):
        yield flat[start : start + size].tobytes()


def _some(items: Iterable[Any]) -> Iterable[Any]:
    """All items, or as many as one looks at, over the whole length."""
    found = list(items)
    return found[:: -(-len(found) // _ITEMS)] if len(found) > _ITEMS else found


def _settings(value: Any) -> Any:
    """Parameters of a torch module, or settings of a scikit-learn estimator; else None."""
    modules = sys.modules.get("torch.nn")
    if modules is not None and isinstance(value, modules.Module):
        return value.state_dict()
    if isinstance(value, type) or not hasattr(value, "get_params"):
        return None
    return value.get_params(deep=False)


def _state(value: Any) -> dict[str, Any]:
    """The attributes of an object."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    named = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {**named, **getattr(value, "__dict__", {})}


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _sum(head: str, parts: Iterable[bytes] = ()) -> bytes:
    total = hashlib.sha256(head.encode(errors="backslashreplace"))
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()
