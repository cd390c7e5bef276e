"""How a verdict is reached: what is to be fixed before the first run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from seedwise.comparison.directions import check_better
from seedwise.errors import ConfigError

__all__ = ["Rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The choices that a verdict depends on besides the runs.

    Attributes:
        metric: The metric that decides. None takes matched accuracy for the sign, with accuracy
            agreeing, where there are predictions, and else what the runs have.
        margin: The largest difference of accuracy, as a fraction, that does not matter; None for
            no claim of equivalence.
        confidence: Coverage of the intervals, in (0, 1); error rates are 1 less it.
        paired: Whether runs of the same seed are compared with each other; None pairs where most
            of the seeds are shared.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric; under ""
            of the one that decides. For names that do not settle it.

    Raises:
        ConfigError: The margin or the confidence is out of range, or a direction is none.
    """

    metric: str | None = None
    margin: float | None = None
    confidence: float = 0.95
    paired: bool | None = None
    better: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < math.inf:
            raise ConfigError(
                f"margin must be above 0, got {self.margin}; half a point of accuracy is 0.005"
            )
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence must be between 0 and 1, got {self.confidence}")
        check_better(self.better)

    @property
    def alpha(self) -> float:
        """The rate of false alarms."""
        return 1 - self.confidence

    def to_json(self) -> Mapping[str, Any]:
        """What JSON keeps of it; directions are kept by themselves (`directions`)."""
        return {name: value for name, value in asdict(self).items() if name != "better"}
