"""Comparisons over tasks in print: the sentence, then the tasks, then what to bear in mind."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import print_table, sentence
from seedwise.comparison.suite import SuiteValues
from seedwise.figures import count
from seedwise.words.suite import SuiteView, suite_view
from seedwise.words.verdict import BY_NUMBER

__all__ = ["print_suites"]

_WIDE = 110
"""From this many columns on there is room for the means beside the differences."""


def print_suites(console: Console, found: Sequence[SuiteValues], *, full: bool = False) -> None:
    """Print the verdicts first, where there are several, then each with its tasks.

    In brief a comparison has its tasks and the weightiest caution; several have their verdicts
    and the first caution, which is about all of them.
    """
    views = [suite_view(each) for each in found]
    for told in views if len(views) > 1 else ():
        sentence(console, told.headline, style="bold")
    if len(views) > 1 and not full:
        _note(console, views[0], full)
        return
    for place, (each, told) in enumerate(zip(found, views, strict=True)):
        if place or len(views) > 1:
            console.print()
        _print(console, each, told, full=full)
    if full and views and views[-1].ranks:
        console.print()
        sentence(console, views[-1].ranks)


def _print(console: Console, found: SuiteValues, told: SuiteView, *, full: bool) -> None:
    sentence(console, told.headline, style="bold")
    sentence(console, told.counted)
    if full:
        sentence(console, told.basis)
    if full and told.exploratory:
        sentence(console, f"{BY_NUMBER} {told.exploratory}")
    console.print()
    print_table(console, _tasks(found, told, wide=console.width >= _WIDE))
    if full:
        sentence(console, told.legend)
    if told.cautions or told.ranks:
        console.print()
    _note(console, told, full)


def _note(console: Console, told: SuiteView, full: bool) -> None:
    for caution in told.cautions if full else told.cautions[:1]:
        sentence(console, f"Note: {caution}")
    more = len(told.cautions) - 1
    if not full and (more > 0 or told.ranks):
        also = [count(more, "more note")] if more > 0 else []
        also += ["average ranks"] if told.ranks else []
        sentence(console, f"With --full: {' and '.join(also)}.")


def _tasks(found: SuiteValues, told: SuiteView, *, wide: bool) -> Table:
    """A line for each task; the means of both setups where there is room."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("task", overflow="fold")
    means = (found.a, found.b) if wide else ()
    for column in ("pairs" if found.paired else "runs", *means, "difference", "interval", "p"):
        table.add_column(Text(column), justify="right", no_wrap=column not in means)
    table.add_column("verdict")
    for row in told.rows:
        both = (row.mean_a, row.mean_b) if wide else ()
        cells = (row.task, row.runs, *both, row.estimate, row.interval, row.p, row.outcome)
        table.add_row(*map(Text, cells))
    return table
