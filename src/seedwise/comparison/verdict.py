"""The rule that turns differences into better, worse, equivalent or undecided.

Matched accuracy may decide the sign only, and only where accuracy's estimate agrees with it;
sizes, margins and equivalence are of accuracy. A rescaling of the logits that leaves every
prediction as it is moves no accuracy, but one that depends on the margin moves matched accuracy
by tenths of a point with hardly any noise, and accuracy's estimate agrees with that by luck every
other time. So ranked accuracy, which no such rescaling moves, has to show the same sign too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from seedwise.comparison.contrast import Contrast

__all__ = ["SOFT", "Deciding", "Outcome", "Verdict", "deciding", "settle"]

Outcome = Literal["better", "worse", "equivalent", "undecided"]

SOFT = ("matched_accuracy", "smoothed_accuracy", "ranked_accuracy")
"""Metrics that stand for accuracy: they may decide a sign that accuracy's estimate has too."""

_GUARD = {"matched_accuracy": "ranked_accuracy"}
"""What has to show the same sign as well, by its own test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """The test on which the sign of a verdict rests, before anything is corrected.

    Attributes:
        metric: The metric that decides.
        direction: 1 where B looks better, -1 where worse, 0 where the same.
        p_value: Two-sided.
        instead_of: The metric that was to decide but whose sign accuracy does not share; empty
            where there is none.
    """

    metric: str
    direction: int
    p_value: float
    instead_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be claimed.

    Attributes:
        outcome: `better` or `worse` (B, than A), `equivalent` (within the margin) or `undecided`.
        decided_by: The metric whose test decides the sign; for `equivalent` the one of the margin.
        p_value: Two-sided p-value of that test, corrected where there are several comparisons.
        p_equivalent: p-value of equivalence, corrected likewise; None without a margin.
        direction: The sign that is shown, 1 or -1, also where the outcome is `equivalent`; 0 where
            none is.
        instead_of: As in `Deciding`.
        withheld: What the verdict would be but for its resting on the diverged runs; empty where
            nothing is withheld.
    """

    outcome: Outcome
    decided_by: str
    p_value: float
    p_equivalent: float | None
    direction: int
    instead_of: str = ""
    withheld: str = ""

    def without_better(self) -> "Verdict":
        """The verdict, `better` withheld: it would be another without the diverged runs.

        To drop a seed because it diverged selects on the outcome, and to call a setup better
        because the other one diverged is to say something else than one would be understood to.
        """
        if self.outcome != "better":
            return self
        return replace(self, outcome="undecided", direction=0, withheld=self.outcome)


def deciding(contrasts: Mapping[str, Contrast], metric: str) -> Deciding:
    """The test that decides the sign.

    Args:
        contrasts: By name of the metric, accuracy among them where it is known.
        metric: The metric that is to decide.
    """
    main = contrasts[metric]
    accuracy = contrasts.get("accuracy")
    if accuracy is None or metric.partition(":")[0] not in SOFT:
        return _test(main)
    sign = _accuracy_sign(accuracy)
    if sign == 0 or sign != _sign(main.advantage):
        return Deciding(
            metric="accuracy",
            direction=sign,
            p_value=accuracy.difference.p_value if sign else 1.0,
            instead_of=metric,
        )
    guard = contrasts.get(_GUARD.get(metric.partition(":")[0], ""))
    if guard is None:
        return _test(main)
    agrees = _sign(guard.advantage) == sign
    p_value = max(main.difference.p_value, guard.difference.p_value) if agrees else 1.0
    return Deciding(metric=metric, direction=sign, p_value=p_value)


def settle(
    test: Deciding,
    p_value: float,
    *,
    p_equivalent: float | None,
    margin_metric: str,
    alpha: float,
) -> Verdict:
    """The verdict.

    A difference that is shown to be within the margin is `equivalent` even where its sign is
    shown too: the margin says what does not matter.

    Args:
        test: The test of the sign.
        p_value: Its p-value, corrected where there are several comparisons.
        p_equivalent: The p-value of equivalence, corrected likewise; None without a margin.
        margin_metric: The metric of the margin.
        alpha: The error rate of each claim.
    """
    shown = test.direction if p_value < alpha else 0
    within = p_equivalent is not None and p_equivalent < alpha
    outcome: Outcome = "undecided"
    if within:
        outcome = "equivalent"
    elif shown:
        outcome = "better" if shown > 0 else "worse"
    return Verdict(
        outcome=outcome,
        decided_by=margin_metric if within else test.metric,
        p_value=p_value,
        p_equivalent=p_equivalent,
        direction=shown,
        instead_of=test.instead_of,
    )


def _test(contrast: Contrast) -> Deciding:
    return Deciding(
        metric=contrast.metric,
        direction=_sign(contrast.advantage),
        p_value=contrast.difference.p_value,
    )


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _accuracy_sign(accuracy: Contrast) -> int:
    """The sign of accuracy's estimate; 0 where not even one prediction in a run is different.

    Rounding of rescaled logits to float16 makes and breaks a few ties: that is no agreement.
    """
    return _sign(accuracy.advantage) if abs(accuracy.advantage) >= accuracy.resolution else 0
