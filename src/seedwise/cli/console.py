"""The console that commands print on."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from rich import console as rich
from rich.segment import Segment

from seedwise.cli.words import printable

__all__ = ["Console", "counted"]


def counted(what: str) -> Callable[[int, int], None]:
    """A line on stderr that says how far something long is, where that is a terminal."""

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\r{what} {done} of {total}", end=end, file=sys.stderr, flush=True)  # noqa: T201

    return tell


class Console(rich.Console):
    """A console on which no text is a command to the terminal.

    Names and errors come from study files, which come from anywhere. What rich itself says to the
    terminal are styles and control segments, and stays.
    """

    def render(self, *args: Any, **settings: Any) -> Iterable[Segment]:
        """The pieces of what is printed."""
        for text, style, control in super().render(*args, **settings):
            yield Segment(text if control else printable(text), style, control)
