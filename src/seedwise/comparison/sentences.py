"""A comparison in words that need no statistics to be read. Accuracy is in points here."""

import math
from typing import TYPE_CHECKING

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.verdict import SOFT
from seedwise.stats.catalog import CATALOG
from seedwise.stats.intervals import Difference

if TYPE_CHECKING:
    from seedwise.comparison.result import Comparison
    from seedwise.comparison.target import TargetComparison

__all__ = [
    "amount",
    "basis",
    "in_points",
    "level",
    "metric_words",
    "more_runs",
    "target_sentence",
    "verdict_sentence",
]


def in_points(metric: str) -> bool:
    """Whether a metric is a share of the predictions, which is said in points of a hundred."""
    name = metric.partition(":")[0]
    return name in CATALOG and name.endswith("accuracy")


def amount(metric: str, value: float, *, signed: bool = False) -> str:
    """A difference of a metric, with its unit.

    >>> amount("accuracy", 0.00852), amount("loss", -0.0123, signed=True)
    ('0.85 points', '-0.0123')
    """
    number = _number(metric, value, signed=signed)
    return f"{number} points" if in_points(metric) else number


def metric_words(metric: str) -> str:
    """A metric's name as it stands in a sentence.

    >>> metric_words("matched_accuracy"), metric_words("smoothed_accuracy:beta=10")
    ('matched accuracy', 'smoothed accuracy (beta=10)')
    """
    name, _, settings = metric.partition(":")
    if name not in CATALOG:
        return metric
    words = name.replace("_", " ")
    return f"{words} ({settings})" if settings else words


def verdict_sentence(found: "Comparison") -> str:
    """Better, worse, equivalent or undecided, and by how much."""
    match found.outcome:
        case "better" | "worse":
            return _different(found)
        case "equivalent":
            return _equivalent(found)
        case _:
            return _undecided(found)


def target_sentence(found: "TargetComparison") -> str:
    """Better, worse or undecided against a fixed number, and by how much."""
    metric, difference = found.metric, found.difference
    words, name = metric_words(metric), found.setup.name
    target = f"the target {level(metric, found.target)}"
    head = f"{name} is {found.outcome} than {target}"
    if found.outcome == "undecided":
        head = f"Undecided: these runs can't tell {name} from {target}"
    mean = f"{words} is {level(metric, found.sample.mean)} on average"
    spread = "one run tells nothing of how much runs vary"
    if math.isfinite(difference.low):
        low, high = (found.target + end for end in (difference.low, difference.high))
        spread = f"between {level(metric, low)} and {level(metric, high)}"
    return f"{head}: {mean} ({spread}; {_count(found.sample.n, 'run')})."


def level(metric: str, value: float) -> str:
    """The value of a metric.

    >>> level("accuracy", 0.835), level("loss", 0.51239)
    ('83.50 %', '0.5124')
    """
    return f"{_number(metric, value)} %" if in_points(metric) else _number(metric, value)


def basis(found: "Comparison") -> str:
    """The runs on which it rests, and how often such a verdict is wrong."""
    difference = found.deciding.difference
    if difference.paired:
        runs = f"{_count(difference.n_a, 'pair')} of runs with the same seeds"
    else:
        runs = f"{_count(difference.n_a, 'run')} of {found.a.name} and "
        runs += f"{_count(difference.n_b, 'run')} of {found.b.name}, unrelated"
    return f"From {runs}.{_error_rate(found)}"


def more_runs(found: "Comparison") -> str:
    """How many runs would do, for an undecided comparison; empty where no number can be said."""
    runs, seen = found.runs_for_seen, found.deciding.difference
    if found.outcome != "undecided" or runs is None or found.verdict.withheld:
        return ""
    now = min(seen.n_a, seen.n_b)
    unit = "pair" if found.paired else "run"
    each = "" if found.paired else " of each setup"
    if runs > now:
        return (
            f"If the difference is as large as it looks now, about {_count(runs, unit)}{each} "
            f"would show it in 4 of 5 studies; there are {now}."
        )
    return ""


def _error_rate(found: "Comparison") -> str:
    """What the verdict's error rate means; nothing where it is not kept."""
    if not found.standing.confirmatory:
        return ""
    rate = f"{100 * found.rule.alpha:.3g} %"
    if found.family and found.family.correction == "bh":
        return f" Of all verdicts better or worse, about {rate} are wrong: a screening."
    every = f" in any of the {found.family.size} comparisons" if found.family else ""
    return (
        f" Where there is no difference, such a study comes out better or worse{every} about "
        f"{rate} of the time."
    )


def _different(found: "Comparison") -> str:
    verdict, main, accuracy = found.verdict, found.deciding, found.accuracy
    head = f"{found.b.name} is {verdict.outcome} than {found.a.name}"
    if main.metric != "accuracy":
        head += f" by {metric_words(main.metric)}"
    stands_for_accuracy = main.metric.partition(":")[0] in SOFT
    size = accuracy if accuracy is not None and stands_for_accuracy else main
    if not size.difference.clear_of_zero:
        return f"{head}; by how much is open: {_range(size)}."
    text = f"{head}: {_shift(size)}."
    if accuracy is not None and size is main and main is not accuracy:
        text += f" {_range(accuracy).capitalize()}."
    return text


def _shift(size: Contrast) -> str:
    """By how much a metric moved, without signs."""
    difference = size.difference
    way = "higher" if difference.estimate > 0 else "lower"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return (
        f"{metric_words(size.metric)} is {amount(size.metric, abs(difference.estimate))} {way} "
        f"(between {_number(size.metric, low)} and {_number(size.metric, high)})"
    )


def _equivalent(found: "Comparison") -> str:
    tests = found.equivalence
    assert tests is not None, "without a margin nothing is equivalent"
    metric = found.margin_metric
    text = (
        f"{found.b.name} and {found.a.name} are equivalent: their {metric_words(metric)} differs "
        f"by less than {amount(metric, tests.margin)} (between "
        f"{_number(metric, tests.low, signed=True)} and "
        f"{_number(metric, tests.high, signed=True)})."
    )
    if found.verdict.direction:
        way = "better" if found.verdict.direction > 0 else "worse"
        text += f" {found.b.name} is {way}, but by less than what was said to matter."
    return text


def _undecided(found: "Comparison") -> str:
    size = found.accuracy or found.deciding
    text = f"Undecided: these runs can't tell {found.b.name} from {found.a.name}"
    if found.verdict.withheld:
        text = f"Undecided: that {found.b.name} is {found.verdict.withheld} rests on diverged runs"
    text = f"{text}; {_range(size)}."
    tests = found.equivalence
    if tests is not None and tests.not_worse and not found.verdict.withheld:
        text += (
            f" {found.b.name} is not worse than {found.a.name} by "
            f"{amount(found.margin_metric, tests.margin)} or more."
        )
    return text


def _range(size: Contrast) -> str:
    difference: Difference = size.difference
    seen = amount(size.metric, difference.estimate, signed=True)
    if math.isinf(difference.low):
        return f"{metric_words(size.metric)} differs by {seen}, and nobody can say how exactly"
    return (
        f"{metric_words(size.metric)} differs by {seen} "
        f"(between {_number(size.metric, difference.low, signed=True)} and "
        f"{_number(size.metric, difference.high, signed=True)})"
    )


def _number(metric: str, value: float, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    if in_points(metric):
        return f"{round(100 * value, 2) + 0.0:{sign}.2f}"  # + 0.0 makes 0 of -0
    return f"{value + 0.0:{sign}.4g}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
