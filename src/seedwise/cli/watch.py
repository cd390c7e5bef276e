"""`seedwise watch`: a study that runs elsewhere, live."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Command, Terminated
from seedwise.cli.words import clock
from seedwise.figures import count

if TYPE_CHECKING:
    from rich.text import Text

    from seedwise.cli.console import Console
    from seedwise.study.watching import Sight

__all__ = ["changes", "watch", "work_line"]

_SECONDS_BETWEEN_LOOKS = 0.5
_MOST_ON_A_LINE = 2
"""Runs under way whose figures stand above the report."""
_STALE = 15.0
"""Seconds without progress after which its age is shown."""


@click.command(
    cls=Command,
    example=["seedwise watch study.db", "seedwise watch study.db --serve --port 8000"],
    exits={
        0: "the study is complete, and nothing is running",
        2: "no such study, it cannot be read, or the port is taken",
        130: "stopped by Ctrl-C; the study is unchanged",
    },
)
@options.study
@click.option("--serve", is_flag=True, help="Serve the report to a browser on this machine.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port of 127.0.0.1 for --serve; 0 takes a free one.  [default: 8000]",
)
def watch(study: Path, serve: bool, port: int | None) -> None:
    """Follow live the progress of STUDY.DB, wherever its runs are made.

    Shows on another terminal, or on another machine that shares the folder, what `seedwise run`
    shows where it runs; in a file or a pipe, a line for each change. Ends when the study is
    complete. With --serve, shows the report as a page that keeps itself up to date, on this
    machine only, until Ctrl-C. Reads the study and writes nothing.
    """
    from seedwise.errors import ConfigError

    if port is not None and not serve:
        raise ConfigError("--port goes with --serve; give both or neither")
    try:
        if serve:
            _serve(study, 8000 if port is None else port)
        else:
            _watch(study)
    except Terminated:
        raise
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


def _serve(study: Path, port: int) -> None:
    from seedwise.cli.serving import Page, server
    from seedwise.study.watching import Lookout, version_of

    lookout = Lookout(study)
    lookout.look()  # what cannot be read is told before anybody is told where to look
    page = Page(
        make=partial(_report, study),
        version=partial(version_of, study),
        line=lambda: _one_line(lookout.look()),
    )
    with server(page, title=f"{study.name}: seedwise", port=port) as served:
        click.echo(f"{study}: {served.url} shows it, for this machine only, until Ctrl-C")
        served.serve_forever()


def _report(study: Path) -> str:
    """The report of what is stored at this moment."""
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.report.page import report_html
    from seedwise.study.thumbnails import thumbnails
    from seedwise.study.watching import refuse_foreign

    refuse_foreign(study)
    with StudyRuns.open(study) as runs:
        return report_html(runs, thumbnails=thumbnails(runs, None))


def _one_line(seen: "Sight") -> str:
    """The line above the report."""
    from seedwise.cli.picture import logged_words, time_line

    now = datetime.now(UTC)
    logged = [run for run in seen.snapshot.runs if run.epochs and not run.all_steps]
    said = [
        f"; {run.setup} seed {run.seed}: {logged_words(run.epochs[-1])}"
        for run in logged[:_MOST_ON_A_LINE]
    ]
    time_ = f"; {time_line(seen.snapshot, seen.age(now))}" if seen.told else ""
    return f"{_counts(seen, left=False)}{''.join(said)}{time_}; {work_line(seen, now)}"


def _watch(study: Path) -> None:
    from seedwise.cli.console import Console
    from seedwise.cli.tables import say

    console = Console()
    if console.is_terminal:
        _draw(console, study)
        return
    for line in changes(_sights(study)):
        say(console, line)


def _sights(study: Path) -> "Iterator[Sight]":
    """The study, again and again, until it is complete."""
    from seedwise.study.watching import Lookout

    lookout = Lookout(study)
    while True:
        seen = lookout.look()
        yield seen
        if seen.complete and seen.work != "here":
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _draw(console: "Console", study: Path) -> None:
    from rich.live import Live

    from seedwise.cli.picture import picture

    sights = _sights(study)
    seen = next(sights)  # what cannot be read is told before the picture begins
    with Live(console=console, auto_refresh=False) as live:
        while True:
            now = datetime.now(UTC)
            shown = picture(
                seen.snapshot,
                width=console.width,
                height=console.height,
                age=seen.age(now) if seen.told else 0.0,
                notes=[_styled(seen, now)],
                clocks=seen.told,
            )
            live.update(shown, refresh=True)
            try:
                seen = next(sights)
            except StopIteration:
                return


def _styled(seen: "Sight", now: datetime) -> "Text":
    from rich.text import Text

    from seedwise.cli.words import printable

    gone = seen.work == "killed" or (seen.work == "nobody" and not seen.complete)
    return Text(printable(work_line(seen, now)), style="yellow" if gone else "dim")


def work_line(seen: "Sight", now: datetime) -> str:
    """A line that says who works on a study, and how old what is shown is."""
    age = seen.age(now)
    ago = f"{clock(age)} ago" if age >= 1 else "now"
    last = "no run is stored yet" if seen.at is None else f"the last run ended {ago}"
    match seen.work:
        case "here" if seen.told:
            stale = f"; last progress {ago}" if age >= _STALE else ""
            return f"run by {seen.holder}{stale}"
        case "here":
            return f"run by {seen.holder}; no progress is reported; {last}"
        case "elsewhere":
            word = f"last progress {ago}" if seen.told else f"no progress is reported; {last}"
            return f"run by {seen.holder}; {word}"
        case "killed":
            assert seen.holder is not None
            who = f"process {seen.holder.pid} on {seen.holder.host}"
            when = "" if seen.at is None else f"; it was last seen {seen.at:%H:%M:%S} UTC, {ago}"
            return f"not running: {who} was killed, and the same command continues{when}"
        case _ if seen.complete:
            return f"complete, not running; {last}"
        case _:
            return f"not running; {last}; `seedwise run` makes the missing runs"


def changes(sights: "Iterator[Sight]") -> Iterator[str]:
    """A line for each change that is worth one: runs that began or ended, differences, workers."""
    from seedwise.cli.interims import interim_line

    said = set[str]()
    before = ""
    for seen in sights:
        who = _who(seen)
        if who != before:
            before = who
            yield work_line(seen, datetime.now(UTC))
        now = [_counts(seen), *map(interim_line, seen.snapshot.interims)]
        yield from (line for line in now if line not in said)
        said = set(now)


def _who(seen: "Sight") -> str:
    return f"{seen.work} {seen.holder} {seen.complete}"


def _counts(seen: "Sight", *, left: bool = True) -> str:
    """The runs of each setup on one line, and the time left."""
    now = seen.snapshot
    if not now.setups:
        what = "" if now.preparing is None else f": {now.preparing[0]}"
        return f"no run yet{what}"
    parts = list[str]()
    for name, setup in now.setups.items():
        of = "" if setup.wanted is None else f" of {setup.wanted:,}"
        others = ("running", setup.running), ("diverged", setup.diverged), ("failed", setup.failed)
        more = "".join(f", {number:,} {what}" for what, number in others if number)
        parts.append(f"{name} {setup.done:,}{of}{more}")
    time_ = f"; about {clock(now.left)} left" if left and now.left is not None else ""
    return f"{count(now.done, 'run')}: {'; '.join(parts)}{time_}"
