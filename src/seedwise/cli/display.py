"""A study while it runs: a live picture on a terminal, plain lines elsewhere."""

import io
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from html import escape

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.interims import interim_line
from seedwise.cli.picture import (
    EPOCH_COLUMNS,
    epoch_cells,
    logged_words,
    picture,
    time_line,
)
from seedwise.cli.tables import say
from seedwise.cli.words import clock, last_line, printable
from seedwise.figures import count, figure
from seedwise.live.events import (
    Compared,
    DataProgress,
    EpochDone,
    Event,
    Finished,
    Logged,
    Looked,
    Notice,
    Planned,
    RunStarted,
    RunStored,
    Watch,
    over_tasks,
)
from seedwise.live.progress import Stored, StudyProgress
from seedwise.records import EpochRecord
from seedwise.seeds import Seed

__all__ = ["PICTURES_A_SECOND", "watching", "watching_here"]

PICTURES_A_SECOND = 4

_SECONDS_BETWEEN_LINES = 10.0
"""Between two lines of a function's run, which may log a thousand times a second."""

_LINES_KEPT = 12
"""Lines above the picture in a notebook's cell."""


@contextmanager
def watching(console: Console, stored: Stored = tuple) -> Generator[Watch]:
    """Show the events of a study on a console as long as this is open.

    Args:
        console: A terminal gets a live picture, anything else plain lines.
        stored: Gives the wanted runs that are in the study file; asked once it is open.
    """
    progress = StudyProgress(stored)
    if not console.is_terminal:
        yield _Lines(console, progress).watch
        return
    shown = _LivePicture(console, progress)
    with Live(
        get_renderable=shown.render,
        console=console,
        refresh_per_second=PICTURES_A_SECOND,
        transient=True,
    ):
        yield shown.watch


@contextmanager
def watching_here(stored: Stored, *, notebook: bool) -> Generator[Watch]:
    """Show the events of a study wherever Python runs: also in a notebook.

    Args:
        stored: As in `watching`.
        notebook: A notebook's kernel runs this.
    """
    if notebook:
        yield _NotebookCell(StudyProgress(stored)).watch
        return
    with watching(Console(), stored) as watch:
        yield watch


class _NotebookCell:
    """A live picture below a notebook's cell."""

    def __init__(self, progress: StudyProgress) -> None:
        from IPython.display import display

        self._progress, self._lines, self._drawn = progress, list[str](), 0.0
        self._handle = display(self._content(), raw=True, display_id=True)

    def watch(self, event: Event) -> None:
        """Take an event, and draw what it changes, a few times a second."""
        now = time.monotonic()
        self._progress.take(event, now)
        match event:
            case Planned():
                self._lines.append(_plan(event))
            case Notice():
                self._lines.append(event.text)
            case RunStored() if event.state != "finished":
                self._lines.append(_stored_line(event, self._progress.tasks))
            case Finished():
                self._lines.append(_end(event, self._progress.snapshot(now).elapsed))
            case _:
                pass
        ends = isinstance(event, Planned | Finished)
        if self._handle is not None and (ends or now - self._drawn >= 1 / PICTURES_A_SECOND):
            self._drawn = now
            self._handle.update(self._content(live=not isinstance(event, Finished)), raw=True)

    def _content(self, *, live: bool = True) -> dict[str, str]:
        """Content of a notebook's cell: lines, and below them the picture while runs are made."""
        console = Console(file=io.StringIO(), width=100, height=30, force_jupyter=False)
        for line in self._lines[-_LINES_KEPT:]:
            say(console, printable(line))
        if live:
            now = self._progress.snapshot(time.monotonic())
            console.print(picture(now, width=console.width, height=console.height))
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        return {"text/plain": text, "text/html": f"<pre>{escape(text)}</pre>"}


