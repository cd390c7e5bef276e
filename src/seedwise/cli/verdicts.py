"""Comparisons in print: the sentence first, then the figures, then what to bear in mind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.tables import print_table, sentence
from seedwise.comparison import ComparisonValues, StoppingRule, TargetValues, decisions
from seedwise.comparison.study_runs import StudyRuns
from seedwise.figures import count, interval, percent, signed, spread
from seedwise.stats.intervals import Difference
from seedwise.stats.sequential import Decision
from seedwise.words.cautions import identical_note, sharing_note
from seedwise.words.verdict import (
    BY_NUMBER,
    decision_grounds,
    decision_promise,
    decision_sentence,
    target_sentence,
)
from seedwise.words.view import Row, View, view

__all__ = [
    "print_comparison",
    "print_comparisons",
    "print_decisions",
    "print_target",
    "stored_decisions",
]

_WIDE = 110
"""From this many columns on there is room for the means and deviations beside the differences."""

_ROOM = 10
"""Characters for the name of a difference, so that the table fits 80 columns."""


def print_comparisons(console: Console, found: Sequence[ComparisonValues]) -> None:
    """Several comparisons: their verdicts first, where there is more than one, then each."""
    for comparison in found if len(found) > 1 else ():
        sentence(console, view(comparison).headline, style="bold")
    for place, comparison in enumerate(found):
        if place or len(found) > 1:
            console.print()
        print_comparison(console, comparison)


def print_comparison(console: Console, found: ComparisonValues) -> None:
    """A verdict with what it rests on."""
    told = view(found)
    sentence(console, told.headline, style="bold")
    if told.grounds:
        sentence(console, told.grounds)
    sentence(console, told.basis)
    if told.exploratory:
        console.print()
        sentence(console, BY_NUMBER)
        sentence(console, told.exploratory)
    if told.more_runs:
        sentence(console, told.more_runs)
    console.print()
    print_table(console, _figures(found, told, wide=console.width >= _WIDE))
    sentence(console, told.legend)
    console.print()
    for line in told.details:
        sentence(console, line)
    for caution in told.cautions:
        sentence(console, f"Note: {caution}")


def print_target(console: Console, found: TargetValues) -> None:
    """A setup against a fixed number."""
    sentence(console, target_sentence(found), style="bold")
    metric, difference = found.metric, found.difference
    sentence(
        console,
        f"sd {spread(metric, found.sample.sd)} (ddof 1); mean - target "
        f"{signed(metric, difference.estimate)}, {_interval(metric, difference)} "
        f"({percent(difference.confidence)} interval, new seeds on these {found.called}), "
        f"p = {difference.p_value:.2g}.",
    )
    if found.setup.sharing:
        sentence(console, f"Note: {sharing_note(found.setup.name, found.setup.sharing)}")
    if found.setup.identical:
        setup = found.setup
        note = identical_note(setup.name, setup.results + setup.identical, setup.identical)
        sentence(console, f"Note: {note}")
    if found.setup.diverged:
        sentence(
            console,
            f"Note: {count(found.setup.diverged, 'run')} of {found.setup.results} diverged.",
        )
    if not found.standing.confirmatory:
        reasons = "; ".join(found.standing.reasons)
        sentence(console, f"Note: Exploratory, error rates are not kept: {reasons}.")


def _figures(found: ComparisonValues, told: View, *, wide: bool) -> Table:
    """A line for each metric: the difference and its two intervals."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("metric", overflow="fold")
    means = [f"{found.a.name}: mean, sd", f"{found.b.name}: mean, sd"] if wide else []
    difference = told.title if len(told.title) <= _ROOM else "difference"
    r = ("r",) if found.paired else ()
    for column in (*means, difference, f"these {found.called}", f"new {found.called}", "p", *r):
        table.add_column(Text(column), justify="right", no_wrap=not means)
    for row in sorted(told.rows, key=_place):
        of_each = [f"{row.mean_a}, {row.sd_a}", f"{row.mean_b}, {row.sd_b}"] if wide else []
        cells = [
            f"{row.metric}{'*' if row.decides else ''}",
            *of_each,
            row.estimate,
            row.these,
            row.new,
            row.p if row.p_value >= 1e-4 else "<0.0001",
            *([row.r] if row.r else []),
        ]
        table.add_row(*map(Text, cells))
    return table


def _place(row: Row) -> tuple[bool, bool]:
    """Accuracy and the metric that decides stand before the others."""
    return not (row.decides or row.metric == "accuracy"), row.metric != "accuracy"


def _interval(metric: str, found: Difference) -> str:
    return interval(metric, found.low, found.high)


def stored_decisions(path: Path) -> tuple[StoppingRule | None, Mapping[str, Decision], str]:
    """The stopping rule of a study, if it has one, what it says of each candidate, on what."""
    with StudyRuns.open(path) as runs:
        rule = StoppingRule.of(runs)
        return rule, {} if rule is None else decisions(runs, rule), runs.called


def print_decisions(
    console: Console, rule: StoppingRule, found: Mapping[str, Decision], called: str
) -> None:
    """The verdict on each candidate, its interval, and what that may be read as."""
    for name, decision in found.items():
        sentence(console, decision_sentence(name, rule, decision))
        if decision.n:
            sentence(console, decision_grounds(decision, called))
    judged = next((decision.judged for decision in found.values()), "accuracy")
    sentence(console, decision_promise(rule, judged, called))
