"""What a stopping rule says, in words."""

from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from seedwise.cli.console import Console
from seedwise.cli.words import count, signed
from seedwise.comparison import StoppingRule, decisions
from seedwise.comparison.decided import decision_grounds, decision_promise, decision_sentence
from seedwise.stats.sequential import Decision, Interval
from seedwise.store import Store
from seedwise.study.events import Looked

__all__ = ["look_line", "print_decisions", "stored_decisions"]


def stored_decisions(path: Path) -> tuple[StoppingRule | None, Mapping[str, Decision]]:
    """The stopping rule of a study, if it has one, and what it says of each candidate."""
    with Store.open(path, readonly=True) as store:
        rule = StoppingRule.of(store)
        return rule, {} if rule is None else decisions(store, rule)


def look_line(event: Looked) -> str:
    """What the rule knows after a look, on one line: differences in points, with its intervals."""
    found = event.decision
    look = found.trace[-1]
    said = "undecided" if found.reason == "running" else found.verdict
    if found.reason in ("futile", "withheld", "cap"):
        said = f"undecided ({found.reason})"
    line = f"{event.setup}: {said}, {count(found.n, 'pair')}: accuracy {_points(look.accuracy)}"
    return line if look.matched is None else f"{line}, matched {_points(look.matched)}"


def print_decisions(console: Console, rule: StoppingRule, found: Mapping[str, Decision]) -> None:
    """The verdict on each candidate, its interval, and what that may be read as."""
    for name, decision in found.items():
        console.print(Text(decision_sentence(name, rule, decision)), highlight=False)
        if decision.n:
            console.print(Text(decision_grounds(decision)), highlight=False)
    console.print(Text(decision_promise(rule)), highlight=False)


def _points(interval: Interval) -> str:
    estimate, low, high = (
        signed("accuracy", value) for value in (interval.estimate, interval.low, interval.high)
    )
    return f"{estimate} [{low}, {high}]"
