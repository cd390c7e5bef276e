"""Differences that are still on their way, as a terminal shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedwise.cli.words import printable
from seedwise.figures import in_points, percent, signed, spread
from seedwise.live.snapshot import Interim, InterimDifference

__all__ = ["difference_table", "interim_line", "lines_of"]

_NARROWEST = 11
"""Columns below which a drawn interval shows nothing."""

_SHORT = {"matched_accuracy": "matched", "smoothed_accuracy": "smoothed"}
_STYLES = {"better": "bold green", "worse": "bold red", "equivalent": "bold cyan"}


def interim_line(found: Interim) -> str:
    """A candidate against the baseline on one line: differences in points, with its intervals."""
    said = _said(found, " pairs")
    if found.state == "early" and found.pairs != found.most:
        said += ", interim"
    differences = ", ".join(
        f"{_short(each.metric)} {_numbers(each)}" for each in found.differences
    )
    return f"{found.setup} - {found.baseline}: {differences}; {said}"


def lines_of(interims: Sequence[Interim], *, every: bool) -> int:
    """Lines that a table of them takes, with `every` difference of each or the first only."""
    rows = sum(len(each.differences) for each in interims) if every else len(interims)
    return rows + 2 if interims else 0


def difference_table(interims: Sequence[Interim], *, width: int, every: bool) -> RenderableType:
    """A line for each difference, its interval drawn where there is room, and what it is worth.

    Args:
        interims: One or more.
        width: Columns that there are.
        every: Every difference of each; else only the one that judges the sign.
    """
    rows = [
        _InterimRow(found=found, difference=each, first=place == 0)
        for found in interims
        for place, each in enumerate(found.differences if every else found.differences[:1])
    ]
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    less = f"- {printable(interims[0].baseline)}"
    names = max(len(less), *(len(printable(found.setup)) for found in interims))
    said = [_said(row.found) if row.first else "" for row in rows]
    numbers = [_numbers(row.difference) for row in rows]
    metrics = [_short(row.difference.metric) for row in rows]
    words = (("pairs", *said), ("difference", *numbers), ("metric", *metrics))
    left = width - sum(max(map(len, cells)) + 2 for cells in words) - 2
    room = min(left - min(names, 16) - 2, 81)
    name_width = min(names, 40, left - room - 2 if room >= _NARROWEST else left)
    table.add_column(Text(less), width=max(1, name_width), no_wrap=True, overflow="ellipsis")
    table.add_column("metric", no_wrap=True)
    table.add_column("difference", justify="right", no_wrap=True)
    if room >= _NARROWEST:
        head = " " * (room // 2 - len("lower ")) + "lower │ higher"
        table.add_column(Text(head, style="dim"), width=room, no_wrap=True)
    table.add_column("pairs", no_wrap=True, overflow="ellipsis")
    for row, metric, number, pairs in zip(rows, metrics, numbers, said, strict=True):
        name = Text(printable(row.found.setup) if row.first else "")
        drawn = [_drawn(row, rows, room)] if room >= _NARROWEST else []
        style = _STYLES.get(row.found.verdict, "")
        table.add_row(name, metric, number, *drawn, Text(pairs, style=style))
    legend = Text(
        _legend(interims, drawn=room >= _NARROWEST), style="dim", no_wrap=True, overflow="ellipsis"
    )
    return Group(table, legend)


@dataclass(frozen=True, slots=True, kw_only=True)
class _InterimRow:
    found: Interim
    difference: InterimDifference
    first: bool


def _short(metric: str) -> str:
    return _SHORT.get(metric, metric)


def _numbers(each: InterimDifference) -> str:
    estimate, low, high = (
        signed(each.metric, value) for value in (each.estimate, each.low, each.high)
    )
    if math.isinf(each.low):
        return estimate  # no interval yet
    return f"{estimate} [{low}, {high}]"  # the same digits in all lines, however wide they are


def _said(found: Interim, what: str = "") -> str:
    """The number of pairs, and the distance from a verdict."""
    most = "" if found.most is None else f" of {found.most:,}"
    pairs = f"{found.pairs:,}{most}{what}"
    match found.state:
        case "early":
            return pairs
        case "decided":
            return f"{found.verdict} after {found.pairs:,}{what}"
        case "futile" | "withheld" | "cap" as reason:
            return f"undecided ({reason}) after {found.pairs:,}{what}"
        case _ if found.more is not None:
            return f"{pairs}, ~{found.more:,} more"
        case _ if math.isinf(found.differences[0].low):
            return pairs  # no interval yet
        case _:
            return f"{pairs}, not near"


def _legend(interims: Sequence[Interim], *, drawn: bool) -> str:
    found = interims[0]
    sure = percent(found.confidence)
    if found.state == "early":
        if all(each.pairs == each.most for each in interims):
            return f"{sure} intervals, of all pairs"
        return f"{sure} intervals, interim: no verdict before all pairs are there"
    margin = "" if found.margin is None else f", or within ±{spread('accuracy', found.margin)}"
    margin += " ┊" if margin and drawn else ""
    return f"{sure} at every look; decided when clear of 0{margin}"


def _drawn(row: _InterimRow, rows: Sequence[_InterimRow], room: int) -> Text:
    """An interval on an axis from worse to better, the same for all rows of a kind of metric."""
    metric = row.difference.metric
    kind = [each for each in rows if in_points(each.difference.metric) == in_points(metric)]
    margin = row.found.margin if in_points(metric) else None
    if margin is not None and not math.isfinite(margin):
        margin = None
    ends = [abs(end) for each in kind for end in (each.difference.low, each.difference.high)]
    ends += [1.25 * margin] if margin else []
    most = max(filter(math.isfinite, ends), default=0.0)
    cells, centre = [" "] * room, room // 2

    def put(value: float, char: str) -> None:
        place = centre + round(value / most * centre)
        if 0 <= place < room:
            cells[place] = char

    if most:
        low, high = row.difference.low, row.difference.high
        if math.isfinite(high - low):
            ends_at = [centre + round(end / most * centre) for end in (low, high)]
            for place in range(max(0, ends_at[0]), min(room - 1, ends_at[1]) + 1):
                cells[place] = "─"
        put(0.0, "│")
        for end in (-margin, margin) if margin else ():
            put(end, "┊")
        if abs(row.difference.estimate) <= most:
            put(row.difference.estimate, "●")
    return Text("".join(cells))
