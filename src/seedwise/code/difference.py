"""Differences of two codes of a training, with a few lines of each."""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from seedwise.code.parts import Code, Part

__all__ = ["Change", "changes", "same_meaning"]

_LINES = 12
"""Lines of difference that are shown of one part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A part that differs from the one before.

    Attributes:
        name: What it is called.
        lines: How it differs, a few lines.
    """

    name: str
    lines: tuple[str, ...]


def changes(was: Code, now: Code) -> list[Change]:
    """List the parts of a code that are others than before.

    Comments, layout and docstrings change nothing. Nor does a package that one of the machines
    lacks, or a value that is known to change as runs are made.
    """
    found = [(was.parts.get(key), now.parts.get(key)) for key in sorted({*was.parts, *now.parts})]
    differ = [(old, new) for old, new in found if not _same(old, new)]
    told = {part.name for pair in differ for part in pair if part and part.kind != "value"}
    return [
        Change(name=_name(old or new), lines=tuple(_lines(old, new, now)))
        for old, new in differ
        if not _follows(old or new, told)
    ]


def same_meaning(was: str, now: str) -> bool:
    """Tell whether two source texts differ in comments, layout and docstrings only."""
    try:
        one, other = (_meaning(text) for text in (was, now))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return one == other


def _meaning(text: str) -> str:
    tree = ast.parse(textwrap.dedent(text).lstrip("\ufeff"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[0] = ast.Pass()
                if len(node.body) > 1 or isinstance(node, ast.Module):
                    del node.body[0]
    return ast.dump(tree)


def _same(old: Part | None, new: Part | None) -> bool:
    if old is None or new is None:
        part = old or new
        assert part is not None
        return part.kind in ("package", "value")  # what reads a new value is new itself
    if old.digest == new.digest or old.state:
        return True
    if old.text is not None and new.text is not None:
        return same_meaning(old.text, new.text)
    return False


def _follows(part: Part | None, told: set[str]) -> bool:
    """True if a value differs because the text that gives it does, which is reported."""
    assert part is not None
    module = part.name.rpartition(".")[0]
    return part.kind == "value" and (part.name in told or module in told)


def _name(part: Part | None) -> str:
    assert part is not None
    if part.kind == "file":
        return f"{part.name.replace('.', '/')}.py"
    return f"package {part.name}" if part.kind == "package" else part.name


def _lines(old: Part | None, new: Part | None, now: Code) -> Iterator[str]:
    if old is None or new is None:
        yield "is now used, and was not before" if old is None else "is no longer used"
    elif old.text is not None and new.text is not None:
        yield from _diff(old.text, new.text)
    elif old.kind in ("value", "package"):
        yield f"{old.shown}, now {new.shown}" if old.shown != new.shown else "holds other values"
        if ("statement", new.name) in now.parts:
            yield (
                "(the code that sets it is the same: a file that it reads, the environment, or a "
                "random draw at import without a seed)"
            )
    else:
        yield "its text differs"


def _diff(was: str, now: str) -> Sequence[str]:
    lines = list(unified_diff(was.splitlines(), now.splitlines(), n=0, lineterm=""))[2:]
    lines = [line for line in lines if not line.startswith("@@")]
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"... {len(lines) - _LINES} more lines"]
    return lines
