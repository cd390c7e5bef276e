"""A study at one moment as a terminal shows it: setups, differences, runs under way, the end."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seedwise.cli.interims import difference_table, lines_of
from seedwise.cli.words import clock, mean_and_sd, printable
from seedwise.figures import count, figure
from seedwise.live.snapshot import RunNow, SetupNow, Snapshot
from seedwise.records import EpochRecord

__all__ = ["EPOCH_COLUMNS", "epoch_cells", "picture", "time_line"]

EPOCH_COLUMNS = ("epoch", "train_loss", "valid_loss", "accuracy", "smoothed_acc", "time")
_NARROW = 76
"""Columns below which a table has the columns that matter most only."""
_WIDEST = 120
"""Columns beyond which a name and its figures are too far apart to be read as one line."""
_SHORT = {"smoothed_accuracy": "smoothed_acc"}


def picture(
    now: Snapshot,
    *,
    width: int,
    height: int,
    age: float = 0.0,
    clocks: bool = True,
    notes: Sequence[Text] = (),
) -> RenderableType:
    """As much of a study as a terminal has room for: one line less than its height.

    Args:
        now: The study.
        width: Columns of the terminal.
        height: Its lines.
        age: Seconds since the snapshot was taken, by which its clocks go on.
        clocks: Whether there is a time to show: somebody works on the study.
        notes: What else is to be said, a line each.
    """
    parts: list[RenderableType] = []
    width = min(width, _WIDEST)
    room = height - 1 - len(notes)
    if now.preparing is not None:
        parts.append(_bar(*now.preparing, width=width))
        room -= 1
    if now.setups:
        setups = list(now.setups.items())
        shown = setups[: max(1, room - 4)]
        parts.append(_setups(shown, len(setups) - len(shown), width))
        room -= len(shown) + 1 + (len(shown) < len(setups)) + 2  # the last two are the end
        interims = list(now.interims)
        for_runs = 3 if now.runs else 0
        every = lines_of(interims, every=True) + 1 <= room - for_runs
        interims = interims[: max(0, room - for_runs - 3)]
        if interims:
            parts += [Text(""), difference_table(interims, width=width, every=every)]
            room -= lines_of(interims, every=every) + 1
        parts += _runs(now.runs, width, room, age)
        parts += [Text(""), _end(now, width, time_line(now, age) if clocks else "")]
    for note in notes:
        note.no_wrap, note.overflow = True, "ellipsis"
        parts.append(note)
    return Group(*parts)


def epoch_cells(record: EpochRecord) -> tuple[str, ...]:
    """The figures of an epoch, as `EPOCH_COLUMNS` names them."""
    return (
        str(record.epoch),
        f"{record.train_loss:.4f}",
        f"{record.valid_loss:.4f}",
        figure("accuracy", record.accuracy),
        figure("smoothed_accuracy", record.smoothed_accuracy),
        clock(record.seconds),
    )


def time_line(now: Snapshot, age: float = 0.0) -> str:
    """The time that the study has run, and that it seems to take yet."""
    gone = f"{clock(now.elapsed + age)} gone"
    if now.left is not None:
        like_this = " if it goes on like this" if now.stops else ""
        return f"{gone}, about {clock(max(0.0, now.left - age))} left{like_this}"
    if now.left_at_most is not None:
        return f"{gone}, at most {clock(max(0.0, now.left_at_most - age))} left"
    if now.stops:
        return f"{gone}; stops when decided"
    return f"{gone}, time left not known yet"


def _bar(what: str, done: int, total: int, note: str = "", *, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.width = width
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    share = f"{100 * done / total:3.0f} %" if total else ""
    grid.add_row(Text(what), ProgressBar(total=max(total, 1), completed=done), share + note)
    return grid


def _setups(setups: Sequence[tuple[str, SetupNow]], hidden: int, width: int) -> Table:
    metrics = _metrics([setup for _, setup in setups])[: 1 if width < _NARROW else 2]
    table = Table(box=None, width=width, padding=(0, 1), pad_edge=False)
    table.add_column("setup", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("done", "running", "diverged", "failed", *(_SHORT.get(m, m) for m in metrics)):
        table.add_column(Text(name), justify="right", no_wrap=True, overflow="ellipsis")
    for name, setup in setups:
        table.add_row(
            Text(printable(name)),
            str(setup.done) if setup.wanted is None else f"{setup.done}/{setup.wanted}",
            str(setup.running),
            Text(str(setup.diverged), style="yellow" if setup.diverged else ""),
            Text(str(setup.failed), style="red" if setup.failed else ""),
            *(_mean(setup, metric) for metric in metrics),
        )
    if hidden:
        table.add_row(Text(f"and {hidden} more", style="dim"))
    return table


def _metrics(setups: Sequence[SetupNow]) -> list[str]:
    """The one or two metrics that are shown: accuracies, else the first that the runs have."""
    known = list(dict.fromkeys(name for setup in setups for name in setup.metrics))
    usual = [name for name in ("accuracy", "smoothed_accuracy") if name in known]
    return usual or known[:2] or ["accuracy"]


def _mean(setup: SetupNow, metric: str) -> str:
    found = setup.metrics.get(metric)
    return "" if found is None else mean_and_sd(metric, found.n, found.mean, found.sd)


def _runs(runs: Sequence[RunNow], width: int, room: int, age: float) -> list[RenderableType]:
    """Every epoch of each run where there is room, else the last epoch of each."""
    counted = [run for run in runs if run.all_steps]
    others = [run for run in runs if not run.all_steps]
    parts: list[RenderableType] = []
    if others and room >= 2:
        parts += [Text(""), _under_way(others, age)]
        room -= 2
    if counted and sum(len(run.epochs) + 4 for run in counted) <= room:
        return [*parts, *(_run(run, width) for run in counted)]
    shown = counted[: max(0, room - 2)]
    return [*parts, _last_epochs(shown, width)] if shown else parts


def _under_way(runs: Sequence[RunNow], age: float) -> Text:
    """Runs of which nobody says how far they are: since when they go."""
    each = (
        f"{printable(f'{run.setup} seed {run.seed}{run.at_task}')} for {clock(run.seconds + age)}"
        for run in runs
    )
    return Text(f"under way: {', '.join(each)}", no_wrap=True, overflow="ellipsis")


def _epoch_table(first: str, width: int) -> Table:
    table = Table(box=None, width=width, padding=(0, 1), pad_edge=False)
    table.add_column(first, ratio=1, no_wrap=True, overflow="ellipsis")
    for name in _fitting(EPOCH_COLUMNS, width)[first == EPOCH_COLUMNS[0] :]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _fitting(cells: Sequence[str], width: int) -> Sequence[str]:
    """The cells of an epoch for which there is room: without the losses where it is narrow."""
    return [cells[0], *cells[3:]] if width < _NARROW else cells


def _epoch_begun(run: RunNow) -> tuple[str, ...]:
    loss = "" if run.loss is None else f"{run.loss:.4f}"
    return (str(run.epoch), loss, *[""] * (len(EPOCH_COLUMNS) - 2))


def _run(run: RunNow, width: int) -> RenderableType:
    """A table with a line for each epoch of a run."""
    table = _epoch_table("epoch", width)
    for record in run.epochs:
        table.add_row(*_fitting(epoch_cells(record), width))
    if run.epoch < run.epochs_planned:
        table.add_row(*_fitting(_epoch_begun(run), width))
    title = f"{run.setup}  seed {run.seed}{run.at_task}"
    return Group(Text(""), _bar(title, run.done_steps, run.all_steps, width=width), table)


def _last_epochs(runs: Sequence[RunNow], width: int) -> RenderableType:
    """The last epoch of each run."""
    table = _epoch_table("run", width)
    for run in runs:
        at = f" {run.task}" if run.task else ""
        title = Text(printable(f"{run.setup} {run.seed}{at}"))
        if run.epochs:
            table.add_row(title, *_fitting(epoch_cells(run.epochs[-1]), width))
        else:
            table.add_row(title, *_fitting(_epoch_begun(run), width))
    return Group(Text(""), table)


def _end(now: Snapshot, width: int, time: str) -> RenderableType:
    """A bar of what is done in all, and the time."""
    if not now.stops and now.wanted is not None:
        what = f"{now.wanted - now.missing:,} of {now.wanted:,} runs"
        return _bar(
            what, int(1000 * now.share_done), 1000, f"  {time}" if time else "", width=width
        )
    most = "" if now.wanted is None else f" of at most {now.wanted:,}"
    line = f"{count(now.done, 'run')}{most}{', ' if time else ''}{time}"
    return Text(line, no_wrap=True, overflow="ellipsis")
