"""A stopping rule as it is fixed before the first run: the table `[stop]`."""

import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any, Self

from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError
from seedwise.figures import in_points
from seedwise.seeds import Seed
from seedwise.stats.capped import FIRST_LOOK
from seedwise.stats.sequential import SequentialRule
from seedwise.stats.suites import FOR_STANDARDISED

__all__ = ["WORTH_PAIRING", "Stop", "StoppingRule"]

WORTH_PAIRING = 0.3
"""Correlation of runs of one seed from which a paired rule decides sooner than an unpaired one."""

_MOST_RUNS = 100_000
"""As many as seeds may be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stopping rule as a person states it: the table `[stop]`.

    Attributes:
        difference: The difference of accuracy, as a fraction in (0, 1), that matters: the margin
            for "equivalent".
        alpha: Rate of false alarms of the whole study, in (0, 0.5); m candidates have alpha / m
            each.
        power: With `max_runs`, a comparison is given up as futile when its chance of a verdict
            falls below a quarter of 1 - power; in (0, 1).
        max_runs: Most runs of each setup, 3 or more; None for no limit.
        metric: What is judged instead of accuracy, in whose unit `difference` is then; None for
            accuracy, or for the one metric that runs without it come with.
        paired: False takes runs of one seed as unrelated. Where a pilot shows a correlation near
            0, as after long trainings, that decides after fewer pairs. It must not be negative.

    Raises:
        ConfigError: A value is out of range; the message names the field.
    """

    difference: float
    alpha: float = 0.05
    power: float = 0.8
    max_runs: int | None = None
    metric: str | None = None
    paired: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.paired, bool):
            raise ConfigError(f"paired must be true or false, got {self.paired!r}")
        if self.metric is not None and (not isinstance(self.metric, str) or not self.metric):
            raise ConfigError(f"metric must be the name of a metric, got {self.metric!r}")
        for name, most, example in (
            (
                "difference",
                self._most,
                "fraction above 0 and below 1, e.g. 0.005 for half a point"
                if self._most == 1
                else "number above 0, in the unit of the metric",
            ),
            ("alpha", 0.5, "rate above 0 and below 0.5, e.g. 0.05"),
            ("power", 1, "rate above 0 and below 1, e.g. 0.8"),
        ):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value < most:
                raise ConfigError(f"{name} must be a {example}, got {value!r}")
        runs = self.max_runs
        if runs is not None and (type(runs) is not int or not FIRST_LOOK <= runs <= _MOST_RUNS):
            raise ConfigError(
                f"max_runs must be a whole number, {FIRST_LOOK} or more and at most "
                f"{_MOST_RUNS:,}, got {runs!r}"
            )

    @property
    def _most(self) -> float:
        """Bound that no difference reaches; infinite for a metric with a unit of its own."""
        return 1 if self.metric is None or in_points(self.metric) else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """A study's rule, whole, as it is fixed before the first run.

    Attributes:
        stop: When each comparison stops.
        baseline: The setup that the others are compared with.
        candidates: The others; alpha is shared out among as many, however soon some are decided.
        standardised: Whether a pair's difference is the mean over the tasks of a suite of
            differences in standard deviations of a run, as the rule of the verdict says it.
    """

    stop: Stop
    baseline: str
    candidates: tuple[str, ...]
    standardised: bool = False

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ConfigError(
                "a stopping rule needs two setups or more, a baseline and what is compared with it"
            )
        most = self.stop.max_runs
        if self.standardised and most is not None and most < FOR_STANDARDISED:
            raise ConfigError(
                f"standardised differences take {FOR_STANDARDISED} pairs before the first look; "
                f"max_runs must be {FOR_STANDARDISED} or more, got {most}"
            )

    @classmethod
    def of(cls, study: StudyRuns) -> Self | None:
        """The rule that was fixed for a study; None where it has none, or fixed seeds."""
        known = (study.plan or {}).get("stop")
        if known is None:
            return None
        said: dict[str, Any] = {name: known.get(name) for name in Stop.__dataclass_fields__}
        said["paired"] = known.get("paired", True)  # begun before there was a choice
        stop = Stop(**said)
        over = study.plan["rule"].get("over") if study.plan and "tasks" in study.plan else None
        return cls(
            stop=stop,
            baseline=known["baseline"],
            candidates=tuple(known["candidates"]),
            standardised=over == "standardised",
        )

    def check(self, study: StudyRuns) -> Self:
        """Return this rule; refuse a study that was begun otherwise.

        One that has no run yet may take this rule. How tasks are put together belongs to the rule
        of the verdict, which the study has if it has a plan.

        Raises:
            StudyError: The study was begun without a rule, or with another one.
        """
        fixed = type(self).of(study)
        if fixed is None and (study.plan or study.all):
            raise StudyError(
                f"{study.path} was begun without a stopping rule, and one has to be there before "
                "the first run; use another study file, or go on with seeds"
            )
        if fixed is None:
            return self
        if replace(fixed, standardised=self.standardised) != self:
            there, here = (
                asdict(rule.stop) | {"baseline": rule.baseline, "candidates": [*rule.candidates]}
                for rule in (fixed, self)
            )
            changes = ", ".join(
                f"{name} {there[name]!r} there, {value!r} here"
                for name, value in here.items()
                if there[name] != value
            )
            raise StudyError(
                f"{study.path} was begun with another stopping rule: {changes}; what it promises "
                "holds for a rule that does not change: use that one, or another study file"
            )
        return fixed

    def to_json(self) -> Mapping[str, Any]:
        """The rule as the study keeps it, among what is fixed before the first run."""
        stop = asdict(self.stop)
        # What is usual is left out, as studies have it that were begun before there was a choice.
        if self.stop.metric is None:
            del stop["metric"]
        if self.stop.paired:
            del stop["paired"]
        return {
            **stop,
            "baseline": self.baseline,
            "candidates": list(self.candidates),
        }

    def for_one(self) -> SequentialRule:
        """The rule of one comparison."""
        return SequentialRule(
            difference=self.stop.difference,
            alpha=self.stop.alpha / len(self.candidates),
            power=self.stop.power,
            max_pairs=self.stop.max_runs,
            paired=self.stop.paired,
            first_look=FOR_STANDARDISED if self.standardised else FIRST_LOOK,
        )

    def seeds(self) -> Generator[Seed]:
        """The seeds in the order of the looks: 0, 1, 2, ..."""
        numbers = count() if self.stop.max_runs is None else range(self.stop.max_runs)
        return (Seed.of(number) for number in numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
