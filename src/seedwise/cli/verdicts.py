"""Comparisons in print: the sentence first, then the figures, then what to bear in mind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedwise.cli.brief import LINES, SENTENCES, brief, brief_notes, overview
from seedwise.cli.console import Console
from seedwise.cli.tables import fitted, height, sentence
from seedwise.comparison import ComparisonValues, StoppingRule, TargetValues, decisions
from seedwise.comparison.study_runs import StudyRuns
from seedwise.figures import count, interval, percent, signed, spread
from seedwise.stats.intervals import Difference
from seedwise.stats.sequential import Decision
from seedwise.words.decision import decision_grounds, decision_promise, decision_sentence
from seedwise.words.run_cautions import identical_note, sharing_note
from seedwise.words.verdict import BY_NUMBER, target_sentence
from seedwise.words.view import Row, View, cautions_of, view

__all__ = [
    "print_comparisons",
    "print_decisions",
    "print_target",
    "stored_decisions",
]

_WIDE = 110
"""From this many columns on there is room for the means and deviations beside the differences."""

_ROOM = 10
"""Characters for the name of a difference, so that the table fits 80 columns."""


def print_comparisons(
    console: Console, found: Sequence[ComparisonValues], *, full: bool = False
) -> None:
    """One comparison or several, in ten lines or in full.

    On a terminal the verdicts come last, where the eye is; elsewhere first.
    """
    if not found:
        return
    views = [view(each) for each in found]
    verdicts: Sequence[RenderableType]
    verdicts = [Text(told.headline, style="bold") for told in views]
    if full:
        rest = [_in_full(console, *each) for each in zip(found, views, strict=True)]
        if len(found) > 1:  # each with its own sentence, so that it can be read by itself
            rest = [Group(*each) for each in zip(verdicts, rest, strict=True)]
    elif len(found) == 1:
        verdicts, figures = brief(console, found[0], views[0])
        rest = [figures]
    else:
        if len(found) > SENTENCES:
            verdicts = [overview(console, found, views)]
        room = LINES - sum(height(console, each) for each in verdicts)
        rest = [Group(*brief_notes(console, cautions_of(found, views), room))]
    parts = [Group(*verdicts), *rest]
    spaced = full or sum(height(console, each) for each in parts) < LINES
    for place, part in enumerate(reversed(parts) if console.is_terminal else parts):
        if place and spaced:
            console.print()
        console.print(part, highlight=False)


def _in_full(console: Console, found: ComparisonValues, told: View) -> RenderableType:
    """All but the verdict's own sentence."""
    lines: list[RenderableType] = [Text(each) for each in (told.grounds, told.basis) if each]
    if told.exploratory:
        lines += [Text(), Text(BY_NUMBER), Text(told.exploratory)]
    if told.more_runs:
        lines.append(Text(told.more_runs))
    table = fitted(console, _figures(found, told, wide=console.width >= _WIDE))
    lines += [Text(), table, Text(told.legend), Text(), *map(Text, told.details)]
    lines += [Text(f"Note: {caution}") for caution in told.cautions]
    return Group(*lines)


def print_target(console: Console, found: TargetValues) -> None:
    """A setup against a fixed number."""
    sentence(console, target_sentence(found), style="bold")
    metric, difference = found.metric, found.difference
    sentence(
        console,
        f"sd {spread(metric, found.sample.sd)} (ddof 1); mean - target "
        f"{signed(metric, difference.estimate)}, {_interval(metric, difference)} "
        f"({percent(difference.confidence)} interval, new seeds), "
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
        sentence(console, f"Note: Exploratory, the stated error rates may not hold: {reasons}.")


def _figures(found: ComparisonValues, told: View, *, wide: bool) -> Table:
    """A line for each metric: the difference and its two intervals."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("metric", overflow="fold")
    means = [f"{found.a.name}: mean, sd", f"{found.b.name}: mean, sd"] if wide else []
    difference = told.title if len(told.title) <= _ROOM else "difference"
    r = ("r",) if found.paired else ()
    of = (f"these {found.called}", f"new {found.called}")
    if not told.images:
        of = (f"{percent(found.rule.confidence)} interval",)
    for column in (*means, difference, *of, "p", *r):
        table.add_column(Text(column), justify="right", no_wrap=not means)
    for row in sorted(told.rows, key=_place):
        of_each = [f"{row.mean_a}, {row.sd_a}", f"{row.mean_b}, {row.sd_b}"] if wide else []
        cells = [
            f"{row.metric}{'*' if row.decides else ''}",
            *of_each,
            row.estimate,
            row.these,
            *((row.new,) if told.images else ()),
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
        scored = any(run.has_logits or run.scored for run in runs.all)
        called = runs.called if scored else ""
        return rule, {} if rule is None else decisions(runs, rule), called


def print_decisions(
    console: Console, rule: StoppingRule, found: Mapping[str, Decision], called: str
) -> None:
    """The verdict on each candidate, its interval, and what that may be read as."""
    for name, decision in found.items():
        sentence(console, decision_sentence(name, rule, decision))
        if decision.n:
            sentence(console, decision_grounds(decision, called))
    sentence(console, decision_promise(rule, next(iter(found.values()), None), called))
