"""What a stopping rule says, in a sentence."""

from seedwise.comparison.stopping import StoppingRule
from seedwise.figures import spread
from seedwise.stats.sequential import Decision

__all__ = ["decision_sentence"]


def decision_sentence(name: str, rule: StoppingRule, found: Decision) -> str:
    """The verdict on a candidate, or why there is none; differences in points."""
    margin = spread("accuracy", rule.stop.difference)
    pairs = f"after {_pairs(found.n)} of runs"
    by = f"by {found.metric.replace('_', ' ')}"
    match found.verdict, found.reason:
        case "better" | "worse" as verdict, _:
            return f"{name} is {verdict} than {rule.baseline} ({by}), {pairs}."
        case "equivalent", _:
            return f"{name} and {rule.baseline} are equivalent: within {margin} points, {pairs}."
        case _, "futile":
            return (
                f"{name} against {rule.baseline}: undecided {pairs}, and {rule.stop.max_runs} "
                "would hardly decide it."
            )
        case _, "cap":
            return f"{name} against {rule.baseline}: undecided {pairs}, which is the most allowed."
        case _:
            return f"{name} against {rule.baseline}: not decided yet, {pairs}."


def _pairs(number: int) -> str:
    return f"{number:,} pair{'' if number == 1 else 's'}"
