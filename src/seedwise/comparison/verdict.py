"""The rule that turns differences into better, worse, equivalent or undecided.

Matched accuracy may help to show the sign only, which accuracy has to show too; sizes, margins and
equivalence are of accuracy. `stats.signs` has the rule of the sign.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from seedwise.comparison.contrast import Contrast
from seedwise.stats.decision import Outcome
from seedwise.stats.signs import ALONE, WITH_SOFT, SignTest, sign_of, witness

__all__ = ["GUARD", "SOFT", "Deciding", "Verdict", "deciding", "settle"]

SOFT = ("matched_accuracy", "smoothed_accuracy", "ranked_accuracy")
"""Metrics that stand for accuracy: they may help to show a sign that accuracy shows too."""

GUARD = {"matched_accuracy": "ranked_accuracy"}
"""Metrics that have to show the same sign as well, by their own test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """The test on which the sign of a verdict rests, before anything is corrected.

    Attributes:
        metric: The metric that decides.
        direction: 1 where B looks better, -1 where worse, 0 where the same.
        p_value: Two-sided.
        ways: Each way to show it: the metrics whose tests all have to, and at which two-sided
            level each, as a multiple of the error rate. None where there is no sign.
        instead_of: The metric that was to decide but whose sign accuracy does not share; empty
            where there is none.
    """

    metric: str
    direction: int
    p_value: float
    ways: tuple[Mapping[str, float], ...]
    instead_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A claim, or that none can be made.

    Attributes:
        outcome: `better` or `worse` (B, than A), `equivalent` (within the margin) or `undecided`.
        decided_by: The metric whose test decides the sign; for `equivalent` the one of the margin.
        p_value: Two-sided p-value of that test, corrected where there are several comparisons.
        p_equivalent: p-value of equivalence, corrected likewise; None without a margin.
        p_not_worse: p-value of not worse by the margin, corrected likewise; None without one.
        not_worse: Whether B is shown to be worse by less than the margin, if at all.
        direction: The sign that is shown, 1 or -1, also where the outcome is `equivalent`; 0 where
            none is.
        instead_of: As in `Deciding`.
        withheld: What the verdict would be but for its resting on runs that diverged or collapsed;
            empty where nothing is withheld.
    """

    outcome: Outcome
    decided_by: str
    p_value: float
    p_equivalent: float | None
    p_not_worse: float | None
    not_worse: bool
    direction: int
    instead_of: str = ""
    withheld: str = ""

    def founded_on(self, without: "Verdict | None") -> "Verdict":
        """The verdict as far as it is the same without the runs that diverged or collapsed.

        To drop a seed because it diverged selects on the outcome, and to call a setup better
        because the other one diverged is to say something else than one would be understood to.

        Args:
            without: The verdict without them; None where nothing is left to compare, or where
                the score of such a run is unknown.
        """
        not_worse = self.not_worse and without is not None and without.not_worse
        if self.outcome == "undecided" or (without and without.outcome == self.outcome):
            return replace(self, not_worse=not_worse)
        return replace(
            self, outcome="undecided", direction=0, not_worse=not_worse, withheld=self.outcome
        )


def deciding(contrasts: Mapping[str, Contrast], metric: str) -> Deciding:
    """The test that decides the sign.

    Args:
        contrasts: By name of the metric, accuracy among them where it is known.
        metric: The metric that is to decide.
    """
    main = contrasts[metric]
    accuracy = contrasts.get("accuracy")
    name = metric.partition(":")[0]
    if accuracy is None or name not in SOFT:
        return Deciding(
            metric=metric,
            direction=int(sign_of(main.advantage)),
            p_value=main.difference.p_value,
            ways=({metric: 1.0},),
        )
    guard = contrasts.get(GUARD.get(name, ""))
    found = witness(
        _test(accuracy, accuracy.resolution), _test(main), None if guard is None else _test(guard)
    )
    softs = {each.metric: 1.0 for each in (main, guard) if each is not None}
    ways = [{"accuracy": ALONE}]
    if found.agree and (guard is None or _test(guard).sign == found.sign):
        ways.append(softs | {"accuracy": WITH_SOFT})
    return Deciding(
        metric=metric if found.soft else "accuracy",
        direction=int(found.sign),
        p_value=min(1.0, -float(found.strength)) if found.sign else 1.0,
        ways=tuple(ways) if found.sign else (),
        instead_of="" if found.agree else metric,
    )


def settle(
    test: Deciding,
    p_value: float,
    *,
    p_equivalent: float | None,
    p_not_worse: float | None,
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
        p_not_worse: That of not worse by the margin or more, corrected likewise.
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
        p_not_worse=p_not_worse,
        not_worse=p_not_worse is not None and p_not_worse < alpha,
        direction=shown,
        instead_of=test.instead_of,
    )


def _test(contrast: Contrast, resolution: float = 0.0) -> SignTest:
    p_value = contrast.difference.p_value
    return SignTest(
        sign=sign_of(contrast.advantage, resolution), strength=lambda level: -p_value / level
    )