class _Lines:
    """One line for each epoch, for each stored run, and for each pair."""

    def __init__(self, console: Console, progress: StudyProgress) -> None:
        self._console, self._progress = console, progress
        self._data = ""
        self._said = dict[tuple[str, Seed], float]()  # when a run last had a line

    def watch(self, event: Event) -> None:
        self._progress.take(event, time.monotonic())
        match event:
            case DataProgress() if event.done == event.total or event.what != self._data:
                self._data = event.what
                self._say(f"{event.what}: {event.done:,} of {event.total:,}")
            case Planned():
                self._say(_plan(event))
            case Notice():
                self._say(event.text)
            case EpochDone():
                at = f"  {event.task}" if event.task else ""
                self._say(f"{event.setup}  seed {event.seed}{at}  {_epoch_line(event.record)}")
            case RunStarted():
                self._said[event.setup, event.seed] = time.monotonic()
            case Logged():
                self._say_logged(event, time.monotonic())
            case RunStored():
                self._say(_stored_line(event, self._progress.tasks))
            case Looked() | Compared():
                now = self._progress.snapshot(time.monotonic())
                self._say(f"{interim_line(event.interim)}; {time_line(now)}")
            case Finished():
                self._say(_end(event, self._progress.snapshot(time.monotonic()).elapsed))
            case _:
                pass

    def _say_logged(self, event: Logged, now: float) -> None:
        """A line for what a run has logged, if it has had none for a while."""
        run = event.setup, event.seed
        if now - self._said.get(run, now) >= _SECONDS_BETWEEN_LINES:
            self._said[run] = now
            self._say(f"{event.setup}  seed {event.seed}  {logged_words(event.record)}")

    def _say(self, line: str) -> None:
        say(self._console, line)


class _LivePicture:
    """A live picture on a terminal, below a line for each run that was stored."""

    def __init__(self, console: Console, progress: StudyProgress) -> None:
        self._console, self._progress = console, progress
        self._lock = threading.Lock()  # the picture is drawn by a thread of its own

    def watch(self, event: Event) -> None:
        with self._lock:
            self._progress.take(event, time.monotonic())
        match event:
            case Planned():
                self._print(_plan(event))
            case RunStored():
                style = {"finished": "", "diverged": "yellow", "failed": "red"}[event.state]
                self._print(_stored_line(event, self._progress.tasks), style)
            case Looked() if event.interim.state != "running":
                self._print(interim_line(event.interim), "bold")
            case Notice():
                self._print(event.text, "yellow")
            case Finished():
                self._print(_end(event, self._progress.snapshot(time.monotonic()).elapsed))
            case _:
                pass

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(printable(line), style=style))

    def render(self) -> RenderableType:
        with self._lock:
            now = self._progress.snapshot(time.monotonic())
        return picture(now, width=self._console.width, height=self._console.height)


def _plan(event: Planned) -> str:
    setups = count(len(event.setups), "setup")
    if event.tasks:
        setups += f", each run on {len(event.tasks)} tasks"
    if event.wanted is None:
        return f"{setups}, runs until decided: {event.stored:,} stored"
    most = "at most " if event.stops else ""
    long = "" if event.seconds is None else f", about {clock(event.seconds)}"
    return (
        f"{setups}, {most}{count(event.wanted, 'run')}: {event.stored:,} stored, "
        f"{most}{event.missing:,} to make{_trainings(event)}{long}"
    )


def _trainings(event: Planned) -> str:
    """The trainings that the runs of a suite are."""
    if not event.tasks or not event.missing:
        return ""
    return f", {count(event.missing * len(event.tasks), 'training')}"


def _epoch_line(record: EpochRecord) -> str:
    cells = zip(EPOCH_COLUMNS, epoch_cells(record), strict=True)
    return "  ".join(f"{name} {cell}" for name, cell in cells)


def _stored_line(event: RunStored, tasks: Sequence[str]) -> str:
    said = [event.setup, f"seed {event.seed}", event.state]
    figures = over_tasks(event.metrics, tasks)
    over = f" over {len(tasks)} tasks" if figures is not event.metrics else ""
    said += [f"{name}{over} {figure(name, value)}" for name, value in figures.items()]
    said.append(clock(event.seconds))
    if event.error:
        said.append(last_line(event.error))
    return "  ".join(said)


def _end(event: Finished, seconds: float) -> str:
    failed = f", failed tries: {event.failed:,}," if event.failed else ""
    return f"{count(event.stored, 'run')} stored{failed} in {clock(seconds)}"
