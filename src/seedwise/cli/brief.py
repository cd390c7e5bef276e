"""A verdict in ten lines: the figures that it rests on, and the cautions that change it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import fitted, height, plain_table, width
from seedwise.comparison import ComparisonValues
from seedwise.figures import count, interval, percent, places, signed
from seedwise.stats.sequential import Decision, Interval
from seedwise.words.cautions import EXPLORATORY
from seedwise.words.run_cautions import Caution, Weight
from seedwise.words.view import Row, View

__all__ = ["LINES", "SENTENCES", "brief", "brief_notes", "overview"]

LINES = 10
"""As much as is read at a glance."""

SENTENCES = 3
"""Up to so many comparisons have a sentence each; of more there is a line each."""

_ROWS = LINES - 2
"""Comparisons that have a line, beside the head and the cautions; of more those that say most."""

_MOST_TELLING = ("better", "worse", "equivalent", "undecided")


def brief(console: Console, found: ComparisonValues, told: View) -> tuple[list[Text], Group]:
    """The verdict's sentence; and its figures with what to bear in mind."""
    verdict = [Text(told.headline, style="bold")]
    rest: list[RenderableType] = [fitted(console, _figures(console, found, told))]
    if told.more_runs:
        rest.append(Text(told.more_runs))
    room = LINES - sum(height(console, each) for each in (*verdict, *rest))
    ruled = found.stopping is not None and found.stopping.decision.n > 0
    # What a rule decided is confirmed: what is exploratory beside it, `--full` alone prints.
    notes = [each for each in told.notes if not (ruled and each.label == EXPLORATORY)]
    return verdict, Group(*rest, *brief_notes(console, [(each, "") for each in notes], room))


def overview(
    console: Console, found: Sequence[ComparisonValues], views: Sequence[View]
) -> RenderableType:
    """A line for each of many comparisons, or for those with a verdict and a count of the rest."""
    if len(found) <= _ROWS:
        return fitted(console, _overview(found, views))
    verdicts = [each.outcome for each in found]
    order = sorted(range(len(found)), key=lambda place: _MOST_TELLING.index(verdicts[place]))
    shown, hidden = sorted(order[: _ROWS - 1]), order[_ROWS - 1 :]
    counts = Counter(verdicts[place] for place in hidden)
    rest = ", ".join(f"{counts[each]} {each}" for each in _MOST_TELLING if counts[each])
    table = _overview([found[place] for place in shown], [views[place] for place in shown])
    return Group(fitted(console, table), Text(f"and {len(hidden)} more ({rest}): --full"))


def _overview(found: Sequence[ComparisonValues], views: Sequence[View]) -> Table:
    sure = percent(found[0].rule.confidence)
    table = plain_table(
        ("comparison", "verdict", "metric", "difference", f"{sure} interval"), left=3
    )
    for each, told in zip(found, views, strict=True):
        size = each.accuracy or each.deciding
        row = next(row for row in told.rows if row.metric == size.metric)
        cells = (told.title, each.outcome, size.metric, row.estimate, row.these)
        table.add_row(*map(Text, cells))
    return table


def brief_notes(console: Console, notes: Sequence[tuple[Caution, str]], room: int) -> list[Text]:
    """As many cautions in full as there is room for, and what the others are about.

    Args:
        console: Where they are printed.
        notes: The cautions, the weightiest first, each with the setups that it is about; empty
            where it is about all that are compared.
        room: Lines that they may take. What others are about is said even where there is none.
    """
    grave = sum(each.weight == Weight.GRAVE for each, _ in notes)
    texts = list[Text]()
    for shown in range(max(grave, 1), -1, -1):
        full, rest = notes[:shown], [each for each, _ in notes[shown:]]
        texts = [Text(f"Note{who and f' on {who}'}: {each.text}") for each, who in full]
        labels = "; ".join(each.label for each in rest if each.weight != Weight.SMALL)
        if rest:
            more = count(len(rest), "more note" if full else "note")
            texts.append(Text(f"{more}{labels and f' ({labels})'}: --full"))
        if sum(height(console, each) for each in texts) <= room:
            break
    return texts


def _figures(console: Console, found: ComparisonValues, told: View) -> Table:
    """Accuracy and the metric that decides, with as much beside them as there is room for."""
    if found.stopping and found.stopping.decision.n:
        return _ruled(found.stopping.decision)
    rows = sorted(
        (row for row in told.rows if row.decides or row.metric == "accuracy"),
        key=lambda row: row.metric != "accuracy",
    )
    sure = percent(found.rule.confidence)
    tables = [_table(found, rows, sure, means, deviations) for means, deviations in _MORE]
    return next((each for each in tables if width(console, each) <= console.width), tables[-1])


_MORE = ((True, True), (True, False), (False, False))
"""Columns beside a difference, the most first: means, and their standard deviations."""


def _table(
    found: ComparisonValues, rows: Sequence[Row], sure: str, means: bool, deviations: bool
) -> Table:
    several = len(rows) > 1
    sd = " ± sd" if deviations else ""
    of_each = [f"{found.a.name}{sd}", f"{found.b.name}{sd}"] if means else []
    name = "metric (* decides)" if several else "metric"
    table = plain_table((name, *of_each, "difference", f"{sure} interval", "p"))
    for column, text in zip(table.columns, (name, *of_each), strict=False):
        column.header = Text(text)
    for row in rows:
        cells = [f"{row.metric}{'*' if row.decides and several else ''}"]
        if means:
            cells += _means(row, deviations)
        ends = row.new if row.these == "-" else row.these
        ends = "none" if "inf" in ends else ends
        cells += [row.estimate, ends, row.p if row.p_value >= 1e-4 else "<0.0001"]
        table.add_row(*map(Text, cells))
    return table


def _means(row: Row, deviations: bool) -> Iterator[str]:
    for mean, sd in ((row.mean_a, row.sd_a), (row.mean_b, row.sd_b)):
        number, _, unit = mean.partition(" ")
        known = deviations and sd != "-"
        yield f"{number} ± {sd}{unit and f' {unit}'}" if known else mean


def _ruled(decision: Decision) -> Table:
    """Figures that a stopping rule goes by, with its own intervals."""
    table = plain_table(("metric", "difference", f"{percent(decision.confidence)} interval"))
    for metric, each in _looked_at(decision).items():
        digits = places(metric, each.low, each.high)
        cells = (
            metric,
            signed(metric, each.estimate, digits),
            interval(metric, each.low, each.high),
        )
        table.add_row(*map(Text, cells))
    return table


def _looked_at(decision: Decision) -> Mapping[str, Interval]:
    look = decision.trace[-1]
    known = {
        decision.judged: look.accuracy,
        "matched_accuracy": look.matched,
        "ranked_accuracy": look.ranked,
    }
    return {metric: each for metric, each in known.items() if each is not None}
