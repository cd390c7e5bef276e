"""A study while it runs: a live picture on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.progress import Going, Progress, SetupState
from seedwise.cli.stopped import look_line
from seedwise.cli.words import clock, count, figure, last_line, plus_minus, printable
from seedwise.records import EpochRecord
from seedwise.store import StoredRun
from seedwise.study.events import (
    DataProgress,
    EpochDone,
    Event,
    Finished,
    Looked,
    Notice,
    Planned,
    RunStored,
    Watch,
)

__all__ = ["watching"]

_PICTURES_A_SECOND = 4
_COLUMNS = ("epoch", "train_loss", "valid_loss", "accuracy", "smoothed_acc", "time")


@contextmanager
def watching(
    console: Console, stored: Callable[[], Sequence[StoredRun]] = tuple
) -> Generator[Watch]:
    """Show the events of a study on a console as long as this is open.

    Args:
        console: A terminal gets a live picture, anything else plain lines.
        stored: Gives the wanted runs that are in the study file; asked once it is open.
    """
    progress = Progress(stored)
    if not console.is_terminal:
        yield _Lines(console, progress).watch
        return
    picture = _Picture(console, progress)
    with Live(
        get_renderable=picture.render,
        console=console,
        refresh_per_second=_PICTURES_A_SECOND,
        transient=True,
    ):
        yield picture.watch


class _Lines:
    """One line for each epoch and for each stored run."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._data = ""

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
                self._say(f"{event.setup}  seed {event.seed}  {_epoch_line(event.record)}")
            case RunStored():
                self._say(_stored_line(event))
            case Looked():
                self._say(look_line(event))
            case Finished():
                self._say(_end(event, self._progress.elapsed(time.monotonic())))
            case _:
                pass

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Picture:
    """What a terminal shows: a line for each setup, a table for each run under way, the end."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._lock = threading.Lock()  # the picture is drawn by a thread of its own

    def watch(self, event: Event) -> None:
        with self._lock:
            self._progress.take(event, time.monotonic())
        match event:
            case RunStored():
                style = {"finished": "", "diverged": "yellow", "failed": "red"}[event.state]
                self._console.print(Text(printable(_stored_line(event)), style=style))
            case Looked() if event.decision.reason != "running":
                self._console.print(Text(printable(look_line(event)), style="bold"))
            case Notice():
                self._console.print(Text(event.text, style="yellow"))
            case Finished():
                self._console.print(Text(_end(event, self._progress.elapsed(time.monotonic()))))
            case _:
                pass

    def render(self) -> RenderableType:
        with self._lock:
            progress, now = self._progress, time.monotonic()
            parts: list[RenderableType] = []
            if progress.data is not None:
                parts.append(_bar(progress.data.what, progress.data.done, progress.data.total))
            if progress.setups:
                parts.append(_setups(progress.setups))
                parts += [_look(event) for event in progress.looks.values()]
                parts += self._runs(list(progress.going.values()))
                parts.append(
                    _runs_so_far(progress, now) if progress.stops else _total(progress, now)
                )
            return Group(*parts)

    def _runs(self, going: list[Going]) -> list[RenderableType]:
        """Every epoch of each run where there is room, else the last epoch of each."""
        room = self._console.height - len(self._progress.setups) - len(self._progress.looks) - 6
        if sum(len(run.epochs) + 4 for run in going) <= room:
            return [_run(run) for run in going]
        shown = going[: max(1, room - 3)]
        return [_last_epochs(shown)] if shown else []


def _plan(event: Planned) -> str:
    setups = count(len(event.setups), "setup")
    if event.wanted is None:
        return f"{setups}, runs until decided: {event.stored:,} stored"
    most = "at most " if event.stops else ""
    return (
        f"{setups}, {most}{count(event.wanted, 'run')}: {event.stored:,} stored, "
        f"{most}{event.missing:,} to make"
    )


def _epoch_line(record: EpochRecord) -> str:
    cells = zip(_COLUMNS, _cells(record), strict=True)
    return "  ".join(f"{name} {cell}" for name, cell in cells)


def _cells(record: EpochRecord) -> tuple[str, ...]:
    return (
        str(record.epoch),
        f"{record.train_loss:.4f}",
        f"{record.valid_loss:.4f}",
        figure("accuracy", record.accuracy),
        figure("smoothed_accuracy", record.smoothed_accuracy),
        clock(record.seconds),
    )


def _stored_line(event: RunStored) -> str:
    said = [event.setup, f"seed {event.seed}", event.state]
    said += [f"{name} {figure(name, value)}" for name, value in event.metrics.items()]
    said.append(clock(event.seconds))
    if event.error:
        said.append(last_line(event.error))
    return "  ".join(said)


def _end(event: Finished, seconds: float) -> str:
    failed = f", failed tries: {event.failed:,}," if event.failed else ""
    return f"{count(event.stored, 'run')} stored{failed} in {clock(seconds)}"


def _bar(what: str, done: int, total: int, note: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    share = f"{100 * done / total:3.0f} %" if total else ""
    grid.add_row(Text(what), ProgressBar(total=max(total, 1), completed=done), share + note)
    return grid


def _setups(setups: dict[str, SetupState]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1))
    table.add_column("setup", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("done", "running", "diverged", "failed", "accuracy", "smoothed_acc"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, state in setups.items():
        table.add_row(
            Text(printable(name)),
            str(state.done) if state.wanted is None else f"{state.done}/{state.wanted}",
            str(state.running),
            Text(str(state.diverged), style="yellow" if state.diverged else ""),
            Text(str(state.failed), style="red" if state.failed else ""),
            plus_minus("accuracy", state.metrics.get("accuracy", [])),
            plus_minus("smoothed_accuracy", state.metrics.get("smoothed_accuracy", [])),
        )
    return table


def _look(event: Looked) -> Text:
    """How near the stopping rule is to a verdict."""
    return Text(look_line(event), no_wrap=True, overflow="ellipsis")


def _epoch_table(first: str) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1))
    table.add_column(first, ratio=1, no_wrap=True, overflow="ellipsis")
    for name in _COLUMNS[first == _COLUMNS[0] :]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _run(run: Going) -> RenderableType:
    """All epochs of a run, as the notebook's table showed them."""
    table = _epoch_table("epoch")
    for record in run.epochs:
        table.add_row(*_cells(record))
    if run.epoch < run.planned:
        table.add_row(str(run.epoch), "" if run.loss is None else f"{run.loss:.4f}")
    title = f"{run.setup}  seed {run.seed}"
    return Group(Text(""), _bar(title, run.done_steps, run.all_steps), table)


