"""Tables, and summaries of studies in print."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.comparison import SetupSummary, Summary
from seedwise.figures import count, figure, in_points, spread
from seedwise.words.run_cautions import identical_note, sharing_note

__all__ = [
    "fitted",
    "height",
    "named_table",
    "plain_table",
    "print_summary",
    "print_table",
    "say",
    "sentence",
    "width",
]

_ANY = 10_000
"""Columns that any table fits."""


def say(console: Console, text: str) -> None:
    """Print text as it is: no markup, no wrapping, no colours for numbers, no commands."""
    console.print(Text(text), highlight=False, soft_wrap=True)


def sentence(console: Console, text: str, *, style: str = "") -> None:
    """Print text as it is, broken between words where the line ends."""
    console.print(Text(text, style=style), highlight=False)


def plain_table(columns: Iterable[str], *, left: int = 1) -> Table:
    """A table without lines, whose first `left` columns hold words and the others numbers."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if place < left else "right",
            overflow="fold",
            no_wrap=place >= left,
        )
    return table


def named_table(*columns: str) -> Table:
    """A table whose first column holds names, in full."""
    table = plain_table(columns)
    table.columns[0].no_wrap = True
    return table


def fitted(console: Console, table: Table) -> Table:
    """A table that is printed whole: where a line is too short, cells are broken, not cut."""
    if width(console, table) > console.width:
        for column in table.columns:
            column.no_wrap, column.overflow = False, "fold"
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table whole."""
    console.print(fitted(console, table))


def width(console: Console, table: Table) -> int:
    """Number of columns that a table takes with no cell broken."""
    return console.measure(table, options=console.options.update(width=_ANY)).maximum


def height(console: Console, part: RenderableType) -> int:
    """Number of lines that it takes."""
    return len(console.render_lines(part, pad=False))


def print_summary(console: Console, summary: Summary) -> None:
    """Print mean and standard deviation of each metric of each setup."""
    if summary.dataset:
        say(console, f"{summary.dataset}: {count(summary.examples, 'validation example')}")
    table = plain_table(
        ("setup", "metric", "runs", "mean", "sd", "diverged", "failed"),
        left=2,
    )
    for setup in summary.setups:
        for row in _rows(setup):
            table.add_row(*row)
    print_table(console, table)
    for setup in summary.setups:
        if setup.sharing:
            sentence(console, sharing_note(setup.name, setup.sharing))
        if setup.identical:
            runs = setup.finished - setup.sharing
            sentence(console, identical_note(setup.name, runs, setup.identical))
    if summary.directions:
        sentence(console, f"{summary.directions[0].upper()}{summary.directions[1:]}.")
    if any(in_points(metric) for setup in summary.setups for metric in setup.metrics):
        say(console, "sd: standard deviation (ddof 1), of accuracies in points")


def _rows(setup: SetupSummary) -> Iterable[tuple[Text | str, ...]]:
    """A line for each metric; the counts stand in the first."""
    counts = (str(setup.diverged), str(setup.failed))
    if not setup.metrics:
        yield Text(setup.name), "", str(setup.finished), "-", "-", *counts
    for place, (metric, sample) in enumerate(setup.metrics.items()):
        yield (
            Text(setup.name if place == 0 else ""),
            Text(metric),
            str(sample.n),
            figure(metric, sample.mean),
            spread(metric, sample.sd),
            *(counts if place == 0 else ("", "")),
        )
