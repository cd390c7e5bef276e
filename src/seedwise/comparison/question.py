"""What is asked of a plan."""

import math
from dataclasses import dataclass

from seedwise.errors import ConfigError
from seedwise.stats.capped import FIRST_LOOK

__all__ = ["MOST_RUNS", "Question"]

MOST_RUNS = 300
"""Of a stopping rule that is planned: 40 take under a second, 150 two and a half, 300 some ten
seconds on one core, and 1,000 more than a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a plan.

    Attributes:
        differences: True differences to be shown, each above 0; an accuracy as a fraction.
        runs: A number of runs of each setup, to be told what it can show.
        margin: Margin of equivalence, as a fraction of accuracy.
        wanted: Power, above the rate of false alarms and below 1.
        alpha: Rate of false alarms.
        max_runs: With `margin`, to be told what the stopping rule of one comparison would do that
            has the margin as its `difference`, `wanted` as its power, and these as its most runs
            of each setup; 3 to 300.
        seed: Of the simulation that tells it, 0 or more.
    """

    differences: tuple[float, ...] = (0.002, 0.005, 0.01)
    runs: int | None = None
    margin: float | None = None
    wanted: float = 0.8
    alpha: float = 0.05
    max_runs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        bad = [each for each in self.differences if not 0 < each < math.inf]
        if bad or not self.differences:
            raise ConfigError(
                f"a difference must be above 0, got {bad[0] if bad else 'none'}; half a point of "
                "accuracy is 0.005"
            )
        if self.runs is not None and self.runs < 2:
            raise ConfigError(f"runs must be 2 or more of each setup, got {self.runs}")
        if self.margin is not None and not 0 < self.margin < 1:
            raise ConfigError(
                f"margin is a fraction of accuracy, above 0 and below 1, e.g. 0.005 for half a "
                f"point, got {self.margin:g}"
            )
        if not 0 < self.alpha < self.wanted < 1:
            raise ConfigError(
                f"power must be above alpha and below 1, got {self.wanted} and {self.alpha}"
            )
        if self.max_runs is not None:
            if not FIRST_LOOK <= self.max_runs <= MOST_RUNS:
                raise ConfigError(
                    f"max_runs of a plan must be from {FIRST_LOOK} to {MOST_RUNS}, got "
                    f"{self.max_runs}"
                )
            if self.margin is None:
                raise ConfigError(
                    "max_runs plans a stopping rule, whose difference is the margin; give margin "
                    "/ --margin too"
                )
            if self.alpha >= 0.5:
                raise ConfigError(f"alpha of a stopping rule must be below 0.5, got {self.alpha}")
            if self.seed < 0:
                raise ConfigError(f"seed must be 0 or more, got {self.seed}")
            self.check_fractions()

    def check_fractions(self) -> None:
        """Refuse differences that no accuracy can have.

        Raises:
            ConfigError: One is 1 or more.
        """
        too_large = [each for each in self.differences if each >= 1]
        if too_large:
            raise ConfigError(
                "difference is a fraction of accuracy, e.g. 0.005 for half a point, got "
                f"{too_large[0]:g}"
            )
