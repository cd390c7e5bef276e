"""What a stopping rule says, in words."""

from collections.abc import Mapping
from pathlib import Path

from seedwise.cli.console import Console
from seedwise.cli.tables import say
from seedwise.cli.words import count, percent, signed, spread
from seedwise.comparison import StoppingRule, decisions
from seedwise.comparison.decided import decision_sentence
from seedwise.stats.sequential import Decision, Interval
from seedwise.store import Store

__all__ = ["print_decisions", "stored_decisions"]


def stored_decisions(path: Path) -> tuple[StoppingRule | None, Mapping[str, Decision]]:
    """The stopping rule of a study, if it has one, and what it says of each candidate."""
    with Store.open(path, readonly=True) as store:
        rule = StoppingRule.of(store)
        return rule, {} if rule is None else decisions(store, rule)


def print_decisions(console: Console, rule: StoppingRule, found: Mapping[str, Decision]) -> None:
    """The verdict on each candidate, its interval, and what that may be read as."""
    for name, decision in found.items():
        say(console, decision_sentence(name, rule, decision))
        if decision.n:
            _print_grounds(console, decision)
    stop, candidates = rule.stop, count(len(rule.candidates), "candidate")
    say(
        console,
        f"The rule was fixed before the first run: {percent(stop.alpha)} false alarms over "
        f"{candidates} where\ndifferences are about normal; equivalent is within "
        f"{spread('accuracy', stop.difference)} points. The intervals hold after\n"
        "stopping; the estimates lean outward. All of it speaks of new seeds on these\n"
        "images, not of new images.",
    )


def _print_grounds(console: Console, found: Decision) -> None:
    look = found.trace[-1]
    accuracy = look.accuracy
    if found.verdict == "equivalent":
        accuracy = Interval(estimate=found.estimate, low=found.low, high=found.high)
    say(
        console,
        f"  accuracy {_points(accuracy)} points, {percent(found.confidence)} interval"
        + ("" if look.matched is None else f"; matched accuracy {_points(look.matched)}"),
    )


def _points(interval: Interval) -> str:
    estimate, low, high = (
        signed("accuracy", value) for value in (interval.estimate, interval.low, interval.high)
    )
    return f"{estimate} [{low}, {high}]"
