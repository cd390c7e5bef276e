"""Decision of a stopping rule on one comparison: plain values."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Decision", "Interval", "Look", "Outcome", "Reason"]

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Reason = Literal["decided", "futile", "withheld", "cap", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A difference B - A that may be looked at after every pair.

    Attributes:
        estimate: Mean of the differences so far.
        low: Lower end; -inf if unknown.
        high: Upper end; inf likewise.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """State of a comparison after `n` pairs.

    Attributes:
        n: Pairs that were looked at.
        accuracy: The difference of accuracy, with the rule's own interval.
        matched: The difference of matched accuracy likewise; None without predictions.
        ranked: The difference of ranked accuracy likewise.
    """

    n: int
    accuracy: Interval
    matched: Interval | None
    ranked: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Decision of the rule, and its grounds.

    The interval belongs to the rule: all intervals of the trace together hold the true difference
    with probability `confidence`, so that it is valid at whatever pair the comparison stopped.
    The estimate leans outward: a comparison stops when chance has carried it far from 0.

    Attributes:
        verdict: `better`, `worse`, `equivalent` or `undecided`.
        reason: `decided`; or why there is no verdict: `futile` (none was likely by the cap), `cap`
            (all pairs are used up), `withheld` (it would be better or equivalent, but another
            verdict without the runs that diverged or collapsed), `running` (more pairs may decide
            it).
        n: Pairs that went into it; pairs after the stop are not looked at.
        metric: `matched_accuracy` where the soft metrics and accuracy show the sign together,
            `accuracy` where that judged alone; another metric where the rule judges that.
        direction: The sign that is shown, 1 or -1, also where the verdict is `equivalent`; 0 where
            none is.
        estimate: Mean difference under that metric.
        low: Lower end of its interval.
        high: Upper end.
        confidence: 1 - alpha; 1 - 2 alpha for `equivalent`, whose two sides have alpha each.
        trace: What was known after each pair, the last included.
        withheld: What the verdict would be but for its resting on runs that diverged or collapsed;
            empty where nothing is withheld.
        judged: The metric that sizes are of, `accuracy` in the trace too.
        higher_is_better: Which way it points.
        tasks: Tasks of a suite, over which the difference of a pair is the mean; 0 without any.
    """

    verdict: Outcome
    reason: Reason
    n: int
    metric: str
    direction: int
    estimate: float
    low: float
    high: float
    confidence: float
    trace: tuple[Look, ...]
    withheld: Outcome | Literal[""] = ""
    judged: str = "accuracy"
    higher_is_better: bool = True
    tasks: int = 0
