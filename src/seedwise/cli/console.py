"""The console that commands print on."""

from collections.abc import Iterable
from typing import Any

from rich import console as rich
from rich.segment import Segment

from seedwise.cli.words import printable

__all__ = ["Console"]


class Console(rich.Console):
    """A console on which no text is a command to the terminal.

    Names and errors come from study files, which come from anywhere. What rich itself says to the
    terminal are styles and control segments, and stays.
    """

    def render(self, *args: Any, **settings: Any) -> Iterable[Segment]:
        """The pieces of what is printed."""
        for text, style, control in super().render(*args, **settings):
            yield Segment(text if control else printable(text), style, control)