def _last_epochs(going: list[Going]) -> RenderableType:
    """The last epoch of each run."""
    table = _epoch_table("run")
    for run in going:
        title = Text(f"{run.setup} {run.seed}")
        if run.epochs:
            table.add_row(title, *_cells(run.epochs[-1]))
        else:
            table.add_row(title, "0", "" if run.loss is None else f"{run.loss:.4f}")
    return Group(Text(""), table)


def _total(progress: Progress, now: float) -> RenderableType:
    left = progress.seconds_left(now)
    note = f"  {clock(progress.elapsed(now))} gone, "
    note += "time left not known yet" if left is None else f"about {clock(left)} left"
    done = progress.wanted - progress.missing
    what = f"{done} of {progress.wanted} runs"
    thousandths = int(1000 * progress.share_done)
    return Group(Text(""), _bar(what, thousandths, 1000, note))


def _runs_so_far(progress: Progress, now: float) -> RenderableType:
    """The end of the picture of a study whose last run nobody knows."""
    done = sum(state.done for state in progress.setups.values())
    most = "" if progress.most is None else f" of at most {progress.most:,}"
    line = f"{count(done, 'run')}{most}, {clock(progress.elapsed(now))} gone; stops when decided"
    return Group(Text(""), Text(line, no_wrap=True, overflow="ellipsis"))
