"""Metrics that came beside predictions, held against what the predictions give.

The predictions decide. Where the two differ, the predictions are not those that were measured, or
they and the targets are not in one order: whoever reads a verdict has to know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seedwise.figures import figure, in_points
from seedwise.seeds import Seed
from seedwise.stats.catalog import CATALOG, BuiltInMetric
from seedwise.stats.scores import Logits, Targets

__all__ = ["Dispute", "computed_from", "disputes"]

_POINTS = 0.0051
"""How far a share may be off: half a point, which is 0.93 for 0.9251 and what float16 changes."""

_RELATIVE = 0.02
"""How far another metric may be off, of its own size: means of batches are means of means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A metric that came with a run and is not that of its predictions.

    Attributes:
        seed: Seed of the run.
        metric: Name of the metric.
        given: What the run came with.
        computed: What its predictions give.
    """

    seed: Seed
    metric: str
    given: float
    computed: float

    def __str__(self) -> str:
        given, computed = figure(self.metric, self.given), figure(self.metric, self.computed)
        return f"{self.metric} {given} given, {computed} computed"


def disputes(
    seed: Seed, metrics: Mapping[str, float], computed: Callable[[str], float]
) -> tuple[Dispute, ...]:
    """The metrics beside a run's predictions that these do not bear out.

    Of several views, the mean over all, the first alone and their averaged logits are each taken
    for what may have been meant.

    Args:
        seed: Seed of the run.
        metrics: What came with it.
        computed: A built-in metric of its predictions, by name.
    """
    found = list[Dispute]()
    for name, given in metrics.items():
        if name not in CATALOG or name == "class_accuracy":  # which needs a label
            continue
        value = computed(name)
        ways = (f"{name}:views=original", f"{name}:views=averaged")
        if not _agree(name, given, value) and not any(
            _agree(name, given, computed(way)) for way in ways
        ):
            found.append(Dispute(seed=seed, metric=name, given=given, computed=value))
    return tuple(found)


def computed_from(logits: Logits, targets: Targets) -> Callable[[str], float]:
    """Built-in metrics of one run's predictions, by name."""
    return lambda name: float(BuiltInMetric.parse(name).values(logits, targets))  # type: ignore[arg-type]


def _agree(metric: str, given: float, computed: float) -> bool:
    slack = _POINTS if in_points(metric) else max(_POINTS, _RELATIVE * abs(computed))
    return abs(given - computed) <= slack
