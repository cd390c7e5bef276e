"""Watcher of a call of `Study.run` that names none: the person at a terminal or a notebook."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any

from seedwise.live.events import Watch
from seedwise.live.progress import Stored
from seedwise.named import load
from seedwise.study.making import Complain

__all__ = ["watched"]

_SHOWS = "seedwise.cli.display:watching_here"
"""Address of the view of a study, which stands above it; known by name only, as trainings are."""

_LINE = "seedwise: stopped; stored runs are kept, and the same call continues"


@contextmanager
def watched(watch: Watch | None, progress: bool | None, stored: Stored) -> Generator[Watch]:
    """Watch a call: by `watch`, by what shows it, or by warnings alone.

    Args:
        watch: The watcher; None shows progress to the caller.
        progress: Show it always, or never; None where there is a terminal or a notebook.
        stored: Gives the wanted runs that are in the study file.

    A Ctrl-C that a person sees is one line where it ends the program or the cell, no traceback.
    """
    if watch is not None:
        yield watch
        return
    notebook = _in_notebook()
    seen = notebook or (sys.stdout is not None and sys.stdout.isatty())
    if progress is False or not (progress or seen):
        yield Complain()
        return
    try:
        with _shower()(stored, notebook=notebook) as shown:
            yield shown
    except KeyboardInterrupt as error:
        _say_one_line_of(error)
        raise


def _in_notebook() -> bool:
    """Tell whether a notebook's kernel runs this; nothing is imported to find out."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return hasattr(shell, "kernel")


def _shower() -> Callable[..., Any]:
    return load(_SHOWS, role="what shows a study", hint="install seedwise again")


def _say_one_line_of(error: KeyboardInterrupt) -> None:
    """Have Python and IPython show one line if this is what ends the program or the cell."""
    error._render_traceback_ = lambda: [_LINE]  # type: ignore[attr-defined]
    hook = sys.excepthook
    if not (isinstance(hook, partial) and hook.func is _say):
        sys.excepthook = partial(_say, hook)


def _say(
    before: Callable[..., Any],
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """Hook that Python calls with an error that ends the program."""
    if isinstance(error, KeyboardInterrupt) and hasattr(error, "_render_traceback_"):
        sys.stderr.write(f"{_LINE}\n")
    else:
        before(kind, error, trace)
