"""A study at one moment as a terminal shows it: setups, differences, runs under way, the end."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seedwise.cli.interims import difference_table, lines_of
from seedwise.cli.words import clock, mean_and_sd, printable
from seedwise.comparison.metrics import direction_of
from seedwise.figures import count, epoch_number, figure, in_points
from seedwise.live.snapshot import RunNow, SetupNow, Snapshot
from seedwise.records import EpochRecord

__all__ = ["EPOCH_COLUMNS", "epoch_cells", "logged_words", "picture", "time_line"]

EPOCH_COLUMNS = ("epoch", "train_loss", "valid_loss", "accuracy", "smoothed_acc", "time")
_NARROW = 76
"""Columns below which a table has the columns that matter most only."""
_WIDEST = 120
"""Columns beyond which a name and its figures are too far apart to be read as one line."""
_NAME = 16
"""Columns that the name of a run has, where there is no room for all."""
_LEAST = 3
"""Lines of the table of one run that logs."""
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
        clocks: Whether there is a time to show: a process works on the study.
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
        parts.append(_setups(shown, len(setups) - len(shown), now, width))
        room -= len(shown) + 1 + (len(shown) < len(setups)) + 2  # the last two are the end
        interims = list(now.interims)
        for_runs = 3 if now.runs else 0
        every = lines_of(interims, every=True) + 1 <= room - for_runs
        interims = interims[: max(0, room - for_runs - 3)]
        if interims:
            parts += [Text(""), difference_table(interims, width=width, every=every)]
            room -= lines_of(interims, every=every) + 1
        parts += _runs(now, width, room, age)
        parts += [Text(""), _end(now, width, time_line(now, age) if clocks else "")]
    for note in notes:
        note.no_wrap, note.overflow = True, "ellipsis"
        parts.append(note)
    return Group(*parts)


def epoch_cells(record: EpochRecord) -> tuple[str, ...]:
    """The figures of an epoch, as `EPOCH_COLUMNS` names them."""
    known = defaultdict(lambda: math.nan, record.figures)  # of a file that anybody may have made
    return (
        epoch_number(record.epoch),
        f"{known['train_loss']:.4f}",
        f"{known['valid_loss']:.4f}",
        figure("accuracy", known["accuracy"]),
        figure("smoothed_accuracy", known["smoothed_accuracy"]),
        clock(known["seconds"]),
    )


def logged_words(record: EpochRecord) -> str:
    """Figures that a function has logged of an epoch, on one line."""
    said = [f"{name} {figure(name, value)}" for name, value in record.figures.items()]
    return "  ".join([f"epoch {epoch_number(record.epoch)}", *said])


def time_line(now: Snapshot, age: float = 0.0) -> str:
    """The time that the study has run, and that it seems to take yet."""
    elapsed = f"{clock(now.elapsed + age)} gone"
    if now.left is not None:
        like_this = " at this rate" if now.stops else ""
        return f"{elapsed}, about {clock(max(0.0, now.left - age))} left{like_this}"
    if now.left_at_most is not None:
        return f"{elapsed}, at most {clock(max(0.0, now.left_at_most - age))} left"
    if now.stops:
        return f"{elapsed}; stops when decided"
    return f"{elapsed}, time left not known yet"


def _bar(what: str, done: int, total: int, note: str = "", *, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.width = width
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    share = f"{100 * done / total:3.0f} %" if total else ""
    grid.add_row(Text(what), ProgressBar(total=max(total, 1), completed=done), share + note)
    return grid


def _setups(
    setups: Sequence[tuple[str, SetupNow]], hidden: int, now: Snapshot, width: int
) -> Table:
    metrics = _metrics(now)[: 1 if width < _NARROW else 2]
    table = Table(box=None, width=width, padding=(0, 1), pad_edge=False)
    table.add_column("setup", ratio=1, no_wrap=True, overflow="ellipsis")
    heads = [_head(metric, now.better) for metric in metrics]
    for name in ("done", "running", "diverged", "failed", *heads):
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


def _metrics(now: Snapshot) -> list[str]:
    """The metrics to be shown, as far as there is room: what decides, accuracies, and others."""
    known = dict.fromkeys(name for setup in now.setups.values() for name in setup.metrics)
    logged = dict.fromkeys(
        name
        for run in now.runs
        if not run.all_steps
        for each in run.epochs
        for name in each.figures
    )
    first = [now.metric, "accuracy", "smoothed_accuracy"]
    found = [name for name in first if name is not None and name in (known or logged)]
    if found or known:
        return [*found, *(name for name in known if name not in found)]
    return [] if any(not run.all_steps for run in now.runs) else ["accuracy"]


def _head(metric: str, better: Mapping[str, str]) -> str:
    """Name of a metric, with its direction where a reader could doubt it."""
    way = None if in_points(metric) else direction_of(metric, better)
    arrow = {"lower": " \N{DOWNWARDS ARROW}", "higher": " \N{UPWARDS ARROW}", None: ""}[way]
    return f"{_short(metric)}{arrow}"


def _short(metric: str) -> str:
    return _SHORT.get(metric, printable(metric))


def _mean(setup: SetupNow, metric: str) -> str:
    found = setup.metrics.get(metric)
    return "" if found is None else mean_and_sd(metric, found.n, found.mean, found.sd)


def _runs(now: Snapshot, width: int, room: int, age: float) -> list[RenderableType]:
    """Every epoch of each run where there is room, else the last epoch of each."""
    counted = [run for run in now.runs if run.all_steps]
    others = [run for run in now.runs if not run.all_steps]
    parts: list[RenderableType] = []
    if any(run.epochs for run in others) and room >= _LEAST:
        most = min(len(others), room - 2 if not counted else max(1, room // 2 - 2))
        parts += [Text(""), _logged(others, most, now, width, age)]
        room -= most + 2
    elif others and room >= 2:
        parts += [Text(""), _under_way(others, age)]
        room -= 2
    if counted and sum(len(run.epochs) + 4 for run in counted) <= room:
        return [*parts, *(_run(run, width) for run in counted)]
    shown = counted[: max(0, room - 2)]
    return [*parts, _last_epochs(shown, width)] if shown else parts


def _logged(
    runs: Sequence[RunNow], most: int, now: Snapshot, width: int, age: float
) -> RenderableType:
    """A line for each run of a function, with the figures that it logged last."""
    shown = runs if len(runs) <= most else runs[: most - 1]
    titles = [printable(" ".join([run.setup, run.seed, run.task]).strip()) for run in shown]
    last = [run.epochs[-1] if run.epochs else None for run in shown]
    columns: list[tuple[str, list[str]]] = [
        ("epoch", [epoch_number(each.epoch) if each else "" for each in last]),
        ("time", [clock(run.seconds + age) for run in shown]),
    ]
    left = width - min(max(map(len, ("run", *titles))), _NAME) - sum(map(_wide, columns))
    for name in _logged_names(now, last):
        values = [each.figures.get(name) if each else None for each in last]
        cells = ["" if value is None else figure(name, value) for value in values]
        head = _short(name)
        column = (head if len(head) <= width // 4 else f"{head[: width // 4 - 1]}…", cells)
        left -= _wide(column)
        if left < 0 and len(columns) > 2:
            break
        columns.insert(-1, column)
    table = Table(box=None, width=width, padding=(0, 1), pad_edge=False)
    table.add_column("run", ratio=1, no_wrap=True, overflow="ellipsis")
    for head, _ in columns:
        table.add_column(Text(head), justify="right", no_wrap=True, overflow="ellipsis")
    for title, *cells in zip(titles, *(cells for _, cells in columns), strict=True):
        table.add_row(Text(title), *map(Text, cells))
    if len(shown) < len(runs):
        table.add_row(Text(f"and {len(runs) - len(shown)} more", style="dim"))
    return table


def _logged_names(now: Snapshot, last: Sequence[EpochRecord | None]) -> list[str]:
    """The figures that runs logged last: those of the setups first."""
    names = dict.fromkeys(name for each in last if each for name in each.figures)
    first = [name for name in _metrics(now) if name in names]
    return [*first, *(name for name in names if name not in first)]


def _wide(column: tuple[str, Sequence[str]]) -> int:
    """Width of a column and of the space before it."""
    head, cells = column
    return max(map(len, (head, *cells))) + 2


def _under_way(runs: Sequence[RunNow], age: float) -> Text:
    """Runs that report no progress: how long they have been running."""
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
