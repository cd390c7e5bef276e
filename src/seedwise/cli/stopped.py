"""What a stopping rule says, in words."""

from collections.abc import Mapping
from pathlib import Path

from seedwise.cli.console import Console
from seedwise.cli.tables import sentence
from seedwise.comparison import StoppingRule, decisions
from seedwise.comparison.study_runs import StudyRuns
from seedwise.stats.sequential import Decision
from seedwise.words.verdict import decision_grounds, decision_promise, decision_sentence

__all__ = ["print_decisions", "stored_decisions"]


def stored_decisions(path: Path) -> tuple[StoppingRule | None, Mapping[str, Decision]]:
    """The stopping rule of a study, if it has one, and what it says of each candidate."""
    with StudyRuns.open(path) as runs:
        rule = StoppingRule.of(runs)
        return rule, {} if rule is None else decisions(runs, rule)


def print_decisions(console: Console, rule: StoppingRule, found: Mapping[str, Decision]) -> None:
    """The verdict on each candidate, its interval, and what that may be read as."""
    for name, decision in found.items():
        sentence(console, decision_sentence(name, rule, decision))
        if decision.n:
            sentence(console, decision_grounds(decision))
    judged = next((decision.judged for decision in found.values()), "accuracy")
    sentence(console, decision_promise(rule, judged))
