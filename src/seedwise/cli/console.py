"""The console that commands print on."""

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich import console as rich
from rich.segment import Segment

from seedwise.cli.words import printable

__all__ = ["Console", "counted", "long_reading"]


class Console(rich.Console):
    """A console on which no text is a command to the terminal.

    Names and errors come from study files, which come from anywhere. What rich itself says to the
    terminal are styles and control segments, and stays.
    """

    def render(self, *args: Any, **settings: Any) -> Iterable[Segment]:
        """The pieces of what is printed."""
        for text, style, control in super().render(*args, **settings):
            yield Segment(text if control else printable(text), style, control)


def counted(what: str) -> Callable[[int, int], None]:
    """A line on stderr that says how far something long is, where that is a terminal."""

    def tell(done: int, total: int) -> None:
        if _on_terminal():
            end = "\n" if done == total else ""
            click.echo(f"\r{what} {done} of {total}{end}", nl=False, err=True)

    return tell


@contextmanager
def long_reading(study: Path) -> Generator[None]:
    """Tell on stderr that a study's large predictions are read, and how to read them once."""
    from seedwise.comparison.scores import READS_LARGE

    read, anew = 0, False

    def tell(runs: int, kept: bool) -> None:
        nonlocal read, anew
        anew |= not kept
        read += runs
        if _on_terminal():
            click.echo(f"\rpredictions read, of runs: {read} ", nl=False, err=True)

    token = READS_LARGE.set(tell)
    try:
        yield
    finally:
        READS_LARGE.reset(token)
        if read and _on_terminal():
            click.echo(err=True)
    if anew:  # a study that cannot be read has one line, the error's
        click.echo(
            f"seedwise: what the runs of {printable(str(study))} score is not kept in it, so "
            "that each command reads their predictions; `seedwise check STUDY.DB --repair "
            "NEW.DB` writes a study that keeps it",
            err=True,
        )


def _on_terminal() -> bool:
    return sys.stderr.isatty()
